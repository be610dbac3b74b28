"""From a fitted model and a table to features that may each come from one row or from another."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skosteo._validation import gives_probabilities
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.columns import MAX_CATEGORIES, Numbers
from skosteo.exceptions import InputError
from skosteo.fusion.feature import FeatureFusionClassifier
from skosteo.fusion.out_of_fold import predict_present
from skosteo.fusion.probability import ProbabilityFusionClassifier
from skosteo.image.classifier import ImageOsteoClassifier

MISSING, TEXT = "missing", "text"
_BACKGROUND = 100


@dataclass(frozen=True)
class Game:
    """Rows and background as a model sees them, and which columns are one feature.

    rows, background : (n, d), (B, d); a row may take the columns of a feature from another
    groups : (d,), int; feature of each column
    names : names of the features
    data : (n, f), object; what the user knows them by, numbers and words
    ask : from a matrix (N, d) to probabilities of the positive class (N,)
    last : the model that sees the matrix as it is, if one does
    """

    rows: NDArray
    background: NDArray
    groups: NDArray[np.intp]
    names: list[str]
    data: NDArray[np.object_]
    ask: Callable[[NDArray], NDArray[np.float64]]
    last: Any = None


def make_game(model: Any, X: Any, background: Any = None) -> Game:
    """Find what the features of a fitted classifier are, for the rows of X and of a background.

    A background of None is X itself, of more than 100 rows 100 evenly spread ones.

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
    if isinstance(model, ProbabilityFusionClassifier):
        return _of_fusion(model, X, background)
    known = getattr(model, "feature_names_in_", None)
    if isinstance(model, Pipeline) and isinstance(model[0], ClinicalPreprocessor):
        return _of_preprocessor(model, X, background)
    if isinstance(X, pd.DataFrame) and known is not None and set(known) <= set(X.columns):
        lacking = [name for name in known if name not in background.columns]
        if lacking:
            raise InputError(f"background lacks the columns {lacking}. Give it those of X.")
        X, background = X[list(known)], background[list(known)]
    if not isinstance(X, pd.DataFrame):
        X, background = (
            pd.DataFrame(np.asarray(part)).rename("x{}".format, axis=1) for part in (X, background)
        )
        table = _Table(X, background, as_array=True)
    else:
        table = _Table(X, background)
    return _of_table(model, table)


