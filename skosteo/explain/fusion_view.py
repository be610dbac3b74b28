"""One patient's way through a fusion of probabilities: what each branch contributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from skosteo._plotting import PALETTE, draws, hide_spines, make_axes, name_rows
from skosteo._validation import logits, to_pandas
from skosteo.evaluation._format import proportion_text
from skosteo.exceptions import InputError
from skosteo.explain.coalitions import coalition_means, every_coalition
from skosteo.explain.fitted import is_a, nets_in_evaluation, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 101
_BACKGROUND = 200


@dataclass(frozen=True, eq=False)
class FusionView:
    """The probabilities of the branches for one patient, and what each adds to the fused one.

    Parameters
    ----------
    branches : tuple of str
        Names, image and clinical first.
    probability : ndarray of shape (k,)
        Of the positive class by each branch; NaN where it had nothing to look at.
    fused : float
        What the fusion makes of them.
    base : float
        Mean fused log odds over the background.
    contributions : ndarray of shape (k,)
        Shapley value of each branch, log odds; ``base + contributions`` sums to the log odds of
        `fused`. NaN as in `probability`.
    background : ndarray of shape (B, k)
        Probabilities of the branches for other patients.
    surface : ndarray of shape (101, 101) or None, default=None
        Fused probability over P(clinical), downwards from 0, and P(image), across from 0. None
        where the fusion is not of these two.
    """

    branches: tuple[str, ...]
    probability: NDArray[np.float64]
    fused: float
    base: float
    contributions: NDArray[np.float64]
    background: NDArray[np.float64]
    surface: NDArray[np.float64] | None = None

    def frame(self) -> pd.DataFrame:
        """Return the way from the background to the answer; its log odds are the parts' sum."""
        fused = self.base + np.nansum(self.contributions)
        return pd.DataFrame(
            {
                "part": ["background", *self.branches, "fused"],
                "probability": [expit(self.base), *self.probability, self.fused],
                "log_odds": [self.base, *self.contributions, fused],
            }
        )

    @draws
    def plot(self, ax: "Axes | None" = None, threshold: float | None = 0.5) -> "Axes":
        """Draw the fused probability over those of the branches, on `ax` or a new figure.

        Lines of equal fused probability, the patient as a star, the background as dots. With
        further branches, or where one is missing: the contribution of each branch, as bars.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None: a new figure.
        threshold : float or None, default=0.5
            Fused probability whose line is thick; None: no line is.
        """
        if self.surface is None:
            return self._plot_contributions(ax)
        return self._plot_surface(ax, self.surface, threshold)

    def _plot_surface(
        self, ax: "Axes | None", surface: NDArray[np.float64], threshold: float | None
    ) -> "Axes":
        ax = make_axes(ax, 4.8, 4.8)
        across = np.linspace(0, 1, len(surface))
        levels = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
        greys = [str(g) for g in (1.0, 0.96, 0.92, 0.86, 0.80, 0.74)]
        ax.contourf(across, across, surface, levels, colors=greys)
        at = sorted({*levels[1:-1], *([] if threshold is None else [threshold])})
        widths = [1.6 if level == threshold else 0.7 for level in at]
        lines = ax.contour(across, across, surface, at, colors=PALETTE[0], linewidths=widths)
        ax.clabel(lines, fontsize=8, fmt=lambda level: proportion_text(level, 2))
        x, y = self.background.T
        ax.scatter(x, y, s=10, color=PALETTE[0], alpha=0.4, linewidths=0, zorder=3)
        x, y = self.probability
        ax.scatter(x, y, s=170, marker="*", color=PALETTE[1], edgecolors="white", zorder=5)
        first, second, fused = (proportion_text(p, 2) for p in (x, y, self.fused))
        said = f"{self.branches[0]} {first}, {self.branches[1]} {second}: fused {fused}"
        key = "lines: fused probability; dots: other patients"
        ax.set_title(f"{said}\n{key}", fontsize=9, loc="left", parse_math=False)
        ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        ax.set_xlabel(f"P({self.branches[0]})", parse_math=False)
        ax.set_ylabel(f"P({self.branches[1]})", parse_math=False)
        return hide_spines(ax)

    def _plot_contributions(self, ax: "Axes | None") -> "Axes":
        missing = np.isnan(self.probability)
        known = np.flatnonzero(~missing)[::-1]  # the first branch on top
        ax = make_axes(ax, 5.6, 1.0 + 0.34 * max(len(known), 2))
        sizes = self.contributions[known]
        # the hatch tells the directions apart in grey print
        colour, face, hatch = (
            np.where(sizes >= 0, up, down).tolist()
            for up, down in ((PALETTE[1], PALETTE[0]), (PALETTE[1], "white"), ("", "///"))
        )
        bars = ax.barh(
            range(len(known)), sizes, height=0.62, color=face, edgecolor=colour, hatch=hatch
        )
        texts = [f"{size:+.2f}".replace("-", "\N{MINUS SIGN}") for size in sizes]
        ax.bar_label(bars, texts, padding=4, fontsize=8)
        name_rows(
            ax, [f"{self.branches[i]} ({proportion_text(self.probability[i], 2)})" for i in known]
        )
        ax.axvline(0, color="0.4", linewidth=0.8)
        reach = 1.3 * (np.abs(sizes).max() or 1.0)
        ax.set_xlim(-reach, reach)
        ax.set_xlabel("Change of the fused log odds from the background's")
        gone = [name for name, out in zip(self.branches, missing, strict=True) if out]
        without = f"; without {', '.join(gone)}" if gone else ""
        title = f"fused {proportion_text(self.fused, 2)}{without}"
        ax.set_title(title, fontsize=9, loc="left", parse_math=False)
        return ax

    def to_arrays(self) -> dict[str, NDArray]:
        """Return plain arrays, to be stored by ``numpy.savez``."""
        return {name: np.asarray(value) for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray]) -> Self:
        """Return what `to_arrays` has taken apart."""
        given: dict[str, Any] = {**arrays, "branches": tuple(arrays["branches"].tolist())}
        return cls(**given | {name: float(arrays[name]) for name in ("fused", "base")})


