"""Calibration slope and intercept, with confidence intervals."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, logit

from skosteo.evaluation._scored import Scored, as_probability, as_proportion
from skosteo.evaluation.metrics import (
    Interval,
    clustered_quantile,
    normal_quantile,
    patient_variance,
    too_few,
)

ALL_ALIKE = 1e-6  # range of log odds below which no slope is to be had


class CalibrationLine(NamedTuple):
    """What `calibration_line` returns, and explains."""

    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    intercept_low: float
    intercept_high: float


def calibration_line(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    level: float = 0.95,
) -> CalibrationLine:
    r"""Calibration slope and intercept (calibration in the large) with their intervals.

    .. math::
        \operatorname{logit} P(y = 1) = a + b \operatorname{logit}(p), \qquad
        \operatorname{logit} P(y = 1) = c + \operatorname{logit}(p)

    The slope is :math:`b` of the first logistic regression, the intercept :math:`c` of the second,
    whose slope is fixed at 1 [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    y_prob : array-like of shape (n,) or (n, 2)
        Probability of the positive class, or both columns of ``predict_proba``. Those of exactly 0
        or 1, as forests give, have no logit. They count as `away_from_edges` puts them, and a
        `UserWarning` says how many and where: the slope depends on it.
    groups : array-like of shape (n,), default=None
        Patient of each row, as in `auc_interval`.
    sample_weight : array-like of shape (n,), default=None
        What each row counts, as in `auc_interval`.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    CalibrationLine
        ``slope``, ``slope_low`` and ``slope_high``: 1 is right; below 1 the probabilities are too
        extreme, above 1 too timid; NaN where no finite slope fits best: one probability for all
        rows (log odds within 1e-6), or positive and negative rows that do not overlap.
        ``intercept``, ``intercept_low`` and ``intercept_high``, in logits: 0 is right, below 0 the
        probabilities are too high.

    Notes
    -----
    Standard errors are robust (the sandwich [2]_), so they hold for weights and where the line is
    not straight. Where patients repeat, they are of patients, with the corrections of
    `auc_interval`, and there are no limits with fewer than 10 patients of a class.

    References
    ----------
    .. [1] Van Calster et al. 2016, doi:10.1016/j.jclinepi.2015.12.005
    .. [2] White 1982, doi:10.2307/1912526

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import calibration_line
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.05, 0.95, 1000)
    >>> y = rng.random(1000) < p
    >>> line = calibration_line(y, p)
    >>> print(f"{line.slope:.2f} [{line.slope_low:.2f}, {line.slope_high:.2f}]")
    1.02 [0.88, 1.16]
    """
    normal_quantile(level)
    rows = Scored.of_scores(
        y_true, y_prob, groups=groups, sample_weight=sample_weight, check=as_probability
    )
    moved = away_from_edges(rows.score)
    n_moved = int((moved != rows.score).sum())
    if n_moved:
        warnings.warn(
            f"y_prob is exactly 0 or 1 in {n_moved} of {len(moved)} rows, which has no logit. "
            f"They count as {min(moved.min(), 1 - moved.max()):.3g} from it, on which the slope "
            "depends: say so beside the result, or use a model that is never certain (in a forest, "
            "a greater min_samples_leaf).",
            UserWarning,
            stacklevel=2,
        )
    return line_of_rows(rows, moved, level)


def away_from_edges(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move probabilities of exactly 0 (or so near that it is the same) or 1 inside.

    By half the distance of the nearest other one, so that the order stays, and by half a row of
    the n at most, since n rows show no smaller risk.
    """
    edge = (probability < np.finfo(float).tiny) | (probability == 1)
    inside = probability[~edge]
    nearest = np.minimum(inside, 1 - inside).min(initial=1 / len(probability))
    greatest = min(1 - nearest / 2, np.nextafter(1, 0))  # where half a tiny distance is lost
    return np.where(edge, np.clip(probability, nearest / 2, greatest), probability)


