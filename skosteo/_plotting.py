"""Colours, fonts, axes, legends and forest plots of all figures.

matplotlib comes with the extra "plots" and is imported only when something is drawn; results draw
themselves in ``plot()``, and no class of results is known here.
"""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from skosteo._extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")

# Dark to light, told apart in grey print and by readers with a colour-vision deficiency.
PALETTE = ("#1b3a5c", "#c8553d", "#5b8e7d", "#e0a33e", "#7d6b91", "#8c8c8c")
_STYLES = ("-", "--", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")

_DPI = 200

# For signs in names of columns and models that the usual font lacks, where one is installed
_MORE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Arial Unicode MS",
)
_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def draws(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorate a public method that draws: it asks for matplotlib, and for fonts of all names.

    Without matplotlib it raises a MissingExtraError. Its texts keep their fonts and fall back on
    those of Chinese, Japanese and Korean; matplotlib's settings stay as they are. Where no such
    font is installed, boxes are drawn, and matplotlib's warning says so.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        require("plots", draw.__qualname__)
        from matplotlib import rc_context, rcParams

        with rc_context({"font.family": [*rcParams["font.family"], *_more_fonts()]}):
            return draw(*args, **kwargs)

    return drawn


def _more_fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [name for name in _MORE_FONTS if name in installed]


def lacks_signs(text: str) -> bool:
    """Whether a text has signs of Chinese, Japanese or Korean, and no font with them is there."""
    return bool(_EAST_ASIAN.search(text)) and not _more_fonts()


class ForestLine(NamedTuple):
    """A line of a forest plot: an estimate of a series, or a heading, which has none."""

    label: str
    series: int | None = None
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    text: str = ""


def forest_plot(
    lines: Sequence[ForestLine], ax: "Axes | None", models: Sequence[str] = ()
) -> "Axes":
    """Draw estimates with intervals under headings, their text at the right.

    ``models`` names the series in a legend; without it there is none.
    """
    ax = make_axes(ax, 7.5, 1.0 + 0.24 * (len(lines) + len(models)))
    for y, line in enumerate(lines):
        if line.series is None:
            continue
        colour = PALETTE[line.series % len(PALETTE)]
        marker = MARKERS[line.series % len(MARKERS)]
        ax.hlines(y, line.low, line.high, color=colour, linewidth=1.4)
        ax.plot(line.estimate, y, marker, color=colour, markersize=5.5)
        ax.text(1.02, y, line.text, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_yticks(range(len(lines)), [line.label for line in lines])
    for line, text in zip(lines, ax.get_yticklabels(), strict=True):
        text.set(ha="left", weight="bold" if line.series is None else "normal", parse_math=False)
    if models:
        for i, name in enumerate(models):
            marker = MARKERS[i % len(MARKERS)]
            ax.plot([], [], marker, color=PALETTE[i % len(PALETTE)], markersize=5, label=name)
        add_legend(ax, "lower left", None, bbox_to_anchor=(0, 1), ncols=3)
    ax.tick_params(axis="y", length=0)
    hide_spines(ax).spines["left"].set_visible(False)
    _left_align(ax)
    return ax


def _left_align(ax: "Axes") -> None:
    """Move the labels, which matplotlib sets flush right, to start at the same place."""
    renderer = ax.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    widths = [text.get_window_extent(renderer).width for text in ax.get_yticklabels()]
    ax.tick_params(axis="y", pad=max(widths) * 72 / ax.figure.dpi + 4)


def make_axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the given axes, or those of a new figure of this size in inches."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def series_style(i: int) -> tuple[str, str]:
    """Colour and line style of the i-th series; neighbours differ in both."""
    turn = i // len(PALETTE)
    return PALETTE[i % len(PALETTE)], _STYLES[(i + turn) % len(_STYLES)]


def add_legend(ax: "Axes", loc: Any, title: str | None, **kwargs: Any) -> None:
    """Add a legend without a frame, whose names are taken as they are written."""
    legend = ax.legend(
        title=title,
        loc=loc,
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        alignment="left",
        **kwargs,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a model may be called "cost_in_$"


def hide_spines(ax: "Axes") -> "Axes":
    """Leave the axes at the left and below, with small labels."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def name_rows(ax: "Axes", names: Sequence[str]) -> None:
    """Write names beside horizontal rows, the first lowest; long ones are cut."""
    short = [name if len(name) <= 28 else name[:27] + "\N{HORIZONTAL ELLIPSIS}" for name in names]
    ax.set_yticks(range(len(names)), labels=short, fontsize=9)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)  # a column may be called "cost_in_$"
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="x", labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def as_file(figure: "Figure", kind: str) -> bytes:
    """Return a figure as a file of a kind, "svg" or "png"; the same picture is the same file."""
    from matplotlib import rc_context

    stream = BytesIO()
    with rc_context({"svg.hashsalt": "skosteo"}):
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(stream, format=kind, dpi=_DPI, bbox_inches="tight", metadata=metadata)
    figure.set_layout_engine("none")  # it is laid out now, for the other kind too
    return stream.getvalue()
