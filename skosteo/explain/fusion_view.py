"""What a fusion made of the probabilities of its branches, for one patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from skosteo._validation import logits
from skosteo.exceptions import InputError
from skosteo.explain.coalitions import ask, every_coalition
from skosteo.explain.games import thinned
from skosteo.fusion.probability import ProbabilityFusionClassifier

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 101
_BACKGROUND = 200


@dataclass(frozen=True, eq=False)
class FusionView:
    """One patient's way through a fusion: what each branch said, and how far it moved the answer.

    Parameters
    ----------
    branches : tuple of str
        Names, image and clinical first.
    probability : ndarray of shape (k,)
        What each branch said; NaN where it had nothing to look at.
    fused : float
        What the fusion made of it.
    base : float
        Mean fused log odds over the background.
    moved : ndarray of shape (k,)
        What each branch added to the log odds; ``base + moved`` sums to those of `fused`. NaN as
        in `probability`.
    background : ndarray of shape (B, k)
        What the branches said of other patients.
    surface : ndarray of shape (101, 101) or None, default=None
        Fused probability over P(clinical), downwards from 0, and P(image), across from 0. None
        where the fusion is not of these two.
    """

    branches: tuple[str, ...]
    probability: NDArray[np.float64]
    fused: float
    base: float
    moved: NDArray[np.float64]
    background: NDArray[np.float64]
    surface: NDArray[np.float64] | None = None

    def frame(self) -> pd.DataFrame:
        """Return the way from the background to the answer: part, probability, log_odds.

        The log odds of the last line are the sum of the others'.
        """
        return pd.DataFrame(
            {
                "part": ["background", *self.branches, "fused"],
                "probability": [expit(self.base), *self.probability, self.fused],
                "log_odds": [self.base, *self.moved, self.base + np.nansum(self.moved)],
            }
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the fused probability over those of the branches, and the patient in it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        Axes
            Lines of equal fused probability, the patient as a star, the background as dots. With
            further branches, or where one is missing: what each branch added, as bars.
        """
        from skosteo.explain.plots import plot_fusion

        return plot_fusion(self, ax)

    def to_arrays(self) -> dict[str, NDArray]:
        """Return plain arrays, to be stored by ``numpy.savez``."""
        return {name: np.asarray(value) for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray]) -> Self:
        """Return what `to_arrays` has taken apart."""
        return cls(
            tuple(arrays["branches"].tolist()),
            arrays["probability"],
            float(arrays["fused"]),
            float(arrays["base"]),
            arrays["moved"],
            arrays["background"],
            arrays.get("surface"),
        )


def explain_fusion(model: Any, X: pd.DataFrame, background: Any) -> FusionView:
    """Say what a fusion made of the probabilities of its branches, for one patient.

    Parameters
    ----------
    model : ProbabilityFusionClassifier
        Fitted.
    X : DataFrame or array-like of 1 row
        The patient.
    background : DataFrame or array-like of shape (B, n_columns)
        Other patients, to compare with; of more than 200, 200 evenly spread ones. Those that lack
        what the patient has are left out.

    Returns
    -------
    FusionView
        With ``frame()`` and ``plot()``.

    Raises
    ------
    InputError
        The model is no such fusion, X has not one row, or no row of the background has what the
        patient has.

    Notes
    -----
    What a branch moved is its exact Shapley value in log odds: the mean over all orders in which
    the branches may speak, each silent one replaced by what it says of the background.

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
    if not isinstance(model, ProbabilityFusionClassifier):
        raise InputError(
            f"{type(model).__name__} joins no probabilities. Give a fitted "
            "ProbabilityFusionClassifier."
        )
    check_is_fitted(model)
    if len(X) != 1:
        raise InputError(f"X has {len(X)} rows. Give the one of the patient, such as X.iloc[[0]].")
    said = model.branch_probabilities(X)
    others = model.branch_probabilities(thinned(background, _BACKGROUND))
    known = ~np.isnan(said[0])
    others = others[~np.isnan(others[:, known]).any(axis=1)]
    if len(others) == 0:
        raise InputError(
            "No row of the background has all that the patient has. Give other rows of training."
        )

    def fused_log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
        every = np.full((len(probability), len(known)), np.nan)
        every[:, known] = probability
        return logits(model.fuse(every)[:, 1])

    k = int(known.sum())
    masks, weights = every_coalition(k)
    worth = ask(fused_log_odds, said[:, known], others[:, known], np.arange(k), masks)
    moved = np.full(len(known), np.nan)
    moved[known] = (worth @ weights)[0]
    surface = None
    if len(known) == k == 2:
        across = np.linspace(0, 1, _GRID)
        grid = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
        surface = model.fuse(grid)[:, 1].reshape(_GRID, _GRID)
    return FusionView(
        tuple(model.branches_),
        said[0],
        float(model.fuse(said)[0, 1]),
        float(worth[0, 0]),
        moved,
        others,
        surface,
    )
