"""Columns found by name, units and infinities, through the preprocessor."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
            (pd.Series(["Li Na"]), "columns is a column itself"),
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
        fitted = ClinicalPreprocessor().fit(table().assign(crp=4.0))
        with pytest.raises(InputError, match=r"misses the columns \['crp'\]; did you mean 'CRP_'"):
            fitted.transform(table().assign(CRP_=4.0))

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


# of each heading of the cohort, others that mean it, with the factor to the values there
ELSEWHERE = [
    {
        "age": ("Age (years)", 1), "sex": ("Gender", 1), "height_cm": ("Height (m)", 0.01),
        "weight_kg": ("Wt (lb)", 1 / 0.45359237), "bmi": ("Body mass index", 1),
        "wbc_10e9_l": ("WBC (/uL)", 1000), "platelets_10e9_l": ("PLT (10^4/uL)", 0.1),
        "calcium_mmol_l": ("Calcium, total (mg/dL)", 1 / 0.2495),
        "glucose_mmol_l": ("Glucose (mg/dL)", 18.016),
    },
    {
        "age": ("RIDAGEYR", 1), "sex": ("RIAGENDR", 1), "height_cm": ("BMXHT", 1),
        "weight_kg": ("BMXWT", 1), "bmi": ("BMXBMI", 1), "wbc_10e9_l": ("LBXWBCSI", 1),
        "platelets_10e9_l": ("LBXPLTSI", 1), "calcium_mmol_l": ("LBXSCA", 1 / 0.2495),
        "glucose_mmol_l": ("LBXSGL", 18.016),
    },
    {
        "age": ("年龄", 1), "sex": ("性别", 1), "height_cm": ("身高", 1), "bmi": ("体重指数", 1),
        "weight_kg": ("体重(斤)", 2), "wbc_10e9_l": ("白细胞", 1),
        "platelets_10e9_l": ("血小板", 1), "calcium_mmol_l": ("血钙", 1),
        "glucose_mmol_l": ("血糖", 1),
    },
]  # fmt: skip


def written(X, headings):
    """Write a cohort's table as another hospital, or survey, would."""
    out = pd.DataFrame({new: X[c] * k if k != 1 else X[c] for c, (new, k) in headings.items()})
    if "RIAGENDR" in out:
        out["RIAGENDR"] = out["RIAGENDR"].map({"F": 2, "M": 1})
    return out


