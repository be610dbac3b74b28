"""Days of timestamps, ISO texts and DICOM dates; what else a hospital writes is refused."""

import datetime

import pandas as pd
import pytest

from skosteo.clinical.days import calendar_days
from skosteo.exceptions import InputError

MARCH_5 = pd.Timestamp(2024, 3, 5)


@pytest.mark.parametrize(
    "written",
    [
        "2024-03-05",
        "2024-03-05 14:22:01",
        "2024-03-05T23:59:59+08:00",
        "20240305",
        20240305,
        20240305.0,
        "20240305142201.123",
        "202403051422",
        " 2024-03-05 ",
        datetime.date(2024, 3, 5),
        datetime.datetime(2024, 3, 5, 23, 59),
        pd.Timestamp("2024-03-05 00:30", tz="Asia/Shanghai"),
    ],
)
def test_one_day_in_many_spellings(written):
    assert calendar_days(pd.Series([written], dtype=object), "film").tolist() == [MARCH_5]


def test_columns_of_timestamps():
    plain = pd.Series(pd.to_datetime(["2024-03-05 14:22", None]))
    zoned = plain.dt.tz_localize("Europe/Madrid")
    for column in (plain, zoned, plain.astype("datetime64[s]")):
        days = calendar_days(column, "film")
        assert days[0] == MARCH_5
        assert days[1] is pd.NaT


def test_missing_and_blank_cells_are_no_day():
    assert calendar_days(pd.Series([None, " ", float("nan"), pd.NaT]), "film").isna().all()
    mixed = calendar_days(pd.Series([20240305, None, 20240307]), "film")
    assert mixed.dt.day.tolist()[::2] == [5, 7]


@pytest.mark.parametrize(
    "value",
    [
        "3/5/2024", "13/5/2024", "5.3.2024", "05/03/24", "05-MAR-2024", "5 March 2024",
        "Mar 5, 2024", "2024/3/5", "2024年3月5日", "2024-3-5", "2024-02-30", "2024-03-051",
        "99999999", "18991231", "pending", 45356, -1.2, True,
    ],
)  # fmt: skip
def test_what_is_no_such_date_is_refused_with_the_remedy(value):
    dates = pd.Series(["2024-03-05", None, value], dtype=object)
    words = (
        r"'film' holds no date in 1 of 3 rows, the first is row 3.*pandas\.to_datetime\(.*dayfirst"
    )
    with pytest.raises(InputError, match=words) as error:
        calendar_days(dates, "film")
    assert "pending" not in str(error.value)


def test_the_remedy_helps():
    days = pd.to_datetime(pd.Series(["3/5/2024", "13/5/2024"]), dayfirst=True)
    assert calendar_days(days, "film").dt.month.tolist() == [5, 5]
