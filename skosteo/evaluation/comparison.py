"""Comparison of models on the same patients: DeLong's test, and every test in one call."""

from collections.abc import Mapping
from itertools import combinations
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from skosteo._plotting import ForestLine, draws, forest_plot
from skosteo._validation import guess
from skosteo.evaluation._format import p_text, signed_text
from skosteo.evaluation._scored import Scored, Scores, Threshold, as_thresholds
from skosteo.evaluation.fold_auc import fold_auc_test
from skosteo.evaluation.metrics import (
    FEWEST_PATIENTS,
    auc_influence,
    influence_variance,
    normal_quantile,
)
from skosteo.evaluation.paired_tests import McnemarTest, PairedTTest, holm, mcnemar
from skosteo.evaluation.scores import METRICS, rate_subset
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


RESAMPLED = "corrected resampled t"


class DelongTest(NamedTuple):
    """What `delong_test` returns, and explains."""

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
        Probabilities by the one and the other model, or any scores that rise with them.
    groups : array-like of shape (n,), default=None
        Patient of each row, as in `auc_interval`.
    sample_weight : array-like of shape (n,), default=None
        What each row counts, as in `auc_interval`.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    DelongTest
        ``difference`` (area of the first model less that of the second) with its limits ``low`` and
        ``high``; ``statistic``, the difference in standard errors; ``pvalue``, two-sided.

    Notes
    -----
    The variance is DeLong's [1]_ of the paired difference and, when patients repeat,
    Obuchowski's [2]_, with the corrections of `auc_interval`. Where the areas are the same, the
    statistic is standard normal, and when patients repeat of Student's t; the degrees of freedom
    are the patients of both classes less 2. Two models that put every pair of patients in the same
    order differ by 0 with p = 1, and have no interval. Where the variance cannot be estimated (a
    class of fewer than 10 patients, or models that are perfect and useless for all alike), all but
    the difference are NaN.

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
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 20)
    >>> a, b = (y + rng.normal(0, noise, 40) for noise in (1, 2))
    >>> test = delong_test(y, a, b)
    >>> print(f"{test.difference:.3f} [{test.low:.3f}, {test.high:.3f}], p = {test.pvalue:.3f}")
    0.272 [0.052, 0.493], p = 0.016
    """
    scored = Scored.of_scores(
        y_true, y_prob_a, y_prob_b, groups=groups, sample_weight=sample_weight
    )
    a, b = scored.models.values()
    return delong_of_rows(scored, a, b, level)


def delong_of_rows(scored: Scored, a: Scores, b: Scores, level: float) -> DelongTest:
    """Return `delong_test` of checked rows."""
    normal_quantile(level)
    (auc_a, by_a), (auc_b, by_b) = (
        auc_influence(scored.positive, score, scored.weight) for score in (a, b)
    )
    difference = auc_a - auc_b
    if difference == 0 and np.array_equal(by_a, by_b):
        return DelongTest(0.0, 1.0, 0.0, np.nan, np.nan)
    patient, positive = scored.patient, scored.positive
    variance = influence_variance(by_a - by_b, positive, patient, scored.weight)
    classes = [len(np.unique(patient[side])) for side in (positive, ~positive)]
    if min(classes) < FEWEST_PATIENTS or not variance > 1e-24:  # less is rounding
        return DelongTest(np.nan, np.nan, difference, np.nan, np.nan)
    error = np.sqrt(variance)
    statistic = float(difference / error)
    law = norm if sum(classes) == len(patient) else t(sum(classes) - 2)
    half = law.ppf((1 + level) / 2) * error
    low, high = np.clip([difference - half, difference + half], -1, 1)
    return DelongTest(
        statistic, float(2 * law.sf(abs(statistic))), difference, float(low), float(high)
    )


def compare(
    y_true: ArrayLike,
    y_prob: Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    reference: str | None = None,
    groups: ArrayLike | None = None,
    threshold: Threshold | Mapping[str, Threshold] = 0.5,
    level: float = 0.95,
    folds: ArrayLike | None = None,
) -> "Comparison":
    """Compare models on the same rows: AUC, accuracy, sensitivity and specificity with Holm.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    y_prob : mapping of str to array-like of shape (n,) or (n, 2), or DataFrame
        Probability of the positive class by each of 2 models or more.
    reference : str, default=None
        The model that every other one is compared with. None compares every pair.
    groups : array-like of shape (n,), default=None
        Patient of each row, as in `evaluate`.
    threshold : float or array-like of shape (n,), or mapping of str to such, default=0.5
        Rows with at least this probability are predicted positive, as in `evaluate`.
    level : float, default=0.95
        Confidence level of the intervals, which are of each difference alone.
    folds : array-like of shape (n,), default=None
        Fold of each row in a cross-validation, as in `evaluate`.

    Returns
    -------
    Comparison
        With ``frame()``, ``table()`` and ``plot()``.

    Notes
    -----
    AUC: `delong_test`. Accuracy, sensitivity and specificity: `mcnemar_test` on all, on the
    positive and on the negative rows. The p-values of a metric are one family in Holm's
    correction. Compare on rows that no model was fitted to.

    These tests are of fixed models. Of cross-validated ones give `folds`: the AUC is then compared
    by the corrected resampled t test (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366), which
    takes in what training again would change. In cohorts of 200 patients DeLong's test called two
    models of noise different in 15 of 100, this one in 1 to 3; of a true gain of .06 it saw 12 of
    100, DeLong's 35, with intervals that held it 88 times in 100 for 99
    (``python -m tests.benchmarks.resampled_tests``).

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import compare
    >>> rng = np.random.default_rng(0)
    >>> y = rng.random(300) < 0.4
    >>> noise = {"image": 0.2, "clinical": 0.4}
    >>> models = {k: np.clip(0.3 + 0.4 * y + rng.normal(0, s, 300), 0, 1) for k, s in noise.items()}
    >>> compare(y, models, reference="clinical").table().T
    model                                image
    AUC          +.167 [+.103, +.231], P < .001
    accuracy     +.127 [+.059, +.193], P < .001
    sensitivity  +.196 [+.079, +.306], P = .001
    specificity  +.091 [+.007, +.173], P = .034
    """
    scored = Scored.of_models(y_true, y_prob, groups, folds)
    models = scored.models
    thresholds = as_thresholds(threshold, models, len(scored.positive))
    pairs = _pairs(list(models), reference)
    y_pred = {name: p >= thresholds[name] for name, p in models.items()}
    rows = []
    for a, b in pairs:
        if scored.fold is None:
            delong = delong_of_rows(scored, models[a], models[b], level)
            rows.append(_row(a, b, "AUC", delong, "DeLong"))
        else:
            resampled = fold_auc_test(scored, models[a], models[b], level)
            rows.append(_row(a, b, "AUC", resampled, RESAMPLED))
        right_a, right_b = (y_pred[name] == scored.positive for name in (a, b))
        for metric in METRICS[1:]:
            subset = rate_subset(metric, scored.positive, y_pred[a])
            test = mcnemar(right_a[subset], right_b[subset], scored.patient[subset], level)
            kind = "McNemar, exact" if test.exact else "McNemar, mid-p"
            rows.append(_row(a, b, metric, test, kind))
    return Comparison(pd.DataFrame(rows), level, reference)


def _pairs(models: list[str], reference: str | None) -> list[tuple[str, str]]:
    if len(models) < 2:
        raise InputError(
            f"y_prob holds {len(models)} model; a comparison needs 2 or more, as a mapping of "
            "model name to probabilities."
        )
    if reference is not None and reference not in models:
        hint = guess(reference, models)
        raise InputError(f"reference={reference!r} is no model{hint} The models are {models}.")
    if reference is None:
        return list(combinations(models, 2))
    return [(name, reference) for name in models if name != reference]


class Comparison:
    """Differences of models on the same rows; made by `compare`."""

    def __init__(
        self, differences: pd.DataFrame, level: float, reference: str | None = None
    ) -> None:
        adjusted = differences.groupby("metric")["pvalue"].transform(lambda p: holm(p.to_numpy()))
        place = list(differences).index("pvalue") + 1
        self._differences = differences.copy()
        self._differences.insert(place, "pvalue_holm", adjusted)
        self.level = level
        self.reference = reference

    def frame(self) -> pd.DataFrame:
        """Return a row per pair and metric; NaN is not estimable.

        The columns are model_a, model_b, metric, difference (a less b), low, high, statistic,
        pvalue, pvalue_holm and test.
        """
        return self._differences.copy()

    def table(self) -> pd.DataFrame:
        """Return the comparisons as they are printed in a paper, a row per pair.

        Texts such as "+.024 [+.001, +.047], P = .041" of AUC, accuracy, sensitivity and
        specificity; P as Holm adjusts it for the pairs of the table. With a reference,
        ``attrs["reference"]`` names it and the index the other model alone.
        """
        lines: dict[str, dict[str, str]] = {}
        for _, row in self._differences.iterrows():
            pair = row["model_a"]
            if self.reference is None:
                pair = f"{pair} \N{MINUS SIGN} {row['model_b']}"
            interval = signed_text(row["difference"], row["low"], row["high"])
            text = f"{interval}, {p_text(row['pvalue_holm'])}"
            lines.setdefault(pair, {})[row["metric"]] = text
        table = pd.DataFrame.from_dict(lines, orient="index", columns=list(METRICS))
        table.index.name = "pair" if self.reference is None else "model"
        if self.reference is not None:
            table.attrs["reference"] = self.reference
        return table

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the differences with their intervals, on `ax` or a new figure as high as they need.

        Under each metric is a line per pair; right of 0 the first model of the pair is better, or
        the model that is compared with the reference.
        """
        table = self.table()
        lines = []
        for metric, part in self._differences.groupby("metric", sort=False):
            lines.append(ForestLine(str(metric)))
            for pair, (_, row) in zip(table.index, part.iterrows(), strict=True):
                interval = (row["difference"], row["low"], row["high"])
                text = str(table.loc[pair, str(metric)])
                lines.append(ForestLine(f"  {pair}", 0, *interval, text))
        ax = forest_plot(lines, ax)
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        p = "; P adjusted by Holm" if len(table) > 1 else ""
        than = "" if self.reference is None else f" from {self.reference}"
        label = f"Difference{than} [{100 * self.level:g} % interval]{p}"
        ax.set_xlabel("\n".join(wrap(label, 70)), fontsize=9, parse_math=False)
        return ax

    def __repr__(self) -> str:
        family = self._differences.groupby("metric").size().iloc[0]
        holms = f"; P adjusted by Holm for {family} comparisons a metric" if family > 1 else ""
        than = "" if self.reference is None else f" from {self.reference}"
        resampled = (self._differences["test"] == RESAMPLED).any()
        auc = "the corrected resampled t test" if resampled else "DeLong"
        return (
            f"{self.table().to_string()}\n"
            f"Differences{than} with {100 * self.level:g} % intervals; AUC by {auc}, the others "
            f"by McNemar{holms}."
        )


def _row(
    a: str, b: str, metric: str, test: DelongTest | McnemarTest | PairedTTest, kind: str
) -> dict:
    same = {"difference": test.difference, "low": test.low, "high": test.high}
    names = {"model_a": a, "model_b": b, "metric": metric}
    return names | same | {"statistic": test.statistic, "pvalue": test.pvalue, "test": kind}
