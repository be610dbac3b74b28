"""How many rows each criterion of a cohort leaves."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        """Return the counts.

        Returns
        -------
        DataFrame of shape (n_steps, 4) or (n_steps, 6)
            "step", then the rows "excluded" and "remaining", and those of which the criterion is
            "unknown"; "excluded_patients" (left without a row) and "remaining_patients" where the
            patients are known.
        """
        return self._steps.copy()

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the flow chart.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure of the size that the text needs.

        Returns
        -------
        Axes
            Steps downwards, exclusions to the right, the two groups at the bottom.
        """
        from skosteo.clinical.plots import plot_flow

        return plot_flow(self, ax)

    def __repr__(self) -> str:
        return in_words(self._steps)


class ExclusionLog:
    """The rows still kept, and the count of each step."""

    def __init__(self, table: pd.DataFrame, patient: str | None) -> None:
        self.kept = np.ones(len(table), dtype=bool)
        self._patients = None
        if patient is not None:
            self._patients = pd.factorize(table[patient])[0]
            missing = np.flatnonzero(self._patients == -1)
            if len(missing):
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
        count = {
            "step": step,
            "excluded": int(before.sum() - self.kept.sum()),
            "remaining": int(self.kept.sum()),
            "unknown": n_unknown,
        }
        if self._patients is not None:
            remaining = len(np.unique(self._patients[self.kept]))
            count["excluded_patients"] = len(np.unique(self._patients[before])) - remaining
            count["remaining_patients"] = remaining
        self._steps.append(count)

    def frame(self) -> pd.DataFrame:
        """Return a row per step."""
        return pd.DataFrame(self._steps)

    def outcome(self, target: pd.Series, meanings: tuple[str, str]) -> pd.DataFrame:
        """Return rows and patients of the two groups."""
        groups = [target.to_numpy() == 1, target.to_numpy() == 0]
        counts = {"rows": [int(group.sum()) for group in groups]}
        if self._patients is not None:
            patients = self._patients[self.kept]
            counts["patients"] = [len(np.unique(patients[group])) for group in groups]
        return pd.DataFrame(counts, index=pd.Index(meanings, name="group"))


def in_words(steps: pd.DataFrame) -> str:
    """Return the counts as one sentence, for messages."""
    first, *others = steps.itertuples()
    parts = [f"{first.remaining} {first.step}"]
    parts += [f"{s.step}: {s.excluded} excluded, {s.remaining} left" for s in others]
    return "; ".join(parts)
