"""Figures of explanations; matplotlib is imported only when one is drawn."""

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skosteo._plotting import PALETTE, with_more_fonts
from skosteo.evaluation._format import proportion_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from skosteo.explain.fusion_view import FusionView
    from skosteo.explain.gradcam import GradCam
    from skosteo.explain.shapley import ShapValues

_INK, _RED, _LIGHT, _GREY = PALETTE[0], PALETTE[1], "#f2c879", PALETTE[5]
_MINUS = "\N{MINUS SIGN}"


@with_more_fonts
def plot_shap_dots(found: "ShapValues", ax: "Axes | None" = None) -> "Axes":
    """Draw a dot per row and feature, dark where the feature is high: the paper's Figure 3A."""
    from matplotlib.cm import ScalarMappable

    order = [found.feature_names.index(name) for name in found.importance().index[::-1]]
    ax = _axes(ax, len(order), extra=0.9)
    colours = _light_to_dark()
    width = np.ptp(found.values) or 1.0
    for place, feature in enumerate(order):
        values = found.values[:, feature]
        high = _rank_share(found.data[:, feature])
        up = place + _swarm(values / width)
        words = np.isnan(high)
        ax.scatter(
            values[words], up[words], s=14, facecolors="none", edgecolors=_GREY, linewidths=0.8
        )
        ax.scatter(values[~words], up[~words], s=14, c=colours(high[~words]), linewidths=0)
    _dress(ax, [found.feature_names[i] for i in order])
    ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set_xlabel(f"SHAP value (change of {found.unit})")
    bar = ax.figure.colorbar(ScalarMappable(cmap=colours), ax=ax, aspect=30, pad=0.02)
    bar.set_ticks([0, 1], labels=["low", "high"], fontsize=8)
    bar.set_label("Value of the variable (ring: words, or missing)", fontsize=8, labelpad=-8)
    bar.outline.set_visible(False)
    return ax


@with_more_fonts
def plot_shap_bars(found: "ShapValues", ax: "Axes | None" = None) -> "Axes":
    """Draw the mean of the absolute values, the largest on top: the paper's Figure 3B."""
    sizes = found.importance()[::-1]
    ax = _axes(ax, len(sizes), extra=0.6)
    ax.barh(range(len(sizes)), sizes, color=_INK, height=0.62)
    for place, size in enumerate(sizes):
        ax.annotate(
            proportion_text(size) if found.unit == "probability" else f"{size:.2f}",
            (size, place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    _dress(ax, list(sizes.index))
    ax.set_xlim(0, (sizes.max() or 1.0) * 1.14)
    ax.set_xlabel(f"Mean |SHAP value| (change of {found.unit})")
    return ax


@with_more_fonts
def plot_grad_cam(found: "GradCam", rows: Sequence[int], n_columns: int) -> "Figure":
    """Draw for each row the film, the heat map over it and the attention: the paper's Figure 7."""
    import matplotlib.pyplot as plt
    from matplotlib.cm import ScalarMappable

    views = 2 if found.attention is None else 3
    n_lines = -(-len(rows) // n_columns)
    figure, grid = plt.subplots(
        n_lines,
        n_columns * views,
        figsize=(1.95 * n_columns * views + 0.7, 2.25 * n_lines + 0.1),
        layout="constrained",
        squeeze=False,
    )
    for ax in grid.flat:
        ax.set_axis_off()
    for place, row in enumerate(rows):
        line, column = divmod(place, n_columns)
        left, middle, *right = grid[line, column * views : (column + 1) * views]
        film = found.films[row]
        for ax in (left, middle, *right):
            ax.imshow(film, cmap="gray", vmin=0, vmax=255)
        left.set_title(
            f"probability {proportion_text(found.probability[row], 2)}", fontsize=9, loc="left"
        )
        _overlay(middle, found.heat(row), "Grad-CAM" if found.peak[row] > 0 else "Grad-CAM: none")
        for ax in right:
            _overlay(ax, found.attention_heat(row), "attention")
    bar = figure.colorbar(ScalarMappable(cmap=_heat_colours()), ax=grid, aspect=35, pad=0.01)
    bar.set_ticks([0, 0.5, 1], labels=["0", "half", "most"], fontsize=8)
    bar.outline.set_visible(False)
    return figure


@with_more_fonts
def plot_fusion(view: "FusionView", ax: "Axes | None" = None) -> "Axes":
    """Draw the surface of a fusion of two branches, or what each of several added."""
    return _plot_moves(view, ax) if view.surface is None else _plot_surface(view, ax)


def _plot_surface(view: "FusionView", ax: "Axes | None") -> "Axes":
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(4.8, 4.8), layout="constrained")
    assert view.surface is not None
    across = np.linspace(0, 1, len(view.surface))
    levels = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
    greys = [str(g) for g in (1.0, 0.96, 0.92, 0.86, 0.80, 0.74)]
    ax.contourf(across, across, view.surface, levels, colors=greys)
    lines = ax.contour(
        across,
        across,
        view.surface,
        levels[1:-1],
        colors=_INK,
        linewidths=[0.7, 0.7, 1.6, 0.7, 0.7],
    )
    ax.clabel(lines, fontsize=8, fmt=lambda level: proportion_text(level, 2))
    others = view.background
    ax.scatter(others[:, 0], others[:, 1], s=10, color=_INK, alpha=0.4, linewidths=0, zorder=3)
    x, y = view.probability
    ax.scatter(x, y, s=170, marker="*", color=_RED, edgecolors="white", zorder=5)
    first, second, fused = (proportion_text(p, 2) for p in (x, y, view.fused))
    said = f"{view.branches[0]} {first}, {view.branches[1]} {second}: fused {fused}"
    key = "lines: fused probability; dots: other patients"
    ax.set_title(f"{said}\n{key}", fontsize=9, loc="left", parse_math=False)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set_xlabel(f"P({view.branches[0]})", parse_math=False)
    ax.set_ylabel(f"P({view.branches[1]})", parse_math=False)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _plot_moves(view: "FusionView", ax: "Axes | None") -> "Axes":
    known = [i for i, p in enumerate(view.probability) if not np.isnan(p)]
    missing = [name for i, name in enumerate(view.branches) if i not in known]
    ax = _axes(ax, len(known), extra=1.0)
    moves = view.moved[known]
    reach = np.abs(moves).max() or 1.0
    for place, move in enumerate(moves[::-1]):
        towards = move >= 0
        # the hatch tells the directions apart in grey print
        ax.barh(
            place,
            move,
            height=0.62,
            color=_RED if towards else "white",
            edgecolor=_RED if towards else _INK,
            hatch=None if towards else "///",
        )
        ax.annotate(
            f"{'+' if towards else _MINUS}{abs(move):.2f}",
            (move, place),
            (4 if towards else -4, 0),
            textcoords="offset points",
            va="center",
            ha="left" if towards else "right",
            fontsize=8,
        )
    said = [f"{view.branches[i]} ({proportion_text(view.probability[i], 2)})" for i in known]
    _dress(ax, said[::-1])
    ax.axvline(0, color="0.4", linewidth=0.8)
    ax.set_xlim(-1.3 * reach, 1.3 * reach)
    ax.set_xlabel("Change of the fused log odds from the background's")
    gone = f"; without {', '.join(missing)}" if missing else ""
    title = f"fused {proportion_text(view.fused, 2)}{gone}"
    ax.set_title(title, fontsize=9, loc="left", parse_math=False)
    return ax


def _axes(ax: "Axes | None", n_lines: int, extra: float) -> "Axes":
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.6, extra + 0.34 * max(n_lines, 2)), layout="constrained")
    return ax


