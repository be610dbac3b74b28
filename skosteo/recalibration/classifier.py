"""A classifier whose probabilities are put right by what it says of patients it has not seen."""

import warnings
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import Tags, _safe_indexing, get_tags, indexable
from sklearn.utils.validation import _num_samples, check_is_fitted

from skosteo._validation import (
    encode_target,
    gives_probabilities,
    logits,
    to_pandas,
    unchanged_on_error,
)
from skosteo.evaluation._scored import as_proportion
from skosteo.evaluation.calibration import (
    ALL_ALIKE,
    at_prevalence,
    away_from_edges,
    fit_logistic,
    overlap,
)
from skosteo.exceptions import InputError
from skosteo.fusion.columns import Part, renumbering
from skosteo.fusion.memory import open_memory
from skosteo.fusion.out_of_fold import (
    FitRows,
    check_prefit,
    fit_out_of_fold,
    predict_present,
    validate_steps,
)

METHODS = ("logistic", "intercept", "isotonic")
_SEED = 0  # of the folds, so that a fit can be repeated
_NEAREST = float(np.finfo(np.float64).eps)  # to 0 or 1 of a probability whose log odds are taken


class RecalibratedClassifier(
    CallbackSupportMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    r"""Put the probabilities of a classifier right, so that they are the proportion of cases.

    .. math:: \operatorname{logit} P(y = 1) = a + b \operatorname{logit} p

    Slope :math:`b` and intercept :math:`a` are learned from the probabilities :math:`p` that each
    row of `fit` gets from a fold that did not hold the row's patient. Then the classifier is fitted
    again on all rows: one model, whose order of patients stays as it is.

    Parameters
    ----------
    estimator : classifier
        Any with ``predict_proba``: a net, a fusion, a pipeline. One in a ``FrozenEstimator`` of
        scikit-learn is fitted already, as with ``cv="prefit"``.
    method : {"logistic", "intercept", "isotonic"}, default="logistic"
        "logistic": slope and intercept. "intercept": the slope is 1, for few cases, or where the
        probabilities are too high or too low alike. "isotonic": any curve that does not fall
        (``IsotonicRegression``), for 1,000 cases and more; patients on a step of it tie.
    cv : int, cross-validator, iterable or "prefit", default=5
        Folds of the out-of-fold probabilities. A number is stratified, shuffled by a fixed seed,
        and grouped by patient if `fit` is given ``groups``. "prefit": the estimator is fitted
        already and stays as it is. Give `fit` rows that it has not seen.
    prevalence : float, default=None
        Proportion of cases where the risks are to be right, above 0 and below 1; None: as in the
        rows of `fit`. State it where these were not sampled as the patients come, as in a
        case-control study. `set_params` may change it without another fit.

    Attributes
    ----------
    estimator_ : classifier
        The estimator, fitted on all rows.
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    slope_, intercept_ : float
        :math:`b` and :math:`a`; NaN with "isotonic".
    isotonic_ : IsotonicRegression or None
        The curve of "isotonic".
    prevalence_ : float
        :math:`\pi_0`, the proportion of cases in the rows of `fit`, weighted by ``sample_weight``.
    edge_ : float
        Probabilities nearer to 0 or 1 than this count as this.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Those of ``estimator_``, where it has them.

    Notes
    -----
    A stated prevalence :math:`\pi` moves the recalibrated risk :math:`p` by Bayes' theorem [1]_:

    .. math::
        \frac{p'}{1 - p'} = \frac{p}{1 - p} \cdot
        \frac{\pi / (1 - \pi)}{\pi_0 / (1 - \pi_0)}, \qquad
        \operatorname{logit} p' = \operatorname{logit} p + \operatorname{logit} \pi
        - \operatorname{logit} \pi_0

    That is exact where cases look like the cases of `fit`, and controls like its controls, and only
    their numbers differ. It is not where patients are ill more often *because* they are older, for
    instance: for that `update_model` takes local outcomes.

    scikit-learn's ``CalibratedClassifierCV`` averages one model a fold unless ``ensemble=False``,
    draws folds that do not know patients, and its "sigmoid" is Platt's, with labels pulled from 0
    and 1, on probabilities where an estimator has no ``decision_function``.

    A slope below 0 would turn the order of patients round. It is what a model gives that has
    learned nothing: where many cases are tested, few were there to learn from. So it is 0 at least,
    as that of "isotonic" is; every row then gets the proportion of cases, and a `UserWarning` says
    so.
    Where all cases are above all controls, the steeper the line, the better it fits, without an
    end: the slope is then 1, with a `UserWarning`.

    Probabilities of exactly 0 or 1, as forests give, have no log odds. They count as halfway to the
    nearest other one of `fit`, and as half a row of its n at most.

    ``groups`` and ``sample_weight`` reach the estimator as in `ProbabilityFusionClassifier`.

    References
    ----------
    .. [1] Saerens et al. 2002, doi:10.1162/089976602753284446
    .. [2] Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skosteo import RecalibratedClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 1))
    >>> y = rng.random(2000) < 1 / (1 + np.exp(3 - X[:, 0]))
    >>> balanced = LogisticRegression(class_weight="balanced")
    >>> model = RecalibratedClassifier(balanced).fit(X, y)
    >>> risks = [m.predict_proba(X)[:, 1].mean() for m in (model.estimator_, model)]
    >>> print(f"{y.mean():.3f} are cases; mean risk {risks[0]:.3f}, recalibrated {risks[1]:.3f}")
    0.066 are cases; mean risk 0.412, recalibrated 0.066
    """

    # patients reach the folds and the estimator wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(
        self,
        estimator: Any,
        method: str = "logistic",
        cv: int | BaseCrossValidator | Iterable | str = 5,
        prevalence: float | None = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.prevalence = prevalence

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the estimator and what puts its probabilities right.

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
        used, splits = rows.used, () if self._is_prefit() else rows.splits(self.cv, _SEED)
        context = self._init_callback_context(max_subtasks=len(splits) + bool(splits))
        context.call_on_fit_task_begin(estimator=self, X=table, y=y)
        with renumbering(used, len(codes)):
            part = whole(_safe_indexing(X, used))
            if splits:
                labels, memory = classes[codes[used]], open_memory(None)
                fitted, probability = fit_out_of_fold(
                    self.estimator, part, labels, splits, rows.metadata, memory, context
                )
            else:
                fitted = self.estimator
                probability = predict_present(fitted, part)
        self.learn(fitted, classes, probability, codes[used] == 1, rows.weights)
        context.call_on_fit_task_end(estimator=self, X=table, y=y, reconstruction_attributes={})
        return self

    def learn(
        self,
        fitted: Any,
        classes: NDArray,
        probability: NDArray[np.float64],
        positive: NDArray[np.bool_],
        weight: NDArray[np.float64],
    ) -> Self:
        """Learn from the probabilities of a fitted estimator by themselves; for developers."""
        self.estimator_, self.classes_ = fitted, classes
        self.prevalence_ = float(np.average(positive, weights=weight))
        self.edge_ = edge(probability)
        self.isotonic_, self.slope_, self.intercept_ = None, np.nan, np.nan
        if self.method == "isotonic":
            curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            self.isotonic_ = curve.fit(probability, positive, weight)
        else:
            log_odds = logits(probability, self.edge_)
            self.slope_ = 1.0
            if self.method == "logistic":
                self.slope_ = _slope(log_odds, positive, weight)
            ones = np.ones((len(log_odds), 1))
            offset = self.slope_ * log_odds
            self.intercept_ = float(fit_logistic(ones, offset, positive, weight)[0])
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        check_is_fitted(self)
        risk = self.put_right(np.asarray(self.estimator_.predict_proba(X)[:, 1], dtype=np.float64))
        return np.column_stack([1 - risk, risk])

    def put_right(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Recalibrate probabilities of the estimator by themselves; for developers."""
        if self.isotonic_ is not None:
            risk = self.isotonic_.predict(probability)
        else:
            risk = expit(self.intercept_ + self.slope_ * logits(probability, self.edge_))
        if self.prevalence is not None:
            risk = at_prevalence(risk, self.prevalence, self.prevalence_)
        return risk

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in `fit`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the columns seen in `fit`."""
        return self.estimator_.feature_names_in_

    def _is_prefit(self) -> bool:
        named = isinstance(self.cv, str) and self.cv == "prefit"
        return named or isinstance(self.estimator, FrozenEstimator)

    def _check_parameters(self, classes: NDArray) -> None:
        """Refuse wrong parameters, those of the estimator included, before anything is fitted."""
        if not gives_probabilities(self.estimator):
            raise InputError(
                f"estimator={type(self.estimator).__name__} is not a classifier with "
                "predict_proba. For a support vector machine, use CalibratedClassifierCV."
            )
        if self.method not in METHODS:
            raise InputError(
                f"method={self.method!r}: allowed are {', '.join(map(repr, METHODS))}."
            )
        if isinstance(self.cv, str) and self.cv != "prefit":
            raise InputError(
                f"cv={self.cv!r}: allowed are a number of folds, a cross-validator or 'prefit'."
            )
        if self.prevalence is not None:
            as_proportion(self.prevalence, "prevalence", inside=True)
        if self._is_prefit():
            check_prefit({"estimator": self.estimator}, classes)
        else:
            validate_steps(self.estimator, classes)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def whole(table: Any) -> Part:
    """All rows of a table, as what an estimator sees; what they hold is for it to judge."""
    return Part(table, np.ones(_num_samples(table), dtype=bool))


def edge(probability: NDArray[np.float64]) -> float:
    """How near to 0 or 1 a probability counts: where those of exactly 0 or 1 were moved to."""
    moved = away_from_edges(probability)
    if (moved == probability).all():
        return _NEAREST
    return max(_NEAREST, float(min(moved.min(), 1 - moved.max())))


def _slope(
    log_odds: NDArray[np.float64], positive: NDArray[np.bool_], weight: NDArray[np.float64]
) -> float:
    """Slope of the best line that does not fall."""
    cases, controls = log_odds[positive], log_odds[~positive]
    if np.ptp(log_odds) < ALL_ALIKE:
        slope, why = 0.0, "all rows have the same probability"
    elif overlap(cases, controls):
        design = np.column_stack([log_odds, np.ones_like(log_odds)])
        best = float(fit_logistic(design, np.zeros_like(log_odds), positive, weight)[0])
        if best > 0:
            return best
        slope, why = 0.0, f"controls have the higher probabilities (the best slope is {best:.2g})"
    elif cases.min() < controls.max():
        slope, why = 0.0, "all controls have higher probabilities than all cases"
    else:
        slope, why = 1.0, "all cases have higher probabilities than all controls"
    outcome = (
        "A slope of 1 is kept, and the intercept alone is learned. Give more patients."
        if slope
        else "Every row gets the proportion of cases. The estimator has learned nothing that holds "
        "for patients it has not seen, or y is coded the other way round."
    )
    warnings.warn(f"No slope can be learned: {why}. {outcome}", UserWarning, stacklevel=6)
    return slope
