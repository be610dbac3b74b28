"""Table 1: characteristics of a cohort, per split or group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._validation import check_groups, check_table, refuse_cells, to_pandas
from skosteo.clinical import columns
from skosteo.clinical.balance import largest_difference
from skosteo.clinical.small_levels import (
    FEWEST,
    OTHERS,
    SUPPRESSED,
    patients_of_levels,
    suppressed_levels,
    with_printable_levels,
)
from skosteo.clinical.variables import display_name, is_variable
from skosteo.exceptions import InputError

_SPLITS = ("train", "validation", "test")
Positions = dict[str, np.ndarray]  # of the rows of each group, by its name
Rows = dict[tuple[str, str], list[str]]  # cells by characteristic and level


def table_one(
    data: pd.DataFrame,
    by: Any = None,
    *,
    median: Sequence[str] = (),
    groups: ArrayLike | None = None,
    smd: bool = False,
    labels: bool = False,
) -> pd.DataFrame:
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
    groups : array-like of shape (n,), default=None
        Patient of each row, for a table that is to be shown to others. Levels that fewer than ten
        patients have, or that look like a person's name, number or date, then stand together as
        "other levels", and what fewer than ten patients of a column stand behind is "suppressed".
        None prints everything.
    smd : bool, default=False
        Add a column "SMD" with the largest absolute standardized mean difference over pairs of
        groups in the first row of each characteristic: of means (Austin 2009,
        doi:10.1002/sim.3697), also where medians are printed, and of the proportions of all levels
        (Yang and Dalton 2012). It is "-" where there is none, and where a cell of the
        characteristic is suppressed.
    labels : bool, default=False
        Call known columns as a clinician does, "Age, years", and unknown ones by their name with
        blanks for underscores.

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
    have their own row, which is never suppressed. SD is of the sample (n - 1). Numbers have one
    decimal, or as many as show two digits of the SD.

    As the total is known, a single suppressed level, or several of fewer than ten patients
    together, take the next smallest with them.

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
    refuse_cells(median, "median")
    median = [median] if isinstance(median, str) else list(median)
    data, by = _checked(data, median), to_pandas(by)
    parts = _groups(data, by)
    patient = check_groups(groups, len(data))
    grouping = by if isinstance(by, str) else getattr(by, "name", None)
    if smd and len(parts) < 2:
        raise InputError(f"smd compares groups, and by makes {len(parts)}. Give two or more.")
    names = _titles(data) if labels else {column: str(column) for column in data}
    rows: Rows = {("n", ""): [str(len(part)) for part in parts.values()] + [""] * smd}
    left_out = []
    for column in data:
        if column == grouping:
            continue
        values = columns.read_words(data[column])
        if column in median or _is_number(values):
            numbers, n_levels = _numbers(values), 0
            cells = _of_numbers(numbers, names[column], parts, column in median, patient)
        else:
            if patient is not None and _is_category(values):
                values = with_printable_levels(values, patient)
            if not _is_category(values) or (values.dropna() == OTHERS).all():
                left_out.append(column)
                continue
            levels = _levels(values)
            numbers, n_levels = pd.Categorical(values, levels).codes.astype(float), len(levels)
            cells = _of_categories(values, names[column], parts, patient)
        rows |= _with_smd(cells, numbers, parts, n_levels) if smd else cells
    index = pd.MultiIndex.from_tuples(rows, names=["characteristic", "level"])
    table = pd.DataFrame(list(rows.values()), index=index, columns=[*parts, *["SMD"] * smd])
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
    different = [level for level in values.dropna().unique() if level != OTHERS]
    if len(different) < values.nunique():  # what is put together comes last
        return [*_levels(values[values != OTHERS]), OTHERS]
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


def _titles(data: pd.DataFrame) -> dict[Any, str]:
    """Return what each column is called; columns of one variable keep their own name behind it."""
    titles = {column: display_name(column) for column in data}
    often = pd.Series(list(titles.values())).value_counts()
    return {c: title if often[title] == 1 else f"{title} ({c})" for c, title in titles.items()}


def _with_smd(cells: Rows, values: NDArray[np.float64], groups: Positions, n_levels: int) -> Rows:
    """Add how far the groups differ to the first row of a characteristic."""
    hidden = any(SUPPRESSED in line for line in cells.values())
    smd = np.nan if hidden else largest_difference(values, list(groups.values()), n_levels)
    texts = ["-" if np.isnan(smd) else f"{smd:.2f}"] + [""] * (len(cells) - 1)
    return {key: [*line, text] for (key, line), text in zip(cells.items(), texts, strict=True)}


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    numbers = columns.read_numbers(values, str(values.name))
    if np.isinf(numbers).any():
        where = f"Column {values.name!r} holds infinity."
        raise InputError(f"{where} Where it marks a detection limit, put the limit itself there.")
    return numbers


def _of_numbers(
    numbers: NDArray[np.float64],
    name: str,
    groups: Positions,
    as_median: bool,
    patient: NDArray[np.intp] | None,
) -> Rows:
    known = [rows[~np.isnan(numbers[rows])] for rows in groups.values()]
    spread = np.nanstd(numbers) if np.isfinite(numbers).sum() > 1 else 0
    digits = max(1, 1 - int(np.floor(np.log10(spread)))) if spread > 0 else 1

    def show(*figures: float) -> list[str]:
        return [f"{round(figure, digits) + 0.0:.{digits}f}" for figure in figures]

    def describe(rows: NDArray[np.intp]) -> str:
        part = numbers[rows]
        if len(part) == 0:
            return "-"
        if patient is not None and len(np.unique(patient[rows])) < FEWEST:
            return SUPPRESSED
        if as_median:
            low, middle, high = show(*np.quantile(part, [0.25, 0.5, 0.75]))
            return f"{middle} [{low}, {high}]"
        (mean,) = show(part.mean())
        return f"{mean} ({show(part.std(ddof=1))[0]})" if len(part) > 1 else f"{mean} (-)"

    title = f"{name}, {'median [quartiles]' if as_median else 'mean (SD)'}"
    missing = [str(len(r) - len(k)) for r, k in zip(groups.values(), known, strict=True)]
    return {(title, ""): [describe(rows) for rows in known], (title, "missing"): missing}


def _of_categories(
    values: pd.Series, name: str, groups: Positions, patient: NDArray[np.intp] | None
) -> Rows:
    title, levels = f"{name}, n (%)", _levels(values)
    cells, missing = [], []
    for rows in groups.values():
        part = values.iloc[rows]
        counts, known = [int((part == level).sum()) for level in levels], int(part.notna().sum())
        hidden = [False] * len(levels)
        if patient is not None:
            of = patients_of_levels(part, patient[rows])
            hidden = suppressed_levels([of.get(level, 0) for level in levels])
        cells.append(
            [
                SUPPRESSED if away else f"{n} ({100 * n / known:.1f})" if known else "0 (-)"
                for n, away in zip(counts, hidden, strict=True)
            ]
        )
        missing.append(str(len(part) - known))
    by_level = zip(levels, zip(*cells, strict=True), strict=True)
    table = {(title, columns.as_word(level)): list(line) for level, line in by_level}
    return {**table, (title, "missing"): missing}
