"""The flow chart of a cohort; matplotlib is imported only when one is drawn."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from skosteo._plotting import with_more_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skosteo.clinical.cohort import Flow

_INK, _FILL, _OUT = "#1b3a5c", "#eef2f6", "#faf1ee"

# All lengths in characters across and lines down; a character and a line at 9 points, in inches
_CHARACTER, _LINE, _POINTS = 0.073, 0.165, 9.0
_BOX, _GAP, _TEXT = 36, 6, 32  # widths of a box, between two, and of its text
_PAD, _SPACE = 0.9, 1.2  # lines: inside a box above and below, and between two


@with_more_fonts
def plot_flow(flow: "Flow", ax: "Axes | None" = None) -> "Axes":
    """Draw how many rows each criterion left, like the paper's Figure 2.

    Parameters
    ----------
    flow : Flow
        Of a cohort.
    ax : matplotlib Axes, default=None
        Where to draw; the text shrinks to fit. None makes a new figure of the size needed.

    Returns
    -------
    Axes
        Steps downwards, exclusions to the right, the two groups at the bottom.
    """
    boxes, arrows, height = _layout(flow)
    width = 2 * _BOX + _GAP
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(width * _CHARACTER, height * _LINE))
        ax = figure.add_axes((0, 0, 1, 1))
    inches = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    scale = min(inches.width / (width * _CHARACTER), inches.height / (height * _LINE))
    ax.set(xlim=(-0.5, width + 0.5), ylim=(height, 0))
    ax.set_axis_off()
    for left, top, lines, colour in boxes:
        depth = len(lines) + 2 * _PAD
        ax.add_patch(_rectangle(left, top, depth, colour))
        ax.text(
            left + _BOX / 2,
            top + depth / 2,
            "\n".join(lines),
            ha="center",
            va="center",
            fontsize=_POINTS * min(scale, 1),
            linespacing=1.25,
            parse_math=False,  # a column may be called "cost_in_$"
        )
    style = {"arrowstyle": "-|>", "color": _INK, "shrinkA": 0, "shrinkB": 0, "linewidth": 0.9}
    for *corners, end in arrows:
        ax.plot(*zip(*corners, strict=True), color=_INK, linewidth=0.9)
        ax.annotate("", xy=end, xytext=corners[-1], arrowprops=style)
    return ax


def _layout(flow: "Flow") -> tuple[list[tuple], list[tuple], float]:
    """Boxes (left, top, lines, colour), arrows (corners, end), and the height of all."""
    steps = flow.frame()
    column, right = _BOX / 2, _BOX + _GAP
    boxes: list[tuple] = []
    arrows: list[tuple] = []
    top = 0.5
    for i, step in enumerate(steps.to_dict("records")):
        if i == 0:
            lines = [*_wrapped(step["step"]), _count(step, "remaining")]
        else:
            # the exclusion stands beside the arrow from one remainder to the next
            out = [*_wrapped(f"excluded: {step['step']}"), _count(step, "excluded")]
            if step["unknown"]:
                out.append(f"not known: {step['unknown']:,}")
            depth = len(out) + 2 * _PAD
            boxes.append((right, top, out, _OUT))
            arrows.append(((column, top + depth / 2), (right, top + depth / 2)))
            start, top = top - _SPACE, top + depth + _SPACE
            arrows.append(((column, start), (column, top)))
            last = i == len(steps) - 1
            lines = ["Included"] * last + [_count(step, "remaining")]
        boxes.append((0, top, lines, _FILL))
        top += len(lines) + 2 * _PAD + _SPACE
    return _with_outcome(flow, boxes, arrows, top)


def _with_outcome(
    flow: "Flow", boxes: list[tuple], arrows: list[tuple], top: float
) -> tuple[list[tuple], list[tuple], float]:
    bottom, column, right = top - _SPACE, _BOX / 2, _BOX + _GAP
    texts = [
        [*_wrapped(str(name)), _count(counts, "rows")]
        for name, counts in flow.outcome.to_dict("index").items()
    ]
    top = bottom + 2 * _SPACE
    for left, lines in zip((0, right), texts, strict=True):
        boxes.append((left, top, lines, _FILL))
        turn, end = (bottom + top) / 2, left + _BOX / 2
        arrows.append(((column, bottom), (column, turn), (end, turn), (end, top)))
    return boxes, arrows, top + max(map(len, texts)) + 2 * _PAD + 0.5


def _wrapped(text: str) -> list[str]:
    # blanks instead of underscores: words to read, and places to break a line
    return wrap(text[:1].upper() + text[1:].replace("_", " "), _TEXT)


def _count(counts: dict[Any, Any], what: str) -> str:
    patients = counts.get("patients" if what == "rows" else f"{what}_patients")
    return f"n = {counts[what]:,}" + ("" if patients is None else f" ({patients:,} patients)")


def _rectangle(left: float, top: float, depth: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), _BOX, depth, facecolor=colour, edgecolor=_INK, linewidth=0.9)
