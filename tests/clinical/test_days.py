"""Dates as hospitals write them."""

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
        "2024/3/5 9:12",
        "2024.03.05",
        "2024年3月5日",
        "20240305",
        20240305,
        20240305.0,
        "20240305142201.123",
        "5.3.2024",
        "05.03.2024 14:22",
        "05-MAR-2024",
        "05MAR2024:14:22:01",
        "5 March 2024",
        "Mar 5, 2024",
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


def test_gaps_and_blanks_are_no_day():
    assert calendar_days(pd.Series([None, " ", float("nan"), pd.NaT]), "film").isna().all()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["3/5/2024", "13/5/2024"], [(5, 3), (5, 13)]),
        (["3/5/2024", "5/13/2024"], [(3, 5), (5, 13)]),
        (["3-5-2024", "13-5-2024 08:00"], [(5, 3), (5, 13)]),
        (["5/5/2024"], [(5, 5)]),
    ],
)
def test_the_other_dates_tell_day_from_month(texts, expected):
    days = calendar_days(pd.Series(texts), "film")
    assert list(zip(days.dt.month, days.dt.day, strict=True)) == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["3/5/2024", "4/5/2024"], "dayfirst=True"),
        (["13/5/2024", "5/13/2024"], "one way"),
        (["2024-03-05", "pending"], "'film' holds no date in 1 of 2 rows, the first is row 2"),
        (["2024-02-30"], "no date"),
        (["05/03/24"], "four digits"),
        ([45356, 45357], "spreadsheet"),
        ([-1.2, 0.3], "no date"),
        (["99999999"], "no date"),
        ([True], "no date"),
    ],
)
def test_what_is_no_date_is_refused(values, words):
    with pytest.raises(InputError, match=words) as error:
        calendar_days(pd.Series(values), "film")
    assert "pending" not in str(error.value)
