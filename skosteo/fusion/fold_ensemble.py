"""The models of the folds of a cross-validation, averaged."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import Tags, _safe_indexing, get_tags, indexable
from sklearn.utils.validation import check_is_fitted

from skosteo._validation import (
    encode_target,
    gives_probabilities,
    to_pandas,
    unchanged_on_error,
)
from skosteo.exceptions import InputError
from skosteo.fusion.columns import Part, renumbering
from skosteo.fusion.out_of_fold import FitRows, fitted_folds, validate_steps

_SEED = 0  # of the folds, so that a fit can be repeated


class FoldEnsembleClassifier(
    CallbackSupportMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    r"""Average the models of the folds of a cross-validation.

    .. math:: P(y = 1) = \frac{1}{k} \sum_{i=1}^{k} P_i(y = 1)

    Each of the k models is fitted on all folds but one, and a new patient gets the mean of their
    probabilities. For a row of `fit` the model that has not seen its patient gives an out-of-fold
    probability, so that one fit yields the ensemble and what it may be judged by.

    Parameters
    ----------
    estimator : classifier
        Any with ``predict_proba``: a net, a fusion, a pipeline. Clones of it are fitted.
    cv : int, cross-validator or iterable, default=5
        Folds that test each row once. A number is stratified, shuffled by a fixed seed, and grouped
        by patient if `fit` is given ``groups``.

    Attributes
    ----------
    estimators_ : list of classifier
        The k models, by fold.
    oof_probability_ : ndarray of shape (n,)
        Out-of-fold probability of the positive class of each row of `fit`; NaN where its weight is
        0. `save_model` leaves it out.
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Those of the models, where they have them.

    Notes
    -----
    The mean varies less than a net that is trained once. Each model learns from (k - 1) / k of the
    patients, and k of them take k times as long to predict; with `cache_dir`, films are still read
    once.

    The out-of-fold probabilities are those of single models. On new patients the mean has a Brier
    score and a log loss no worse than the models have on average, for both are convex; of AUC that
    is usual, not certain. Its risks lie a little nearer to each other than they should:
    `RecalibratedClassifier` puts that right.

    ``groups`` and ``sample_weight`` reach the estimator as in `ProbabilityFusionClassifier`.

    References
    ----------
    Breiman L. Bagging predictors. Machine Learning 1996;24:123-140. doi:10.1007/BF00058655

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.metrics import roc_auc_score
    >>> from skosteo import FoldEnsembleClassifier
    >>> from skosteo.datasets import draw_patients
    >>> people = draw_patients(200, random_state=0)
    >>> X, y = people[["age", "height_cm"]], people["osteoporosis"]
    >>> model = FoldEnsembleClassifier(LogisticRegression()).fit(X, y, groups=people["patient_id"])
    >>> len(model.estimators_), model.predict_proba(X).shape
    (5, (200, 2))
    >>> bool(roc_auc_score(y, model.oof_probability_) > 0.5)
    True
    """

    # patients reach the folds and the estimator wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(self, estimator: Any, cv: int | BaseCrossValidator | Iterable = 5) -> None:
        self.estimator = estimator
        self.cv = cv

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit a clone of the estimator on each fold.

        Parameters
        ----------
        X : table or array-like of n rows
            Whatever the estimator takes, films included: nothing else reads it.
        y : array-like of shape (n,)
            Two classes; the second in sorted order is the positive one.
        sample_weight : array-like of shape (n,), optional
            Not negative. Rows of weight 0 are left out.
        groups : array-like of shape (n,), optional
            Patient of each row: no patient is on both sides of a fold. Cross-validation
            and searches pass it on only after ``sklearn.set_config(enable_metadata_routing=True)``:
            ``cross_validate(..., params={"groups": ...})``, ``search.fit(X, y, groups=...)``.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            A parameter is wrong, y is not binary, there are too few patients of a class for folds,
            or the estimator cannot take the sample weights.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups)

    @with_callbacks
    def _fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        classes, codes = encode_target(y)
        self._check_parameters(classes)
        table = X
        X, _ = indexable(to_pandas(X), codes)
        rows = FitRows.of(X, codes, sample_weight, groups)
        used, splits = rows.used, rows.splits(self.cv, _SEED)
        context = self._init_callback_context(max_subtasks=len(splits))
        context.call_on_fit_task_begin(estimator=self, X=table, y=y)
        estimators, probability = [], np.full(len(codes), np.nan)
        with renumbering(used, len(codes)):
            part = Part(_safe_indexing(X, used), np.ones(len(used), dtype=bool))
            labels = classes[codes[used]]
            folds = fitted_folds(self.estimator, part, labels, splits, rows.metadata, context)
            for model, tested, said in folds:
                estimators.append(model)
                probability[used[tested]] = said
        self.estimators_, self.oof_probability_, self.classes_ = estimators, probability, classes
        context.call_on_fit_task_end(estimator=self, X=table, y=y, reconstruction_attributes={})
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        check_is_fitted(self)
        said = [model.predict_proba(X)[:, 1] for model in self.estimators_]
        positive = np.mean(said, axis=0, dtype=np.float64)
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in `fit`."""
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the columns seen in `fit`."""
        return self.estimators_[0].feature_names_in_

    def _check_parameters(self, classes: NDArray) -> None:
        """Refuse wrong parameters, those of the estimator included, before anything is fitted."""
        if not gives_probabilities(self.estimator):
            raise InputError(
                f"estimator={type(self.estimator).__name__} is not a classifier with "
                "predict_proba. For a support vector machine, use CalibratedClassifierCV; to "
                "average different models, VotingClassifier with voting='soft'."
            )
        if isinstance(self.estimator, FrozenEstimator):
            raise InputError(
                "estimator= is in a FrozenEstimator: it would be the same in all folds, and no "
                "prediction out-of-fold. Give it unfrozen; its clones are fitted."
            )
        if isinstance(self.cv, str):
            raise InputError(
                f"cv={self.cv!r}: allowed are a number of folds, a cross-validator or folds."
            )
        validate_steps(self.estimator, classes)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
