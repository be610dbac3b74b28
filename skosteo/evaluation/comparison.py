"""Does one model beat another on the same patients? Tests of paired scores; pure functions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from skosteo.evaluation.inputs import used_rows
from skosteo.evaluation.metrics import auc_influence, influence_variance, normal_quantile


class DelongTest(NamedTuple):
    """What `delong_test` returns.

    Attributes
    ----------
    statistic : float
        The difference in standard errors, standard normal where the two areas are the same.
    pvalue : float
        Two-sided.
    difference : float
        Area of the first model less that of the second.
    low, high : float
        Ends of the interval of the difference.
    """

    statistic: float
    pvalue: float
    difference: float
    low: float
    high: float


def delong_test(
    y_true: ArrayLike,
    y_prob_a: ArrayLike,
    y_prob_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    level: float = 0.95,
) -> DelongTest:
    r"""Compare the areas under the ROC curves of two models on the same rows (DeLong).

    .. math:: z = \frac{A_a - A_b}{\sqrt{V(A_a - A_b)}}

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    y_prob_a, y_prob_b : array-like of shape (n,) or (n, 2)
        Probability of the positive class by the one and the other model, or any scores that rise
        with it; or both columns of ``predict_proba``.
    groups : array-like of shape (n,), default=None
        Patient of each row. None takes every row as a patient of its own.
    sample_weight : array-like of shape (n,), default=None
        Not negative: what each row counts, as in `auc_interval`. None counts all alike.
    level : float, default=0.95
        Confidence level of the interval.

    Returns
    -------
    DelongTest
        With ``statistic``, ``pvalue``, ``difference``, ``low`` and ``high``.

    Raises
    ------
    InputError
        Labels, scores, groups or weights that are not one of each a row.

    Notes
    -----
    The variance is DeLong's [1]_ of the paired difference and, when patients repeat,
    Obuchowski's [2]_. Two models that put every pair of patients in the same order differ by 0
    with p = 1. Where the variance cannot be estimated (a class of a single patient, or models
    that are perfect and useless for all alike), all but the difference are NaN.

    The p-value is of these two fixed models and tells nothing of training them again. Compare on
    rows that neither has seen: where one model has the other's variables and more, and both were
    fitted to these very rows, the test does not keep its error rate [3]_.

    References
    ----------
    .. [1] DeLong et al. 1988, doi:10.2307/2531595
    .. [2] Obuchowski 1997, doi:10.2307/2533958
    .. [3] Demler et al. 2012, doi:10.1002/sim.5328

    Examples
    --------
    >>> from skosteo.evaluation import delong_test
    >>> y = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> a, b = [0.1, 0.3, 0.2, 0.6, 0.4, 0.7, 0.8, 0.9], [0.5, 0.1, 0.8, 0.4, 0.3, 0.6, 0.2, 0.9]
    >>> test = delong_test(y, a, b)
    >>> print(f"{test.difference:.3f} [{test.low:.3f}, {test.high:.3f}], p = {test.pvalue:.3f}")
    0.375 [-0.072, 0.822], p = 0.100
    """
    z = normal_quantile(level)
    positive, patient, weight, *scores = used_rows(
        y_true, groups, sample_weight, y_prob_a, y_prob_b
    )
    (auc_a, by_a), (auc_b, by_b) = (auc_influence(positive, score, weight) for score in scores)
    difference = auc_a - auc_b
    if difference == 0 and np.array_equal(by_a, by_b):
        return DelongTest(0.0, 1.0, 0.0, 0.0, 0.0)
    variance = influence_variance(by_a - by_b, positive, patient)
    if not variance > 1e-24:  # less is rounding
        return DelongTest(np.nan, np.nan, difference, np.nan, np.nan)
    error = np.sqrt(variance)
    statistic = float(difference / error)
    low, high = np.clip([difference - z * error, difference + z * error], -1, 1)
    return DelongTest(
        statistic, float(2 * norm.sf(abs(statistic))), difference, float(low), float(high)
    )
