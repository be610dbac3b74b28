"""Scores by subgroup, such as sex, age band or device, with small cells suppressed."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._plotting import ForestLine, draws, forest_plot
from skosteo._validation import to_pandas
from skosteo.evaluation._format import interval_text
from skosteo.evaluation._scored import Scored, Threshold, as_thresholds
from skosteo.evaluation.metrics import Interval
from skosteo.evaluation.report import model_figures
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS = ("AUC", "sensitivity", "specificity")
NOT_KNOWN, SUPPRESSED = "not known", "suppressed"
_SIZES = ("rows", "patients", "events")
_BANDS = ("below 50", "50-59", "60-69", "70-79", "80+")
_MOST_LEVELS = 20


def age_band(age: ArrayLike) -> pd.Series:
    """Band ages in decades as papers on osteoporosis do, for `subgroups`.

    Parameters
    ----------
    age : array-like of shape (n,)
        Years, 0 to 120; missing ones stay missing.

    Returns
    -------
    Series of shape (n,)
        Ordered categories "below 50", "50-59", "60-69", "70-79" and "80+".

    Examples
    --------
    >>> from skosteo.evaluation import age_band
    >>> age_band([49.9, 50, 67, 92]).tolist()
    ['below 50', '50-59', '60-69', '80+']
    """
    try:
        years = pd.Series(to_pandas(age)).astype(float)
    except (TypeError, ValueError):
        raise InputError("age is not numeric; it is in years, such as 67.") from None
    beyond = (years < 0) | (years > 120)
    if beyond.any():
        raise InputError(
            f"age is below 0 or above 120 in {beyond.sum()} of {len(years)} rows, the first in row "
            f"{beyond.to_numpy().argmax() + 1}. It is in years; leave what is not known missing."
        )
    return pd.cut(years, [-1, 50, 60, 70, 80, 121], right=False, labels=list(_BANDS))


def subgroups(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    by: pd.DataFrame | Mapping[str, ArrayLike],
    *,
    groups: ArrayLike | None = None,
    threshold: Threshold | Mapping[str, Threshold] = 0.5,
    min_events: int = 10,
) -> "Subgroups":
    """Score models within each level of sex, age band, projection, device or site.

    Parameters
    ----------
    y_true, y_prob, groups, threshold
        As in `evaluate`.
    by : DataFrame of n rows, or mapping of str to array-like of shape (n,)
        Columns of at most 20 levels each, row by row; for ages see `age_band`. A missing value is
        the level "not known".
    min_events : int, default=10
        A level with fewer positive or fewer negative patients is suppressed: its scores would
        tell little, and its counts could point at a person. Where it is the only one of its
        column, or all suppressed ones together are as few, the next smallest goes with it.

    Returns
    -------
    Subgroups
        With ``frame()``, ``table()``, ``differences()`` and ``plot()``.

    Notes
    -----
    Intervals as in `evaluate`. Many levels are many looks: one that differs may do so by chance,
    so look at ``differences()`` with their intervals rather than for the worst.

    The counts of all suppressed levels together follow from those of the others and the total, so
    there are always two or more, and of each class enough patients in them, unless all are
    suppressed (complementary suppression). That is by column: two columns that say nearly the
    same, such as hospital and device, may still tell of each other, and so may another table.

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import subgroups
    >>> y, p = np.tile([0, 1], 40), np.tile([0.2, 0.6, 0.4, 0.3, 0.6, 0.8], 14)[:80]
    >>> site = np.repeat(["A", "B", "C"], [36, 28, 16])
    >>> subgroups(y, p, {"site": site}).table().loc["model", ["AUC", "events"]]
                                  AUC      events
    variable level
    site     A      .722 [.531, .857]          18
             B                         suppressed
             C                         suppressed
    """
    scored = Scored.of_models(y_true, y_prob, groups)
    n = len(scored.positive)
    thresholds = as_thresholds(threshold, scored.models, n)
    y_pred = {name: p >= thresholds[name] for name, p in scored.models.items()}
    if not isinstance(min_events, int | np.integer) or min_events < 1:
        raise InputError(f"min_events is {min_events!r}; it is a number of patients, 1 or more.")
    columns = {str(name): values for name, values in to_pandas(by).items()}
    levels = [
        (name, *level) for name, values in columns.items() for level in _levels(name, values, n)
    ]
    if not levels:
        raise InputError("by names no column; give at least one, such as {'sex': table['sex']}.")
    hidden = _hidden(levels, scored, min_events)
    rows = []
    for name in scored.models:
        for (variable, level, inside), suppressed in zip(levels, hidden, strict=True):
            cell = (
                _suppressed()
                if suppressed
                else _cell(scored.at(inside), name, y_pred[name][inside])
            )
            rows += [{"model": name, "variable": variable, "level": level, **row} for row in cell]
    return Subgroups(pd.DataFrame(rows), min_events)


class Subgroups:
    """Scores by subgroup; made by `subgroups`.

    Attributes
    ----------
    min_events : int
        Patients of either class that a level needs.
    note : str
        What "suppressed" means, to be printed below the table; empty where no level is.
    """

    def __init__(self, figures: pd.DataFrame, min_events: int) -> None:
        self._figures = figures.astype(dict.fromkeys((*_SIZES, "count", "total"), "Int64"))
        self.min_events = min_events
        self.note = (
            f"suppressed: < {min_events} patients with or without the outcome, or a level from "
            "which the count of such a one would follow"
            if self._figures["suppressed"].any()
            else ""
        )

    def frame(self) -> pd.DataFrame:
        """Return a row per model, variable, level and metric.

        The columns are model, variable, level, rows, patients, events (positive rows), suppressed,
        metric, estimate, low, high, count and total; numbers of a suppressed level are missing.
        """
        return self._figures.copy()

    def table(self) -> pd.DataFrame:
        """Return a row per model, variable and level, as they are printed in a paper.

        Of a suppressed level events is "suppressed" and the rest empty; see ``note``.
        """
        lines: dict[tuple, dict[str, str]] = {}
        for _, f in self._figures.iterrows():
            line = lines.setdefault((f["model"], f["variable"], f["level"]), {})
            if f["suppressed"]:
                line |= {"rows": "", "patients": "", "events": SUPPRESSED, f["metric"]: ""}
                continue
            line |= {name: str(f[name]) for name in _SIZES}
            counts = "" if f["metric"] == "AUC" else f"{f['count']}/{f['total']} = "
            line[f["metric"]] = counts + interval_text(f["estimate"], f["low"], f["high"])
        table = pd.DataFrame.from_dict(lines, orient="index")
        table.index = pd.MultiIndex.from_tuples(lines, names=["model", "variable", "level"])
        return table

    def differences(self) -> pd.DataFrame:
        r"""Return how far each level is above the largest level of its variable.

        .. math:: d - \sqrt{(a - l_a)^2 + (u_b - b)^2}, \qquad d + \sqrt{(u_a - a)^2 + (b - l_b)^2}

        These are the limits of :math:`d = a - b` from those of the level, :math:`l_a` and
        :math:`u_a`, and of the largest one, :math:`l_b` and :math:`u_b` (square-and-add [1]_, or
        MOVER [2]_). They take the levels as independent, which those of patients are, such as sex
        and age; where one patient has films of both, such as of two devices, they err to the wide
        side. Suppressed levels do not enter: all comes from figures that are shown.

        Returns
        -------
        DataFrame
            A row per model, variable, level other than the reference, and metric (AUC, sensitivity
            and specificity): model, variable, level, reference (of shown levels that with the most
            patients, "not known" only where it is alone), metric, difference, low and high; NaN is
            not estimable. Each interval is of 95 % by itself.

        References
        ----------
        .. [1] Newcombe 1998,
           doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
        .. [2] Zou and Donner 2008, doi:10.1002/sim.3095

        Examples
        --------
        >>> import numpy as np
        >>> from skosteo.evaluation import subgroups
        >>> y, p = np.tile([0, 1], 40), np.tile([0.2, 0.6, 0.4, 0.3, 0.6, 0.8], 14)[:80]
        >>> scores = subgroups(y, p, {"sex": np.repeat(["F", "M"], [48, 32])})
        >>> scores.differences().drop(columns=["model", "variable"]).round(3)
          level reference       metric  difference    low   high
        0     M         F          AUC       0.024 -0.208  0.233
        1     M         F  sensitivity       0.021 -0.267  0.284
        2     M         F  specificity       0.021 -0.267  0.284
        """
        lines = []
        shown = self._figures[~self._figures["suppressed"]]
        for (model, variable), rows in shown.groupby(["model", "variable"], sort=False):
            known = rows[rows["level"] != NOT_KNOWN]
            first = (known if len(known) else rows).sort_values("patients", ascending=False).iloc[0]
            reference = first["level"]
            others = rows[rows["level"] != reference]
            of = rows[rows["level"] == reference].set_index("metric")[["estimate", "low", "high"]]
            for _, f in others.iterrows():
                a = (f["estimate"], f["low"], f["high"])
                names = (model, variable, f["level"], reference, f["metric"])
                lines.append((*names, *_mover(a, of.loc[f["metric"]])))
        which = ["model", "variable", "level", "reference", "metric"]
        return pd.DataFrame(lines, columns=[*which, "difference", "low", "high"])

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the AUC of every level with its interval, on `ax` or a new figure."""
        models = list(dict.fromkeys(self._figures["model"]))
        ax = forest_plot(self._forest_lines(models), ax, models if len(models) > 1 else ())
        ax.axvline(0.5, color="0.6", linewidth=0.8, zorder=0)
        label = "AUC [95 % interval]; in brackets: positive rows / rows"
        ax.set_xlabel("\n".join([label, *wrap(self.note, 70)]), fontsize=9)
        return ax

    def _forest_lines(self, models: list[str]) -> list[ForestLine]:
        auc = self._figures[self._figures["metric"] == "AUC"]
        lines: list[ForestLine] = []
        heading = None
        for (variable, level), rows in auc.groupby(["variable", "level"], sort=False):
            if variable != heading:
                heading = variable
                lines.append(ForestLine(str(heading)))
            suppressed = rows["suppressed"].any()  # for all models alike
            for _, f in rows.head(1 if suppressed else len(rows)).iterrows():
                series = models.index(f["model"])
                size = SUPPRESSED if suppressed else f"{f['events']}/{f['rows']}"
                interval = (f["estimate"], f["low"], f["high"])
                text = "" if suppressed else interval_text(*interval)
                name = "" if series else f"  {level} ({size})"
                lines.append(ForestLine(name, series, *interval, text))
        return lines


