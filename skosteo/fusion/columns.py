"""Columns of each branch of a fusion, and the rows that hold anything in them."""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from skosteo._validation import (
    check_image_column,
    check_table,
    missing_cells,
    name_columns,
    to_pandas,
)
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.risk_indices import RiskIndexClassifier
from skosteo.clinical.variables import resolve_column
from skosteo.exceptions import InputError, MissingModalityWarning, SkosteoError, renumbered

_GAPS_TOLD: ContextVar[bool] = ContextVar("_GAPS_TOLD", default=False)


class Part(NamedTuple):
    """What a branch sees of X.

    table : DataFrame or array-like of n rows
    present : ndarray of bool, shape (n,); whether a row holds anything
    """

    table: Any
    present: NDArray[np.bool_]

    def take(self, rows: NDArray) -> Any:
        """Rows of the table."""
        if len(rows) == len(self.present):
            return self.table
        return _safe_indexing(self.table, rows)


@contextmanager
def gaps_told() -> Iterator[None]:
    """Let this thread predict rows without a modality unwarned: the caller tells of each.

    Filters of warnings would do so too, but belong to all threads.
    """
    token = _GAPS_TOLD.set(True)
    try:
        yield
    finally:
        _GAPS_TOLD.reset(token)


@contextmanager
def renumbering(rows: NDArray, n_rows: int) -> Iterator[None]:
    """Let errors about a part of a table, these rows of it, name the rows of the whole."""
    try:
        yield
    except SkosteoError as error:
        if error.n_rows == len(rows):
            renumbered(error, rows, n_rows)
        raise


@contextmanager
def naming(branch: str) -> Iterator[None]:
    """Let an error of the fit of a branch say in a note which branch it was."""
    try:
        yield
    except Exception as error:
        error.add_note(f"In the fit of the branch {branch!r}.")
        raise


def validate_table(
    fusion: BaseEstimator, X: Any, *, reset: bool, by_name: bool, **array_checks: Any
) -> Any:
    """Check X and return it as a DataFrame of pandas, or as an array for a model of arrays.

    Parameters
    ----------
    fusion : estimator
        Learns names and number of columns with ``reset``. Else its ``columns_`` say whether it was
        fitted on a table; an array is then read by position, with scikit-learn's warning.
    X : table or array-like
        Of pandas, polars or pyarrow.
    reset : bool
        Whether this is a fit.
    by_name : bool
        Whether the order of the columns, and further ones, do not matter after the fit.
    **array_checks
        Of scikit-learn's ``validate_data``, for an array. What a DataFrame holds is for the
        branches to check.
    """
    X = to_pandas(X)
    if not reset:
        X = name_columns(fusion, X)
    if not isinstance(X, pd.DataFrame) or not (reset or fusion.columns_):
        return validate_data(fusion, X, reset=reset, **array_checks)
    check_table(X)
    if reset or not by_name:
        validate_data(fusion, X, reset=reset, skip_check_array=True)
    return X


def resolve_columns(
    X: Any,
    image_column: str | None,
    clinical_columns: Sequence[str] | None,
    others: Mapping[str, Sequence[str]],
) -> dict[str, list[str]]:
    """Columns that each branch sees, by its name.

    Parameters
    ----------
    X : DataFrame or array-like
        Of an array every branch sees the whole, and nothing is resolved.
    image_column : str or None
        Column of the radiographs; None: the image branch sees all columns.
    clinical_columns : sequence of str or None
        None: all but the image column.
    others : mapping of str to sequence of str
        Columns of further branches.

    Returns
    -------
    dict of str to list of str
        Empty for an array.

    Raises
    ------
    InputError
        A column is missing, or a branch is left without one.

    Examples
    --------
    >>> X = pd.DataFrame(columns=["image", "age", "sex"])
    >>> resolve_columns(X, "image", None, {})
    {'image': ['image'], 'clinical': ['age', 'sex']}
    """
    if not isinstance(X, pd.DataFrame):
        if others:
            raise InputError("other_branches name columns, and X is an array. Give a DataFrame.")
        return {}
    every = X.columns.tolist()
    if image_column is not None:
        check_image_column(X, image_column, "Name the column that holds the images.")
    if clinical_columns is None:
        if others:
            raise InputError(
                "With other_branches, say which columns the clinical branch sees, such as "
                "clinical_columns=['age', 'sex']: it may share some of them."
            )
        clinical_columns = [c for c in every if c != image_column]
    columns = {
        "image": every if image_column is None else [image_column],
        "clinical": clinical_columns,
        **others,
    }
    for name, chosen in columns.items():
        if isinstance(chosen, str) or len(chosen) == 0:
            raise InputError(
                f"The {name} branch has the columns {chosen!r}: give a list of at least one, such "
                "as clinical_columns=['age', 'sex']."
            )
    return {name: list(chosen) for name, chosen in columns.items()}


