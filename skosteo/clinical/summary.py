"""Table 1: characteristics of a cohort, per split or group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skosteo._validation import check_table, to_pandas
from skosteo.clinical import columns
from skosteo.clinical.variables import is_variable
from skosteo.exceptions import InputError

_SPLITS = ("train", "validation", "test")
Positions = dict[str, np.ndarray]  # of the rows of each group, by its name
Rows = dict[tuple[str, str], list[str]]  # cells by characteristic and level


def table_one(data: pd.DataFrame, by: Any = None, *, median: Sequence[str] = ()) -> pd.DataFrame:
    """Describe the rows of a table, per split or per group, like the paper's Table 1.

    Parameters
    ----------
    data : DataFrame of shape (n, n_columns)
        Numbers, written as text too; categories (text with at most 20 different values, booleans,
        0 and 1). Report texts, dates, images and columns without a value are left out.
    by : Series or array-like of shape (n,), or str, default=None
        Split or group of each row, or the column that says it. None makes one column, "all".
    median : sequence of str, default=()
        Columns of numbers to describe by median [quartiles] instead of mean (SD).

    Returns
    -------
    DataFrame
        Text ready for print; a column per group ("train", "validation", "test" in this order,
        categories in theirs, others sorted). The index says "characteristic" and "level": first
        "n"; then "age, mean (SD)" with level ""; "sex, n (%)" with a row per level; and for each
        of them a row "missing". ``attrs["left_out"]`` lists the columns that were left out.

    Notes
    -----
    Percentages are of the rows whose value is known, so that they add up to 100; the missing ones
    have their own row. SD is of the sample (n - 1). Numbers have one decimal, or as many as show
    two digits of the SD.

    Examples
    --------
    >>> data = pd.DataFrame({"age": [61, 70, 82, 55], "sex": ["F", "F", "M", None]})
    >>> table_one(data, by=["train", "train", "test", "test"])
                                  train         test
    characteristic level
    n                                 2            2
    age, mean (SD)             65.5 (6.4)  68.5 (19.1)
                   missing            0            0
    sex, n (%)     F          2 (100.0)      0 (0.0)
                   M            0 (0.0)    1 (100.0)
                   missing            0            1
    """
    median = [median] if isinstance(median, str) else list(median)
    data, by = _checked(data, median), to_pandas(by)
    groups = _groups(data, by)
    grouping = by if isinstance(by, str) else getattr(by, "name", None)
    rows: Rows = {("n", ""): [str(len(g)) for g in groups.values()]}
    left_out = []
    for column in data:
        if column == grouping:
            continue
        values = columns.read_words(data[column])
        if column in median or _is_number(values):
            rows |= _of_numbers(values, groups, column in median)
        elif _is_category(values):
            rows |= _of_categories(values, groups)
        else:
            left_out.append(column)
    index = pd.MultiIndex.from_tuples(rows, names=["characteristic", "level"])
    table = pd.DataFrame(list(rows.values()), index=index, columns=list(groups))
    table.attrs["left_out"] = left_out
    return table


def _checked(data: pd.DataFrame, median: Sequence[str]) -> pd.DataFrame:
    data = check_table(data, "data")
    if data.empty:
        raise InputError(f"data has {data.shape[0]} rows and {data.shape[1]} columns.")
    for column in median:
        if column not in data:
            raise InputError(f"median names {column!r}, which is no column of data.")
        if not _is_number(data[column]):
            raise InputError(f"median names {column!r}, which holds no numbers.")
    return data


def _groups(data: pd.DataFrame, by: Any) -> Positions:
    if by is None:
        return {"all": np.arange(len(data))}
    if isinstance(by, str):
        if by not in data:
            raise InputError(f"by is {by!r}, which is no column of data.")
        by = data[by]
    elif isinstance(by, pd.Series) and not by.index.equals(data.index):
        # the same rows in another order are put in order, anything else is a slip
        if not by.index.is_unique or set(by.index) != set(data.index):
            raise InputError(
                f"by has {len(by)} rows and another index than the {len(data)} rows of data. Give "
                "a Series with the index of data, or an array in the order of its rows."
            )
        by = by.reindex(data.index)
    elif np.shape(by) != (len(data),):
        raise InputError(
            f"by has shape {np.shape(by)}, but data has {len(data)} rows. Give one group per row."
        )
    values = pd.Series(by).reset_index(drop=True)
    if values.isna().any():
        raise InputError(
            f"by misses the group of {values.isna().sum()} of {len(data)} rows, the first is row "
            f"{np.flatnonzero(values.isna())[0] + 1}. Give each row a group, or leave it out."
        )
    return {str(v): np.flatnonzero((values == v).to_numpy(dtype=bool)) for v in _levels(values)}


def _levels(values: pd.Series) -> list[Any]:
    """Return the different values in the order to show them in."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return list(values.cat.categories[values.cat.categories.isin(values)])
    different = list(values.dropna().unique())
    if set(different) <= set(_SPLITS):
        return sorted(different, key=_SPLITS.index)
    try:
        return sorted(different)
    except TypeError:
        return sorted(different, key=str)


def _is_number(values: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype):
        return False
    if columns.strange_cells(values) or not columns.is_numbers(values, str(values.name)):
        return False
    known = columns.read_numbers(values, str(values.name))
    known = known[~np.isnan(known)]
    return bool(len(known) == 0 or not np.isin(known, [0, 1]).all())


def _is_category(values: pd.Series) -> bool:
    if is_variable(values.name, "xray_description") or columns.strange_cells(values):
        return False
    return 0 < values.nunique() <= columns.MAX_CATEGORIES


def _of_numbers(values: pd.Series, groups: Positions, as_median: bool) -> Rows:
    numbers = columns.read_numbers(values, str(values.name))
    if np.isinf(numbers).any():
        where = f"Column {values.name!r} holds infinity."
        raise InputError(f"{where} Where it marks a detection limit, put the limit itself there.")
    parts = [numbers[rows][~np.isnan(numbers[rows])] for rows in groups.values()]
    spread = np.nanstd(numbers) if np.isfinite(numbers).sum() > 1 else 0
    digits = max(1, 1 - int(np.floor(np.log10(spread)))) if spread > 0 else 1

    def show(*figures: float) -> list[str]:
        return [f"{round(figure, digits) + 0.0:.{digits}f}" for figure in figures]

    def describe(part: np.ndarray) -> str:
        if len(part) == 0:
            return "-"
        if as_median:
            low, middle, high = show(*np.quantile(part, [0.25, 0.5, 0.75]))
            return f"{middle} [{low}, {high}]"
        (mean,) = show(part.mean())
        return f"{mean} ({show(part.std(ddof=1))[0]})" if len(part) > 1 else f"{mean} (-)"

    title = f"{values.name}, {'median [quartiles]' if as_median else 'mean (SD)'}"
    missing = [str(len(r) - len(p)) for r, p in zip(groups.values(), parts, strict=True)]
    return {(title, ""): [describe(part) for part in parts], (title, "missing"): missing}


def _of_categories(values: pd.Series, groups: Positions) -> Rows:
    title = f"{values.name}, n (%)"
    parts = [values.iloc[rows] for rows in groups.values()]
    known = [int(part.notna().sum()) for part in parts]
    table = {}
    for level in _levels(values):
        counts = [int((part == level).sum()) for part in parts]
        table[title, columns.as_word(level)] = [
            f"{n} ({100 * n / total:.1f})" if total else "0 (-)"
            for n, total in zip(counts, known, strict=True)
        ]
    missing = [str(len(p) - n) for p, n in zip(parts, known, strict=True)]
    return {**table, (title, "missing"): missing}
