"""Figures of evaluations; matplotlib is imported only when one is drawn."""

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_curve

from skosteo._plotting import (
    MARKERS,
    ForestLine,
    add_legend,
    forest_plot,
    hide_spines,
    make_axes,
    series_style,
    with_more_fonts,
)
from skosteo.evaluation.subgroups import SUPPRESSED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skosteo.evaluation.calibration import CalibrationLine
    from skosteo.evaluation.comparison import Comparison
    from skosteo.evaluation.decision_curve import DecisionCurve
    from skosteo.evaluation.reliability import Reliability
    from skosteo.evaluation.report import Report
    from skosteo.evaluation.subgroups import Subgroups

_BAND = 0.2  # below 0 in a reliability curve: how the probabilities are spread


@with_more_fonts
def plot_roc(report: "Report", ax: "Axes | None" = None) -> "Axes":
    """Draw the ROC curve of every model of a report.

    Parameters
    ----------
    report : Report
        From ``evaluate``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a new figure of 4.5 x 4.5 inches.

    Returns
    -------
    Axes
        Sensitivity against 1 - specificity, the chance diagonal, and a point where the
        threshold of the report lies on each curve.
    """
    ax = make_axes(ax, 4.5, 4.5)
    table = report.table()
    ax.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, zorder=1)
    for i, (name, probability) in enumerate(report.probability.items()):
        colour, style = series_style(i)
        false_alarms, found, _ = roc_curve(report.positive, probability)
        label = f"{name}  {table['AUC'][name]!s}"
        ax.plot(false_alarms, found, style, color=colour, linewidth=1.6, label=label)
        tp, fp, tn, fn = report.counts.loc[name].to_numpy()
        point = (fp / (fp + tn), tp / (tp + fn))
        ax.plot(*point, "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set_xlabel("1 \N{MINUS SIGN} specificity")
    ax.set_ylabel("Sensitivity")
    thresholds = list(dict.fromkeys(report.thresholds.values()))
    dot = f"threshold {thresholds[0]:g}" if len(thresholds) == 1 else "each model's threshold"
    add_legend(ax, "lower right", f"AUC [95 % interval]; dot: {dot}")
    return hide_spines(ax)


@with_more_fonts
def plot_reliability(curve: "Reliability", ax: "Axes | None" = None) -> "Axes":
    """Draw the observed share against the mean probability of every model.

    Parameters
    ----------
    curve : Reliability
        From ``reliability``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a new figure of 5 x 6 inches.

    Returns
    -------
    Axes
        Curves with intervals and the diagonal; in the band below 0 the spread of probabilities;
        slope and intercept in the legend.
    """
    ax = make_axes(ax, 5, 6)
    ax.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, zorder=1)
    frame = curve.frame()
    for i, (name, probability) in enumerate(curve.probability.items()):
        colour, style = series_style(i)
        part = frame[frame["model"] == name]
        x, y = part["mean_probability"], part["observed"]
        ax.vlines(x, part["low"], part["high"], color=colour, linewidth=1, alpha=0.6)
        label = f"{name}  {_line_text(curve.lines[name])}"
        marker = MARKERS[i % len(MARKERS)]
        ax.plot(x, y, style, marker=marker, color=colour, markersize=5, linewidth=1.4, label=label)
        counts, edges = np.histogram(probability, bins=25, range=(0, 1))
        height = counts / counts.max() * 0.8 * _BAND - _BAND
        alone = len(curve.probability) == 1
        shape = {"fill": True, "alpha": 0.45} if alone else {"linestyle": style}
        ax.stairs(height, edges, baseline=-_BAND, color=colour, **shape)
    ax.axhline(0, color="0.8", linewidth=0.8)
    ax.set(xlim=(-0.01, 1.01), ylim=(-_BAND - 0.01, 1.01), aspect="equal")
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_xlabel("Probability by the model (below: how often)")
    ax.set_ylabel("Observed share")
    add_legend(ax, "lower left", "slope; intercept [95 % intervals]", bbox_to_anchor=(0, 1))
    return hide_spines(ax)


