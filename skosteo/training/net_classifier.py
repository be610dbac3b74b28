"""What the image and the clinical classifier share: from labels and weights to a trained net."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, _safe_indexing, check_random_state
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
)
from torch import float32, float64, nn, tensor

from skosteo._validation import check_groups, check_weights, encode_target, unchanged_on_error
from skosteo.exceptions import InputError
from skosteo.splits import validation_split
from skosteo.training.data import Inputs, Rows
from skosteo.training.fit import Earlier, Net, train
from skosteo.training.inference import predict_logits

_PART = 1024  # rows


class NetClassifier(ClassifierMixin, BaseEstimator):
    """Base of the binary classifiers that train one net; see its two children."""

    history_: pd.DataFrame
    # parameters that ``warm_start`` cannot go on from once they have changed
    _shaping: ClassVar[tuple[str, ...]] = ()

    # patients reach the early-stopping split wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True, "sample_weight": True}

    @abstractmethod
    def _read(self, X: Any, *, reset: bool) -> Inputs:
        """Check X and return the inputs of the net; with ``reset`` learn what X looks like."""

    @abstractmethod
    def _module_factory(self, inputs: Any) -> Callable[[], nn.Module]:
        """Return what makes the module for these inputs."""

    def _prepare(
        self, X: Any, y: NDArray, weights: NDArray, groups: NDArray | None, train_on: NDArray
    ) -> None:
        """Do what must come before the rows are read; learn from those of ``train_on`` only."""

    def _embedding(self) -> Callable[[Net, Any], Inputs] | None:
        """Return what replaces the inputs before training and prediction, if anything does."""
        return None

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the net.

        Parameters
        ----------
        X : DataFrame or array-like
            As the class says.
        y : array-like of shape (n,)
            Two classes; the second in sorted order is the positive one.
        sample_weight : array-like of shape (n,), optional
            Not negative. Rows of weight 0 are left out altogether.
        groups : array-like of shape (n,), optional
            Patient of each row: no patient is on both sides of the early-stopping split.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            Anything about X, y, weights, groups or parameters that cannot be worked with.
        TrainingError
            The loss is not finite.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups)

    def _fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        classes, codes = encode_target(y)
        earlier = self._earlier(classes)
        check_consistent_length(X, codes)
        patients = check_groups(groups, len(codes))
        weights = check_weights(sample_weight, X, codes)
        used = np.flatnonzero(weights > 0)
        if len(used) < len(codes):
            X, codes, weights = _safe_indexing(X, used), codes[used], weights[used]
            patients = None if patients is None else patients[used]
        # sklearn's convention: None draws the seed from numpy's global generator. Who goes on keeps
        # the first: another split would let the films that it sets aside have been learnt from.
        if earlier is None:
            self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        seed = self._seed
        train_on, valid_on = np.arange(len(codes)), None
        if self.early_stopping:
            train_on, valid_on = validation_split(codes, patients, self.validation_fraction, seed)
        self._prepare(X, classes[codes], weights, patients, train_on)
        inputs = self._read(X, reset=True)
        weights = weights * self._class_weights(classes, codes, weights, train_on)[codes]
        precision = float64 if inputs.dtype == float64 else float32
        rows = Rows(inputs, tensor(np.stack([codes, weights], axis=1), dtype=precision))
        net, history = train(
            self._module_factory(inputs),
            rows[train_on],
            None if valid_on is None else rows[valid_on],
            lr=self.lr,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            n_iter_no_change=self.n_iter_no_change,
            device=self.device,
            seed=seed,
            verbose=self.verbose,
            name=type(self).__name__,
            embed=self._embedding(),
            earlier=earlier,
        )
        if earlier is not None:
            history = pd.concat([self.history_, history], ignore_index=True)
        self.classes_ = classes
        self._shape = {name: getattr(self, name) for name in self._shaping}
        self.net_, self.history_, self.n_iter_ = net, history, len(history)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        check_is_fitted(self)
        inputs, embed = self._read(X, reset=False), self._embedding()
        if embed is None:
            positive = expit(predict_logits(self.net_, inputs))
        else:  # in parts: an embedding may be larger than its film
            parts = (embed(self.net_, part) for part in inputs.split(_PART))
            positive = expit(np.concatenate([predict_logits(self.net_, part) for part in parts]))
        return np.stack([1 - positive, positive], axis=1)

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    def _earlier(self, classes: NDArray) -> Earlier | None:
        """Return the training that ``warm_start`` goes on from."""
        if not getattr(self, "warm_start", False) or not hasattr(self, "net_"):
            return None
        if not np.array_equal(classes, self.classes_):
            raise InputError(
                f"warm_start=True goes on with the classes {self.classes_.tolist()}, and y has "
                f"{classes.tolist()}. Give the same two, or set warm_start=False."
            )
        changed = [name for name in self._shaping if getattr(self, name) != self._shape[name]]
        if changed:
            raise InputError(
                f"warm_start=True goes on with the same net, and {', '.join(changed)} changed. Set "
                "it back, or set warm_start=False."
            )
        return Earlier(self.net_.module_.state_dict(), self.n_iter_)

    def _class_weights(
        self, classes: NDArray, codes: NDArray, weights: NDArray, train_on: NDArray
    ) -> NDArray[np.float64]:
        if self.class_weight is None:
            return np.ones(2)
        if self.class_weight == "balanced":
            # n / (2 n_c) over the rows trained on: .898 and 1.128 for the paper's 659 and 525
            totals = np.bincount(codes[train_on], weights[train_on], minlength=2)
            return totals.sum() / (2 * totals)
        try:
            return np.array([float(self.class_weight[label]) for label in classes.tolist()])
        except (TypeError, KeyError, ValueError):
            raise InputError(
                f"class_weight={self.class_weight!r}: allowed are None, 'balanced', or a dict "
                f"with a number for each of {classes.tolist()}."
            ) from None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
