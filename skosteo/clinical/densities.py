"""Densities and T-scores as the target of a regressor: read, and refused where they are none."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import assert_all_finite

from skosteo._validation import plain_name, split_numbers, to_pandas
from skosteo.clinical.labels import read_t_scores
from skosteo.exceptions import InputError

_NO_LABELS = (
    "A regressor learns densities or T-scores; labels are for a classifier, such as "
    "ClinicalOsteoClassifier."
)
# So many rows of nothing but 0 and 1 are labels, where fewer may be T-scores, rounded; and so many
# T-scores above 0 are densities
_MANY = 50
# No T-score or density of a person lies so many interquartile ranges from the median
_FAR = 10


def read_densities(y: Any) -> tuple[NDArray[np.float64], list[str]]:
    """Read densities or T-scores as numbers.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
        Of one site, or of k.

    Returns
    -------
    densities : ndarray of shape (n,) or (n, k)
        NaN where not measured.
    sites : list of str
        Names of the columns of y; "y", or "y0", "y1", ..., where it has none.

    Raises
    ------
    InputError
        y holds texts or truth values, or is of another shape.
    ValueError
        y is infinite: scikit-learn's own words.

    Examples
    --------
    >>> read_densities(pd.DataFrame({"neck": [0.7, 0.6], "spine": [0.9, None]}))
    (array([[0.7, 0.9],
           [0.6, nan]]), ['neck', 'spine'])
    """
    y = to_pandas(y)
    cells = np.asarray(y)
    if cells.ndim not in (1, 2) or 0 in cells.shape:
        raise InputError(
            f"y should be a 1d array, or (n, k) of k sites; it has the shape {cells.shape}."
        )
    sites = [f"y{i}" for i in range(cells.shape[1])] if cells.ndim == 2 else ["y"]
    if isinstance(y, pd.DataFrame):
        sites = [str(name) for name in y.columns]
    elif isinstance(y, pd.Series) and y.name is not None:
        sites = [str(y.name)]
    columns = cells.reshape(len(cells), -1)
    numbers = np.column_stack([_as_numbers(column) for column in columns.T])
    assert_all_finite(numbers, allow_nan=True, input_name="y")
    return numbers.reshape(cells.shape), sites


def _as_numbers(cells: NDArray) -> NDArray[np.float64]:
    if cells.dtype.kind in "iuf":
        return cells.astype(np.float64)
    if cells.dtype.kind == "c":
        raise InputError("Complex data not supported: y holds densities or T-scores.")
    numbers, others = split_numbers(pd.Series(cells.astype(object)))
    truths = sum(isinstance(cell, bool | np.bool_) for cell in cells)
    if wrong := len(others) + truths:
        raise InputError(f"y holds no number in {wrong} of {len(numbers)} rows. {_NO_LABELS}")
    return numbers


def check_measured(densities: NDArray[np.float64], sites: list[str]) -> None:
    """Refuse rows without any density, and sites without any."""
    measured = ~np.isnan(densities.reshape(len(densities), -1))
    empty = [site for site, n in zip(sites, measured.sum(axis=0).tolist(), strict=True) if not n]
    if empty:
        raise InputError(f"y holds no density of {empty} in any row. Leave such sites out.")
    rows = np.flatnonzero(measured.sum(axis=1) == 0)
    if len(rows):
        raise InputError(
            f"y contains NaN: {len(rows)} of {len(measured)} rows have no density, the first is "
            f"row {rows[0] + 1}. Leave such rows out; of several sites some may miss."
        )


def check_sites(table: NDArray[np.float64], sites: list[str]) -> None:
    """Refuse labels, and impossible T-scores by name; warn of what is far from all others.

    Parameters
    ----------
    table : ndarray of shape (n, k)
        Densities to learn from, NaN where not measured.
    sites : list of str
        Their names. A site whose name says T-score must hold such.
    """
    for site, column in zip(sites, table.T, strict=True):
        _check_site(column[~np.isnan(column)], site)


def _check_site(known: NDArray[np.float64], site: str) -> None:
    if np.array_equal(np.unique(known), [0, 1]):
        message = f"{site} holds nothing but 0 and 1, as labels do. {_NO_LABELS}"
        if len(known) >= _MANY:
            raise InputError(message)
        warnings.warn(message, UserWarning, stacklevel=8)
    if "tscore" in plain_name(site):
        read_t_scores(known, site)
        if len(known) >= _MANY and known.min() > 0:
            raise InputError(
                f"{site} is above 0 in all of {len(known)} rows. Are these densities in g/cm2? "
                "skosteo.clinical.t_score makes T-scores of them; or give the column another name."
            )
    low, middle, high = np.percentile(known, [25, 50, 75])
    far = np.abs(known - middle) > _FAR * (high - low)
    if high > low and far.any():
        warnings.warn(
            f"{site} lies more than {_FAR} interquartile ranges from its median in {far.sum()} of "
            f"{len(known)} rows. Is that another unit, or a code for missing, such as 99? Convert "
            "it, or make it missing.",
            UserWarning,
            stacklevel=8,
        )


def halves(densities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 1 for rows in the upper half, by the mean of their sites, and 0 for the others: (n,).

    Examples
    --------
    >>> halves(np.array([-2.5, -1.0, 0.5, 1.0]))
    array([0, 0, 1, 1])
    """
    table = densities.reshape(len(densities), -1)
    scale = np.nanstd(table, axis=0)
    height = np.nanmean((table - np.nanmean(table, axis=0)) / np.where(scale, scale, 1), axis=1)
    upper = height > np.median(height)
    return (upper if upper.any() else height > height.mean()).astype(np.int64)
