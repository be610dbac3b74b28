"""A fitted model as a function of features that may each come from one row or from another."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skosteo._validation import gives_probabilities, named_table, split_numbers
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.columns import MAX_CATEGORIES, Numbers
from skosteo.exceptions import InputError
from skosteo.explain.fitted import is_a, thinned
from skosteo.explain.trees import is_trees
from skosteo.fusion.columns import Part
from skosteo.fusion.out_of_fold import predict_present

MISSING, TEXT = "missing", "text"
_BACKGROUND = 100


@dataclass(frozen=True)
class CoalitionModel:
    """Rows and background as a model sees them, and which columns are one feature.

    rows, background : (n, d), (B, d); a row may take the columns of a feature from another
    groups : (d,), int; feature of each column
    names : names of the features
    data : (n, f), object; what the user knows them by, numbers and words
    value : from a matrix (N, d) to probabilities of the positive class (N,)
    last : the model that sees the matrix as it is, if one does
    """

    rows: NDArray
    background: NDArray
    groups: NDArray[np.intp]
    names: list[str]
    data: NDArray[np.object_]
    value: Callable[[NDArray], NDArray[np.float64]]
    last: Any = None


def make_coalition_model(model: Any, X: Any, background: Any = None) -> CoalitionModel:
    """Find what the features of a fitted classifier are, for the rows of X and of a background.

    A background of None is X itself, of more than 100 rows 100 evenly spread ones. Features are
    the columns of the table, behind a `ClinicalPreprocessor` those that it reads, and of a fusion
    its other branches too. Of any other pipeline only the answer is asked for, as of a black box.

    Raises
    ------
    InputError
        The model is none whose features are columns, or X and the background are not alike.
    """
    model = getattr(model, "best_estimator_", model)  # of a search
    _check_model(model)
    _check_rows(X, "X", "rows to explain")
    if background is None and len(X) < 2:
        raise InputError(
            f"X has {len(X)} rows, too few to be compared with each other. Give background=, such "
            "as 100 of the training rows."
        )
    background = thinned(X, _BACKGROUND) if background is None else background
    _check_rows(background, "background", "some of the training rows")
    if isinstance(X, pd.DataFrame) != isinstance(background, pd.DataFrame):
        raise InputError(
            f"X is a {type(X).__name__} and background a {type(background).__name__}. Give both "
            "as they were given to fit."
        )
    if is_a(model, "ProbabilityFusionClassifier"):
        return _of_fusion(model, X, background)
    if isinstance(model, Pipeline) and isinstance(model[0], ClinicalPreprocessor):
        return _of_preprocessor(model, X, background)
    if isinstance(X, pd.DataFrame):
        return _of_frame(model, X, background)
    return _of_array(model, np.asarray(X), np.asarray(background))


def _check_model(model: Any) -> None:
    if is_a(model, "FeatureFusionClassifier") or is_a(model, "ImageOsteoClassifier"):
        raise InputError(
            f"{type(model).__name__} decides by radiographs, which are no column with a value. Use "
            "grad_cam for it; shap_values is for clinical classifiers and for "
            "ProbabilityFusionClassifier."
        )
    if not gives_probabilities(model):
        raise InputError(
            f"{type(model).__name__} is not a classifier with predict_proba. Give a fitted one."
        )
    check_is_fitted(model)
    if len(model.classes_) != 2:
        raise InputError(f"The model knows {len(model.classes_)} classes; two are needed.")


def _check_rows(part: Any, name: str, what: str) -> None:
    shape = getattr(part, "shape", None)
    if shape is None:
        try:
            shape = np.shape(part)
        except ValueError:  # rows of different lengths
            shape = ()
    if len(shape) != 2 or 0 in shape or issparse(part):
        raise InputError(
            f"{name} is of type {type(part).__name__} and shape {shape}. Give {what}, as a dense "
            "table of shape (n, n_columns) with n > 0."
        )


def _of_preprocessor(model: Pipeline, X: Any, background: Any) -> CoalitionModel:
    """Features are the columns that the preprocessor reads, however many it makes of each."""
    preprocessor = model[0]
    rows, others = preprocessor.transform(X), preprocessor.transform(background)
    groups, names = pd.factorize(preprocessor.source_columns_)
    table = named_table(preprocessor, X, reset=False)
    shown: dict[str, NDArray] = {}
    for (_, step), name in zip(preprocessor.columns_.items(), names, strict=True):
        if name not in table.columns:  # a body mass index of height and weight
            shown[name] = rows[:, np.argmax(groups == len(shown))].astype(object)
        elif isinstance(step, Numbers):
            shown[name] = split_numbers(table[name])[0].astype(object)
        else:
            shown[name] = _words(table[name])
    last = model[1] if len(model) == 2 else model[1:]
    data = _side_by_side(shown)
    return CoalitionModel(rows, others, groups, list(shown), data, _named(last), last)


def _of_array(model: Any, X: NDArray, background: NDArray) -> CoalitionModel:
    table, others = (pd.DataFrame(part).rename("x{}".format, axis=1) for part in (X, background))
    _check_alike(table, others)
    shown = {str(name): _shown(column) for name, column in table.infer_objects().items()}
    names, data, groups = list(shown), _side_by_side(shown), np.arange(len(shown))
    return CoalitionModel(X, background, groups, names, data, partial(_positive, model), model)


def _of_frame(model: Any, X: pd.DataFrame, background: pd.DataFrame) -> CoalitionModel:
    known = getattr(model, "feature_names_in_", None)
    if known is not None and set(known) <= set(X.columns):
        lacking = [name for name in known if name not in background.columns]
        if lacking:
            raise InputError(f"background lacks the columns {lacking}. Give it those of X.")
        X, background = X[list(known)], background[list(known)]
    _check_alike(X, background)
    both = pd.concat([X, background], ignore_index=True)
    shown = {str(name): _shown(column) for name, column in X.items()}
    names, data, groups = list(shown), _side_by_side(shown), np.arange(len(shown))
    looked_into = is_trees(model) or is_a(model, "ClinicalOsteoClassifier")
    if looked_into and all(pd.api.types.is_numeric_dtype(kind) for kind in both.dtypes):
        rows, others = np.split(both.to_numpy(float, na_value=np.nan), [len(X)])
        return CoalitionModel(rows, others, groups, names, data, _named(model), model)

    # A black box is given tables. Their place is taken by a matrix that says of each cell which
    # row of `both` it comes from: so columns of any type can be mixed, and keep it.
    def value(sources: NDArray) -> NDArray[np.float64]:
        sources = sources.astype(np.intp)  # a fusion puts probabilities beside them
        mixed = {c: both[c].array.take(sources[:, j]) for j, c in enumerate(both)}
        return _positive(model, pd.DataFrame(mixed))

    sources = np.arange(len(both))[:, None].repeat(len(names), axis=1)
    rows, others = np.split(sources, [len(X)])
    return CoalitionModel(rows, others, groups, names, data, value)


def _of_fusion(model: Any, X: Any, background: Any) -> CoalitionModel:
    """Features are those of the clinical branch, and the probability of each other branch."""
    parts = [model.read_parts(part) for part in (X, background)]
    own, of_background = (
        _branch_probabilities(model, part, what)
        for part, what in zip(parts, ("X", "background"), strict=True)
    )
    clinical = make_coalition_model(model.clinical_, *(part["clinical"].table for part in parts))
    others = [name for name in model.branches_ if name != "clinical"]
    d, n = clinical.rows.shape[1], len(clinical.names)
    column = {name: d + others.index(name) for name in others}

    def value(matrix: NDArray) -> NDArray[np.float64]:
        of_clinical = clinical.value(matrix[:, :d])
        branch_probability = [
            of_clinical if name == "clinical" else matrix[:, column[name]]
            for name in model.branches_
        ]
        return model.fuse(np.column_stack(branch_probability).astype(np.float64))[:, 1]

    return replace(
        clinical,
        rows=np.column_stack([clinical.rows, *(own[name] for name in others)]),
        background=np.column_stack(
            [clinical.background, *(of_background[name] for name in others)]
        ),
        groups=np.concatenate([clinical.groups, n + np.arange(len(others))]),
        names=clinical.names
        + [name if name not in clinical.names else f"{name} branch" for name in others],
        data=np.column_stack([clinical.data, *(own[name].astype(object) for name in others)]),
        value=value,
        last=None,
    )


def _branch_probabilities(model: Any, parts: dict[str, Part], what: str) -> dict[str, NDArray]:
    """Probability of the positive class by branch; rows that lack a modality are refused."""
    found = {name: predict_present(branch, parts[name]) for name, branch in model.branches_.items()}
    lacking: NDArray[np.bool_] = np.any(np.isnan(list(found.values())), axis=0)
    if lacking.any():
        raise InputError(
            f"{lacking.sum()} of {len(lacking)} rows of {what} hold nothing for one of the "
            f"branches, the first is row {lacking.argmax() + 1}. Leave them out, or explain "
            "model.clinical_."
        )
    return found


def _positive(model: Any, X: Any) -> NDArray[np.float64]:
    """Probability of the positive class."""
    return np.asarray(model.predict_proba(X)[:, 1], dtype=np.float64)


def _named(model: Any) -> Callable[[NDArray], NDArray[np.float64]]:
    """Return the probability of the positive class as a function of a matrix without names."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return partial(_positive, model)
    return lambda matrix: _positive(model, pd.DataFrame(matrix, columns=names))


def _check_alike(X: pd.DataFrame, background: pd.DataFrame) -> None:
    if list(X.columns) != list(background.columns):
        raise InputError(
            f"background has the columns {background.columns.tolist()} and X "
            f"{X.columns.tolist()}. Give both the same."
        )


def _shown(values: pd.Series) -> NDArray:
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.astype(float).to_numpy(object)
    return _words(values)


def _words(values: pd.Series) -> NDArray:
    """Words of a category; of free text, which may name its patient, none are kept."""
    words = values.astype(object).where(values.notna(), MISSING).astype(str)
    if words.nunique() > MAX_CATEGORIES:
        words[:] = TEXT
    return words.to_numpy(object)


def _side_by_side(shown: dict[str, NDArray]) -> NDArray[np.object_]:
    return np.column_stack(list(shown.values())).astype(object)
