"""Of those given a probability of 20 %, do 20 % have it? Reliability curves; pure functions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo.evaluation.calibration import CalibrationLine, calibration_line
from skosteo.evaluation.inputs import as_models, as_patient, as_positive
from skosteo.evaluation.scores import share_interval
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    groups: ArrayLike | None = None,
    n_bins: int = 10,
) -> "Reliability":
    """Observed share against mean probability in bins of equally many rows.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    y_prob : array-like of shape (n,) or (n, 2), or mapping of str to such arrays, or DataFrame
        Probability of the positive class, as in `evaluate`.
    groups : array-like of shape (n,), default=None
        Patient of each row. None takes every row as a patient of its own.
    n_bins : int, default=10
        Bins, 2 or more; equal probabilities stay together, so there may be fewer.

    Returns
    -------
    Reliability
        With ``frame()``, ``plot()`` and the `calibration_line` of each model.

    Raises
    ------
    InputError
        Less than 2 bins, or anything about the other arguments that cannot be worked with.

    Notes
    -----
    Bins of equal width leave the upper ones almost empty where few are ill; these are as full as
    each other. The intervals are Wilson's, clustered by patient. Where a model gives probabilities
    of exactly 0 or 1, its line is NaN: they have no logit.

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import reliability
    >>> p = np.repeat([0.1, 0.3, 0.8], 10)
    >>> y = np.repeat([1, 0, 1, 0, 1, 0], [2, 8, 3, 7, 7, 3])
    >>> reliability(y, p, n_bins=3).frame()[["mean_probability", "observed", "count", "total"]]
       mean_probability  observed  count  total
    0               0.1       0.2      2     10
    1               0.3       0.3      3     10
    2               0.8       0.7      7     10
    """
    positive = as_positive(y_true)
    patient = as_patient(groups, len(positive))
    models = as_models(y_prob, len(positive))
    if not isinstance(n_bins, int | np.integer) or n_bins < 2:
        raise InputError(f"n_bins is {n_bins!r}; a curve needs 2 bins or more, such as 10.")
    rows = [
        {"model": name, **row}
        for name, p in models.items()
        for row in _bins(positive, p, patient, n_bins)
    ]
    lines = {name: _line(positive, p, patient) for name, p in models.items()}
    return Reliability(pd.DataFrame(rows), lines, models)


class Reliability:
    """Observed shares by bins of probability; made by ``reliability``.

    Parameters
    ----------
    bins : DataFrame
        As ``frame`` returns it.
    lines : dict of str to CalibrationLine
        Slope and intercept by model.
    probability : dict of str to ndarray of shape (n,)
        Probability of the positive class by model.
    """

    def __init__(
        self,
        bins: pd.DataFrame,
        lines: dict[str, CalibrationLine],
        probability: dict[str, NDArray[np.float64]],
    ) -> None:
        self._bins = bins
        self.lines = lines
        self.probability = probability

    def frame(self) -> pd.DataFrame:
        """Return the curves, one row per model and bin.

        Returns
        -------
        DataFrame
            Columns model, bin (1 the lowest), mean_probability, observed, low, high, count (of
            positive rows) and total.
        """
        return self._bins.copy()

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves, with how the probabilities are spread below them.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        Axes
            Observed share against mean probability; slope and intercept in the legend.
        """
        from skosteo.evaluation.plots import plot_reliability

        return plot_reliability(self, ax)


def _bins(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    patient: NDArray[np.intp],
    n_bins: int,
) -> list[dict]:
    edges = np.quantile(probability, np.arange(1, n_bins) / n_bins)
    code = np.unique(np.searchsorted(edges, probability), return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    rows = []
    for i, inside in enumerate(np.split(order, np.cumsum(np.bincount(code))[:-1])):
        observed, low, high = share_interval(positive[inside], patient[inside])
        rows.append(
            {
                "bin": i + 1,
                "mean_probability": probability[inside].mean(),
                "observed": observed,
                "low": low,
                "high": high,
                "count": int(positive[inside].sum()),
                "total": len(inside),
            }
        )
    return rows


def _line(
    positive: NDArray[np.bool_], probability: NDArray[np.float64], patient: NDArray[np.intp]
) -> CalibrationLine:
    if probability.min() < np.finfo(float).tiny or probability.max() == 1:
        return CalibrationLine(*[float("nan")] * 6)
    return calibration_line(positive, probability, groups=patient)
