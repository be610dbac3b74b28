"""Report of one or several models: counts, rates, AUC, the table and the ROC curve of a paper."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from skosteo._plotting import add_legend, draws, hide_spines, make_axes, series_style
from skosteo.evaluation._format import interval_text
from skosteo.evaluation._scored import (
    Scored,
    Scores,
    Threshold,
    as_proportion,
    as_thresholds,
    thresholds_text,
)
from skosteo.evaluation.fold_auc import fold_auc_interval
from skosteo.evaluation.metrics import (
    FEWEST_PATIENTS,
    Interval,
    clustered_auc_interval,
    proportion_interval,
)
from skosteo.evaluation.scores import (
    METRICS,
    average_precision_interval,
    brier_interval,
    f1_interval,
    predictive_interval,
    rate_subset,
)
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RATES = (*METRICS[1:], "PPV", "NPV")  # printed with their counts


def evaluate(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    groups: ArrayLike | None = None,
    threshold: Threshold | Mapping[str, Threshold] = 0.5,
    prevalence: float | None = None,
    folds: ArrayLike | None = None,
) -> "Report":
    """Score probabilities against labels: counts, rates, AUC and more with 95 % intervals.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes, such as 0 and 1; the greater one is positive.
    y_prob : array-like of shape (n,) or (n, 2), or mapping of str to such arrays, or DataFrame
        Probability of the positive class, or both columns of ``predict_proba``. A mapping or a
        DataFrame, one column a model, compares several models on the same rows.
    groups : array-like of shape (n,), default=None
        Patient of each row. Give it whenever a patient has several rows, or the intervals are
        too narrow; figures of fewer than 10 patients of a class then have none. None takes every
        row as a patient of its own.
    threshold : float or array-like of shape (n,), or mapping of str to such, default=0.5
        Rows with at least this probability are predicted positive; an array gives each row its
        own, such as that of the training rows of its fold, a mapping each model. Choose it on
        other data than these (`operating_point`): a threshold fitted here makes sensitivity and
        specificity too good.
    prevalence : float, default=None
        Proportion of positives, above 0 and below 1, among those the model is meant for. Given, the
        predictive values there are reported too; those of these rows hold at their prevalence only.
    folds : array-like of shape (n,), default=None
        Fold of each row in a cross-validation, whose model has not seen it: the AUC is then the
        mean over folds, and its interval holds what training again would change. Rows of several
        repeats follow one another, with ``groups``, and folds of each repeat have names of their
        own.

    Returns
    -------
    Report
        With ``frame()``, ``table()`` and ``plot()``.

    Notes
    -----
    AUC: DeLong on the logit scale, see `auc_interval`. Accuracy, sensitivity, specificity, PPV
    and NPV: Wilson; F1 as a function of such a proportion. Brier score and average precision: from
    the influence of each row, on the logit scale. Predictive values at a prevalence: from Wilson's
    intervals of sensitivity and specificity (MOVER-R). With repeated patients the variance of the
    AUC is Obuchowski's, the rates use the effective sample size (Rao and Scott), influences are
    summed by patient, and limits are widened for few patients and for patients who have most of
    the rows, as `auc_interval` says. With fewer than 10 patients of a class, what patients vary by
    is not known: the limits are NaN, an em dash in print. All intervals describe these patients
    under a fixed model; they do not contain the variation from training it again, but for that of
    the AUC with `folds`: Nadeau and Bengio's (doi:10.1023/A:1024068626366), repeats of a
    cross-validation counted once. What the rows cannot tell, such as the PPV of a model that
    predicts nobody positive, is NaN.

    Examples
    --------
    >>> from skosteo.evaluation import evaluate
    >>> y = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> report = evaluate(y, [0.1, 0.2, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9], prevalence=0.1)
    >>> report.table().T
                               model
    AUC                .875 [.345, .989]
    accuracy     6/8 = .750 [.409, .929]
    sensitivity  3/4 = .750 [.301, .954]
    specificity  3/4 = .750 [.301, .954]
    >>> report.table(metrics=["PPV", "PPV at 10 %", "Brier"]).T
                               model
    PPV          3/4 = .750 [.301, .954]
    PPV at 10 %        .250 [.077, .648]
    Brier              .150 [.062, .319]
    """
    scored = Scored.of_models(y_true, y_prob, groups, folds)
    thresholds = as_thresholds(threshold, scored.models, len(scored.positive))
    if prevalence is not None:
        prevalence = as_proportion(prevalence, "prevalence", inside=True)
    return Report(scored, thresholds, prevalence, grouped=groups is not None)


class Figure(NamedTuple):
    """One figure of a report, by model and metric."""

    model: str
    metric: str
    estimate: float
    low: float
    high: float
    count_: int  # a tuple has a method of the name count
    total: int
    patients: int


class Report:
    """Counts, rates and AUC of one or several models on the same rows; made by `evaluate`.

    Attributes
    ----------
    positive, patient : ndarray of shape (n,)
        True where the row is positive; codes 0, 1, ... of the patients.
    probability : dict of str to ndarray of shape (n,)
        Probability of the positive class by model.
    thresholds : dict of str to float or ndarray of shape (n,)
        From which probability on a row is predicted positive, by model.
    counts : DataFrame of shape (n_models, 4), int
        Columns tp, fp, tn, fn; every rate is derived from them.
    metrics : tuple of str
        Names of all metrics, as ``table`` and ``frame`` call them.
    grouped : bool
        Whether patients were given, rather than each row taken as one.
    n_rows, n_patients, n_positives, n_folds : int
        Rows, distinct patients and positive rows; folds over which the AUC is the mean, or 0.
    """

    def __init__(
        self,
        scored: Scored,
        thresholds: dict[str, float | Scores],
        prevalence: float | None = None,
        *,
        grouped: bool,
    ) -> None:
        self.positive = scored.positive
        self.probability = scored.models
        self.patient = scored.patient
        self.n_folds = 0 if scored.fold is None else int(scored.fold.max()) + 1
        self.thresholds = thresholds
        self.prevalence = prevalence
        self.grouped = grouped
        self.n_rows = len(scored.positive)
        self.n_patients = int(scored.patient.max()) + 1
        self.n_positives = int(scored.positive.sum())
        cells, self._figures = {}, []
        for name, probability in scored.models.items():
            y_pred = probability >= thresholds[name]
            cells[name] = _count(scored.positive, y_pred)
            figures = model_figures(scored, probability, y_pred, prevalence)
            self._figures += [Figure(name, *figure) for figure in figures]
        self.counts = pd.DataFrame(cells, index=["tp", "fp", "tn", "fn"]).T
        self.metrics = tuple(dict.fromkeys(figure.metric for figure in self._figures))

    def frame(self) -> pd.DataFrame:
        """Return a row per model and metric: estimate, low, high, count, total and patients.

        A rate is count / total (F1: twice the true positives, of rows positive plus rows predicted
        so); for AUC, Brier score, average precision and predictive values at a prevalence, count
        and total are the numbers of positive and of negative rows. Patients are those behind the
        figure: of all these rows. NaN is not estimable.
        """
        return pd.DataFrame(self._figures).rename(columns={"count_": "count"})

    def table(
        self, metrics: Sequence[str] | str | None = None, *, counts: bool = True
    ) -> pd.DataFrame:
        """Return figures as they are printed in a paper, one row per model.

        `metrics` are columns, of ``metrics``, or "all"; None gives AUC, accuracy, sensitivity and
        specificity. Texts are such as ".812 [.760, .864]" and "182/240 = .758 [.700, .808]", where
        patients repeat "182/240 of 61 patients = .758 [.680, .822]"; without `counts`, rates alone.
        """
        columns = [*METRICS] if metrics is None else [*self.metrics]
        if metrics is not None and metrics != "all":
            columns = [metrics] if isinstance(metrics, str) else [*metrics]
        unknown = [name for name in columns if name not in self.metrics]
        if unknown:
            raise InputError(
                f"metrics names {unknown}; this report has {', '.join(self.metrics)}. Predictive "
                "values at a prevalence come with evaluate(..., prevalence=0.1)."
            )
        table = pd.DataFrame(index=list(self.probability), columns=columns, dtype=object)
        for f in self._figures:
            if f.metric in columns:
                counted = counts and f.metric in _RATES and f.total
                of = self._counts_text(f) if counted else ""
                table.loc[f.model, f.metric] = of + interval_text(f.estimate, f.low, f.high)
        return table

    def _counts_text(self, figure: Figure) -> str:
        repeated = self.n_patients < self.n_rows
        people = "1 patient" if figure.patients == 1 else f"{figure.patients:,} patients"
        of = f" of {people}" if repeated else ""
        return f"{figure.count_:,}/{figure.total:,}{of} = "

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the ROC curve of every model, with its AUC and its point at the threshold.

        It goes on `ax` or a new figure of 4.5 x 4.5 inches.
        """
        ax = make_axes(ax, 4.5, 4.5)
        table = self.table(["AUC"])
        ax.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, zorder=1)
        for i, (name, probability) in enumerate(self.probability.items()):
            colour, style = series_style(i)
            false_positive_rate, sensitivity, _ = roc_curve(self.positive, probability)
            label = f"{name}  {table['AUC'][name]!s}"
            curve = (false_positive_rate, sensitivity, style)
            ax.plot(*curve, color=colour, linewidth=1.6, label=label)
            tp, fp, tn, fn = self.counts.loc[name].to_numpy()
            point = (fp / (fp + tn), tp / (tp + fn))
            ax.plot(*point, "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)
        ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        ax.set_xlabel("1 \N{MINUS SIGN} specificity")
        ax.set_ylabel("Sensitivity")
        dot = thresholds_text(self.thresholds)
        dot = "each model's threshold" if "," in dot else dot
        add_legend(ax, "lower right", f"AUC [95 % interval]; dot: {dot}")
        return hide_spines(ax)

    def __repr__(self) -> str:
        repeated = self.n_patients < self.n_rows
        clustered = ", both clustered by patient (Obuchowski; Rao-Scott)" if repeated else ""
        auc = "AUC DeLong on the logit scale, rates Wilson"
        if self.n_folds:
            auc = f"AUC (mean of {self.n_folds} folds) Nadeau-Bengio, rates Wilson"
            clustered = ", clustered by patient (Rao-Scott)" if repeated else ""
        return (
            f"{self.table().to_string()}\n"
            f"{self.note}; {thresholds_text(self.thresholds)}.\n"
            f"95 % intervals: {auc}{clustered}."
        )

    @property
    def note(self) -> str:
        """How many rows there are, of how many patients, and how many of them one patient has."""
        of = f" of {self.n_patients} patients" if self.grouped else ", each taken as one patient"
        if self.n_patients == self.n_rows:
            return f"{self.n_rows} rows{of}; {self.n_positives} rows positive"
        sides = {"positive": self.positive, "negative": ~self.positive}
        parts = [f"{self.n_rows} rows{of}"]
        few = []
        for name, side in sides.items():
            size = np.bincount(self.patient[side])
            people = int((size > 0).sum())
            most = 100 * size.max() / size.sum()
            parts.append(
                f"{size.sum()} rows {name}, of {people} patient{'s' * (people > 1)}, at most "
                f"{most:.{0 if most >= 1 else 1}f} % of them from one patient"
            )
            few += [name] * (people < FEWEST_PATIENTS)
        if few:
            parts.append(
                f"no interval where fewer than {FEWEST_PATIENTS} patients stand behind a figure"
            )
        return "; ".join(parts)


def model_figures(
    scored: Scored, probability: Scores, y_pred: NDArray[np.bool_], prevalence: float | None = None
) -> list[tuple]:
    """Figures of each metric, from its name to patients, as `Report.frame` says them."""
    positive, patient = scored.positive, scored.patient
    tp, fp, _, fn = _count(positive, y_pred)
    sides = int(positive.sum()), int((~positive).sum())
    interval_of = clustered_auc_interval if scored.fold is None else fold_auc_interval
    auc = interval_of(scored, probability)
    everyone = int(patient.max()) + 1
    figures: list[tuple] = [("AUC", *auc, *sides, everyone)]
    for metric in _RATES:
        subset = rate_subset(metric, positive, y_pred)
        success = (y_pred == positive)[subset]
        interval = proportion_interval(success, patient[subset])
        people = len(np.unique(patient[subset]))
        figures.append((metric, *interval, int(success.sum()), len(success), people))
    people = len(np.unique(patient[positive | y_pred]))
    f1 = f1_interval(positive, y_pred, patient)
    figures.append(("F1", *f1, 2 * tp, 2 * tp + fp + fn, people))
    others: list[tuple[str, Interval]] = [
        ("Brier", brier_interval(positive, probability, patient)),
        ("average precision", average_precision_interval(positive, probability, patient)),
    ]
    if prevalence is not None:
        others += _at_prevalence(scored, y_pred, prevalence)
    return figures + [(metric, *interval, *sides, everyone) for metric, interval in others]


def _at_prevalence(
    scored: Scored, y_pred: NDArray[np.bool_], prevalence: float
) -> list[tuple[str, Interval]]:
    case, control = (y_pred[side] for side in (scored.positive, ~scored.positive))
    of = scored.patient[scored.positive], scored.patient[~scored.positive]
    ppv = predictive_interval(case, control, of, prevalence)
    npv = predictive_interval(~control, ~case, of[::-1], 1 - prevalence)
    where = f"at {100 * prevalence:g} %"
    return [(f"PPV {where}", ppv), (f"NPV {where}", npv)]


def _count(positive: NDArray[np.bool_], y_pred: NDArray[np.bool_]) -> list[int]:
    pairs = (positive & y_pred, ~positive & y_pred, ~positive & ~y_pred, positive & ~y_pred)
    return [int(pair.sum()) for pair in pairs]
