"""Exclusions of a cohort: counted step by step, said in words, drawn as a flow chart."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._plotting import PALETTE, draws
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# All lengths in characters across and lines down; a character and a line at 9 points, in inches
_CHARACTER, _LINE, _POINTS = 0.073, 0.165, 9.0
_BOX, _GAP, _TEXT = 36, 6, 32  # widths of a box, between two, and of its text
_RIGHT, _WIDTH = _BOX + _GAP, 2 * _BOX + _GAP
_PAD, _SPACE = 0.9, 1.2  # lines: inside a box above and below, and between two
_FILL, _OUT = "#eef2f6", "#faf1ee"


class Flow:
    """How many rows each criterion left, like the paper's Figure 2; printed, it says it in words.

    Attributes
    ----------
    outcome : DataFrame of shape (2, 1) or (2, 2), int
        Rows, and patients where they are known, of the two groups.
    """

    def __init__(self, steps: pd.DataFrame, outcome: pd.DataFrame) -> None:
        self._steps, self.outcome = steps, outcome

    def frame(self) -> pd.DataFrame:
        """Return the counts, a row per step.

        "step", then the rows "excluded" and "remaining", and those of which the criterion is
        "unknown"; "excluded_patients" (left without a row) and "remaining_patients" where the
        patients are known.
        """
        return self._steps.copy()

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the flow chart.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, and the text shrinks to fit; None makes a figure of the size it needs.

        Returns
        -------
        Axes
            Steps downwards, exclusions to the right, the two groups at the bottom.
        """
        from matplotlib.patches import Rectangle

        boxes, arrows, height = self._layout()
        width, ink = _WIDTH * _CHARACTER, PALETTE[0]
        if ax is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=(width, height * _LINE))
            ax = figure.add_axes((0, 0, 1, 1))
        inches = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        scale = min(inches.width / width, inches.height / (height * _LINE), 1)
        ax.set(xlim=(-0.5, _WIDTH + 0.5), ylim=(height, 0))
        ax.set_axis_off()
        for left, top, lines, colour in boxes:
            depth = len(lines) + 2 * _PAD
            box = Rectangle((left, top), _BOX, depth, fc=colour, ec=ink, linewidth=0.9)
            ax.add_patch(box)
            # no maths: a column may be called "cost_in_$"
            text = ax.text(left + _BOX / 2, top + depth / 2, "\n".join(lines), parse_math=False)
            text.set(ha="center", va="center", linespacing=1.25, fontsize=_POINTS * scale)
        arrow = {"arrowstyle": "-|>", "color": ink, "shrinkA": 0, "shrinkB": 0, "linewidth": 0.9}
        for *corners, end in arrows:
            ax.plot(*zip(*corners, strict=True), color=ink, linewidth=0.9)
            ax.annotate("", xy=end, xytext=corners[-1], arrowprops=arrow)
        return ax

    def _layout(self) -> tuple[list[tuple], list[tuple], float]:
        """Boxes (left, top, lines, colour), arrows (corners, end), and the height of all."""
        middle = _BOX / 2
        first, *steps = self._steps.to_dict("records")
        lines = [*_wrapped(first["step"]), _count_text(first, "remaining")]
        boxes: list[tuple] = [(0, 0.5, lines, _FILL)]
        arrows: list[tuple] = []
        bottom = 0.5 + len(lines) + 2 * _PAD
        for i, step in enumerate(steps, start=1):
            # the exclusion stands beside the arrow from one remainder to the next
            out = [*_wrapped(f"excluded: {step['step']}"), _count_text(step, "excluded")]
            if step["unknown"]:
                out.append(f"not known: {step['unknown']:,}")
            start, depth = bottom + _SPACE, len(out) + 2 * _PAD
            boxes.append((_RIGHT, start, out, _OUT))
            top = start + depth + _SPACE
            beside = start + depth / 2
            arrows += [((middle, beside), (_RIGHT, beside)), ((middle, bottom), (middle, top))]
            lines = ["Included"] * (i == len(steps)) + [_count_text(step, "remaining")]
            boxes.append((0, top, lines, _FILL))
            bottom = top + len(lines) + 2 * _PAD
        top = bottom + 2 * _SPACE
        outcome = self.outcome.to_dict("index").items()
        for left, (name, counts) in zip((0, _RIGHT), outcome, strict=True):
            lines = [*_wrapped(str(name)), _count_text(counts, "rows")]
            boxes.append((left, top, lines, _FILL))
            turn, end = (bottom + top) / 2, left + middle
            arrows.append(((middle, bottom), (middle, turn), (end, turn), (end, top)))
        height = max(top + len(lines) for _, top, lines, _ in boxes) + 2 * _PAD + 0.5
        return boxes, arrows, height

    def __repr__(self) -> str:
        return in_words(self._steps)