def _dress(ax: "Axes", names: list[str]) -> None:
    ax.set_yticks(range(len(names)), labels=[_short(name) for name in names], fontsize=9)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)  # a column may be called "cost_in_$"
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="x", labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= 28 else name[:27] + "\N{HORIZONTAL ELLIPSIS}"


def _rank_share(cells: NDArray[np.object_]) -> NDArray[np.float64]:
    """Place of each number among the numbers, 0 to 1; NaN for words and missing values.

    By rank, so that one outlying value does not make all others look alike.
    """
    numbers = np.array([c if isinstance(c, Real) else np.nan for c in cells], dtype=float)
    known = np.unique(numbers[~np.isnan(numbers)])
    share = np.searchsorted(known, numbers) / max(len(known) - 1, 1)
    return np.where(np.isnan(numbers), np.nan, share)


def _swarm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights within +-.38 that keep dots with near values (in shares of the axis) apart."""
    bins = np.floor(values * 80).astype(int)
    height = np.zeros(len(values))
    for one in np.unique(bins):
        inside = np.flatnonzero(bins == one)
        step = min(0.11, 0.76 / len(inside))
        turn = np.arange(len(inside))
        height[inside] = step * ((turn + 1) // 2) * np.where(turn % 2, 1, -1)
    return height


def _overlay(ax: "Axes", heat: NDArray[np.float32], title: str) -> None:
    """Lay a heat map over a film: the hotter, the less of the film is seen."""
    ax.imshow(heat, cmap=_heat_colours(), vmin=0, vmax=1, alpha=0.15 + 0.5 * heat)
    if heat.max() > 0.5 > heat.min():  # the line tells the place in grey print
        ax.contour(heat, [0.5], colors="white", linewidths=0.9)
    ax.set_title(title, fontsize=9, loc="left")


def _light_to_dark() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("skosteo", [_LIGHT, _RED, _INK])


def _heat_colours() -> Any:
    from matplotlib import colormaps

    return colormaps["inferno"]
