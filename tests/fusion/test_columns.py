"""Which columns a branch sees, and which rows hold anything for it."""

import numpy as np
import pandas as pd
import pytest

from skosteo.exceptions import InputError, MissingModalityWarning
from skosteo.fusion.columns import check_present, present_rows, resolve_columns, split_columns

X = pd.DataFrame({"image": ["a", "b"], "age": [61, 72], "bmi": [22.0, np.nan]})


@pytest.mark.parametrize(
    "empty",
    [None, np.nan, pd.NA, pd.NaT, "", "  "],
    ids=["None", "nan", "NA", "NaT", "''", "blank"],
)
def test_nothing_in_any_of_its_forms(empty):
    part = pd.DataFrame({"image": pd.Series(["film.png", empty], dtype=object)})
    assert present_rows(part).tolist() == [True, False]


def test_one_value_is_enough_to_be_present():
    part = pd.DataFrame({"age": [np.nan, 61, np.nan], "sex": [None, None, "F"]})
    assert present_rows(part).tolist() == [False, True, True]


def test_zero_and_false_are_values():
    part = pd.DataFrame({"a": [0.0, 0.0], "b": [False, False]})
    assert present_rows(part).all()


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "string", "category", "boolean"])
def test_gaps_of_every_pandas_dtype(dtype):
    values = ["F", None] if dtype in ("string", "category") else [1, None]
    part = pd.DataFrame({"a": pd.Series(values).astype(dtype)})
    assert present_rows(part).tolist() == [True, False]


def test_films_as_arrays_are_present():
    part = pd.DataFrame({"image": [np.zeros((2, 2)), None]})
    assert present_rows(part).tolist() == [True, False]


def test_rows_of_an_array_are_all_present():
    assert present_rows(np.full((3, 2), np.nan)).all()


def test_default_columns():
    assert resolve_columns(X, "image", None, {}) == {"image": ["image"], "clinical": ["age", "bmi"]}
    everything = ["image", "age", "bmi"]
    assert resolve_columns(X, None, None, {}) == {"image": everything, "clinical": everything}


def test_further_branches_may_share_columns():
    columns = resolve_columns(X, "image", ["age", "bmi"], {"index": ["age"]})
    parts = split_columns(X[["bmi", "image", "age"]], columns)
    assert {name: list(part) for name, part in parts.items()} == {
        "image": ["image"], "clinical": ["age", "bmi"], "index": ["age"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("film", None, {}), "'film'.*'image', 'age', 'bmi'"),
        (("image", "age", {}), "'age': give a list"),
        (("image", [], {}), "clinical branch has the columns"),
        (("image", None, {"index": ["age"]}), "say which columns the clinical branch sees"),
        (("image", ["age"], {"index": "age"}), "index branch has the columns 'age'"),
    ],
)
def test_columns_that_cannot_be(arguments, match):
    with pytest.raises(InputError, match=match):
        resolve_columns(X, *arguments)


def test_arrays_have_no_columns_for_further_branches():
    with pytest.raises(InputError, match="X is an array"):
        resolve_columns(X.to_numpy(), "image", None, {"index": ["age"]})


def test_a_table_for_a_model_of_arrays():
    with pytest.raises(InputError, match="fitted on an array"):
        split_columns(X, {})


def test_rows_without_a_modality_are_counted_and_named():
    parts = {"image": X[["image"]], "clinical": X[["bmi"]]}
    with pytest.warns(MissingModalityWarning, match=r"1 of 2 rows hold nothing for .*'clinical'"):
        check_present(parts, "Go on.")
    with pytest.raises(InputError, match=r"1 of 2 rows hold nothing for any branch.*row 2"):
        check_present({"clinical": X[["bmi"]]}, "Go on.")
