"""Standardized mean differences: by hand, and by the published matrix without one level."""

import numpy as np
import pandas as pd
import pytest

from skosteo.clinical import table_one
from skosteo.exceptions import InputError


def smd(data, by, **more):
    """SMD of each characteristic, by the first row of each."""
    column = table_one(data, by, smd=True, **more)["SMD"]
    assert (column["n"] == "").all()
    assert (column.xs("missing", level="level") == "").all()
    return column.groupby(level=0, sort=False).first().drop("n").to_dict()


def test_numbers_and_two_levels_by_hand():
    data = pd.DataFrame({
        "age": [50, 60, 70, 70, 80, 90, np.nan],  # 60 and 80, both of SD 10
        "bmi": [20, 22, 24, 20, 22, 24, 22],
        "flag": [1, 0, None, 1, 1, 0, 1],  # 1/2 and 3/4
    })  # fmt: skip
    found = smd(data, [*"aaabbbb"], median=["bmi"])
    expected = (3 / 4 - 1 / 2) / np.sqrt((1 / 4 + 3 / 16) / 2)
    assert found == {
        "age, mean (SD)": "2.00",
        "bmi, median [quartiles]": "0.00",
        "flag, n (%)": f"{expected:.2f}",
    }


def test_three_levels_by_the_matrix_of_two_of_them():
    counts = {"a": (30, 50, 20), "b": (45, 25, 30)}
    ward = np.concatenate([np.repeat(["x", "y", "z"], n) for n in counts.values()])
    found = smd(pd.DataFrame({"ward": ward}), np.repeat(["a", "b"], 100))
    p, q = (np.array(n[:2]) / 100 for n in counts.values())
    s = sum(np.diag(r) - np.outer(r, r) for r in (p, q)) / 2
    expected = np.sqrt((p - q) @ np.linalg.inv(s) @ (p - q))
    assert found == {"ward, n (%)": f"{expected:.2f}"}


def test_of_three_groups_the_pair_that_differs_most():
    age = np.concatenate([np.linspace(-1, 1, 51) + shift for shift in (60, 61, 63)])
    spread = np.linspace(-1, 1, 51).std(ddof=1)
    found = smd(pd.DataFrame({"age": age}), np.repeat(["a", "b", "c"], 51))
    assert found == {"age, mean (SD)": f"{3 / spread:.2f}"}


def test_none_where_it_would_be_infinite_or_a_group_is_not_known():
    data = pd.DataFrame({
        "site": ["x", "x", "x", "y", "y", "y"],
        "lab": [5.0, 6.5, 7.0, np.nan, np.nan, np.nan],
        "same": [2.5] * 6,
    })  # fmt: skip
    found = smd(data, [*"aaabbb"])
    assert found == {"site, n (%)": "-", "lab, mean (SD)": "-", "same, mean (SD)": "0.00"}


def test_none_where_a_cell_is_suppressed():
    """The counts of two levels and the difference would give the third away."""
    rng = np.random.default_rng(0)
    by = np.repeat(["a", "b"], 100)
    ward = np.where(np.arange(200) % 100 < 60, "x", "y")
    ward[95:102] = "z"  # 7 patients of it, 5 of them in a
    rare = np.where(np.arange(200) < 4, "yes", "no")
    lab = np.where(np.arange(200) < 193, np.nan, 1.5)
    lab[:100] = rng.normal(size=100)
    data = pd.DataFrame({"ward": ward, "rare": rare, "lab": lab, "age": rng.normal(size=200)})
    found = smd(data, by, groups=np.arange(200))
    assert found["ward, n (%)"] == "-"
    assert found["lab, mean (SD)"] == "-"
    assert float(found["age, mean (SD)"]) < 0.4
    assert "-" not in smd(data, by).values()


def test_it_needs_groups():
    data = pd.DataFrame({"age": [60.0, 70.5, 80.0]})
    with pytest.raises(InputError, match="smd compares groups, and by makes 1"):
        table_one(data, smd=True)
    assert "SMD" not in table_one(data, ["a", "a", "b"])