class ExclusionLog:
    """The rows still kept, and the count of each step."""

    def __init__(self, table: pd.DataFrame, patient: str | None) -> None:
        self.kept = np.ones(len(table), dtype=bool)
        self._patients = None
        if patient is not None:
            self._patients = pd.factorize(table[patient])[0]
            if len(missing := np.flatnonzero(self._patients == -1)):
                raise InputError(
                    f"Column {patient!r} holds no patient in {len(missing)} of {len(table)} rows, "
                    f"the first is row {missing[0] + 1}. A row without a patient cannot be kept "
                    "apart from the others: fill or drop it."
                )
        self._steps: list[dict[str, Any]] = []
        self._count("rows in the table", self.kept, 0)

    def exclude(
        self, step: str, out: NDArray, unknown: NDArray | None = None, *, kept: bool = False
    ) -> None:
        """Count and drop the rows that a criterion leaves out; unknown ones may be kept."""
        n_unknown = 0 if unknown is None else int((unknown & self.kept).sum())
        if n_unknown:
            step += " (not known: kept)" if kept else " or not known"
        before, self.kept = self.kept, self.kept & ~out
        self._count(step, before, n_unknown)

    def _count(self, step: str, before: NDArray, n_unknown: int) -> None:
        excluded, remaining = int(before.sum() - self.kept.sum()), int(self.kept.sum())
        count = {"step": step, "excluded": excluded, "remaining": remaining, "unknown": n_unknown}
        if self._patients is not None:
            left = len(np.unique(self._patients[self.kept]))
            count["excluded_patients"] = len(np.unique(self._patients[before])) - left
            count["remaining_patients"] = left
        self._steps.append(count)

    def frame(self) -> pd.DataFrame:
        """Return a row per step."""
        return pd.DataFrame(self._steps)

    def outcome(self, target: pd.Series, meanings: tuple[str, str]) -> pd.DataFrame:
        """Return rows and patients of the two groups."""
        groups = [target.to_numpy() == code for code in (1, 0)]
        counts = {"rows": [int(group.sum()) for group in groups]}
        if self._patients is not None:
            patients = self._patients[self.kept]
            counts["patients"] = [len(np.unique(patients[group])) for group in groups]
        return pd.DataFrame(counts, index=pd.Index(meanings, name="group"))


def in_words(steps: pd.DataFrame) -> str:
    """Return the counts as one sentence, for messages."""
    first, *others = steps.itertuples()
    left = [f"{s.step}: {s.excluded} excluded, {s.remaining} left" for s in others]
    return "; ".join([f"{first.remaining} {first.step}", *left])


def _wrapped(text: str) -> list[str]:
    # blanks instead of underscores: words to read, and places to break a line
    return wrap(text[:1].upper() + text[1:].replace("_", " "), _TEXT)


def _count_text(counts: dict[Any, Any], what: str) -> str:
    patients = counts.get("patients" if what == "rows" else f"{what}_patients")
    return f"n = {counts[what]:,}" + ("" if patients is None else f" ({patients:,} patients)")


def check_flow(before: Flow | None, n_rows: int) -> None:
    """Refuse the flow of another cohort."""
    if before is None:
        return
    remaining = int(before.frame()["remaining"].iloc[-1])
    if remaining != n_rows:
        raise InputError(
            f"flow leaves {remaining} rows and X has {n_rows}. Give the flow of the cohort whose "
            "data X is."
        )
