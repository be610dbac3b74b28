"""Which columns a branch sees, and which rows hold anything for it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skosteo import ClinicalPreprocessor
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError, MissingModalityWarning
from skosteo.fusion.columns import (
    Part,
    check_present,
    present_rows,
    resolve_columns,
    split_columns,
)
from tests.fusion.spies import cheap_fusion
from tests.small_models import small_clinical, small_feature_fusion, small_fusion

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
    assert {name: list(part.table) for name, part in parts.items()} == {
        "image": ["image"], "clinical": ["age", "bmi"], "index": ["age"],
    }  # fmt: skip
    assert parts["clinical"].present.tolist() == [True, True]
    assert parts["clinical"].take(np.array([1]))["age"].tolist() == [72]


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


def test_an_array_for_a_model_of_columns_without_text_names():
    with pytest.raises(InputError, match="fitted on a DataFrame"):
        split_columns(X.to_numpy(), {"image": [0], "clinical": [1, 2]})


def test_rows_without_a_modality_are_counted_and_named():
    parts = {
        name: Part(X[[c]], X[c].notna()) for name, c in (("image", "image"), ("clinical", "bmi"))
    }
    with pytest.warns(MissingModalityWarning, match=r"1 of 2 rows hold nothing for .*'clinical'"):
        check_present(parts, "Go on.")
    with pytest.raises(InputError, match=r"row 2 of 2: nothing is there for any branch"):
        check_present({"clinical": parts["clinical"]}, "Go on.")


def test_a_column_is_found_by_its_variable_where_its_name_is_another():
    columns = {"image": ["image"], "clinical": ["age", "bmi"]}
    there = X.rename(columns={"age": "RIDAGEYR", "bmi": "Body mass index"})
    found = split_columns(there, columns, {"clinical"})["clinical"].table
    assert found.columns.tolist() == ["RIDAGEYR", "Body mass index"]
    with pytest.raises(InputError, match=r"'RIDAGEYR', 'Age'\] are all 'age'"):
        split_columns(there.assign(Age=60), columns, {"clinical"})
    with pytest.raises(InputError, match=r"misses the columns \['age', 'bmi'\]"):
        split_columns(there, columns)
    with pytest.raises(InputError, match=r"misses the columns \['Age'\]"):
        split_columns(X, {"image": ["image"], "clinical": ["age", "Age"]}, {"clinical"})


def test_a_branch_that_knows_no_units_is_given_no_other_heading():
    table = draw_patients(24, random_state=0)[CLINICAL[:9]].fillna({"calcium_mmol_l": 2.3})
    table["image"] = np.arange(24.0)
    plain = make_pipeline(FunctionTransformer(np.asarray), LogisticRegression())
    columns = ["calcium_mmol_l", "age"]
    model = cheap_fusion(clinical=plain, clinical_columns=columns, cv=2)
    model.fit(table, np.tile([0, 1], 12))
    with pytest.raises(InputError, match=r"misses the columns \['calcium_mmol_l'\]"):
        model.predict(table.rename(columns={"calcium_mmol_l": "Calcium (mg/dL)"}))


@pytest.mark.parametrize("make", [small_fusion, small_feature_fusion])
def test_a_fusion_travels_to_a_table_of_other_headings(make):
    cohort = draw_patients(24, random_state=0)
    rng = np.random.default_rng(0)
    table = cohort[CLINICAL[:9]].assign(image=list(rng.random((24, 24, 24), dtype=np.float32)))
    clinical = make_pipeline(ClinicalPreprocessor(), small_clinical())
    changes = {"clinical": clinical} if make is small_fusion else {}
    model = make(**changes).fit(table, np.tile([0, 1], 12))
    there = table.rename(columns={"age": "Age (years)", "calcium_mmol_l": "Calcium, total (mg/dL)"})
    there["Calcium, total (mg/dL)"] /= 0.2495
    np.testing.assert_allclose(model.predict_proba(there), model.predict_proba(table), atol=1e-6)
