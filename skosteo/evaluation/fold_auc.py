r"""AUC of cross-validated models: the mean over folds, with what training them again would change.

Each fold's model is judged on its own fold: cases are compared with controls of the same fold,
since a fold with fewer cases leaves more to the others, so that pooled risks rank useless models
below chance. The standard error is that of Nadeau and Bengio [1]_ with the standard deviation
:math:`s` of the AUC (or of a difference) over all folds,

.. math:: s \sqrt{\rho + \frac{\rho}{1 - \rho}}

where :math:`\rho` is the proportion of patients in a fold. Repeats make s more certain and are not
counted otherwise, for all are of the same patients: :math:`\rho` stands where the number of folds
of all repeats would, with which five repeats of five folds called useless models different in 5 to
9 of 100 cohorts [2]_.

.. [1] Nadeau and Bengio 2003, doi:10.1023/A:1024068626366
.. [2] ``python -m tests.benchmarks.resampled_tests``
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t

from skosteo.evaluation._scored import Scored, Scores
from skosteo.evaluation.metrics import (
    FEWEST_PATIENTS,
    Interval,
    auc_influence,
    clustered_auc_interval,
    n_patients,
)
from skosteo.evaluation.paired_tests import PairedTTest


def fold_aucs(rows: Scored, score: Scores) -> NDArray[np.float64]:
    """Area under the ROC curve of each fold, in the order of their codes."""
    assert rows.fold is not None
    parts = (rows.fold == code for code in range(int(rows.fold.max()) + 1))
    return np.array(
        [auc_influence(rows.positive[part], score[part], rows.weight[part])[0] for part in parts]
    )


def fold_auc_interval(rows: Scored, score: Scores, level: float = 0.95) -> Interval:
    """Mean AUC over the folds with its interval, on the logit scale.

    No limits where a class has fewer than 10 patients. Folds that have one AUC, such as 1, say
    nothing of what it varies by: then the limits are those of `auc_interval` of all rows.
    """
    areas = fold_aucs(rows, score)
    mean, error = float(areas.mean()), _error(areas, rows)
    if _too_few(rows):
        return mean, np.nan, np.nan
    if not error > 1e-12:
        return mean, *clustered_auc_interval(rows, score, level)[1:]
    half = t.ppf((1 + level) / 2, len(areas) - 1) * error / (mean * (1 - mean))
    return mean, float(expit(logit(mean) - half)), float(expit(logit(mean) + half))


def fold_auc_test(rows: Scored, a: Scores, b: Scores, level: float) -> PairedTTest:
    """Test the mean difference of the AUC over the folds: the corrected resampled t test.

    Models that put all rows in the same order differ by 0 with p = 1; else the p-value and the
    limits are NaN where a class has fewer than 10 patients, or where all folds differ alike.
    """
    between = fold_aucs(rows, a) - fold_aucs(rows, b)
    free, difference, error = len(between) - 1, float(between.mean()), _error(between, rows)
    if not between.any():
        return PairedTTest(0.0, 1.0, free, 0.0, np.nan, np.nan)
    if _too_few(rows) or not error > 1e-12:
        return PairedTTest(np.nan, np.nan, free, difference, np.nan, np.nan)
    statistic, half = difference / error, t.ppf((1 + level) / 2, free) * error
    low, high = np.clip([difference - half, difference + half], -1, 1)
    pvalue = float(2 * t.sf(abs(statistic), free))
    return PairedTTest(statistic, pvalue, free, difference, float(low), float(high))


def _error(values: NDArray[np.float64], rows: Scored) -> float:
    """Return the standard error of the mean of a value per fold."""
    assert rows.fold is not None
    pairs = np.unique(np.stack([rows.fold, rows.patient]), axis=1)
    part = pairs.shape[1] / len(values) / n_patients(rows.patient)
    return float(np.std(values, ddof=1) * np.sqrt(part + part / (1 - part)))


def _too_few(rows: Scored) -> bool:
    sides = rows.patient[rows.positive], rows.patient[~rows.positive]
    return min(map(n_patients, sides)) < FEWEST_PATIENTS