def _check_model(model: Any) -> None:
    if isinstance(model, FeatureFusionClassifier | ImageOsteoClassifier):
        raise InputError(
            f"{type(model).__name__} decides by films, which are no column with a value. Use "
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
    if len(shape) != 2 or 0 in shape:
        raise InputError(
            f"{name} is of type {type(part).__name__} and shape {shape}. Give {what}, as a table "
            "of shape (n, n_columns) with n > 0."
        )


def _of_preprocessor(model: Pipeline, X: Any, background: Any) -> Game:
    preprocessor = model[0]
    rows, others = preprocessor.transform(X), preprocessor.transform(background)
    groups, names = pd.factorize(preprocessor.source_columns_)
    table = preprocessor._table(X, reset=False)
    shown: dict[str, NDArray] = {}
    for (_, step), name in zip(preprocessor.columns_.items(), names, strict=True):
        if name not in table.columns:  # a body mass index of height and weight
            shown[name] = rows[:, np.argmax(groups == len(shown))].astype(object)
        elif isinstance(step, Numbers):
            shown[name] = pd.to_numeric(table[name], errors="coerce").to_numpy(object)
        else:
            shown[name] = _words(table[name])
    last = model[1] if len(model) == 2 else model[1:]
    return _with_model(last, rows, others, groups, shown)


def _of_table(model: Any, table: "_Table") -> Game:
    """Features are the columns of the table, behind the steps that keep them apart."""
    data = {str(name): _shown(table.X[name]) for name in table.X}
    groups = None
    if isinstance(model, Pipeline) and len(model) > 1:
        made = _dense(model[:-1].transform(table.whole()))
        groups = _sources(model[:-1].transform, table)
    elif table.is_numeric and (table.as_array or hasattr(model, "feature_names_in_")):
        made, groups = table.both.to_numpy(float, na_value=np.nan), np.arange(len(data))
    if groups is not None:
        last = model[-1] if isinstance(model, Pipeline) else model
        rows, others = np.split(made, [len(table.X)])
        return _with_model(last, rows, others, groups, data)
    codes = np.arange(table.n)[:, None].repeat(len(data), axis=1)
    rows, others = np.split(codes, [len(table.X)])

    def ask(codes: NDArray) -> NDArray[np.float64]:
        return model.predict_proba(table.mixed(codes))[:, 1]

    return Game(rows, others, np.arange(len(data)), list(data), _stacked(data), ask)


def _with_model(
    model: Any,
    rows: NDArray,
    others: NDArray,
    groups: NDArray,
    data: dict[str, NDArray],
) -> Game:
    """Return the game of what follows in a pipeline, on a matrix."""
    names = getattr(model, "feature_names_in_", None)

    def ask(matrix: NDArray) -> NDArray[np.float64]:
        known = matrix if names is None else pd.DataFrame(matrix, columns=names)
        return np.asarray(model.predict_proba(known)[:, 1], dtype=np.float64)

    return Game(rows, others, groups, list(data), _stacked(data), ask, model)


def _of_fusion(model: ProbabilityFusionClassifier, X: Any, background: Any) -> Game:
    """Return the game of a whole fusion: the clinical columns, and each other branch as one."""
    seen, given = (model.read_parts(part) for part in (X, background))
    said, heard = (
        {name: predict_present(branch, part[name]) for name, branch in model.branches_.items()}
        for part in (seen, given)
    )
    for what, probabilities in (("X", said), ("background", heard)):
        gaps: NDArray[np.bool_] = np.any(np.isnan(list(probabilities.values())), axis=0)
        if gaps.any():
            raise InputError(
                f"{gaps.sum()} of {len(gaps)} rows of {what} hold nothing for one of the branches, "
                f"the first is row {gaps.argmax() + 1}. Leave them out, or explain "
                "model.clinical_."
            )
    clinical = make_game(model.clinical_, seen["clinical"].table, given["clinical"].table)
    d, others = clinical.rows.shape[1], [name for name in model.branches_ if name != "clinical"]
    place = [d + others.index(name) if name in others else -1 for name in model.branches_]

    def ask(matrix: NDArray) -> NDArray[np.float64]:
        own = clinical.ask(matrix[:, :d])
        fused = [own if column < 0 else matrix[:, column] for column in place]
        return model.fuse(np.column_stack(fused))[:, 1]

    rows, backs = (
        np.column_stack([matrix, *(heard_or_said[name] for name in others)])
        for matrix, heard_or_said in ((clinical.rows, said), (clinical.background, heard))
    )
    n = len(clinical.names)
    names = [name if name not in clinical.names else f"{name} branch" for name in others]
    data = np.column_stack([clinical.data, *(said[name].astype(object) for name in others)])
    return replace(
        clinical,
        rows=rows,
        background=backs,
        groups=np.concatenate([clinical.groups, n + np.arange(len(others))]),
        names=[*clinical.names, *names],
        data=data,
        ask=ask,
        last=None,
    )


class _Table:
    """Rows and background one above the other, and any mixture of their columns."""

    def __init__(
        self, X: pd.DataFrame, background: pd.DataFrame, *, as_array: bool = False
    ) -> None:
        if list(X.columns) != list(background.columns):
            raise InputError(
                f"background has the columns {background.columns.tolist()} and X "
                f"{X.columns.tolist()}. Give both the same."
            )
        self.X, self.as_array = X, as_array
        self.both = pd.concat([X, background], ignore_index=True)
        self.n = len(self.both)
        self.is_numeric = all(pd.api.types.is_numeric_dtype(kind) for kind in self.both.dtypes)

    def whole(self) -> Any:
        return self.both.to_numpy() if self.as_array else self.both

    def mixed(self, codes: NDArray[np.intp]) -> Any:
        """Take the row of each code, column by column."""
        columns = {c: self.both[c].array.take(codes[:, j]) for j, c in enumerate(self.both)}
        made = pd.DataFrame(columns)
        return made.to_numpy() if self.as_array else made


def _sources(transform: Callable[[Any], Any], table: _Table) -> NDArray[np.intp] | None:
    """Find the column that each output of a transformer comes from; None where one has several.

    Tried out rather than read off the names: a column is exchanged between rows, and the outputs
    that change are its own.
    """
    made, columns = _dense(transform(table.whole())), table.both.shape[1]
    touched = np.zeros((made.shape[1], columns), dtype=bool)
    for j in range(columns):
        for shift in {1, table.n // 2}:
            codes = np.arange(table.n)[:, None].repeat(columns, axis=1)
            codes[:, j] = np.roll(codes[:, j], shift)
            again = _dense(transform(table.mixed(codes)))
            same = (again == made) | (pd.isna(again) & pd.isna(made))
            touched[:, j] |= ~same.all(axis=0)
    if (touched.sum(axis=1) > 1).any():
        return None
    return touched.argmax(axis=1)  # an output that never changes belongs to any


def _dense(matrix: Any) -> NDArray:
    return matrix.toarray() if issparse(matrix) else np.asarray(matrix)


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


def _stacked(data: dict[str, NDArray]) -> NDArray[np.object_]:
    return np.column_stack(list(data.values())).astype(object)


def thinned(X: Any, most: int) -> Any:
    """Return at most so many rows of X, evenly spread."""
    n = len(X)
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    return X.iloc[chosen] if isinstance(X, pd.DataFrame) else np.asarray(X)[chosen]
