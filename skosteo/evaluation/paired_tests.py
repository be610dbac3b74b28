"""Tests of paired results: McNemar over patients, t over folds, Holm's correction."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, t

from skosteo.evaluation._scored import as_patient
from skosteo.evaluation.metrics import (
    clustered_quantile,
    normal_quantile,
    patient_variance,
    too_few,
)
from skosteo.exceptions import InputError

_FEW = 25  # patients on whom the models disagree; below, the usual advice is the exact test


class McnemarTest(NamedTuple):
    """What `mcnemar_test` returns, and explains."""

    statistic: float
    pvalue: float
    difference: float
    low: float
    high: float
    only_a: int
    only_b: int
    exact: bool


class PairedTTest(NamedTuple):
    """What `paired_t_test` returns, and explains."""

    statistic: float
    pvalue: float
    df: int
    difference: float
    low: float
    high: float


def mcnemar_test(
    y_true: ArrayLike,
    y_pred_a: ArrayLike,
    y_pred_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> McnemarTest:
    """Compare how often two models are right on the same rows (McNemar).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels. Of all rows the test compares accuracy, of the positive ones alone sensitivity, of
        the negative ones alone specificity.
    y_pred_a, y_pred_b : array-like of shape (n,)
        Labels predicted by the one and the other model, such as ``predict`` gives them.
    groups : array-like of shape (n,), default=None
        Patient of each row, as in `auc_interval`.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    McnemarTest
        ``difference``, the proportion of rows right by the first model less that by the second,
        with its limits ``low`` and ``high``, NaN where the models are right on the same rows, and
        where patients repeat and are fewer than 10; ``only_a`` and ``only_b``, the rows that only
        the first, and only the second has right; ``statistic``, the former less the latter in
        standard errors (for one row a patient, its square is McNemar's chi-squared); ``pvalue``,
        two-sided; ``exact``, whether that is the exact one; else it is the mid-p.

    Notes
    -----
    Rows on which the models disagree are as likely to favour the one as the other, where the models
    are as good as each other. With several rows a patient, it is the patient's balance whose sign
    is flipped, so that the statistic is that of Obuchowski [1]_ with the variance under no
    difference; with one row a patient it is McNemar's [2]_. Its distribution is computed, not
    approximated. Where the models disagree on fewer than 25 patients the p-value is exact, and with
    discrete counts rejects less often than its level says; from 25 on it is the mid-p, which keeps
    its level where the continuity-corrected test does not use it up [3]_. The interval is that of
    Bonett and Price [4]_, on the effective sample size as `evaluate` takes it. Near the level it
    may disagree with the p-value.

    References
    ----------
    .. [1] Obuchowski 1998, doi:10.1002/(SICI)1097-0258(19980715)17:13<1495::AID-SIM863>3.0.CO;2-I
    .. [2] McNemar 1947, doi:10.1007/BF02295996
    .. [3] Fagerland et al. 2013, doi:10.1186/1471-2288-13-91
    .. [4] Bonett and Price 2012, doi:10.3102/1076998611411915

    Examples
    --------
    >>> from skosteo.evaluation import mcnemar_test
    >>> y = [1] * 12
    >>> test = mcnemar_test(y, [1] * 11 + [0], [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    >>> print(f"{test.only_a} to {test.only_b}, p = {test.pvalue:.3f}")
    7 to 1, p = 0.070
    """
    label, a, b = (np.asarray(x) for x in (y_true, y_pred_a, y_pred_b))
    for name, column in (("y_true", label), ("y_pred_a", a), ("y_pred_b", b)):
        if column.ndim != 1 or len(column) == 0 or len(column) != len(label):
            raise InputError(
                f"{name} has shape {column.shape}; y_true and both predictions are one label a "
                "row, in the same order."
            )
    try:
        kinds = len(np.unique(np.concatenate([label, a, b])))
    except TypeError:
        raise InputError("y_true and predictions mix numbers and strings.") from None
    if kinds > 2:
        raise InputError(
            f"y_true and predictions hold {kinds} distinct values; two are allowed. Of "
            "probabilities, give the labels: (y_prob >= 0.5)."
        )
    return mcnemar(a == label, b == label, as_patient(groups, len(label)), level)


def mcnemar(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], patient: NDArray[np.intp], level: float
) -> McnemarTest:
    """Return `mcnemar_test` of checked rows: where either model is right, and patients' codes."""
    normal_quantile(level)
    difference = right_a.astype(int) - right_b
    mean = float(difference.mean())
    only_a, only_b = int((difference == 1).sum()), int((difference == -1).sum())
    patient = np.unique(patient, return_inverse=True)[1]
    balance = np.bincount(patient, difference).astype(int)
    discordant = balance[balance != 0]
    exact = len(discordant) < _FEW
    spread = float(np.sqrt(discordant @ discordant))
    statistic = float(discordant.sum() / spread) if spread else 0.0
    low, high = np.nan, np.nan
    if (only_a or only_b) and not too_few(patient):
        low, high = _difference_interval(only_a, only_b, difference, patient, level)
    pvalue = _sign_flip_pvalue(discordant, mid=not exact)
    return McnemarTest(statistic, pvalue, mean, low, high, only_a, only_b, exact)


def _sign_flip_pvalue(balance: NDArray[np.intp], mid: bool) -> float:
    """Chance of a sum as far from 0 if each sign were a coin's; with mid, as far counts half."""
    chance = np.ones(1)  # of each total of the sizes whose sign is plus
    for size, times in zip(*np.unique(np.abs(balance), return_counts=True), strict=True):
        heads = np.zeros(size * times + 1)
        heads[::size] = binom.pmf(np.arange(times + 1), times, 0.5)
        chance = np.convolve(chance, heads)
    # twice the total of heads, less all sizes, is the sum
    far = np.abs(2 * np.arange(len(chance)) - (len(chance) - 1))
    seen = abs(int(balance.sum()))
    pvalue = chance[far >= seen].sum() - (chance[far == seen].sum() / 2 if mid else 0)
    return float(min(pvalue, 1))


def _difference_interval(
    only_a: int,
    only_b: int,
    difference: NDArray[np.intp],
    patient: NDArray[np.intp],
    level: float,
) -> tuple[float, float]:
    n, mean, z = len(difference), difference.mean(), normal_quantile(level)
    between = patient_variance((difference - mean) / n, patient)
    alone = difference.var() / (n - 1)  # of rows that were patients of their own
    # Where the data do not say how alike a patient's rows are, they are taken as fully alike.
    size = np.bincount(patient)
    worth = min(float(alone / between), 1.0) if between > 1e-24 else n / float(size @ size)
    worth *= (z / clustered_quantile(level, patient)) ** 2
    effective = n * worth
    a, b = ((count * worth + 1) / (effective + 2) for count in (only_a, only_b))
    half = z * np.sqrt((a + b - (a - b) ** 2) / (effective + 2))
    return max(float(a - b - half), -1.0), min(float(a - b + half), 1.0)


def paired_t_test(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    n_train: int | None = None,
    n_test: int | None = None,
    *,
    level: float = 0.95,
) -> PairedTTest:
    r"""Compare the scores of two models over the same folds by a paired t test.

    .. math:: t = \frac{\bar d}{s_d \sqrt{1 / k + n_\mathrm{test} / n_\mathrm{train}}}

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (k,)
        Score of the one and the other model on each of 2 folds or more.
    n_train, n_test : int, default=None
        Rows (or patients) of a training and of a test fold, for the correction of Nadeau and
        Bengio [1]_. None of both leaves it out.
    level : float, default=0.95
        Confidence level of the interval.

    Returns
    -------
    PairedTTest
        ``difference`` (mean score of the first model less that of the second) with its limits
        ``low`` and ``high``; ``statistic``, the difference in standard errors, of ``df`` degrees of
        freedom (folds less 1); ``pvalue``, two-sided.

    Notes
    -----
    The paper's test is the one without correction. Folds share most of their training rows, so it
    calls too many differences real; give both sizes for the corrected one. Models of the same
    score on every fold differ by 0 with p = 1; where all folds differ by the same amount other
    than 0, the variance is not known and all but the difference are NaN.

    References
    ----------
    .. [1] Nadeau and Bengio 2003, doi:10.1023/A:1024068626366

    Examples
    --------
    >>> from skosteo.evaluation import paired_t_test
    >>> a, b = [0.91, 0.93, 0.92, 0.95, 0.94], [0.90, 0.91, 0.89, 0.91, 0.89]
    >>> print(f"{paired_t_test(a, b).pvalue:.3f}, {paired_t_test(a, b, 1184, 296).pvalue:.3f}")
    0.013, 0.047
    """
    normal_quantile(level)
    try:
        a, b = np.asarray(scores_a, dtype=float), np.asarray(scores_b, dtype=float)
    except (TypeError, ValueError):
        raise InputError("scores_a and scores_b are not numeric; give one score a fold.") from None
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise InputError(
            f"scores_a has shape {a.shape} and scores_b {b.shape}; give both models' scores on the "
            "same folds, 2 or more."
        )
    lost = ~np.isfinite(a - b)
    if lost.any():
        raise InputError(
            f"The scores of {lost.sum()} of {len(a)} folds are not finite, the first in fold "
            f"{lost.argmax() + 1}. Leave such a fold out of both and say so."
        )
    shared = _overlap(n_train, n_test)
    between = a - b
    k, difference = len(a), float(between.mean())
    spread = np.std(between, ddof=1)
    if spread < 1e-12 * max(np.abs(a).max(), np.abs(b).max()) or not between.any():
        known = (0.0, 1.0, k - 1, 0.0, 0.0, 0.0)
        unknown = (np.nan, np.nan, k - 1, difference, np.nan, np.nan)
        return PairedTTest(*(unknown if between.any() else known))
    error = float(spread * np.sqrt(1 / k + shared))
    statistic = difference / error
    half = float(t.ppf((1 + level) / 2, k - 1)) * error
    pvalue = float(2 * t.sf(abs(statistic), k - 1))
    return PairedTTest(statistic, pvalue, k - 1, difference, difference - half, difference + half)


def _overlap(n_train: int | None, n_test: int | None) -> float:
    if n_train is None and n_test is None:
        return 0.0
    numeric = isinstance(n_train, Real) and isinstance(n_test, Real)
    if not numeric or n_train is None or n_test is None or not (n_train > 0 and n_test > 0):
        raise InputError(
            f"n_train is {n_train!r} and n_test {n_test!r}; the correction needs the sizes of "
            "both, numbers above 0. Leave both out for the plain test."
        )
    return n_test / n_train


def holm(pvalues: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for their number, so that one false alarm in all is as rare as claimed.

    Parameters
    ----------
    pvalues : array-like
        Of one family of tests, 0 to 1. NaN stays NaN and is not counted.

    Returns
    -------
    ndarray of the shape of ``pvalues``
        Adjusted p-values, 1 at most.

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6:65-70, https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> from skosteo.evaluation import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(pvalues, dtype=float)
    if ((p < 0) | (p > 1)).any():
        raise InputError(f"{((p < 0) | (p > 1)).sum()} of {p.size} p-values lie outside 0 to 1.")
    adjusted = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    order = np.argsort(p[known], kind="stable")
    m = len(order)
    steps = np.maximum.accumulate(p[known][order] * (m - np.arange(m)))
    values = np.empty(m)
    values[order] = np.minimum(steps, 1)
    adjusted[known] = values
    return adjusted
