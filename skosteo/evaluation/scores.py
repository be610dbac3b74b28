"""Predictive values, F1, Brier score and average precision, each with a confidence interval.

All are functions of checked rows: ``positive`` and ``y_pred`` (bool), ``probability`` and
``patient`` (codes 0, 1, ...), and all sum a patient's rows before they take a variance.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from skosteo.evaluation.metrics import (
    Interval,
    clustered_quantile,
    influence_variance,
    n_patients,
    patient_variance,
    proportion_interval,
    too_few,
)

METRICS = ("AUC", "accuracy", "sensitivity", "specificity")


def rate_subset(
    metric: str, positive: NDArray[np.bool_], y_pred: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Rows among which a metric is the proportion that is predicted rightly."""
    return {
        "accuracy": np.ones_like(positive),
        "sensitivity": positive,
        "specificity": ~positive,
        "PPV": y_pred,
        "NPV": ~y_pred,
    }[metric]


def f1_interval(
    positive: NDArray[np.bool_],
    y_pred: NDArray[np.bool_],
    patient: NDArray[np.intp],
) -> Interval:
    r"""F1 score with its interval; NaN where no row is positive or predicted so.

    .. math:: F_1 = \frac{2 J}{1 + J}, \qquad J = \frac{TP}{TP + FP + FN}

    J is a proportion of rows and F1 rises with it, so Wilson's interval of J, clustered by patient,
    is carried over.
    """
    either = positive | y_pred
    jaccard = proportion_interval((positive & y_pred)[either], patient[either])
    f1, low, high = (2 * j / (1 + j) for j in jaccard)
    return f1, low, high


def predictive_interval(
    right: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    patients: tuple[NDArray[np.intp], NDArray[np.intp]],
    prevalence: float,
) -> Interval:
    r"""Predictive value at a stated prevalence of what is predicted, with its interval.

    .. math:: \frac{r \pi}{r \pi + w (1 - \pi)}

    `right` says of the rows that have it whether they are predicted to have it, and `wrong` says so
    of the others; their proportions are r and w. `patients` are those of either, and `prevalence`
    is :math:`\pi`, for the negative predictive value that of those without it. The value is NaN
    where nothing is predicted to have it. It rises with the likelihood ratio r / w, whose interval
    is made from Wilson's of both proportions (MOVER-R, Donner and Zou 2012,
    doi:10.1177/0962280210376036), so it also holds where one is 0. Rows of both classes from one
    patient are taken as independent.
    """
    (r, r_low, r_high), (w, w_low, w_high) = (
        proportion_interval(rows, patient)
        for rows, patient in zip((right, wrong), patients, strict=True)
    )
    ratio = r / w if w else (np.inf if r else np.nan)
    if np.isnan([r_low, w_low]).any():
        return _at_odds(ratio, prevalence), np.nan, np.nan
    both = r * w

    def root(r_limit: float, w_limit: float) -> float:
        product = r_limit * w_limit * (2 * r - r_limit) * (2 * w - w_limit)
        return float(np.sqrt(max(both**2 - product, 0)))

    low = r_low * (2 * r - r_low) / (both + root(r_low, w_high)) if r else 0.0
    high = (both + root(r_high, w_low)) / (w_low * (2 * w - w_low)) if w_low else np.inf
    value, low, high = (_at_odds(x, prevalence) for x in (ratio, low, high))
    return value, low, high


def _at_odds(ratio: float, prevalence: float) -> float:
    """Return the predictive value that goes with a likelihood ratio."""
    return prevalence / (prevalence + (1 - prevalence) / ratio) if ratio > 0 else 0.0 * ratio


def brier_interval(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    patient: NDArray[np.intp],
) -> Interval:
    """Brier score, the mean squared difference of probability and outcome, with its interval.

    That is of a mean of rows, clustered by patient, on the logit scale, which keeps it within 0 and
    1; NaN where all rows are of one patient, or of fewer than 10 who repeat.
    """
    loss = (probability - positive) ** 2
    brier = float(loss.mean())
    if too_few(patient) or len(np.unique(patient)) < 2:
        return brier, np.nan, np.nan
    variance = patient_variance((loss - brier) / len(loss), patient)
    return brier, *_on_logits(brier, variance, clustered_quantile(0.95, patient))


def mean_interval(values: NDArray[np.float64], patient: NDArray[np.intp]) -> Interval:
    """Mean of a value per row, such as what it adds to net benefit, with its normal interval.

    Clustered by patient; no limits where all values are alike, where all rows are of one patient,
    or of fewer than 10 who repeat.
    """
    mean = float(values.mean())
    alike = np.ptp(values) <= 1e-12 * np.abs(values).max()  # more is rounding
    if too_few(patient) or n_patients(patient) < 2 or alike:
        return mean, np.nan, np.nan
    variance = patient_variance((values - mean) / len(values), patient)
    half = clustered_quantile(0.95, patient) * float(np.sqrt(variance))
    return mean, mean - half, mean + half


def average_precision_interval(
    positive: NDArray[np.bool_],
    score: NDArray[np.float64],
    patient: NDArray[np.intp],
) -> Interval:
    """Average precision, the area under the steps of precision over recall, with its interval.

    The variance is that of what each row adds (its influence), summed by patient; the interval is
    on the logit scale (Boyd et al. 2013, doi:10.1007/978-3-642-40994-3_29), and NaN where a class
    is of one patient, or of fewer than 10 where patients repeat. With 30 positive patients it held
    the truth 93 times in 100, with 200 95 times. It is of these patients: average precision rises
    with prevalence.
    """
    value, influence = average_precision_influence(positive, score)
    sides = patient[positive], patient[~positive]
    if too_few(*sides):
        return value, np.nan, np.nan
    variance = influence_variance(influence, positive, patient, np.ones(len(score)))
    return value, *_on_logits(value, variance, clustered_quantile(0.95, *sides))


def average_precision_influence(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Average precision, as scikit-learn's, and its slope in the weight of each row (influence)."""
    _, code = np.unique(score, return_inverse=True)
    cases = np.bincount(code, positive)
    # predicted positive from each score upward
    tp, predicted = (np.cumsum(c[::-1])[::-1] for c in (cases, np.bincount(code).astype(float)))
    precision = tp / predicted
    m = tp[0]
    value = float(cases @ precision / m)
    # A row counts in the precision at its own score and at every lower one.
    gain = np.cumsum(cases / predicted)
    loss = np.cumsum(cases * precision / predicted)
    return value, (positive * (precision - value + gain)[code] - loss[code]) / m


def _on_logits(value: float, variance: float, quantile: float) -> tuple[float, float]:
    """Return the confidence limits on the logit scale; at 0 or 1, NaN."""
    if not (0 < value < 1 and np.isfinite(variance)):
        return float("nan"), float("nan")
    half = quantile * np.sqrt(variance) / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))
