"""Figures of a report; matplotlib is imported only when one is drawn."""

from typing import TYPE_CHECKING

from sklearn.metrics import roc_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skosteo.evaluation.report import Report

# Dark to light, told apart in grey print and by readers with a colour-vision deficiency.
PALETTE = ("#1b3a5c", "#c8553d", "#5b8e7d", "#e0a33e", "#7d6b91", "#8c8c8c")
_STYLES = ("-", "--", ":")  # for a second and a third round of the palette


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
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    table = report.table()
    ax.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, zorder=1)
    for i, (name, probability) in enumerate(report.probability.items()):
        again, colour = i // len(PALETTE), PALETTE[i % len(PALETTE)]
        false_alarms, found, _ = roc_curve(report.positive, probability)
        label = f"{name}  {table['AUC'][name]!s}"
        style = _STYLES[again % len(_STYLES)]
        ax.plot(false_alarms, found, style, color=colour, linewidth=1.6, label=label)
        tp, fp, tn, fn = report.counts.loc[name].to_numpy()
        point = (fp / (fp + tn), tp / (tp + fn))
        ax.plot(*point, "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set_xlabel("1 \N{MINUS SIGN} specificity")
    ax.set_ylabel("Sensitivity")
    title = f"AUC [95 % interval]; dot: threshold {report.threshold:g}"
    ax.legend(
        title=title,
        loc="lower right",
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        alignment="left",
    )
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax
