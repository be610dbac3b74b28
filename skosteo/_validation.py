"""Checks that every part of skosteo shares: tables, labels, weights, patients, cells and names."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any
from unicodedata import normalize

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.exceptions import DuplicateError
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    assert_all_finite,
    column_or_1d,
    validate_data,
)

from skosteo.exceptions import InputError

# A probability of 0 or 1 exactly, as trees give, has no logit
_EDGE = 1e-6
# One slip in five letters; "age" for "image" is .75
_ALIKE = 0.8
_SHORTEST = 3  # letters with which a longer name may begin


def to_pandas(X: Any) -> Any:
    """Table or column of another library (polars, pyarrow, ...) as pandas; all else unchanged.

    Raises
    ------
    InputError
        The table is lazy, or has two columns of one name.
    """
    if isinstance(X, pd.DataFrame | pd.Series):
        return X
    try:
        known = nw.from_native(X, allow_series=True, pass_through=True)
    except DuplicateError:
        raise InputError("X has several columns of one name. Rename or drop one of each.") from None
    if isinstance(known, nw.LazyFrame):
        raise InputError(
            f"X is a lazy table ({type(X).__module__}.{type(X).__name__}), whose rows are not "
            "there yet. Give X.collect()."
        )
    if not isinstance(known, nw.DataFrame | nw.Series):
        return X
    table = known.to_pandas().reset_index(drop=True)
    if isinstance(table, pd.Series):
        table.name = table.name or None  # "" where the library knows no name
    return table


def check_table(X: Any, name: str = "X") -> pd.DataFrame:
    """Table of any library as a DataFrame whose columns have different names."""
    table = to_pandas(X)
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{name} is a {type(table).__name__}; give a DataFrame, such as pandas.read_csv makes."
        )
    twice = table.columns[table.columns.duplicated()].unique().tolist()
    if twice:
        raise InputError(f"{name} has several columns named {twice}. Rename or drop one of each.")
    return table


def named_table(estimator: BaseEstimator, X: Any, *, reset: bool) -> pd.DataFrame:
    """X as a DataFrame with names: its own, those of `fit` by position, or x0, x1, ...

    Columns that have names are left in their order, among others: they are to be found by name.
    What has none is compared with `fit`, with scikit-learn's own warnings and errors.
    """
    X = to_pandas(X)
    if isinstance(X, pd.DataFrame):
        check_table(X)
        if 0 in X.shape:
            raise InputError(f"X has {X.shape[0]} rows and {X.shape[1]} columns.")
        fitted = hasattr(estimator, "n_features_in_")
        by_name = hasattr(estimator, "feature_names_in_") or not fitted
        if not reset and by_name and all(isinstance(column, str) for column in X.columns):
            return X
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    else:
        X = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
        X = pd.DataFrame(X).infer_objects()
    positions = [f"x{i}" for i in range(X.shape[1])]
    return X.set_axis(getattr(estimator, "feature_names_in_", positions), axis=1)


def check_image_column(X: pd.DataFrame, image_column: str, remedy: str) -> None:
    """Refuse a table without its column of images; the remedy is a sentence of the caller."""
    if image_column not in X.columns:
        raise InputError(
            f"X has no column {image_column!r} (image_column){guess(image_column, X.columns)} Its "
            f"columns are {X.columns.tolist()}. {remedy}"
        )


def named_columns(X: pd.DataFrame, names: Any, parameter: str) -> list[Any]:
    """Names of columns that X must have; of cells, given for names, no error holds any."""
    if isinstance(names, str):
        raise InputError(f"{parameter}={names!r} is one text; give a list of columns.")
    refuse_cells(names, parameter)
    absent = [*dict.fromkeys(name for name in names if name not in X)]
    if len(absent) > X.shape[1]:
        raise InputError(
            f"{parameter} has {len(absent)} entries that are no columns of X; it takes the names "
            "of columns, not what is in them."
        )
    if absent:
        raise InputError(
            f"X has no columns {absent} ({parameter}); its columns are {X.columns.tolist()}."
        )
    return list(names)


def refuse_cells(names: Any, parameter: str) -> None:
    """Refuse a column itself where its name is asked for: an error would print its cells."""
    if isinstance(to_pandas(names), pd.Series):
        raise InputError(
            f"{parameter} is a column itself; give its name, such as {parameter}=['age']."
        )


def encode_target(y: ArrayLike) -> tuple[NDArray, NDArray[np.int64]]:
    """Classes, sorted, and the code 0 or 1 of every row.

    Raises
    ------
    InputError
        There are not exactly two classes, or a label is missing beside names.
    """
    labels = column_or_1d(y, warn=True)
    if labels.dtype.kind == "O" and pd.isna(labels).any():
        missing = np.flatnonzero(pd.isna(labels))
        raise InputError(
            f"y misses the label of {len(missing)} of {len(labels)} rows, the first is row "
            f"{missing[0] + 1}. Leave them out, or find their labels."
        )
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    kind = type_of_target(labels, input_name="y")
    if kind != "binary":
        # scikit-learn's own words, which its users and its checks look for
        said = "Only binary classification is supported. The type of the target is"
        if kind in ("continuous", "unknown"):
            said = "Unknown label type:"
        raise InputError(f"{said} {kind}. Make y 0 or 1, for instance `y = t_score <= -2.5`.")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"y has 1 class in {len(labels)} rows: two classes are needed to learn from."
        )
    return classes, codes


def read_numeric(read: Callable[[], NDArray], X: Any, name: str) -> NDArray:
    """Call what reads X as numbers; its error about a text would print the text, a patient's."""
    try:
        return read()
    except ValueError as error:
        if not str(error).startswith("could not convert string"):
            raise
    table, where = to_pandas(X), ""
    if isinstance(table, pd.DataFrame):
        texts = [c for c in table if len(split_numbers(table[c])[1])]
        where = f" in the columns {texts}"
    raise InputError(
        f"{name} holds texts that are no numbers{where}. Make numbers of them, or leave them out; "
        "of a table, ClinicalPreprocessor() makes numbers."
    )


