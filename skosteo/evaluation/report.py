"""One call from labels and probabilities to the table and the ROC curve of a paper."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo.evaluation.inputs import as_models, as_patient, as_positive, as_share, as_thresholds
from skosteo.evaluation.metrics import Interval, auc_interval
from skosteo.evaluation.scores import (
    average_precision_interval,
    brier_interval,
    f1_interval,
    predictive_interval,
    share_interval,
)
from skosteo.evaluation.texts import interval_text
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = ("AUC", "accuracy", "sensitivity", "specificity")
MORE_METRICS = ("PPV", "NPV", "F1", "Brier", "average precision")
_SHARES = ("accuracy", "sensitivity", "specificity", "PPV", "NPV")  # printed with their counts


def evaluate(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    groups: ArrayLike | None = None,
    threshold: float | Mapping[str, float] = 0.5,
    prevalence: float | None = None,
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
        too narrow. None takes every row as a patient of its own.
    threshold : float or mapping of str to float, default=0.5
        Rows with at least this probability are called positive; a mapping gives each model its
        own. Choose it on other data than these (`operating_point`): a threshold fitted here makes
        sensitivity and specificity too good.
    prevalence : float, default=None
        Share of positives, above 0 and below 1, among those the model is meant for. Given, the
        predictive values there are reported too; those of these rows hold for a population as ill
        as these rows only.

    Returns
    -------
    Report
        With ``frame()``, ``table()`` and ``plot()``.

    Raises
    ------
    InputError
        Labels that are not of two classes, no probabilities, groups that are not one a row, a
        threshold or prevalence that is no share.

    Notes
    -----
    AUC: DeLong on the logit scale, see ``auc_interval``. Accuracy, sensitivity, specificity, PPV
    and NPV: Wilson; F1 as a function of such a share. Brier score and average precision: from the
    influence of each row, on the logit scale. Predictive values at a prevalence: from Wilson's
    intervals of sensitivity and specificity (MOVER-R). With repeated patients the variance of the
    AUC is Obuchowski's, the rates use the number of independent rows that the rows are worth (Rao
    and Scott), and influences are summed by patient. All intervals describe these patients under
    a fixed model; they do not contain the variation from training it again.

    What the rows cannot tell, such as the PPV of a model that calls nobody positive, is NaN.

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
    positive = as_positive(y_true)
    patient = as_patient(groups, len(positive))
    probability = as_models(y_prob, len(positive))
    as_thresholds(threshold, probability)
    if prevalence is not None:
        as_share(prevalence, "prevalence", inside=True)
    return Report(positive, probability, patient, threshold, prevalence)


class Figure(NamedTuple):
    """One figure of a report, by model and metric."""

    model: str
    metric: str
    estimate: float
    low: float
    high: float
    count_: int  # a tuple has a method of the name count
    total: int


class Report:
    """Counts, rates and AUC of one or several models on the same rows; made by ``evaluate``.

    Parameters
    ----------
    positive : ndarray of shape (n,), bool
        True where the row is positive.
    probability : dict of str to ndarray of shape (n,)
        Probability of the positive class by model.
    patient : ndarray of shape (n,), int
        Codes 0, 1, ... of the patients.
    threshold : float or mapping of str to float
        Rows with at least this probability are called positive.
    prevalence : float, default=None
        Share of positives at which predictive values are reported too.

    Attributes
    ----------
    counts : DataFrame of shape (n_models, 4), int
        Columns tp, fp, tn, fn; every rate is derived from them.
    thresholds : dict of str to float
        Threshold by model.
    metrics : tuple of str
        Names of all metrics, as ``table`` and ``frame`` call them.
    n_rows, n_patients, n_positives : int
        Rows, distinct patients and positive rows.
    """

    def __init__(
        self,
        positive: NDArray[np.bool_],
        probability: dict[str, NDArray[np.float64]],
        patient: NDArray[np.intp],
        threshold: float | Mapping[str, float],
        prevalence: float | None = None,
    ) -> None:
        self.positive = positive
        self.probability = probability
        self.patient = patient
        self.threshold = threshold
        self.prevalence = prevalence
        self.thresholds = as_thresholds(threshold, probability)
        self.n_rows = len(positive)
        self.n_patients = int(patient.max()) + 1
        self.n_positives = int(positive.sum())
        called = {name: p >= self.thresholds[name] for name, p in probability.items()}
        cells = {name: _count(positive, c) for name, c in called.items()}
        self.counts = pd.DataFrame(cells, index=["tp", "fp", "tn", "fn"]).T
        self._figures = [
            Figure(name, *figure)
            for name, p in probability.items()
            for figure in score(positive, p, called[name], patient, prevalence)
        ]
        self.metrics = tuple(dict.fromkeys(figure.metric for figure in self._figures))

    def frame(self) -> pd.DataFrame:
        """Return all figures, one row per model and metric.

        Returns
        -------
        DataFrame
            Columns model, metric, estimate, low, high, count, total. A share is count / total
            (F1: twice the rows found, of those positive plus those called so); for AUC, Brier
            score, average precision and predictive values at a prevalence, count and total are
            the numbers of positive and of negative rows. NaN is not estimable.
        """
        return pd.DataFrame(self._figures).rename(columns={"count_": "count"})

    def table(self, metrics: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Return figures as they are printed in a paper.

        Parameters
        ----------
        metrics : list of str or "all", default=None
            Columns, of ``metrics``. None gives AUC, accuracy, sensitivity and specificity.

        Returns
        -------
        DataFrame
            One row per model, with texts such as ".812 [.760, .864]" and
            "182/240 = .758 [.700, .808]".
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
                share = f"{f.count_}/{f.total} = " if f.metric in _SHARES and f.total else ""
                table.loc[f.model, f.metric] = share + interval_text(f.estimate, f.low, f.high)
        return table

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the ROC curve of every model, with its AUC and operating point.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        Axes
            The axes drawn on.
        """
        from skosteo.evaluation.plots import plot_roc

        return plot_roc(self, ax)

    def __repr__(self) -> str:
        repeated = self.n_patients < self.n_rows
        patients = f" of {self.n_patients} patients" if repeated else ", each taken as one patient"
        clustered = ", both clustered by patient (Obuchowski; Rao-Scott)" if repeated else ""
        thresholds = ", ".join(f"{t:g}" for t in dict.fromkeys(self.thresholds.values()))
        return (
            f"{self.table().to_string()}\n"
            f"{self.n_rows} rows{patients}; {self.n_positives} rows positive; "
            f"threshold {thresholds}.\n"
            f"95 % intervals: AUC DeLong on the logit scale, rates Wilson{clustered}."
        )


