"""Curves and forests of a report: ROC, calibration, net benefit, differences, subgroups, risks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from skosteo._plotting import (
    PALETTE,
    ForestLine,
    add_legend,
    forest_plot,
    hide_spines,
    make_axes,
)
from skosteo.evaluation._format import interval_text, signed_text
from skosteo.study.models import ALL_BASELINES, TABLES, TEXT_CONTROLS
from skosteo.study.report.tables import from_other, levels_shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = ("-", "--", ":", "-.")
_MOST_CURVES = 4
_GROUPS = {
    "Report text": TEXT_CONTROLS,
    "Ablation of the image model": TABLES[3],
    "Other fusions": TABLES[4],
    "Augmentation": TABLES[5],
    "Other neural networks": TABLES[2],
    "Baselines": ALL_BASELINES,
}


def roc(study: Any) -> "Figure":
    """Draw the ROC curves of the prespecified models, the primary one thick."""
    report = study.report()
    titles = [study.titles[name] for name in study.family[:_MOST_CURVES]]
    areas = report.table(["AUC"])["AUC"]
    ax = make_axes(None, 7.6, 3.4)
    ax.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, zorder=1)
    for i, title in enumerate(titles):
        false_positive, sensitivity, _ = roc_curve(report.positive, report.probability[title])
        tp, fp, tn, fn = report.counts.loc[title].to_numpy()
        colour, z = PALETTE[i], 5 - i
        line: dict[str, Any] = {"color": colour, "linewidth": 1.3 if i else 2.8, "zorder": z}
        label = f"{title}: {areas[title]}"
        ax.plot(false_positive, sensitivity, _STYLES[i], label=label, **line)
        point = (fp / (fp + tn), tp / (tp + fn))
        ax.plot(*point, "o", color=colour, markersize=7, markeredgecolor="white", zorder=9)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set_xlabel("1 \N{MINUS SIGN} specificity")
    ax.set_ylabel("Sensitivity")
    title = "AUC [95 % interval]; dot: at the threshold"
    add_legend(ax, "center left", title, bbox_to_anchor=(1.02, 0.5))
    return figure_of(hide_spines(ax))


def calibration(study: Any) -> "Figure":
    """Draw the flexible calibration curve of the primary model, as fitted and recalibrated."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(8.6, 4.3), layout="constrained")
    for ax, letter, (name, curve) in zip(panels, "AB", study.calibration().items(), strict=True):
        curve.plot(ax)
        for text in ax.get_legend().get_texts():
            said = {"this model": "flexible curve", "risks are right": "ideal"}
            text.set_text(said.get(text.get_text(), text.get_text()))
        ax.set_title(f"{letter}  {name}", loc="left", fontsize=10, fontweight="bold")
    return figure


def decision_curve(study: Any) -> "Figure":
    """Draw net benefit over thresholds, and beside it the difference from the comparator."""
    import matplotlib.pyplot as plt

    curve, titles = study.decision_curve(), study.titles
    n = 1 if study.comparator is None else 2
    figure, panels = plt.subplots(1, n, figsize=(4.4 * n, 3.7), layout="constrained", squeeze=False)
    curve.plot(panels[0, 0])
    lines, names = panels[0, 0].get_legend_handles_labels()
    panels[0, 0].get_legend().remove()  # which would lie over the curves
    legend = figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False)
    for text in legend.get_texts():
        text.set(fontsize=8, parse_math=False)
    if n == 2:
        ax, other = panels[0, 1], titles[study.comparator]
        found = curve.differences(other).query("model == @titles[@study.primary]")
        at = 100 * found["threshold"]
        ax.fill_between(at, found["low"], found["high"], color=PALETTE[0], alpha=0.15, linewidth=0)
        ax.plot(at, found["difference"], color=PALETTE[0], linewidth=2)
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.set_xlabel("Threshold probability, %")
        ax.set_ylabel(f"Difference in net benefit\nfrom {other}", parse_math=False)
        hide_spines(ax)
        for one, letter in zip(panels.flat, "AB", strict=True):
            one.set_title(letter, loc="left", fontsize=10, fontweight="bold")
    return figure


def differences(study: Any) -> "Figure":
    """Draw how far the AUC of the primary model is from that of every other one."""
    found = study.differences().query("metric == 'AUC'").set_index("model_a")
    lines: list[ForestLine] = []
    for heading, names in _grouped(study, found.index):
        lines.append(ForestLine(heading))
        for title in names:
            row = found.loc[title]
            interval = from_other(row)
            lines.append(ForestLine(f"  {title}", 0, *interval, signed_text(*interval)))
    ax = forest_plot(lines, None)
    ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    label = f"AUC of {study.titles[study.primary]} less that of the other [95 % interval]"
    ax.set_xlabel(label, fontsize=9, parse_math=False)
    return figure_of(ax)


def _grouped(study: Any, there: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Titles under headings: those of the prespecified comparisons, each group, one's own."""
    left = {name: title for name, title in study.titles.items() if title in set(there)}
    groups: dict[str, Iterable[str]] = {"Comparator and parts": study.family, **_GROUPS}
    found = []
    for heading, names in [*groups.items(), ("Models of the investigator", [*left])]:
        titles = [left.pop(name) for name in names if name in left]
        if titles:
            found.append((heading, titles))
    return found


def subgroups(study: Any) -> "Figure":
    """Draw the AUC of the primary model in the levels with enough patients."""
    frame = levels_shown(study).query("metric == 'AUC'")
    overall = study.figures().set_index("figure").loc["AUC", "estimate"]
    lines: list[ForestLine] = []
    for variable, rows in frame.groupby("variable", sort=False):
        lines.append(ForestLine(str(variable)))
        for row in rows.to_dict("records"):
            interval = (row["estimate"], row["low"], row["high"])
            name = f"  {row['level']} ({row['patients']:,} patients)"
            lines.append(ForestLine(name, 0, *interval, interval_text(*interval)))
    ax = forest_plot(lines, None)
    ax.axvline(overall, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    ax.set_xlabel("AUC [95 % interval]; dashed: all patients", fontsize=9)
    return figure_of(ax)


def stability(study: Any) -> "Figure":
    """Draw the risk that each repeat gave each row, over the mean of all repeats."""
    rows, name = study.assessed(), study.primary
    by_repeat = pd.DataFrame(
        rows.risk[name].to_numpy().reshape(rows.n_repeats, -1), columns=rows.row[rows.repeat == 0]
    )
    mean = by_repeat.mean().to_numpy()
    ax = make_axes(None, 4.6, 4.2)
    for _, risk in by_repeat.iterrows():
        ax.plot(mean, risk, "o", color=PALETTE[0], markersize=2.5, alpha=0.25, markeredgewidth=0)
    top = float(np.min([1.0, 1.05 * by_repeat.to_numpy().max()]))
    ax.plot([0, top], [0, top], color=PALETTE[1], linewidth=1)
    ax.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    ax.set_xlabel("Mean risk over the repeats")
    ax.set_ylabel("Risk in each repeat")
    return figure_of(hide_spines(ax))


def figure_of(ax: "Axes") -> "Figure":
    """Return the figure of axes."""
    figure: Any = ax.figure
    return figure
