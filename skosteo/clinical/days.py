"""Calendar days from columns of timestamps, ISO texts and DICOM dates."""

import re

import numpy as np
import pandas as pd

from skosteo._validation import missing_cells
from skosteo.exceptions import InputError

# A time of day may follow. ".0" is what a missing value makes of whole numbers.
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?=$|[\sT])")
_DICOM = re.compile(r"(\d{4})(\d\d)(\d\d)(?:\d{4}(?:\d\d(?:\.\d+)?)?|\.0)?$")


def calendar_days(column: pd.Series, name: object) -> pd.Series:
    """Return midnight of the day of each date, NaT where missing, with a ``name`` for the errors.

    Timestamps, or text as ISO 8601 and DICOM write them: "2024-03-05 14:22", "20240305". A time
    zone is not converted: the day is the one written.

    Examples
    --------
    >>> calendar_days(pd.Series(["2024-03-05 14:22", "20240305"]), "film").dt.day.tolist()
    [5, 5]
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(column):
        return column.dt.normalize()
    missing = missing_cells(column)
    texts = column.astype(object).map(lambda value: str(value).strip())
    days = texts.map({text: _day(text) for text in texts[~missing].unique()})
    if len(wrong := np.flatnonzero(~missing & days.isna().to_numpy())):
        raise InputError(
            f"Column {name!r} holds no date in {len(wrong)} of {len(texts)} rows, the first is row "
            f"{wrong[0] + 1}: a date is a timestamp, or text like 2024-03-05 or 20240305. Convert "
            f"others first, saying which comes first, day or month: table[{name!r}] = "
            f"pandas.to_datetime(table[{name!r}], dayfirst=True). Leave empty what is missing."
        )
    return pd.to_datetime(days)


def _day(text: str) -> pd.Timestamp | None:
    found = _ISO.match(text) or _DICOM.match(text)
    year, month, day = map(int, found.groups()) if found else (0, 0, 0)
    try:
        return pd.Timestamp(year, month, day) if 1900 <= year <= 2100 else None
    except ValueError:  # no such day
        return None
