"""Sex and age as groupings that nobody has asked for: they stop nothing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skosteo import validate
from skosteo.evaluation.groupings import printable_groupings, sex_and_age

BANDS = np.resize(["50-59", "60-69", "70-79"], 300)


def levels(age, n=300):
    found = pd.DataFrame(sex_and_age(pd.DataFrame({"age": age})), index=range(n))
    grouped = printable_groupings(found, pd.DataFrame(index=range(n)), np.arange(n))
    return sorted(grouped["age"].dropna().unique()) if "age" in grouped else None


def test_ages_in_words_are_levels():
    assert levels(BANDS) == ["50-59", "60-69", "70-79"]
    assert levels(pd.Categorical(BANDS)) == ["50-59", "60-69", "70-79"]
    assert levels(np.where(np.arange(300) % 5, BANDS, None)) == ["50-59", "60-69", "70-79"]
    named = np.where(np.arange(300) < 9, "Wang, Fang", BANDS)
    assert levels(named) == ["50-59", "60-69", "70-79", "other levels"]


def test_ages_in_years_are_banded_as_numbers_and_as_texts():
    years = np.resize([45, 55, 65, 75, 85], 300)
    assert levels(years) == levels(years.astype(str))
    assert len(levels(years)) == 5


@pytest.mark.parametrize(
    ("age", "why"),
    [
        (np.r_[999, np.full(299, 65)], "above 120 in 1 of 300 rows, the first in row 1"),
        (np.r_[["old"], np.full(299, "65")], "age is not numeric"),
        ([f"{i} years" for i in range(300)], "age has 300 levels"),
    ],
)
def test_ages_that_cannot_be_banded_are_left_out_and_it_is_said(age, why):
    with pytest.warns(UserWarning, match=f"Scores are not split by age: .*{why}"):
        assert levels(age) is None


def test_a_validation_goes_on():
    X, y = pd.DataFrame({"age": BANDS}), np.arange(300) % 2
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, y)
    split = validate(model, X, y).frame("subgroups")
    assert split["level"].unique().tolist() == ["50-59", "60-69", "70-79"]
    years = pd.DataFrame({"age": np.r_[999, np.resize([55, 65, 75], 299)]})
    with pytest.warns(UserWarning, match="Scores are not split by age"):
        found = validate(LogisticRegression().fit(years, y), years, y)
    assert found.subgroups is None