class TestOtherHeadings:
    X = draw_patients(60, missing_rate=0.2, random_state=0)[CLINICAL[:9]]

    @pytest.mark.parametrize("headings", ELSEWHERE)
    def test_a_model_travels_to_a_table_of_other_headings_and_units_and_back(self, headings):
        there = written(self.X, headings)
        fitted = ClinicalPreprocessor(missing_flags=True).fit(self.X)
        np.testing.assert_allclose(fitted.transform(there), fitted.transform(self.X), rtol=1e-9)
        back = ClinicalPreprocessor().fit(there)
        np.testing.assert_allclose(back.transform(self.X), back.transform(there), rtol=1e-9)

    def test_a_declared_unit_holds_where_the_other_heading_states_none(self):
        X = pd.DataFrame({"calcium": [9.2, 8.8, 10.0]})
        fitted = ClinicalPreprocessor(units={"calcium": "mg/dL"}).fit(X)
        expected = fitted.transform(X)
        for name, factor in (("Serum Ca", 1), ("血钙", 1), ("Ca (mg/dL)", 1), ("LBXSCA", 1),
                             ("calcium_mmol_l", 0.2495), ("Ca (mmol/L)", 0.2495),
                             ("Calcium (mEq/L)", 2 * 0.2495)):  # fmt: skip
            there = X.set_axis([name], axis=1) * factor
            np.testing.assert_allclose(fitted.transform(there), expected, rtol=1e-9)

    def test_a_code_of_a_survey_or_of_loinc_states_its_unit(self):
        calcium = pd.DataFrame({"calcium": [9.2, 8.8, 10.0]})
        fitted = ClinicalPreprocessor(units={"calcium": "mg/dL"}).fit(calcium)
        for name in ("LBDSCASI", "Calcium [Moles/volume] in Serum or Plasma"):
            there = calcium.set_axis([name], axis=1) * 0.2495
            expected = fitted.transform(calcium)
            np.testing.assert_allclose(fitted.transform(there), expected, rtol=1e-9)
        pounds = ClinicalPreprocessor(units={"weight": "lb"})
        pounds.fit(pd.DataFrame({"weight": [150.0, 180.0]}))
        assert pounds.transform(pd.DataFrame({"BMXWT": [70.0]}))[0, 0] == pytest.approx(70)

    def test_the_columns_own_name_comes_first_and_two_of_a_variable_are_refused(self):
        fitted = ClinicalPreprocessor().fit(pd.DataFrame({"age": [60.0, 70.0]}))
        both = pd.DataFrame({"age": [61.0], "RIDAGEYR": [99.0]})
        assert fitted.transform(both)[0, 0] == 61
        with pytest.raises(InputError, match=r"'Age \(years\)', 'RIDAGEYR'\] are all 'age'"):
            fitted.transform(both.rename(columns={"age": "Age (years)"}))

    def test_two_columns_of_one_variable_are_not_mixed_up(self):
        X = pd.DataFrame({"glucose": [5.0, 6.0], "fasting glucose": [4.0, 5.0]})
        fitted = ClinicalPreprocessor().fit(X)
        with pytest.raises(InputError, match=r"misses the columns \['fasting glucose'\]"):
            fitted.transform(X.rename(columns={"fasting glucose": "FBG"}))

    def test_values_there_in_another_unit_than_the_heading_says_warn_under_that_heading(self):
        fitted = ClinicalPreprocessor().fit(pd.DataFrame({"calcium_mmol_l": [2.2, 2.4]}))
        with pytest.warns(ValuesWarning, match=r"'Ca \(mg/dL\)': 1 of 1 values look like mmol/L"):
            fitted.transform(pd.DataFrame({"Ca (mg/dL)": [2.3]}))


class TestAbsent:
    def test_an_absent_column_is_an_error_unless_imputation_is_asked_for(self):
        with pytest.raises(InputError, match=r"\['glucose_mmol_l'\].*absent='impute'"):
            ClinicalPreprocessor().fit(table()).transform(table().drop(columns="glucose_mmol_l"))
        with pytest.raises(InputError, match="absent='drop': allowed are"):
            ClinicalPreprocessor(absent="drop").fit(table())

    def test_it_is_said_and_filled_as_if_every_cell_were_empty(self):
        fitted = ClinicalPreprocessor(absent="impute", missing_flags=True).fit(table())
        gone = ["glucose_mmol_l", "sex", "bmi"]
        with pytest.warns(ValuesWarning, match="misses the columns.*all 5 rows") as caught:
            out = fitted.transform(table().drop(columns=gone))
        assert caught[0].filename == __file__
        empty = table().assign(glucose_mmol_l=np.nan, sex=None, bmi=np.nan)
        np.testing.assert_array_equal(out, fitted.transform(empty))

    def test_nothing_at_all_is_still_an_error(self):
        fitted = ClinicalPreprocessor(columns=["age", "bmi"], absent="impute").fit(table())
        with pytest.raises(InputError, match=r"misses the columns \['age', 'bmi'\]"):
            fitted.transform(pd.DataFrame({"ward": [1]}))


class TestUnitCheckElsewhere:
    def test_behind_a_column_transformer(self):
        X = pd.DataFrame({"calcium_mmol_l": [9.2, 8.8, None], "age": [60.0, 61.0, 62.0]})
        before = make_column_transformer(
            (SimpleImputer(), ["calcium_mmol_l"]), remainder="passthrough"
        ).set_output(transform="pandas")
        with pytest.warns(ValuesWarning, match=r"'simpleimputer__calcium_mmol_l'.*mg/dL"):
            make_pipeline(before, ClinicalPreprocessor()).fit(X)

    def test_permutation_importance_raises_no_alarm_on_a_clean_cohort(self):
        cohort = draw_patients(600, random_state=0)
        X, y = cohort[CLINICAL[:9]], cohort["osteoporosis"]
        model = make_pipeline(ClinicalPreprocessor(), StandardScaler(), LogisticRegression())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            permutation_importance(model.fit(X, y), X, y, n_repeats=3, random_state=0)


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
