"""Predictive values, F1, Brier score and average precision, each with an interval.

All are pure functions of checked rows, and all sum what a patient's rows say before they ask how
much it varies.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from skosteo.evaluation.metrics import (
    Interval,
    effective_rows,
    influence_variance,
    normal_quantile,
    rate_interval,
)

UNKNOWN: Interval = (float("nan"), float("nan"), float("nan"))


def share_interval(
    hit: NDArray[np.bool_], patient: NDArray[np.intp], level: float = 0.95
) -> Interval:
    """Share of rows that are hits, with Wilson's interval clustered by patient.

    Parameters
    ----------
    hit : ndarray of shape (n,), bool
        The rows asked about, true where they count.
    patient : ndarray of shape (n,), int
        Codes of the patients.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    share, low, high : float
        NaN where no row is asked about.
    """
    if len(hit) == 0:
        return UNKNOWN
    effective = effective_rows(hit, patient)
    return rate_interval(int(hit.sum()), len(hit), effective=effective, level=level)


def f1_interval(
    positive: NDArray[np.bool_],
    called: NDArray[np.bool_],
    patient: NDArray[np.intp],
    level: float = 0.95,
) -> Interval:
    r"""F1 score with its interval.

    .. math:: F_1 = \frac{2 J}{1 + J}, \qquad J = \frac{TP}{TP + FP + FN}

    Parameters
    ----------
    positive, called : ndarray of shape (n,), bool
        Labels, and what the model says.
    patient : ndarray of shape (n,), int
        Codes of the patients.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    f1, low, high : float
        NaN where no row is positive or called so.

    Notes
    -----
    J is a share of rows and F1 rises with it, so Wilson's interval of J, clustered by patient, is
    carried over.
    """
    either = positive | called
    share = share_interval((positive & called)[either], patient[either], level)
    f1, low, high = (2 * j / (1 + j) for j in share)
    return f1, low, high


def predictive_interval(
    right: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    patients: tuple[NDArray[np.intp], NDArray[np.intp]],
    share: float,
    level: float = 0.95,
) -> Interval:
    r"""Predictive value at a stated share of those who have what is predicted.

    .. math:: \frac{r \pi}{r \pi + w (1 - \pi)}

    Parameters
    ----------
    right : ndarray of shape (m,), bool
        Of the rows that have it, those predicted to have it; their share is :math:`r`.
    wrong : ndarray of shape (n,), bool
        Of the rows that do not have it, those predicted to have it; their share is :math:`w`.
    patients : pair of ndarrays of shape (m,) and (n,), int
        Codes of the patients of either.
    share : float
        :math:`\pi`, above 0 and below 1: the prevalence, or for the negative predictive value
        1 - prevalence.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    value, low, high : float
        The value is NaN where nothing is predicted to have it.

    Notes
    -----
    The value rises with the likelihood ratio :math:`r / w`, whose interval is made from Wilson's
    of both shares (MOVER-R [1]_), so it also holds where a share is 0. Rows of both classes from
    one patient are taken as independent of each other.

    References
    ----------
    .. [1] Donner and Zou 2012, doi:10.1177/0962280210376036
    """
    (r, r_low, r_high), (w, w_low, w_high) = (
        share_interval(rows, patient, level)
        for rows, patient in zip((right, wrong), patients, strict=True)
    )
    ratio = r / w if w else (np.inf if r else np.nan)
    both = r * w

    def root(r_end: float, w_end: float) -> float:
        return float(np.sqrt(max(both**2 - r_end * w_end * (2 * r - r_end) * (2 * w - w_end), 0)))

    low = r_low * (2 * r - r_low) / (both + root(r_low, w_high)) if r else 0.0
    high = (both + root(r_high, w_low)) / (w_low * (2 * w - w_low)) if w_low else np.inf
    value, low, high = (
        share / (share + (1 - share) / x) if x > 0 else 0.0 * x for x in (ratio, low, high)
    )
    return value, low, high


def brier_interval(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    patient: NDArray[np.intp],
    level: float = 0.95,
) -> Interval:
    """Brier score, the mean squared difference of probability and outcome, with its interval.

    Parameters
    ----------
    positive : ndarray of shape (n,), bool
        Labels.
    probability : ndarray of shape (n,)
        Probability of the positive class.
    patient : ndarray of shape (n,), int
        Codes of the patients.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    brier, low, high : float
        The ends are NaN where all rows are of one patient.

    Notes
    -----
    The score as a mean of rows, clustered by patient, on the logit scale, which keeps it within 0
    and 1.
    """
    loss = (probability - positive) ** 2
    brier = float(loss.mean())
    total = np.bincount(patient, loss - brier)
    k = len(total)
    if k < 2:
        return brier, np.nan, np.nan
    return brier, *_on_logits(brier, k / (k - 1) * float(total @ total) / len(loss) ** 2, level)


def average_precision_interval(
    positive: NDArray[np.bool_],
    score: NDArray[np.float64],
    patient: NDArray[np.intp],
    level: float = 0.95,
) -> Interval:
    """Average precision, the area under the steps of precision over recall, with its interval.

    Parameters
    ----------
    positive : ndarray of shape (n,), bool
        Labels.
    score : ndarray of shape (n,)
        The greater, the more likely positive.
    patient : ndarray of shape (n,), int
        Codes of the patients.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    average_precision, low, high : float
        The ends are NaN where a class is of one patient.

    Notes
    -----
    The variance is that of what each row adds (its influence), summed by patient; the interval is
    on the logit scale [1]_. With 30 positive patients it held the truth 93 times in 100, with 200
    95 times. It is of these patients: average precision rises with prevalence.

    References
    ----------
    .. [1] Boyd et al. 2013, doi:10.1007/978-3-642-40994-3_29
    """
    value, influence = average_precision_influence(positive, score)
    return value, *_on_logits(value, influence_variance(influence, positive, patient), level)


def average_precision_influence(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Average precision, and by how much each row moves it.

    Parameters
    ----------
    positive, score : ndarray of shape (n,)
        As in `average_precision_interval`.

    Returns
    -------
    average_precision : float
        As scikit-learn's.
    influence : ndarray of shape (n,)
        Its slope in the weight of each row.
    """
    _, code = np.unique(score, return_inverse=True)
    ill = np.bincount(code, positive)
    found, called = (np.cumsum(c[::-1])[::-1] for c in (ill, np.bincount(code).astype(float)))
    precision = found / called
    m = found[0]
    value = float(ill @ precision / m)
    # A row counts in the precision at its own score and at every lower one.
    gain, loss = np.cumsum(ill / called), np.cumsum(ill * precision / called)
    return value, (positive * (precision - value + gain)[code] - loss[code]) / m


def _on_logits(value: float, variance: float, level: float) -> tuple[float, float]:
    """Return the ends of an interval on the logit scale; at 0 or 1, NaN."""
    if not (0 < value < 1 and np.isfinite(variance)):
        return float("nan"), float("nan")
    half = normal_quantile(level) * np.sqrt(variance) / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))
