"""Calendar days from columns of dates, however a hospital writes them."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from skosteo.exceptions import InputError

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

# A time of day may follow a date
_END = r"(?=$|[\sT:,日])"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/.年](\d{{1,2}})[-/.月](\d{{1,2}}){_END}")
_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)(?:\d{4}(?:\d\d(?:\.\d+)?)?|\.0)?$")  # as in DICOM
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_END}")
_MONTH_SECOND = re.compile(rf"(\d{{1,2}})[-/\s.]*([a-z]{{3,9}})[-/\s.,]*(\d{{4}}){_END}", re.I)
_MONTH_FIRST = re.compile(rf"([a-z]{{3,9}})\.?\s+(\d{{1,2}}),?\s+(\d{{4}}){_END}", re.I)


def calendar_days(column: pd.Series, name: object) -> pd.Series:
    """Return the calendar day of each date, without its time.

    Parameters
    ----------
    column : Series of shape (n,)
        Dates or timestamps, as such or as text: "2024-03-05 14:22", "20240305", "5.3.2024",
        "05-MAR-2024", "2024年3月5日". A time zone is not converted: the day is the one written.
    name : str
        What an error calls the column.

    Returns
    -------
    Series of shape (n,), datetime64
        Midnight of the day; NaT where missing or blank.

    Raises
    ------
    InputError
        A value is no date, or day and month cannot be told apart: "3/5/2024" is read only where
        another date of the column, such as "13/5/2024", shows the order.

    Examples
    --------
    >>> calendar_days(pd.Series(["5.3.2024 14:22", "20240305"]), "film").dt.day.tolist()
    [5, 5]
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(column):
        return column.dt.normalize()
    texts = column.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    texts = texts.where(texts != "", np.nan)
    different = texts.dropna().unique()
    day_first = _day_comes_first(different, name)
    days = texts.map({text: _day(text, day_first) for text in different})
    wrong = np.flatnonzero(texts.notna() & days.isna())
    if len(wrong):
        raise InputError(
            f"Column {name!r} holds no date in {len(wrong)} of {len(texts)} rows, the first is row "
            f"{wrong[0] + 1}. {_remedy(texts.iloc[wrong])}"
        )
    return pd.to_datetime(days)


def _day(text: str, day_first: bool) -> pd.Timestamp | None:
    year = month = day = ""
    if found := _YEAR_FIRST.match(text) or _DIGITS.match(text):
        year, month, day = found.groups()
    elif found := _YEAR_LAST.match(text):
        first, separator, second, year = found.groups()
        day, month = (first, second) if day_first or separator == "." else (second, first)
    elif found := _MONTH_SECOND.match(text):
        day, month, year = found.groups()
    elif found := _MONTH_FIRST.match(text):
        month, day, year = found.groups()
    if month[:3].lower() in _MONTHS:
        month = str(_MONTHS.index(month[:3].lower()) + 1)
    try:
        date = pd.Timestamp(int(year), int(month), int(day))
    except ValueError:
        return None
    return date if 1900 <= date.year <= 2100 else None


def _day_comes_first(texts: Iterable[str], name: object) -> bool:
    """Tell 5/3 the fifth of March from 5/3 the third of May by the other dates of the column."""
    pairs = [m for m in map(_YEAR_LAST.match, texts) if m and m[2] != "." and m[1] != m[3]]
    day_first = any(int(m[1]) > 12 for m in pairs)
    month_first = any(int(m[3]) > 12 for m in pairs)
    if pairs and day_first == month_first:
        if day_first:
            raise InputError(
                f"Column {name!r} holds dates with the day first and with the month first. Write "
                "them in one way, such as 2024-03-05."
            )
        raise InputError(
            f"Column {name!r} holds dates that do not show whether day or month comes first. Say "
            f"it: table[{name!r}] = pandas.to_datetime(table[{name!r}], dayfirst=True)."
        )
    return day_first


def _remedy(wrong: pd.Series) -> str:
    if wrong.str.fullmatch(r"\d{5}(\.\d+)?").all():
        return (
            "Are they day numbers of a spreadsheet? pandas.to_datetime(column, unit='D', "
            "origin='1899-12-30') reads them."
        )
    return "Give dates with years of four digits, such as 2024-03-05; leave empty what is missing."
