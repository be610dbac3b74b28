"""Whether the risks of one model add to those of another, such as a film to age, sex and BMI."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from scipy.stats import norm, t

from skosteo.evaluation._scored import Scored, Scores, as_probability
from skosteo.evaluation.calibration import (
    away_from_edges,
    fit_logistic,
    influences,
    overlap,
)
from skosteo.evaluation.comparison import DelongTest, delong_of_rows
from skosteo.evaluation.metrics import (
    FEWEST_PATIENTS,
    auc_influence,
    n_patients,
    patient_variance,
)
from skosteo.splits import fold_splitter

_N_FOLDS = 10
_UNKNOWN = (np.nan, np.nan, np.nan, np.nan, np.nan)


class AddedValue(NamedTuple):
    """What `added_value` returns, and explains."""

    coefficient: float
    odds_ratio: float
    low: float
    high: float
    pvalue: float
    auc_base: float
    auc_both: float
    auc_difference: DelongTest


def added_value(
    y_true: ArrayLike, base: ArrayLike, added: ArrayLike, *, groups: ArrayLike | None = None
) -> AddedValue:
    r"""Test whether a second model's risk adds to that of a first one.

    .. math::
        \operatorname{logit} P(y = 1) = a + b \operatorname{logit}(p_\text{base})
        + c \, \operatorname{logit}(p_\text{added}) / s

    with :math:`s` the standard deviation of the second model's log odds.

    Parameters
    ----------
    y_true, groups
        As in `evaluate`.
    base, added : array-like of shape (n,) or (n, 2)
        Probability of the positive class by the model that is there, and by the one that may add
        to it. Both have to be of rows that neither model has learned from (held out, or
        out-of-fold), or the test does not keep its error rate.

    Returns
    -------
    AddedValue
        ``coefficient``: c, the log odds that one standard deviation of the second model's log odds
        adds at the same base risk; ``odds_ratio``, its exponential, with the 95 % limits ``low``
        and ``high``; ``pvalue``, two-sided, that c is 0. ``auc_base`` and ``auc_both``: area of the
        base risk, and of both together; ``auc_difference``, the `DelongTest` of the second less
        the first. All are NaN that cannot be estimated: of a class of fewer than 10 patients, of
        two risks of which one follows from the other, or that separate cases and controls.

    Notes
    -----
    The P value is Wald's, with the robust variance of `calibration_line` (the sandwich [1]_, of
    patients where they repeat, and then with Student's t); where the second model knows nothing
    new, P is below .05 in 5 of 100, with 100 patients of three films as with 300. The test of c,
    not that of the areas, is the one to report: a difference of areas of nested models is a less
    powerful test of the same question [2]_.

    Of out-of-fold risks that know nothing new, c is a little below 0, as each patient was left out
    where his own risk was learned: P was below .05 in 13 to 16 of 100 (200 patients, 5 folds, 3
    repeats), nearly all with an odds ratio below 1, and in 3 to 4 with one above 1. So a risk adds
    where ``low`` is above 1; an odds ratio below 1 says nothing.

    The combination is the mean of both risks' standardized log odds, weighted by their coefficients
    where these are above 0 [3]_. The weights are learned in 10 folds by patient, each for the rows
    that they have not seen, so that ``auc_both`` owes nothing to fitting noise; it may be below
    ``auc_base``.

    References
    ----------
    .. [1] White 1982, doi:10.2307/1912526
    .. [2] Pepe et al. 2013, doi:10.1002/sim.5727
    .. [3] Breiman 1996, doi:10.1007/BF00117832

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import added_value
    >>> rng = np.random.default_rng(0)
    >>> age, film = rng.normal(size=(2, 400))
    >>> y = rng.random(400) < 1 / (1 + np.exp(1 - age - film))
    >>> found = added_value(y, 1 / (1 + np.exp(1 - age)), 1 / (1 + np.exp(1 - film)))
    >>> print(f"{found.odds_ratio:.2f} [{found.low:.2f}, {found.high:.2f}], P = {found.pvalue:.0e}")
    3.37 [2.41, 4.70], P = 9e-13
    """
    rows = Scored.of_scores(y_true, base, added, groups=groups, check=as_probability)
    probability, other = rows.models.values()
    log_odds = np.column_stack([logit(away_from_edges(p)) for p in (probability, other)])
    log_odds -= log_odds.mean(axis=0)
    scale = log_odds.std(axis=0, ddof=1)
    design = np.column_stack([log_odds / np.where(scale > 0, scale, 1), np.ones(len(log_odds))])
    auc_base = auc_influence(rows.positive, probability, rows.weight)[0]
    classes = [n_patients(rows.patient[side]) for side in (rows.positive, ~rows.positive)]
    if min(classes) < FEWEST_PATIENTS or np.linalg.matrix_rank(design) < design.shape[1]:
        return AddedValue(*_UNKNOWN, auc_base, np.nan, DelongTest(*_UNKNOWN))
    both = _cross_fitted(design, rows)
    if both is None:
        return AddedValue(*_wald(design, rows), auc_base, np.nan, DelongTest(*_UNKNOWN))
    auc_both = auc_influence(rows.positive, both, rows.weight)[0]
    test = delong_of_rows(rows, both, probability, 0.95)
    return AddedValue(*_wald(design, rows), auc_base, auc_both, test)


def _wald(design: NDArray[np.float64], rows: Scored) -> tuple[float, float, float, float, float]:
    """Second coefficient, its odds ratio with limits, and P."""
    coefficients = _fitted(design, rows)
    if coefficients is None:
        return _UNKNOWN
    c = float(coefficients[1])
    influence = influences(design, design @ coefficients, rows)[:, 1]
    error = float(np.sqrt(patient_variance(influence, rows.patient)))
    k = n_patients(rows.patient)
    law = norm if k == len(rows.positive) else t(k - len(coefficients))
    half = float(law.ppf(0.975)) * error
    with np.errstate(over="ignore"):  # of two risks that are nearly the same
        ratio, low, high = np.exp([c, c - half, c + half]).tolist()
    return c, ratio, low, high, float(2 * law.sf(abs(c) / error))


def _cross_fitted(design: NDArray[np.float64], rows: Scored) -> Scores | None:
    """Mean of both standardized log odds, its weights learned without the row's patient, or None.

    Weights that sum to 1 keep the rows of all folds on one scale: with nothing added the order is
    the base risk's.
    """
    classes = [n_patients(rows.patient[side]) for side in (rows.positive, ~rows.positive)]
    repeated = n_patients(rows.patient) < len(rows.positive)
    groups = rows.patient if repeated else None
    folds = fold_splitter(min(_N_FOLDS, *classes), groups, 0)
    score = np.empty(len(rows.positive))
    for train, test in folds.split(design, rows.positive, groups):
        inside = np.zeros(len(score), dtype=bool)
        inside[train] = True
        coefficients = _fitted(design[inside], rows.at(inside))
        if coefficients is None:
            return None
        weight = np.maximum(coefficients[:-1], 0)  # no risk counts against itself
        weight = weight / weight.sum() if weight.any() else np.array([1.0, 0.0])
        score[test] = design[test, :-1] @ weight
    return score


def _fitted(design: NDArray[np.float64], rows: Scored) -> NDArray[np.float64] | None:
    """Coefficients of the logistic model; None where no finite ones are best."""
    if len(np.unique(rows.positive)) < 2:
        return None
    try:
        coefficients = fit_logistic(design, np.zeros(len(design)), rows.positive, rows.weight)
    except np.linalg.LinAlgError:
        return None
    log_odds = design @ coefficients
    overlaps = overlap(log_odds[rows.positive], log_odds[~rows.positive])
    return coefficients if overlaps and np.isfinite(coefficients).all() else None
