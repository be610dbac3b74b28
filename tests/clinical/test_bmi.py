"""The body mass index from height and weight, through the preprocessor."""

import numpy as np
import pandas as pd
import pytest

from skosteo import ClinicalPreprocessor
from skosteo.clinical.bmi import body_mass_index
from skosteo.exceptions import InputError, ValuesWarning
from tests.clinical.test_preprocessor import transform

BODY = pd.DataFrame({"height_cm": [160.0, 170, 180, 150], "weight_kg": [64.0, 57.8, 97.2, 45]})
BMI = (25.0, 20.0, 30.0, 20.0)


def test_added_where_x_has_none():
    out = transform(BODY)
    assert list(out) == ["height_cm", "weight_kg", "bmi"]
    np.testing.assert_allclose(out["bmi"], BMI)


def test_gaps_are_computed_before_they_are_filled():
    X = BODY.assign(bmi=[np.nan, 21.0, np.nan, np.nan])
    X.loc[3, "height_cm"] = np.nan
    # the median is of 25, 21 and 30
    np.testing.assert_allclose(transform(X)["bmi"], [25, 21, 30, 25])


def test_alone_among_the_chosen_columns():
    X = BODY.assign(age=[60, 61, 62, 63])
    assert transform(X, columns=["age", "bmi"])["bmi"].tolist() == pytest.approx(BMI)
    assert list(transform(X, columns=["age", "height_cm", "weight_kg"])) == [
        "age", "height_cm", "weight_kg",
    ]  # fmt: skip
    fitted = ClinicalPreprocessor(columns=["bmi"]).fit(X)
    assert fitted.bmi_from_ == ["height_cm", "weight_kg"]
    assert fitted.source_columns_.tolist() == ["bmi"]
    with pytest.raises(InputError, match=r"misses the columns \['weight_kg'\]"):
        fitted.transform(X[["age", "height_cm"]])
    with pytest.raises(InputError, match="neither it nor one height and one weight"):
        ClinicalPreprocessor(columns=["age", "BMI"]).fit(X[["age", "height_cm"]])


def test_height_and_weight_that_only_fill_gaps_may_be_missing_later():
    X = BODY.assign(bmi=[24.0, 21.0, np.nan, 22.0])
    fitted = ClinicalPreprocessor(columns=["bmi"]).fit(X)
    assert fitted.transform(X)[2, 0] == pytest.approx(30)
    assert fitted.transform(X[["bmi"]])[2, 0] == pytest.approx(23)


def test_units_of_the_names_and_declared_ones_count():
    metres = pd.DataFrame(
        {
            "height_m": BODY["height_cm"] / 100,
            "weight": BODY["weight_kg"] / 0.45359237,
        }
    )
    out = transform(metres, units={"weight": "lb"})
    np.testing.assert_allclose(out["bmi"], BMI)
    assert out["height_m"].tolist() == (BODY["height_cm"] / 100).tolist()
    np.testing.assert_allclose(out["weight_kg"], BODY["weight_kg"])


def test_not_from_values_that_are_not_plausible():
    X = BODY.assign(height_cm=BODY["height_cm"] / 100)
    with pytest.warns(ValuesWarning, match="4 of 4 values look like m, not cm"):
        fitted = ClinicalPreprocessor().fit(X)
    assert fitted.get_feature_names_out().tolist() == ["height_cm", "weight_kg"]


def test_computed_patient_by_patient():
    fitted = ClinicalPreprocessor(columns=["bmi"]).fit(BODY)
    for i, bmi in enumerate(BMI):
        assert fitted.transform(BODY.iloc[[i]])[0, 0] == pytest.approx(bmi)


def test_with_two_heights_nobody_can_say_which():
    X = BODY.assign(stature=BODY["height_cm"], age=60)
    assert list(transform(X)) == ["height_cm", "weight_kg", "stature", "age"]
    assert list(transform(X, columns=["age"])) == ["age"]
    assert ClinicalPreprocessor().fit(X.assign(bmi=25.0)).bmi_from_ == []
    with pytest.raises(InputError, match="neither it nor one height and one weight"):
        ClinicalPreprocessor(columns=["bmi"]).fit(X)


def test_one_that_only_a_later_table_has_is_ignored():
    fitted = ClinicalPreprocessor().fit(BODY)
    out = fitted.transform(BODY.assign(bmi="?"))
    np.testing.assert_array_equal(out, fitted.transform(BODY))


def test_body_mass_index_of_plausible_bodies_only():
    height = np.array([165.0, 1.65, np.nan, 165, 101])
    weight = np.array([60.0, 60, 60, 600, 390])
    np.testing.assert_allclose(
        body_mass_index(height, weight), [60 / 1.65**2, np.nan, np.nan, np.nan, np.nan]
    )