def line_of_rows(
    rows: Scored, probability: NDArray[np.float64], level: float = 0.95
) -> CalibrationLine:
    """Return `calibration_line` of checked rows."""
    sides = rows.patient[rows.positive], rows.patient[~rows.positive]
    # without limits where few patients repeat
    z = np.nan if too_few(*sides) else clustered_quantile(level, *sides)
    log_odds = logit(probability)
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    slope: Interval = (np.nan, np.nan, np.nan)
    apart = np.ptp(log_odds) >= ALL_ALIKE
    if apart and overlap(log_odds[rows.positive], log_odds[~rows.positive]):
        slope = _first_coefficient(design, np.zeros_like(log_odds), rows, z)
    intercept = _first_coefficient(design[:, 1:], log_odds, rows, z)
    return CalibrationLine(*slope, *intercept)


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether no threshold separates the two, so that a logistic regression has a best slope."""
    return bool(one.min() < other.max() and other.min() < one.max())


def _first_coefficient(
    design: NDArray[np.float64], offset: NDArray[np.float64], rows: Scored, z: float
) -> Interval:
    """First coefficient of a logistic regression with its robust interval."""
    coefficients = fit_logistic(design, offset, rows.positive, rows.weight)
    estimate = float(coefficients[0])
    if len(np.unique(rows.patient)) < 2:  # what one patient would vary by is not known
        return estimate, np.nan, np.nan
    influence = influences(design, offset + design @ coefficients, rows)[:, 0]
    half = float(z * np.sqrt(patient_variance(influence, rows.patient, rows.weight)))
    return estimate, estimate - half, estimate + half


def fit_logistic(
    design: NDArray[np.float64],
    offset: NDArray[np.float64],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Maximise the likelihood of coefficients by Newton's steps, halved where one would lower it.

    The log odds are ``offset + design @ coefficients``. No finite coefficients are best where
    `overlap` is not.
    """
    coefficients = np.zeros(design.shape[1])
    for _ in range(100):
        log_odds = offset + design @ coefficients
        gradient = design.T @ (weight * (positive - expit(log_odds)))
        step = np.linalg.solve(curvature(design, log_odds, weight), gradient)
        reached = log_likelihood(log_odds, positive, weight)
        floor = reached * (1 + 1e-12)  # below 0; less of a fall is rounding
        while log_likelihood(log_odds + design @ step, positive, weight) < floor:
            step /= 2
        coefficients += step
        if np.abs(step).max() <= 1e-10:
            break
    return coefficients


def log_likelihood(
    log_odds: NDArray[np.float64], positive: NDArray[np.bool_], weight: NDArray[np.float64]
) -> float:
    """Log likelihood of labels under the log odds of each row."""
    return float(weight @ log_expit(np.where(positive, 1.0, -1.0) * log_odds))


def influences(
    design: NDArray[np.float64], log_odds: NDArray[np.float64], rows: Scored
) -> NDArray[np.float64]:
    """Return what each row adds to the fitted coefficients: shape (n, n_coefficients)."""
    gradient = design * (rows.weight * (rows.positive - expit(log_odds)))[:, None]
    return gradient @ np.linalg.inv(curvature(design, log_odds, rows.weight))


def robust_covariance(
    design: NDArray[np.float64], log_odds: NDArray[np.float64], rows: Scored
) -> NDArray[np.float64]:
    """Covariance of fitted coefficients (the sandwich), what patients add summed by patient."""
    added = influences(design, log_odds, rows)
    by_patient = np.stack([np.bincount(rows.patient, column) for column in added.T])
    k = by_patient.shape[1]
    return k / (k - 1) * (by_patient @ by_patient.T)


def curvature(
    design: NDArray[np.float64], log_odds: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Information on the coefficients: the negative second derivative of the log likelihood."""
    spread = expit(log_odds) * expit(-log_odds)
    return (design * (weight * spread)[:, None]).T @ design


def at_prevalence(
    probability: NDArray[np.float64], prevalence: float, among: float
) -> NDArray[np.float64]:
    r"""Move risks that are right among rows of one prevalence to another.

    .. math::
        \operatorname{logit} p' = \operatorname{logit} p + \operatorname{logit} \pi
        - \operatorname{logit} \pi_0

    Parameters
    ----------
    probability : ndarray of shape (n,)
        Those of 0 and 1 stay.
    prevalence : float
        :math:`\pi`, stated, above 0 and below 1.
    among : float
        :math:`\pi_0`, the proportion of cases among the rows where the risks are right.

    References
    ----------
    Saerens et al. 2002, doi:10.1162/089976602753284446
    """
    stated = as_proportion(prevalence, "prevalence", inside=True)
    if stated == among:  # else rounding would move a risk off a threshold
        return probability
    return expit(logit(probability) + logit(stated) - logit(among))