@with_more_fonts
def plot_decision_curve(curve: "DecisionCurve", ax: "Axes | None" = None) -> "Axes":
    """Draw the net benefit of every model over thresholds.

    Parameters
    ----------
    curve : DecisionCurve
        From ``decision_curve``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a new figure of 5.5 x 4 inches.

    Returns
    -------
    Axes
        Net benefit against threshold probability, with treating all and none in grey.
    """
    ax = make_axes(ax, 5.5, 4)
    *models, treat_all, treat_none = curve.net_benefit
    order = np.argsort(curve.thresholds)
    at = 100 * curve.thresholds[order]
    for i, name in enumerate(models):
        colour, style = series_style(i)
        ax.plot(at, curve.net_benefit[name][order], style, color=colour, linewidth=1.6, label=name)
    for name, style in ((treat_all, "-."), (treat_none, "-")):
        values = curve.net_benefit[name][order]
        ax.plot(at, values, style, color="0.55", linewidth=1, label=name, zorder=1)
    top = max(values.max() for values in curve.net_benefit.values())
    ax.set_ylim(-0.15 * max(top, 0.01), 1.08 * max(top, 0.01))  # what lies lower helps nobody
    ax.set_xlabel("Threshold probability, %")
    ax.set_ylabel("Net benefit")
    add_legend(ax, "upper right", None)
    return hide_spines(ax)


@with_more_fonts
def plot_comparison(comparison: "Comparison", ax: "Axes | None" = None) -> "Axes":
    """Draw the differences of a comparison with their intervals.

    Parameters
    ----------
    comparison : Comparison
        From ``compare``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a new figure, as high as its lines need.

    Returns
    -------
    Axes
        Under each metric a line per pair; right of 0 the first model of the pair is better, or
        the model that is compared with the reference.
    """
    table = comparison.table()
    lines = []
    for metric, part in comparison.frame().groupby("metric", sort=False):
        lines.append(ForestLine(str(metric)))
        for pair, (_, row) in zip(table.index, part.iterrows(), strict=True):
            ends = (row["difference"], row["low"], row["high"])
            lines.append(ForestLine(f"  {pair}", 0, *ends, str(table.loc[pair, str(metric)])))
    ax = forest_plot(lines, ax)
    ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    several = len(table) > 1
    p = "; P adjusted by Holm" if several else ""
    than = "" if comparison.reference is None else f" from {comparison.reference}"
    label = f"Difference{than} [{100 * comparison.level:g} % interval]{p}"
    ax.set_xlabel("\n".join(wrap(label, 70)), fontsize=9, parse_math=False)
    return ax


@with_more_fonts
def plot_subgroups(subgroups: "Subgroups", ax: "Axes | None" = None) -> "Axes":
    """Draw the AUC of every subgroup with its interval.

    Parameters
    ----------
    subgroups : Subgroups
        From ``subgroups``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a new figure, as high as its lines need.

    Returns
    -------
    Axes
        Under each variable a line per level and model; a suppressed level says so.
    """
    table = subgroups.table()
    models = list(dict.fromkeys(table.index.get_level_values("model")))
    frame = subgroups.frame()
    auc = frame[frame["metric"] == "AUC"]
    row = {key: values for key, (_, values) in zip(table.index, auc.iterrows(), strict=True)}
    lines: list[ForestLine] = []
    for variable, level in dict.fromkeys((v, x) for _, v, x in table.index):
        if variable not in (line.label for line in lines):
            lines.append(ForestLine(variable))
        for i, model in enumerate(models):
            f, texts = row[model, variable, level], table.loc[[(model, variable, level)]].iloc[0]
            size = SUPPRESSED if f["suppressed"] else f"{texts['events']}/{texts['rows']}"
            ends = (f["estimate"], f["low"], f["high"])
            name = "" if i else f"  {level} ({size})"
            lines.append(ForestLine(name, i, *ends, str(texts["AUC"])))
            if f["suppressed"]:  # for all models alike
                break
    ax = forest_plot(lines, ax, models if len(models) > 1 else ())
    ax.axvline(0.5, color="0.6", linewidth=0.8, zorder=0)
    label = "AUC [95 % interval]; in brackets: positive rows / rows"
    ax.set_xlabel("\n".join([label, *wrap(subgroups.note, 70)]), fontsize=9)
    return ax


def _line_text(line: "CalibrationLine") -> str:
    if np.isnan(line.intercept):
        return "not estimable: probabilities of 0 or 1"
    slope, intercept = (
        "not estimable" if np.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"
        for value, low, high in (line[:3], line[3:])
    )
    return f"{slope}; {intercept}".replace("-", "\N{MINUS SIGN}")