def read_weights(sample_weight: ArrayLike | None, X: Any) -> NDArray[np.float64]:
    """Weights (n,) of 0 or more, ones by default; one must be above 0."""
    return read_numeric(
        lambda: _check_sample_weight(
            sample_weight, np.empty(_num_samples(X)), dtype=np.float64, ensure_non_negative=True
        ),
        sample_weight,
        "sample_weight",
    )


def check_weights(sample_weight: ArrayLike | None, X: Any, y: NDArray) -> NDArray[np.float64]:
    """Weights (n,), ones by default; both classes must keep a weight above 0."""
    weights = read_weights(sample_weight, X)
    if len(np.unique(y[weights > 0])) < 2:
        raise InputError(
            "sample_weight leaves 1 class with weights above 0: two classes are needed."
        )
    return weights


def check_groups(groups: ArrayLike | None, n_rows: int) -> NDArray | None:
    """Patient ids as an array with one id per row.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
        Patient ids of any type that can be compared.
    n_rows : int
        Rows of the table that the ids belong to.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        Integer codes, equal where the ids are equal.

    Raises
    ------
    InputError
        The ids are not one per row, or some are missing.
    """
    if groups is None:
        return None
    ids = np.asarray(groups, dtype=object)
    if ids.shape != (n_rows,):
        raise InputError(
            f"groups has shape {ids.shape}, but there are {n_rows} rows. "
            "Give one patient id per row, in the same order."
        )
    codes = pd.factorize(ids)[0]
    missing = np.flatnonzero(codes == -1)
    if len(missing):
        raise InputError(
            f"groups misses the patient id of {len(missing)} of {n_rows} rows, "
            f"the first is row {missing[0] + 1}. "
            "A row without a patient cannot be kept apart from the others: fill or drop it."
        )
    return codes


