"""Explanations, computed while the fitted model is in memory; models are not stored."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import default_rng

from skosteo.exceptions import InputError, MissingExtraError
from skosteo.explain import explain_fusion, shap_values
from skosteo.explain.shapley import MOST_FEATURES, count_features
from skosteo.fusion.probability import ProbabilityFusionClassifier
from skosteo.study.store import Arrays

_FILMS = 4  # as many patients as the paper shows
_ROWS = 100  # explained, and as many as background
_ORDERS = 20  # of variables, where there are too many for exact Shapley values


def explain(
    fitted: Any, learned: pd.DataFrame, shown: pd.DataFrame, kinds: Sequence[str], seed: int
) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """Explain a fitted model on rows that are drawn by the seed, not chosen.

    `learned` is what the model sees of the rows that it learned from, `shown` of those to draw
    from; `kinds` are of "shap", "grad_cam" and "fusion". Returns arrays of `ShapValues`, `GradCam`
    and `FusionView`, by kind, and what could not be explained, in words.
    """
    found, notes = {}, []
    for kind in kinds:
        try:
            found[kind] = _KINDS[kind](fitted, learned, shown, seed)
        except (InputError, MissingExtraError) as error:
            notes.append(f"{kind}: {error}")
    return found, tuple(notes)


def _drawn(X: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    rows = default_rng(seed).permutation(len(X))[:most]
    return X.iloc[np.sort(rows)]


def _shap(fitted: Any, learned: pd.DataFrame, shown: pd.DataFrame, seed: int) -> Arrays:
    if isinstance(fitted, ProbabilityFusionClassifier):
        columns = fitted.columns_["clinical"]
        fitted, learned, shown = fitted.clinical_, learned[columns], shown[columns]
    rows, background = _drawn(shown, _ROWS, seed), _drawn(learned, _ROWS, seed)
    few = count_features(fitted, rows, background) <= MOST_FEATURES
    orders = None if few else _ORDERS
    found = shap_values(fitted, rows, background, n_permutations=orders, random_state=seed)
    return _without_values(found.to_arrays())


def _without_values(arrays: Arrays) -> Arrays:
    """Keep of each patient's values how high they are among the others, and no word."""
    ranks = pd.DataFrame(arrays["numbers"]).rank(pct=True).to_numpy()
    return arrays | {"numbers": ranks, "words": np.full(arrays["words"].shape, "word")}


def _grad_cam(fitted: Any, _: pd.DataFrame, shown: pd.DataFrame, seed: int) -> Arrays:
    from skosteo.explain import grad_cam  # of nets

    return grad_cam(fitted, _drawn(shown, _FILMS, seed)).to_arrays()


def _fusion(fitted: Any, _: pd.DataFrame, shown: pd.DataFrame, seed: int) -> Arrays:
    return explain_fusion(fitted, _drawn(shown, 1, seed), _drawn(shown, _ROWS, seed)).to_arrays()


_KINDS = {"shap": _shap, "grad_cam": _grad_cam, "fusion": _fusion}
