"""Checks that every part of skosteo shares: labels, weights, patients, blank cells and names."""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
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
)

from skosteo.exceptions import InputError

# A probability of 0 or 1 exactly, as trees give, has no logit
_EDGE = 1e-6


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


def check_weights(sample_weight: ArrayLike | None, X: Any, y: NDArray) -> NDArray[np.float64]:
    """Weights (n,), ones by default; both classes must keep a weight above 0."""
    weights = _check_sample_weight(
        sample_weight, np.empty(_num_samples(X)), dtype=np.float64, ensure_non_negative=True
    )
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


def to_pandas(X: Any) -> Any:
    """Convert a table or a column of polars or pyarrow to pandas; return all else as it is."""
    if isinstance(X, pd.DataFrame | pd.Series | np.ndarray | list):
        return X
    import narwhals as nw

    table = nw.from_native(X, pass_through=True, allow_series=True)
    if isinstance(table, nw.LazyFrame):
        raise InputError("X is a lazy frame, which holds no rows yet. Give X.collect().")
    return table.to_pandas() if isinstance(table, nw.DataFrame | nw.Series) else X


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


def plain_name(name: object) -> str:
    """Return a name without case, blanks and punctuation; micro is u."""
    text = normalize("NFKC", str(name)).casefold().replace("μ", "u")
    return re.sub(r"[\W_]+", "", text)


def guess(name: object, names: Iterable[object]) -> str:
    """Guess the slip, to end a sentence of an error: "; did you mean 'age'?" or a full stop."""
    by_plain = {plain_name(other): str(other) for other in names}
    near = get_close_matches(plain_name(name), by_plain, n=1)
    return f"; did you mean {by_plain[near[0]]!r}?" if near else "."


def gives_probabilities(model: Any) -> bool:
    """Whether a model is a classifier with ``predict_proba``."""
    return hasattr(model, "predict_proba") and not isinstance(model, type) and is_classifier(model)


def logits(probability: ArrayLike) -> NDArray[np.float64]:
    """Log odds of probabilities of any shape, which are kept 1e-6 away from 0 and 1."""
    return logit(np.clip(np.asarray(probability, dtype=np.float64), _EDGE, 1 - _EDGE))
