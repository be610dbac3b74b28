"""Columns found by name, units and infinities, through the preprocessor."""

import numpy as np
import pandas as pd
import pytest

from skosteo import ClinicalPreprocessor
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError, ValuesWarning
from tests.clinical.test_preprocessor import table, transform


class TestColumns:
    def test_named_by_column_variable_or_alias_in_that_order(self):
        X = table().rename(columns={"bmi": "Body mass index"})
        out = transform(X, columns=["BMI", "age", "gender"])
        assert list(out) == ["Body mass index", "age", "sex_F", "sex_M", "sex_nan"]

    def test_what_is_not_named_is_not_looked_at(self):
        X = table().assign(crp=np.inf, note=[f"free text {i}" for i in range(5)], empty=np.nan)
        assert list(transform(X, columns=["age", "bmi"])) == ["age", "bmi"]

    def test_text_is_left_out_in_one_word(self):
        X = draw_patients(40, random_state=0)[CLINICAL]
        out = transform(X, columns=CLINICAL[:9])
        assert not [c for c in out if c.startswith("xray")]

    @pytest.mark.parametrize(
        ("columns", "match"),
        [
            (["age", "glucos"], "'glucos', which X does not have; did you mean 'glucose_mmol_l'"),
            (["age", "height_cm"], "'height_cm', which X does not have"),
            (["age", "Age"], "'age' twice"),
            ("age", r"give a list of names, such as \['age'\]"),
            ([], "columns is empty"),
        ],
    )
    def test_a_slip_is_named(self, columns, match):
        with pytest.raises(InputError, match=match):
            ClinicalPreprocessor(columns=columns).fit(table())

    def test_order_and_further_columns_do_not_matter(self):
        fitted = ClinicalPreprocessor().fit(table())
        other = table()[reversed(table().columns)].assign(
            ward=["a", "b", "c", "d", "e"], crp=np.inf
        )
        np.testing.assert_array_equal(fitted.transform(other), fitted.transform(table()))

    def test_a_missing_one_is_named_with_the_slip(self):
        fitted = ClinicalPreprocessor().fit(table())
        with pytest.raises(InputError, match=r"misses the columns \['bmi'\]; did you mean 'BMI'"):
            fitted.transform(table().rename(columns={"bmi": "BMI"}))

    def test_columns_that_were_not_chosen_may_be_missing(self):
        fitted = ClinicalPreprocessor(columns=["age"]).fit(table())
        assert fitted.transform(table()[["age"]]).shape == (5, 1)

    def test_two_of_one_name_are_refused(self):
        X = pd.concat([table(), table()[["age", "bmi"]]], axis=1)
        with pytest.raises(InputError, match=r"several columns named \['age', 'bmi'\]"):
            ClinicalPreprocessor().fit(X)
        fitted = ClinicalPreprocessor().fit(table())
        with pytest.raises(InputError, match="several columns"):
            fitted.transform(X)

    def test_a_name_that_could_mean_either_is_refused(self):
        X = table().assign(fasting_glucose_mmol_l=5.0)
        assert "fasting_glucose_mmol_l" in transform(X)  # two measurements are two numbers
        with pytest.raises(InputError, match=r"are all 'glucose_mmol_l'"):
            ClinicalPreprocessor(columns=["FBG"]).fit(X)
        assert list(transform(X, columns=["glucose_mmol_l"])) == ["glucose_mmol_l"]

    def test_names_that_would_clash_are_refused(self):
        X = table().assign(sex_F=1.0)
        with pytest.raises(InputError, match="Two columns would come out as 'sex_F'"):
            ClinicalPreprocessor().fit(X)


