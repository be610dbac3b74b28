"""Shapley values of forests and boosted trees, from their branches instead of their answers."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from skosteo._extras import require
from skosteo.exceptions import InputError

_VOTING = (RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier)
_BOOSTED = (GradientBoostingClassifier, HistGradientBoostingClassifier)
_TOLERANCE = 1e-4


def is_trees(model: Any) -> bool:
    """Whether a model is a tree, a forest, or boosted trees of scikit-learn or XGBoost."""
    if type(model).__name__ == "XGBClassifier":
        return model.booster != "gblinear"
    return isinstance(model, _VOTING + _BOOSTED)


def tree_method(model: Any, output: str) -> str:
    """Say how `tree_values` finds the values."""
    rescaled = output == "probability" and not isinstance(model, _VOTING)
    return "trees, rescaled from log odds" if rescaled else "trees"


def tree_values(
    model: Any,
    rows: NDArray[np.float64],
    background: NDArray[np.float64],
    said: NDArray[np.float64],
    output: str,
) -> tuple[NDArray[np.float64], float]:
    """Shapley value (n, d) of each column by shap's TreeExplainer, and the background's mean.

    `is_trees` holds for the model; `rows` (n, d) and `background` (B, d) are as the trees see them,
    `said` (n,) is what they say of the rows: probabilities. Values that do not add up to it, and
    log odds of trees that vote, are refused.
    """
    if output == "log_odds" and isinstance(model, _VOTING):
        raise InputError(
            f"{type(model).__name__} averages probabilities, which may be 0 or 1 and then have no "
            "log odds. Set output='probability'."
        )
    require("explain", f"shap_values of {type(model).__name__}")
    with warnings.catch_warnings():
        # of what shap itself asks of matplotlib, on import
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    splits = shap.TreeExplainer(model).model
    single = not isinstance(model, HistGradientBoostingClassifier)
    rows, background = (_off_thresholds(part, splits, single) for part in (rows, background))
    given = {"model_output": "probability" if output == "probability" else "raw"}
    given["feature_perturbation"] = "interventional"
    explainer = shap.TreeExplainer(model, background, **given)
    values = np.asarray(explainer.shap_values(rows, check_additivity=False))
    # scikit-learn's forests give the values of both classes
    values = values[..., -1] if values.ndim == 3 else values
    said = logit(said) if output == "log_odds" else said
    base = float(np.atleast_1d(explainer.expected_value)[-1])
    gap = np.abs(values.sum(axis=1) + base - said).max()
    if gap > _TOLERANCE:
        raise InputError(
            f"The values that shap finds for {type(model).__name__} miss its output by up to "
            f"{gap:.1g}. Explain another kind of model, or another version of shap."
        )
    return values, base


def _off_thresholds(matrix: NDArray[np.float64], splits: Any, single: bool) -> NDArray[np.float64]:
    """Move each value to the middle between the thresholds that it lies between.

    To the trees it is the same value. But shap keeps thresholds in single precision, and would
    take a value that is very near to one to the other side.
    """
    matrix = np.array(matrix, dtype=np.float32 if single else np.float64).astype(np.float64)
    inner = splits.children_left >= 0
    for column in range(matrix.shape[1]):
        cuts = np.unique(splits.thresholds[inner & (splits.features == column)])
        cuts = cuts[np.isfinite(cuts)]  # infinite: the split of what is missing from what is there
        if len(cuts):
            edges = np.concatenate([[cuts[0] - 1], cuts, [cuts[-1] + 1]])
            middle = (edges[:-1] + edges[1:]) / 2
            values = matrix[:, column]
            moved = middle[np.searchsorted(cuts, np.nan_to_num(values))]
            matrix[:, column] = np.where(np.isnan(values), np.nan, moved)
    return matrix
