"""What is explained of a model while it is there: it is not kept."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import default_rng

from skosteo.exceptions import InputError
from skosteo.explain import explain_fusion, grad_cam, shap_values
from skosteo.fusion import ProbabilityFusionClassifier
from skosteo.study.store import Arrays

_FILMS = 4  # as many patients as the paper shows
_ROWS = 100  # explained, and as many training rows as background
_MOST_EXACT = 12  # columns whose Shapley values are exact; of more they are estimated, and say so
_ORDERS = 20


def explain(
    fitted: Any, train: pd.DataFrame, test: pd.DataFrame, kinds: Sequence[str], seed: int
) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """Explain a fitted model on test rows that are drawn, not chosen.

    Parameters
    ----------
    fitted : classifier
        Fitted on ``train``.
    train, test : DataFrame
        What the model sees of training and test rows.
    kinds : sequence of {"shap", "grad_cam", "fusion"}
        What to do.
    seed : int
        Draws the rows.

    Returns
    -------
    found : dict of str to dict of str to ndarray
        Arrays of `ShapValues`, `GradCam` and `FusionView`, by kind.
    notes : tuple of str
        What could not be explained, and why.
    """
    found, notes = {}, []
    for kind in kinds:
        try:
            found[kind] = _KINDS[kind](fitted, train, test, seed)
        except InputError as error:
            notes.append(f"{kind}: {error}")
    return found, tuple(notes)


def _drawn(X: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    rows = default_rng(seed).permutation(len(X))[:most]
    return X.iloc[np.sort(rows)]


def _shap(fitted: Any, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Arrays:
    if isinstance(fitted, ProbabilityFusionClassifier):
        columns = fitted.columns_["clinical"]
        fitted, train, test = fitted.clinical_, train[columns], test[columns]
    rows, background = _drawn(test, _ROWS, seed), _drawn(train, _ROWS, seed)
    orders = None if train.shape[1] <= _MOST_EXACT else _ORDERS
    found = shap_values(fitted, rows, background, n_permutations=orders, random_state=seed)
    return found.to_arrays()


def _grad_cam(fitted: Any, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Arrays:
    return grad_cam(fitted, _drawn(test, _FILMS, seed)).to_arrays()


def _fusion(fitted: Any, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Arrays:
    patient, others = _drawn(test, 1, seed), _drawn(train, _ROWS, seed)
    return explain_fusion(fitted, patient, others).to_arrays()


_KINDS = {"shap": _shap, "grad_cam": _grad_cam, "fusion": _fusion}
