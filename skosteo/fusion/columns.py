"""Which columns of a table each branch of a fusion sees, and in which rows they hold anything."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import is_missing
from skosteo.exceptions import InputError, MissingModalityWarning


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
        Column of the films; None: the image branch sees all columns.
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
    if image_column is not None and image_column not in every:
        raise InputError(
            f"X has no column {image_column!r} (image_column); its columns are {every}. Name the "
            "column that holds the films."
        )
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
            "columns), such as [('lateral', model, ['lateral_film'])]."
        )
    names = [name for name, _ in pairs]
    wrong = [n for n in names if n in reserved or "__" in n or names.count(n) > 1]
    if wrong:
        raise InputError(
            f"other_branches has the names {wrong}: each must be used once, be no parameter of the "
            "fusion, and hold no '__'."
        )


def split_columns(X: Any, columns: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what each branch sees of X.

    Raises
    ------
    InputError
        X lacks a column.
    """
    if not isinstance(X, pd.DataFrame):
        if columns:
            raise InputError(
                "The model was fitted on a DataFrame, and X has no columns with names. Give a "
                "DataFrame with the columns of fit."
            )
        return {"image": X, "clinical": X}
    if not columns:
        raise InputError(
            "The model was fitted on an array, and X is a DataFrame. Give X.to_numpy(), or fit it "
            "on a DataFrame."
        )
    wanted = dict.fromkeys(column for chosen in columns.values() for column in chosen)
    missing = [column for column in wanted if column not in X.columns]
    if missing:
        raise InputError(
            f"X misses the columns {missing}; it has {X.columns.tolist()}. Give the columns that "
            "the model was, or is to be, fitted on."
        )
    return {name: X[chosen] for name, chosen in columns.items()}


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
    missing = [
        part[column].map(is_missing).to_numpy(bool)
        if part[column].dtype == object
        or isinstance(part[column].dtype, pd.CategoricalDtype)
        or pd.api.types.is_string_dtype(part[column].dtype)
        else part[column].isna().to_numpy()
        for column in part
    ]
    return ~np.all(missing, axis=0)


def presence(parts: Mapping[str, Any]) -> pd.DataFrame:
    """Whether each row holds anything for each branch: (n, k), with the index of the parts."""
    index = next((part.index for part in parts.values() if isinstance(part, pd.DataFrame)), None)
    return pd.DataFrame({name: present_rows(part) for name, part in parts.items()}, index=index)


def check_present(parts: Mapping[str, Any], consequence: str) -> None:
    """Say how many rows hold nothing for a branch, and refuse those that hold nothing for any.

    Parameters
    ----------
    parts : mapping of str to DataFrame or array-like
        What each branch sees.
    consequence : str
        What the warning goes on to say.
    """
    present = presence(parts).to_numpy()
    empty = np.flatnonzero(~present.any(axis=1))
    if len(empty):
        raise InputError(
            f"{len(empty)} of {len(present)} rows hold nothing for any branch, the first is row "
            f"{empty[0] + 1}. Leave them out."
        )
    said = ", ".join(
        f"{n} of {len(present)} rows hold nothing for the branch {name!r}"
        for name, n in zip(parts, (~present).sum(axis=0).tolist(), strict=True)
        if n
    )
    if said:
        warnings.warn(f"{said}. {consequence}", MissingModalityWarning, stacklevel=3)