def _mover(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Difference of two independent estimates with its limits, from theirs."""
    (x, x_low, x_high), (y, y_low, y_high) = a, b
    low, high = np.hypot(x - x_low, y_high - y), np.hypot(x_high - x, y - y_low)
    return x - y, x - y - float(low), x - y + float(high)


def level_codes(column: pd.Series, what: str) -> tuple[NDArray[np.intp], Any]:
    """Code of the level of each row, -1 where it is missing, and the levels, 20 at most."""
    try:
        codes, distinct = pd.factorize(column, sort=True)
    except TypeError:
        raise InputError(
            f"{what} holds lists or the like; give each row one word or one number."
        ) from None
    if len(distinct) > _MOST_LEVELS:
        raise InputError(
            f"{what} has {len(distinct)} levels, {_MOST_LEVELS} at most are compared. Put numbers "
            "in bands first (ages with age_band, others with pandas.cut)."
        )
    return codes, distinct


def _levels(name: str, values: ArrayLike, n: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name and rows of each level of a column, in their order, what is missing last."""
    column = pd.Series(to_pandas(values)).reset_index(drop=True)
    if len(column) != n:
        raise InputError(f"by[{name!r}] has {len(column)} values for {n} rows; give one a row.")
    codes, distinct = level_codes(column, f"by[{name!r}]")
    names = [f"{x:g}" if isinstance(x, float) else str(x) for x in distinct] + [NOT_KNOWN]
    label = np.array(names)[codes]
    return [(x, label == x) for x in dict.fromkeys(names) if (label == x).any()]


def _hidden(
    levels: list[tuple[str, str, NDArray[np.bool_]]], scored: Scored, min_events: int
) -> list[bool]:
    """Whether each level is suppressed: for its few patients, or to protect another level.

    The first is primary suppression. As a reader knows the total of a variable, what its
    suppressed levels hold in sum follows from the levels that are shown: of a single suppressed
    level everything does, and several that have few patients of a class together are as telling.
    So the smallest level that is still shown goes too (complementary suppression), until neither
    is the case or nothing is left to hide.
    """
    patient = scored.patient

    def few(inside: NDArray[np.bool_]) -> bool:
        sides = (inside & scored.positive, inside & ~scored.positive)
        return min(len(np.unique(patient[side])) for side in sides) < min_events

    hidden = [few(inside) for _, _, inside in levels]
    for variable in {name for name, _, _ in levels}:
        own = [i for i, (name, _, _) in enumerate(levels) if name == variable]
        sizes = {i: len(np.unique(patient[levels[i][2]])) for i in own if not hidden[i]}
        away = [i for i in own if hidden[i]]
        while (
            sizes and away and (len(away) == 1 or few(np.any([levels[i][2] for i in away], axis=0)))
        ):
            smallest = min(sizes, key=lambda i: sizes[i])
            del sizes[smallest]
            away.append(smallest)
            hidden[smallest] = True
    return hidden


def _cell(part: Scored, model: str, y_pred: NDArray[np.bool_]) -> list[dict]:
    """Figures of one level."""
    figures = {
        metric: figure[:-1]  # patients are those of the level
        for metric, *figure in model_figures(part, part.models[model], y_pred)
    }
    size = (len(part.positive), int(part.patient.max()) + 1, int(part.positive.sum()))
    return [_line(metric, size, figures[metric], suppressed=False) for metric in _METRICS]


def _suppressed() -> list[dict]:
    """Figures of a level that are all missing."""
    unknown = (np.nan, np.nan, np.nan, pd.NA, pd.NA)
    return [_line(metric, (pd.NA,) * 3, unknown, suppressed=True) for metric in _METRICS]


def _line(metric: str, size: tuple, figures: Sequence, *, suppressed: bool) -> dict:
    names = ("estimate", "low", "high", "count", "total")
    return {
        **dict(zip(_SIZES, size, strict=True)),
        "suppressed": suppressed,
        "metric": metric,
        **dict(zip(names, figures, strict=True)),
    }
