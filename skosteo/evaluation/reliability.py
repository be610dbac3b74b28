"""Reliability curves: the observed proportion against the predicted probability."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._plotting import (
    MARKERS,
    add_legend,
    draws,
    hide_spines,
    make_axes,
    series_style,
)
from skosteo.evaluation._scored import Scored
from skosteo.evaluation.calibration import CalibrationLine, away_from_edges, line_of_rows
from skosteo.evaluation.metrics import FEWEST_PATIENTS, proportion_interval
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("bin", "mean_probability", "observed", "low", "high", "count", "total")
_BAND = 0.2  # below 0 in the figure: how the probabilities are spread


def reliability(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    groups: ArrayLike | None = None,
    n_bins: int = 10,
) -> "Reliability":
    """Observed proportion against mean probability in bins of equally many rows.

    Parameters
    ----------
    y_true, y_prob, groups
        As in `evaluate`.
    n_bins : int, default=10
        Bins, 2 or more; equal probabilities stay together, so there may be fewer.

    Returns
    -------
    Reliability
        With ``frame()``, ``plot()`` and the `calibration_line` of each model.

    Notes
    -----
    Bins of equal width leave the upper ones almost empty where few are cases; these are as full as
    each other. The intervals are Wilson's, clustered by patient; where patients repeat, a bin of
    fewer than 10 has none. Probabilities of exactly 0 or 1 are moved inside for the line, as in
    `calibration_line`, and counted in ``at_edges``.

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
    scored = Scored.of_models(y_true, y_prob, groups)
    if not isinstance(n_bins, int | np.integer) or n_bins < 2:
        raise InputError(f"n_bins is {n_bins!r}; a curve needs 2 bins or more, such as 10.")
    rows = [
        {"model": name, **row}
        for name, p in scored.models.items()
        for row in _bins(scored, p, n_bins)
    ]
    lines = {m: line_of_rows(scored, away_from_edges(p)) for m, p in scored.models.items()}
    return Reliability(pd.DataFrame(rows), lines, scored.models)


class Reliability:
    """Observed proportions by bins of probability; made by `reliability`.

    Attributes
    ----------
    lines : dict of str to CalibrationLine
        Slope and intercept by model.
    at_edges : dict of str to int
        Rows by model whose probability is 0 or 1, which the line needs moved inside.
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
        self.at_edges = {
            name: int((away_from_edges(p) != p).sum()) for name, p in probability.items()
        }

    def frame(self) -> pd.DataFrame:
        """Return a row per model and bin (1 the lowest).

        The columns are model, bin, mean_probability, observed, low, high, count (of positive rows)
        and total.
        """
        return self._bins.copy()

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves on `ax` or a new figure of 5 x 6 inches, with slope and intercept.

        How the probabilities are spread is drawn below them.
        """
        ax = make_axes(ax, 5, 6)
        ax.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, zorder=1)
        for i, name in enumerate(self.probability):
            self._plot_model(ax, i, name)
        ax.axhline(0, color="0.8", linewidth=0.8)
        ax.set(xlim=(-0.01, 1.01), ylim=(-_BAND - 0.01, 1.01), aspect="equal")
        ax.set_yticks(np.linspace(0, 1, 6))
        ax.set_xlabel("Probability by the model (below: how often)")
        ax.set_ylabel("Observed proportion")
        title = "slope; intercept [95 % intervals]"
        if self._bins["low"].isna().any():
            title += f"\npoints without an interval: fewer than {FEWEST_PATIENTS} patients"
        add_legend(ax, "lower left", title, bbox_to_anchor=(0, 1))
        return hide_spines(ax)

    def _plot_model(self, ax: "Axes", i: int, name: str) -> None:
        colour, style = series_style(i)
        part = self._bins[self._bins["model"] == name]
        x, y = part["mean_probability"], part["observed"]
        ax.vlines(x, part["low"], part["high"], color=colour, linewidth=1, alpha=0.6)
        label = f"{name}  {_line_text(self.lines[name])}"
        if self.at_edges[name]:
            n_rows = len(self.probability[name])
            label += f" ({self.at_edges[name]} of {n_rows} at 0 or 1, moved)"
        marker = MARKERS[i % len(MARKERS)]
        ax.plot(x, y, style, marker=marker, color=colour, markersize=5, linewidth=1.4, label=label)
        counts, edges = np.histogram(self.probability[name], bins=25, range=(0, 1))
        height = counts / counts.max() * 0.8 * _BAND - _BAND
        alone = len(self.probability) == 1
        shape = {"fill": True, "alpha": 0.45} if alone else {"linestyle": style}
        ax.stairs(height, edges, baseline=-_BAND, color=colour, **shape)


def _bins(scored: Scored, probability: NDArray[np.float64], n_bins: int) -> list[dict]:
    edges = np.quantile(probability, np.arange(1, n_bins) / n_bins)
    code = np.unique(np.searchsorted(edges, probability), return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    rows = []
    for i, inside in enumerate(np.split(order, np.cumsum(np.bincount(code))[:-1])):
        positive = scored.positive[inside]
        interval = proportion_interval(positive, scored.patient[inside])
        size = int(positive.sum()), len(inside)
        line = (i + 1, probability[inside].mean(), *interval, *size)
        rows.append(dict(zip(_COLUMNS, line, strict=True)))
    return rows


def _line_text(line: CalibrationLine) -> str:
    slope, intercept = (
        "not estimable" if np.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"
        for value, low, high in (line[:3], line[3:])
    )
    return f"{slope}; {intercept}".replace("-", "\N{MINUS SIGN}")