def name_columns(estimator: BaseEstimator, X: Any) -> Any:
    """Read an array by position where the estimator was fitted on a table of as many columns.

    With scikit-learn's usual warning. All else is returned as it is.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or not isinstance(X, np.ndarray) or X.ndim != 2 or X.shape[1] != len(names):
        return X
    warnings.warn(
        f"X does not have valid feature names, but {type(estimator).__name__} was fitted with "
        "feature names",
        UserWarning,
        stacklevel=2,
    )
    return pd.DataFrame(X, columns=names).infer_objects()


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Leave a fitted model as it was when another fit fails or is interrupted."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:
        estimator.__dict__ = before
        raise


def is_missing(item: Any) -> bool:
    """Whether an item is None, NaN, NA or a string of blanks."""
    if isinstance(item, str):
        return not item.strip()
    return bool(pd.api.types.is_scalar(item) and pd.isna(item))


def missing_cells(values: pd.Series) -> NDArray[np.bool_]:
    """Whether each cell of a column is missing, as `is_missing` says: shape (n,)."""
    if pd.api.types.is_object_dtype(values) or isinstance(
        values.dtype, pd.StringDtype | pd.CategoricalDtype
    ):
        values = values.astype(object).map(is_missing)
        return values.to_numpy(dtype=bool)
    return values.isna().to_numpy(dtype=bool)


def split_numbers(values: pd.Series) -> tuple[NDArray[np.float64], pd.Series]:
    """Numbers of a column, written as text too, and the cells that are neither number nor missing.

    Returns
    -------
    numbers : ndarray of shape (n,)
        NaN where a cell is missing or no number.
    others : Series of object
        The cells that are no numbers, by their position from 0.
    """
    cells = values.reset_index(drop=True)
    is_number = pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_bool_dtype(cells)
    if is_number and not pd.api.types.is_complex_dtype(cells):
        return cells.to_numpy(np.float64, na_value=np.nan), pd.Series(dtype=object)
    cells = cells.astype(object)[~missing_cells(cells)]
    readable = cells.map(lambda cell: isinstance(cell, str | Real | Decimal | np.bool_))
    known = pd.to_numeric(cells[readable.astype(bool)], errors="coerce").astype(np.float64)
    numbers: NDArray[np.float64] = np.full(len(values), np.nan)
    numbers[known.index] = known
    return numbers, cells[np.isnan(numbers[cells.index])]


def plain_name(name: object) -> str:
    """Return a name without case, accents, blanks and punctuation; micro is u."""
    text = normalize("NFKD", str(name)).casefold().replace("μ", "u")
    return re.sub(r"[\W_]+", "", text)


def guess(name: object, names: Iterable[object]) -> str:
    """Guess the slip, to end a sentence of an error: "; did you mean 'age'?" or a full stop.

    A name is near if it is almost the same, or if one begins with the other.
    """
    plain = plain_name(name)
    by_plain = {plain_name(other): str(other) for other in names}
    near = get_close_matches(plain, by_plain, n=1, cutoff=_ALIKE)
    if not near:
        begun = [other for other in by_plain if _begins(plain, other) or _begins(other, plain)]
        near = get_close_matches(plain, begun, n=1, cutoff=0)
    return f"; did you mean {by_plain[near[0]]!r}?" if near else "."


def _begins(short: str, name: str) -> bool:
    return len(short) >= _SHORTEST and name.startswith(short)


def gives_probabilities(model: Any) -> bool:
    """Whether a model is a classifier with ``predict_proba``."""
    return hasattr(model, "predict_proba") and not isinstance(model, type) and is_classifier(model)


def logits(probability: ArrayLike, edge: float = _EDGE) -> NDArray[np.float64]:
    """Log odds of probabilities of any shape, which are kept an edge away from 0 and 1."""
    return logit(np.clip(np.asarray(probability, dtype=np.float64), edge, 1 - edge))