def score(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    called: NDArray[np.bool_],
    patient: NDArray[np.intp],
    prevalence: float | None = None,
) -> list[tuple]:
    """Score one model: metric, estimate, low, high, count and total of each metric.

    Parameters
    ----------
    positive, called : ndarray of shape (n,), bool
        Labels, and what the model says.
    probability : ndarray of shape (n,)
        Probability of the positive class.
    patient : ndarray of shape (n,), int
        Codes 0, 1, ... of the patients.
    prevalence : float, default=None
        Share of positives at which predictive values are reported too.

    Returns
    -------
    list of tuple
        As `Report.frame` describes them.
    """
    tp, fp, _, fn = _count(positive, called)
    sides = int(positive.sum()), int((~positive).sum())
    right = called == positive
    figures: list[tuple] = [("AUC", *auc_interval(positive, probability, groups=patient), *sides)]
    for metric, asked in (
        ("accuracy", np.ones_like(right)),
        ("sensitivity", positive),
        ("specificity", ~positive),
        ("PPV", called),
        ("NPV", ~called),
    ):
        hit = right[asked]
        interval = share_interval(hit, patient[asked])
        figures.append((metric, *interval, int(hit.sum()), len(hit)))
    f1 = f1_interval(positive, called, patient)
    figures.append(("F1", *f1, 2 * tp, 2 * tp + fp + fn))
    others: list[tuple[str, Interval]] = [
        ("Brier", brier_interval(positive, probability, patient)),
        ("average precision", average_precision_interval(positive, probability, patient)),
    ]
    if prevalence is not None:
        others += _at_prevalence(positive, called, patient, prevalence)
    return figures + [(metric, *interval, *sides) for metric, interval in others]


def _at_prevalence(
    positive: NDArray[np.bool_],
    called: NDArray[np.bool_],
    patient: NDArray[np.intp],
    prevalence: float,
) -> list[tuple[str, Interval]]:
    of = patient[positive], patient[~positive]
    ppv = predictive_interval(called[positive], called[~positive], of, prevalence)
    npv = predictive_interval(~called[~positive], ~called[positive], of[::-1], 1 - prevalence)
    where = f"at {100 * prevalence:g} %"
    return [(f"PPV {where}", ppv), (f"NPV {where}", npv)]


def _count(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> list[int]:
    pairs = (positive & called, ~positive & called, ~positive & ~called, positive & ~called)
    return [int(pair.sum()) for pair in pairs]
