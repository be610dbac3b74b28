"""One call from labels and probabilities to the table and the ROC curve of a paper."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo.evaluation.inputs import as_patient, as_positive, as_probability
from skosteo.evaluation.metrics import auc_interval, effective_rows, rate_interval
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = ("AUC", "accuracy", "sensitivity", "specificity")


def evaluate(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    groups: ArrayLike | None = None,
    threshold: float = 0.5,
) -> "Report":
    """Score probabilities against labels: counts, rates and AUC with 95 % intervals.

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
    threshold : float, default=0.5
        Rows with at least this probability are called positive. Choose it on other data than
        these: a threshold fitted here makes sensitivity and specificity too good.

    Returns
    -------
    Report
        With ``frame()``, ``table()`` and ``plot()``.

    Notes
    -----
    AUC: DeLong on the logit scale, see ``auc_interval``. Rates: Wilson. With repeated patients
    the variance of the AUC is Obuchowski's, and the rates use the number of independent rows that
    the rows are worth (Rao and Scott). All intervals describe these patients under a fixed model;
    they do not contain the variation from training it again.

    Examples
    --------
    >>> from skosteo.evaluation import evaluate
    >>> y = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> evaluate(y, [0.1, 0.2, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9]).table().T
                               model
    AUC                .875 [.345, .989]
    accuracy     6/8 = .750 [.409, .929]
    sensitivity  3/4 = .750 [.301, .954]
    specificity  3/4 = .750 [.301, .954]
    """
    positive = as_positive(y_true)
    patient = as_patient(groups, len(positive))
    if not 0 <= threshold <= 1:
        hint = " Is it in per cent?" if 1 < threshold <= 100 else ""
        raise InputError(f"threshold is {threshold}; it is a probability, 0 to 1.{hint}")
    if isinstance(y_prob, pd.DataFrame) and not y_prob.columns.is_unique:
        raise InputError("y_prob has two columns of the same name; give each model its own.")
    models = y_prob if isinstance(y_prob, (Mapping, pd.DataFrame)) else {"model": y_prob}
    if len(models.keys()) == 0:
        raise InputError("y_prob names no model; give at least one name with its probabilities.")
    probability = {str(k): _as_probability(k, v, len(positive)) for k, v in models.items()}
    return Report(positive, probability, patient, threshold)


def _as_probability(name: object, y_prob: ArrayLike, n: int) -> NDArray[np.float64]:
    try:
        return as_probability(y_prob, n)
    except InputError as error:
        raise InputError(f"Model {name!r}: {error}") from None


class _Figure(NamedTuple):
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
    threshold : float
        Rows with at least this probability are called positive.

    Attributes
    ----------
    counts : DataFrame of shape (n_models, 4), int
        Columns tp, fp, tn, fn; every rate is derived from them.
    n_rows, n_patients, n_positives : int
        Rows, distinct patients and positive rows.
    """

    def __init__(
        self,
        positive: NDArray[np.bool_],
        probability: dict[str, NDArray[np.float64]],
        patient: NDArray[np.intp],
        threshold: float,
    ) -> None:
        self.positive = positive
        self.probability = probability
        self.patient = patient
        self.threshold = threshold
        self.n_rows = len(positive)
        self.n_patients = int(patient.max()) + 1
        self.n_positives = int(positive.sum())
        called = {name: p >= threshold for name, p in probability.items()}
        cells = {name: _count(positive, c) for name, c in called.items()}
        self.counts = pd.DataFrame(cells, index=["tp", "fp", "tn", "fn"]).T
        self._figures = [f for name in called for f in self._score(name, called[name], cells[name])]

    def _score(self, name: str, called: NDArray[np.bool_], cells: list[int]) -> list["_Figure"]:
        tp, fp, tn, fn = cells
        auc = auc_interval(self.positive, self.probability[name], groups=self.patient)
        figures = [_Figure(name, "AUC", *auc, tp + fn, tn + fp)]
        right = called == self.positive
        for metric, count, total, asked in (
            ("accuracy", tp + tn, tp + fp + tn + fn, np.ones_like(right)),
            ("sensitivity", tp, tp + fn, self.positive),
            ("specificity", tn, tn + fp, ~self.positive),
        ):
            effective = effective_rows(right[asked], self.patient[asked])
            rate = rate_interval(count, total, effective=effective)
            figures.append(_Figure(name, metric, *rate, count, total))
        return figures

    def frame(self) -> pd.DataFrame:
        """Return the figures, one row per model and metric.

        Returns
        -------
        DataFrame
            Columns model, metric, estimate, low, high, count, total. A rate is count / total;
            for the AUC they are the numbers of positive and of negative rows.
        """
        return pd.DataFrame(self._figures).rename(columns={"count_": "count"})

    def table(self) -> pd.DataFrame:
        """Return the figures as they are printed in a paper.

        Returns
        -------
        DataFrame
            One row per model; columns AUC, accuracy, sensitivity, specificity, such as
            ".812 [.760, .864]" and "182/240 = .758 [.700, .808]".
        """
        table = pd.DataFrame(index=list(self.probability), columns=list(METRICS), dtype=object)
        for f in self._figures:
            share = "" if f.metric == "AUC" else f"{f.count_}/{f.total} = "
            table.loc[f.model, f.metric] = share + _interval_text(f.estimate, f.low, f.high)
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
        return (
            f"{self.table().to_string()}\n"
            f"{self.n_rows} rows{patients}; {self.n_positives} rows positive; "
            f"threshold {self.threshold:g}.\n"
            f"95 % intervals: AUC DeLong on the logit scale, rates Wilson{clustered}."
        )


def _count(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> list[int]:
    pairs = (positive & called, ~positive & called, ~positive & ~called, positive & ~called)
    return [int(pair.sum()) for pair in pairs]


def _interval_text(estimate: float, low: float, high: float) -> str:
    share, *ends = (f"{x:.3f}".removeprefix("0") for x in (estimate, low, high))
    return f"{share} [{ends[0]}, {ends[1]}]"