def explain_fusion(model: Any, X: Any, background: Any) -> FusionView:
    """Show what a fusion makes of the probabilities of its branches, for one patient.

    Parameters
    ----------
    model : ProbabilityFusionClassifier
        Fitted.
    X : DataFrame or array-like of 1 row
        The patient.
    background : DataFrame or array-like of shape (B, n_columns)
        Other patients, to compare with; of more than 200, 200 evenly spread ones. Those that lack
        what the patient has are left out; one at least has it.

    Returns
    -------
    FusionView
        With ``frame()`` and ``plot()``.

    Notes
    -----
    The contribution of a branch is its exact Shapley value in log odds: the mean over all orders
    in which the branches may join, each that has not joined replaced by its probability for the
    rows of the background.

    Examples
    --------
    >>> view = FusionView(
    ...     ("image", "clinical"), np.array([0.9, 0.4]), 0.8, -0.5, np.array([2.1, -0.2]),
    ...     np.array([[0.3, 0.4]]),
    ... )
    >>> view.frame().round(2)
             part  probability  log_odds
    0  background         0.38      -0.5
    1       image         0.90       2.1
    2    clinical         0.40      -0.2
    3       fused         0.80       1.4
    """
    if not is_a(model, "ProbabilityFusionClassifier"):
        raise InputError(
            f"{type(model).__name__} joins no probabilities. Give a fitted "
            "ProbabilityFusionClassifier."
        )
    check_is_fitted(model)
    X, background = to_pandas(X), to_pandas(background)
    if len(X) != 1:
        raise InputError(f"X has {len(X)} rows. Give the one of the patient, such as X.iloc[[0]].")
    with nets_in_evaluation(model):
        own = model.branch_probabilities(X)
        others = model.branch_probabilities(thinned(background, _BACKGROUND))
        known = ~np.isnan(own[0])
        others = others[~np.isnan(others[:, known]).any(axis=1)]
        if len(others) == 0:
            raise InputError(
                "No row of the background has all that the patient has. Give other rows of "
                "training."
            )
        base, contributions = _contributions(model, own, others, known)
        surface = None
        if len(known) == known.sum() == 2:
            across = np.linspace(0, 1, _GRID)
            grid = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
            surface = model.fuse(grid)[:, 1].reshape(_GRID, _GRID)
        fused = float(model.fuse(own)[0, 1])
    branches = tuple(model.branches_)
    return FusionView(branches, own[0], fused, base, contributions, others, surface)


def _contributions(
    model: Any, own: NDArray[np.float64], others: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    """Mean fused log odds over the others, and the Shapley values of the known branches."""

    def fused_log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
        every = np.full((len(probability), len(known)), np.nan)
        every[:, known] = probability
        return logits(model.fuse(every)[:, 1])

    k = int(known.sum())
    masks, weights = every_coalition(k)
    values = coalition_means(fused_log_odds, own[:, known], others[:, known], np.arange(k), masks)
    contributions = np.full(len(known), np.nan)
    contributions[known] = (values @ weights)[0]
    return float(values[0, 0]), contributions
