"""Base class of the classifiers of nets: two classes in, the log odds of the second out."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions

from skosteo._validation import check_weights, encode_target
from skosteo.exceptions import InputError
from skosteo.training.net_estimator import NetEstimator, Plan

# Gradients of a smaller loss come near the 1e-8 that Adam adds to them
_LEAST_WEIGHT = 1e-6


class NetClassifier(ClassifierMixin, NetEstimator):
    """Base of the binary classifiers that train one net; see `NetEstimator`."""

    classes_: NDArray

    _parameter_constraints: ClassVar[dict] = {
        **NetEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), Mapping, None],
    }

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        log_odds = self.decision_function(X)
        return np.stack([expit(-log_odds), expit(log_odds)], axis=1)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithm of the probability of each class: shape (n, 2)."""
        log_odds = self.decision_function(X)
        return np.stack([log_expit(-log_odds), log_expit(log_odds)], axis=1)

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.decision_function(X) >= 0
        return self.classes_[positive.astype(int)]

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Log odds of the positive class, ``classes_[1]``: shape (n,)."""
        return self._outputs(X)

    def _read_target(self, y: ArrayLike) -> NDArray:
        self.classes_, codes = encode_target(y)
        return self.classes_[codes]

    def _codes(self, target: NDArray) -> NDArray[np.int64]:
        return (target == self.classes_[1]).astype(np.int64)

    def _check_weights(
        self, sample_weight: ArrayLike | None, X: Any, codes: NDArray
    ) -> NDArray[np.float64]:
        return check_weights(sample_weight, X, codes)

    def _targets(self, plan: Plan) -> tuple[NDArray, NDArray[np.float64]]:
        """Codes, and weights that move the net for both classes."""
        weights = plan.weights * self._class_weights(plan)[plan.codes]
        means = np.bincount(plan.codes, weights) / np.bincount(plan.codes)
        least = int(means.argmin())
        if means[least] < _LEAST_WEIGHT:
            raise InputError(
                f"class_weight and sample_weight give the rows of class {self.classes_[least]!s} a "
                f"weight of {means[least]:.3g} on average: a net learns nothing from a loss so "
                "small. Scale them to a mean of about 1."
            )
        return plan.codes, weights

    def _class_weights(self, plan: Plan) -> NDArray[np.float64]:
        """Weight of each class in the loss: shape (2,)."""
        if self.class_weight is None:
            return np.ones(2)
        if isinstance(self.class_weight, str):
            # n / (2 n_c) over the rows trained on: .898 and 1.128 for the paper's 659 and 525
            rows = plan.train_on
            totals = np.bincount(plan.codes[rows], plan.weights[rows], minlength=2)
            return totals.sum() / (2 * totals)
        classes = self.classes_.tolist()
        try:
            weights = np.array([float(self.class_weight[label]) for label in classes])
        except (TypeError, KeyError, ValueError):
            weights = np.zeros(2)
        if not (np.isfinite(weights) & (weights > 0)).all():
            raise InputError(
                f"class_weight={self.class_weight!r}: allowed are None, 'balanced', or a dict "
                f"with a number above 0 for each of {classes}."
            )
        return weights

    def _too_few(self, codes: NDArray) -> str:
        counts = dict(zip(self.classes_.tolist(), np.bincount(codes).tolist(), strict=True))
        return f"The rows by class are {counts}: too few to set some of both classes"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
