"""Levels and counts that may be printed, against identities and arithmetic."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from skosteo.clinical import table_one
from skosteo.clinical.small_levels import (
    FEWEST,
    OTHERS,
    suppressed_levels,
    with_printable_levels,
)


@pytest.mark.parametrize(
    "level",
    ["1947-02-13", "13/02/1947", "1947年2月13日", "a.doe@ward.org", "0012345", "DOE^JANE",
     "Doe, Jane", "Doe,Jane", "13/02/47", "13.2.47", "Dr. Moor",
     "Frau Moor", "张医生", "MRN 123456"],
)  # fmt: skip
def test_what_looks_like_an_identity_is_not_printed(level):
    values = pd.Series([level, "other"] * 50, name="ward")
    assert level not in set(with_printable_levels(values, np.arange(100)))


@pytest.mark.parametrize(
    "level",
    ["F", "男", "Never smoker", "Mexican American", "Non-Hispanic White", "2013-2014", "(50, 60]",
     "v2.1.0", "AP, supine", "10-20 cigarettes", "3", "1.5 T", "GE Healthcare", "F^", "<1"],
)  # fmt: skip
def test_honest_levels_stay(level):
    values = pd.Series([level, "other"] * 50, name="ward")
    pd.testing.assert_series_equal(with_printable_levels(values, np.arange(100)), values)


def test_the_order_of_a_category_stays():
    order = ["low", "mid", "high", "odd"]
    values = pd.Series(pd.Categorical(["high", "low", "mid"] * 33 + ["odd"], order, ordered=True))
    shown = with_printable_levels(values, np.arange(100))
    assert shown.cat.categories.tolist() == ["low", "mid", "high", OTHERS]
    assert shown.iloc[-1] == OTHERS


@pytest.mark.parametrize(
    "heading",
    ["patient_name", "Name", "Operator", "医生姓名", "Surname", "referring physician", "reader_1"],
)
def test_a_heading_that_says_person(heading):
    values = pd.Series(["Ann Moor", "Bob Moor"] * 50, name=heading)
    assert set(with_printable_levels(values, np.arange(100))) == {OTHERS}


def test_rows_of_one_patient_are_one():
    values = pd.Series(["a"] * 50 + ["b"] * 50)
    assert set(with_printable_levels(values, np.r_[np.zeros(50, int), np.arange(1, 51)])) == {
        OTHERS,
        "b",
    }


def test_no_count_below_the_limit_follows_from_the_others():
    """All ways to have up to four levels: hidden ones stay two or more, and together enough."""
    for counts in product([0, 1, 4, 9, 10, 11, 40], repeat=4):
        hidden = suppressed_levels(list(counts))
        away = [n for n, is_hidden in zip(counts, hidden, strict=True) if is_hidden]
        shown = [n for n, is_hidden in zip(counts, hidden, strict=True) if not is_hidden]
        assert all(n == 0 or n >= FEWEST for n in shown)
        if any(shown):
            assert not away or (len(away) > 1 and sum(away) >= FEWEST)
        if all(n == 0 or n >= FEWEST for n in counts):
            assert not away


def test_without_patients_table_one_prints_everything():
    data = pd.DataFrame({"age": [61, 70, 82], "sex": ["F", "F", "M"]})
    everything = table_one(data)
    assert "suppressed" not in everything.to_numpy()
    guarded = table_one(data, groups=[1, 2, 3])
    assert guarded.loc[("age, mean (SD)", ""), "all"] == "suppressed"
    assert guarded.attrs["left_out"] == ["sex"]