def check_other_branches(
    others: Any, pairs: Sequence[tuple[str, Any]], reserved: Collection[str]
) -> None:
    """Refuse further branches that are no list of triples, or whose names cannot be.

    Parameters
    ----------
    others : object
        What the user gave.
    pairs : sequence of (str, classifier)
        What could be read of it.
    reserved : collection of str
        Names of the fusion's own parameters.
    """
    if others is not None and (not isinstance(others, list | tuple) or len(pairs) != len(others)):
        raise InputError(
            f"other_branches is a {type(others).__name__} that is no list of (name, classifier, "
            "columns), such as [('lateral', model, ['lateral_image'])]."
        )
    names = [name for name, _ in pairs]
    wrong = [n for n in names if n in reserved or "__" in n or names.count(n) > 1]
    if wrong:
        raise InputError(
            f"other_branches has the names {wrong}: each must be used once, be no parameter of the "
            "fusion, and hold no '__'."
        )


def finds_by_variable(branch: Any) -> bool:
    """Whether a branch finds its columns by clinical variable, and converts their units."""
    while isinstance(branch, Pipeline):
        branch = branch.steps[0][1]
    return isinstance(branch, ClinicalPreprocessor | RiskIndexClassifier)


def split_columns(
    X: Any, columns: Mapping[str, list[str]], by_variable: Collection[str] = ()
) -> dict[str, Part]:
    """Return what each branch sees of X, by its name.

    For the branches `by_variable`, which `finds_by_variable` tells, a column that X lacks is the
    one of the same clinical variable, under the name that it has in X.

    Raises
    ------
    InputError
        X lacks a column, and has no other, or several, of its variable.
    """
    if not columns:
        part = Part(X, present_rows(X))
        return {"image": part, "clinical": part}
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            "The model was fitted on a DataFrame, and X has no columns with names. Give a "
            "DataFrame with the columns of fit."
        )
    wanted = {column for chosen in columns.values() for column in chosen}

    def place(column: str, name: str) -> str | None:
        if column in X.columns or name not in by_variable:
            return column if column in X.columns else None
        found = resolve_column(X, column)
        return None if found in wanted else found  # a column of fit itself stands for no other

    places = {name: {c: place(c, name) for c in chosen} for name, chosen in columns.items()}
    absent = (c for found in places.values() for c, there in found.items() if there is None)
    if missing := [*dict.fromkeys(absent)]:
        raise InputError(
            f"X misses the columns {missing}; it has {X.columns.tolist()}. Give the columns that "
            "the model was, or is to be, fitted on."
        )
    tables = {name: X[[*found.values()]] for name, found in places.items()}
    return {name: Part(table, present_rows(table)) for name, table in tables.items()}


def present_rows(part: Any) -> NDArray[np.bool_]:
    """Whether each row holds anything of what a branch looks at.

    Parameters
    ----------
    part : DataFrame or array-like of shape (n, ...)
        Columns of the branch. Rows of a plain array are all present.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> present_rows(pd.DataFrame({"image": ["a.dcm", None], "view": ["PA", " "]})).tolist()
    [True, False]
    """
    if not isinstance(part, pd.DataFrame):
        return np.ones(len(part), dtype=bool)
    return ~np.all([missing_cells(part[column]) for column in part], axis=0)


def presence(parts: Mapping[str, Part]) -> pd.DataFrame:
    """Whether each row holds anything for each branch: (n, k), with the index of the tables."""
    table = next(iter(parts.values())).table
    index = table.index if isinstance(table, pd.DataFrame) else None
    return pd.DataFrame({name: part.present for name, part in parts.items()}, index=index)


def check_present(parts: Mapping[str, Part], consequence: str) -> None:
    """Warn of rows that hold nothing for a branch, and refuse those that hold nothing for any.

    Parameters
    ----------
    parts : mapping of str to Part
        What each branch sees.
    consequence : str
        What the warning goes on to say.
    """
    present = np.column_stack([part.present for part in parts.values()])
    empty = np.flatnonzero(~present.any(axis=1))
    if len(empty):
        error = InputError("nothing is there for any branch. Leave such rows out.")
        raise error.at_rows(empty, len(present))
    counts = ", ".join(
        f"{n} of {len(present)} rows hold nothing for the branch {name!r}"
        for name, n in zip(parts, (~present).sum(axis=0).tolist(), strict=True)
        if n
    )
    if counts and not _GAPS_TOLD.get():
        warnings.warn(f"{counts}. {consequence}", MissingModalityWarning, stacklevel=3)