class TestUnits:
    def test_declared_units_are_converted_and_come_out_canonical(self):
        clean = table()
        X = clean.rename(columns={"calcium_mmol_l": "Serum calcium", "wbc_10e9_l": "WBC"})
        X["Serum calcium"] = X["Serum calcium"] * 4.0078
        X["WBC"] = X["WBC"] * 1000
        units = {"calcium": "mg/dL", "WBC": "/uL"}
        out = transform(X, units=units)
        assert list(out) == list(transform(clean))
        np.testing.assert_allclose(out, transform(clean), rtol=1e-4)

    def test_each_value_by_itself_never_from_the_batch(self):
        X = pd.DataFrame({"calcium": [9.2, 8.8, 10.0]})
        fitted = ClinicalPreprocessor(units={"calcium": "mg/dL"}).fit(X)
        assert fitted.transform(X.iloc[[2]])[0, 0] == pytest.approx(2.495, rel=1e-4)
        with pytest.warns(ValuesWarning, match="1 of 1 values look like mmol/L, not mg/dL"):
            assert fitted.transform(pd.DataFrame({"calcium": [2.3]}))[0, 0] == pytest.approx(
                2.3 * 0.2495
            )

    def test_a_unit_in_the_name_alone_converts_nothing(self):
        X = pd.DataFrame({"calcium_mg_dl": [9.2, 8.8, 10.0]})
        assert transform(X)["calcium_mg_dl"].tolist() == [9.2, 8.8, 10.0]

    def test_wrong_looking_values_warn_in_fit_and_in_transform(self):
        mmol, mg = (
            pd.DataFrame({"Serum Ca": [2.2, 2.3, 2.4]}),
            pd.DataFrame({"Serum Ca": [9.1, 9.2, 2.4]}),
        )
        match = r"Column 'Serum Ca': 2 of 3 values look like mg/dL, not mmol/L.*mixes two units"
        with pytest.warns(ValuesWarning, match=match) as caught:
            ClinicalPreprocessor().fit(mg)
        assert caught[0].filename == __file__
        assert not any(value in str(caught[0].message) for value in ("9.1", "9.2", "2.4"))
        fitted = ClinicalPreprocessor().fit(mmol)
        with pytest.warns(ValuesWarning, match=r"declare units=\{'Serum Ca': 'mg/dL'\}") as caught:
            out = fitted.transform(mg.iloc[:2])
        assert caught[0].filename == __file__
        assert out[:, 0].tolist() == [9.1, 9.2]

    def test_values_of_no_unit_warn(self):
        with pytest.warns(ValuesWarning, match="'age': 1 of 2 values lie outside the plausible"):
            ClinicalPreprocessor().fit(pd.DataFrame({"age": [69, 690]}))

    def test_columns_not_chosen_do_not_warn(self):
        ClinicalPreprocessor(columns=["age"]).fit(pd.DataFrame({"age": [69], "Serum Ca": [9.0]}))

    @pytest.mark.parametrize(
        ("units", "match"),
        [
            ({"calcium": "mol"}, "'mol' is no known unit of 'calcium_mmol_l'"),
            ({"crp": "mg/L"}, "'crp', which X does not have"),
            ({"bmi": "lb"}, "'lb' is no known unit of 'bmi'"),
        ],
    )
    def test_units_that_do_not_fit(self, units, match):
        with pytest.raises(InputError, match=match):
            ClinicalPreprocessor(units=units).fit(table())

    def test_a_canonical_name_that_is_taken(self):
        X = pd.DataFrame({"calcium_mmol_l": [2.3], "Serum Ca": [9.2]})
        with pytest.raises(InputError, match="'calcium_mmol_l' and 'Serum Ca' would both come out"):
            ClinicalPreprocessor(units={"Serum Ca": "mg/dL"}).fit(X)


class TestInfinities:
    X = pd.DataFrame({"crp": [-np.inf, 0.5, 80.0, np.inf, np.nan], "age": [60, 61, 62, 63, 64]})

    def test_clip_takes_the_limits_of_fit(self):
        fitted = ClinicalPreprocessor(infinities="clip").fit(self.X)
        assert fitted.transform(self.X)[:, 0].tolist() == [0.5, 0.5, 80, 80, 65.25 - 25]
        new = pd.DataFrame({"crp": [np.inf, -np.inf, 200.0], "age": [60, 61, 62]})
        # a finite value beyond the limits is left as it is
        assert fitted.transform(new)[:, 0].tolist() == [80, 0.5, 200]

    def test_refused_by_default_in_transform_too(self):
        fitted = ClinicalPreprocessor().fit(self.X.iloc[1:3])
        with pytest.raises(InputError, match=r"\['crp'\] hold infinity.*infinities='clip'"):
            fitted.transform(self.X)

    def test_no_finite_value_gives_no_limit(self):
        X = pd.DataFrame({"crp": [np.inf, -np.inf, np.nan]})
        with pytest.raises(InputError, match="'crp' holds infinity and no number in 3 rows"):
            ClinicalPreprocessor(infinities="clip").fit(X)

    def test_first_infinity_after_a_fit_without(self):
        fitted = ClinicalPreprocessor(infinities="clip").fit(pd.DataFrame({"crp": [1.0, 7.0]}))
        assert fitted.transform(pd.DataFrame({"crp": [np.inf]}))[0, 0] == 7

    def test_arrays_and_names_of_options(self):
        assert ClinicalPreprocessor(infinities="clip").fit_transform([[1.0], [np.inf]])[1, 0] == 1
        with pytest.raises(InputError, match="infinities='keep': allowed are 'error' and 'clip'"):
            ClinicalPreprocessor(infinities="keep").fit(self.X)
