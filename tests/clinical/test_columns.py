"""Kinds of columns, gaps and their flags, through the preprocessor."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

from skosteo import ClinicalPreprocessor
from skosteo.clinical import table_one
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError
from tests.clinical.test_preprocessor import table, transform


def test_a_variable_is_filled_as_the_paper_says_under_any_of_its_names():
    names = {
        "White blood cell count": "wbc_10e9_l",
        "Serum Ca": "calcium_mmol_l",
        "PLT": "platelets_10e9_l",
    }
    X = table()[list(names.values())].set_axis(list(names), axis=1)
    last = transform(X).iloc[-1]
    assert last["White blood cell count"] == pytest.approx((4 + 5 + 6 + 20) / 4)
    assert last["Serum Ca"] == pytest.approx((2.2 + 2.3 + 2.3 + 2.6) / 4)
    assert last["PLT"] == 225
    by_variable = transform(X, imputation={"platelets_10e9_l": "mean", "calcium": "median"})
    assert by_variable["PLT"].iloc[-1] == pytest.approx((150 + 200 + 250 + 900) / 4)
    assert by_variable["Serum Ca"].iloc[-1] == pytest.approx(2.3)


class TestKeptGaps:
    def test_gaps_stay_in_every_column_of_the_value(self):
        X = table().assign(xray_diagnosis=["clear lungs", None, "aorta", "aorta", "clear"])
        out = transform(X, imputation="keep")
        assert list(out.filter(like="sex")) == ["sex_F", "sex_M"]
        from_sex, from_text = out.filter(like="sex"), out.filter(like="xray")
        assert from_sex.isna().all(axis=1).tolist() == [False, False, False, False, True]
        assert from_text.isna().all(axis=1).tolist() == [False, True, False, False, False]
        assert from_text.notna().all(axis=1).sum() == 4
        assert out["bmi"].isna().tolist() == [False] * 4 + [True]

    @pytest.mark.parametrize("model", [HistGradientBoostingClassifier(), XGBClassifier()])
    def test_models_that_take_gaps_fit(self, model):
        cohort = draw_patients(80, missing_rate=0.3, random_state=0)
        X, y = cohort[CLINICAL], cohort["osteoporosis"]
        pipeline = make_pipeline(ClinicalPreprocessor("keep"), model).fit(X, y)
        assert np.isfinite(pipeline.predict_proba(X)).all()


class TestMissingFlags:
    def test_a_column_for_each_that_had_gaps_in_fit(self):
        out = transform(table(), missing_flags=True)
        assert [c for c in out if c.endswith("_missing")] == [
            "bmi_missing", "wbc_10e9_l_missing", "calcium_mmol_l_missing",
            "platelets_10e9_l_missing", "glucose_mmol_l_missing",
        ]  # fmt: skip
        assert out["bmi_missing"].tolist() == [0, 0, 0, 0, 1]
        assert "sex_nan" in out  # which is the flag of a category

    def test_no_new_columns_where_only_later_tables_have_gaps(self):
        out = transform(table(), fit_on=table().iloc[:4], missing_flags=True)
        assert not [c for c in out if "missing" in c]

    def test_with_kept_gaps_and_text(self):
        X = table().assign(xray_diagnosis=["clear lungs", None, "aorta", "aorta", "clear"])
        out = transform(X, imputation="keep", missing_flags=True)
        assert out["sex_missing"].tolist() == [0, 0, 0, 0, 1]
        assert out["xray_diagnosis_missing"].tolist() == [0, 1, 0, 0, 0]


class TestKindsOfColumns:
    def test_nullable_types_and_numeric_text(self):
        X = pd.DataFrame(
            {
                "age": pd.array([60, None, 80], "Int64"),
                "crp": pd.array([1.5, 2.5, None], "Float64"),
                "ldh": [" 5.3", "1e2", ""],
                "calcium": pd.array(["2.2", None, "2.4"], "string"),
                "ward": pd.Categorical(["a", "b", "a"]),
                "grade": pd.Categorical([1, 2, 1]),
                "smoker": pd.array([True, None, False], "boolean"),
                "fell": [True, None, False],
                "side": pd.array(["left", None, "right"], "string"),
            }
        )
        out = transform(pd.concat([X] * 10, ignore_index=True))[:3]
        assert out.iloc[0].to_dict() == {
            "age": 60, "crp": 1.5, "ldh": 5.3, "calcium": 2.2, "ward_a": 1, "ward_b": 0,
            "grade_1": 1, "grade_2": 0, "smoker": 1, "fell": 1, "side_left": 1, "side_right": 0,
            "side_nan": 0,
        }  # fmt: skip
        assert out["age"].tolist() == [60, 70, 80]
        assert out["ldh"].tolist() == pytest.approx([5.3, 100, 52.65])
        assert out["calcium"].tolist() == pytest.approx([2.2, 2.3, 2.4])

    @pytest.mark.parametrize(
        ("first", "then"),
        [
            ([60, 70, 80], pd.array([60, None, 80], "Int64")),
            ([60.0, 70.0, 80.0], ["60", None, "80"]),
            (["60", "70", "80"], [60.0, np.nan, 80.0]),
        ],
    )
    def test_numbers_are_the_same_however_the_next_file_is_read(self, first, then):
        fitted = ClinicalPreprocessor().fit(pd.DataFrame({"ldh": first}))
        assert fitted.transform(pd.DataFrame({"ldh": then}))[:, 0].tolist() == [60, 70, 80]

    @pytest.mark.parametrize("column", ["ldh", "calcium"])
    def test_limits_in_text_are_refused_with_what_to_do(self, column):
        X = pd.DataFrame({column: ["<0.5", "2.2", "2.3", "> 4"]})
        with pytest.raises(InputError, match=f"'{column}' holds 2 texts with '<' or '>'.*4 rows"):
            ClinicalPreprocessor().fit(X)
        with pytest.raises(InputError, match=r"detection limit.*infinities='clip'"):
            ClinicalPreprocessor().fit(X.iloc[1:3]).transform(X)

    @pytest.mark.parametrize("slip", ["2,3", "2.3 mmol/L", "n/a"])
    def test_text_in_a_known_number_is_refused_without_its_value(self, slip):
        X = pd.DataFrame({"calcium": ["2.2", slip, None]})
        with pytest.raises(InputError, match=r"'calcium' holds 1 texts.*decimal point") as error:
            ClinicalPreprocessor().fit(X)
        assert slip not in str(error.value)

    @pytest.mark.parametrize("slip", ["n/a", "47 yrs", "2,3", "unknown"])
    def test_one_text_makes_no_category_of_a_column_of_numbers(self, slip):
        X = pd.DataFrame({"crp": ["4.5", "12", slip, "7", slip, None]})
        with pytest.raises(InputError, match=r"'crp' holds 2 texts in 6 rows.*astype") as error:
            ClinicalPreprocessor().fit(X)
        assert slip not in str(error.value)
        assert error.value.rows == (2, 4)
        with pytest.raises(InputError, match="'crp' holds 2 texts"):
            table_one(X)
        assert transform(X.replace(slip, None))["crp"].iloc[0] == 4.5
        often = pd.concat([X] * 10, ignore_index=True).astype("category")
        assert list(transform(often))[-1] == "crp_nan"

    def test_codes_with_as_many_words_are_a_category(self):
        X = pd.DataFrame({"stage": ["1", "2", "3a", "3b", "1"] * 10})
        assert list(transform(X)) == ["stage_1", "stage_2", "stage_3a", "stage_3b"]

    @pytest.mark.parametrize(
        "values",
        [["F", "M", "F"], ["female", "male", "female"], [1, 2, 1], [0.0, 1.0, 0.0],
         [True, False, True], pd.Categorical(["F", "M", "F"]), pd.array([1, 2, 1], "Int64"),
         ["1", "2", "1"], pd.array(["女", "男", "女"], "string")],
    )  # fmt: skip
    def test_sex_is_a_category_in_any_form(self, values):
        X = pd.DataFrame({"Gender": values})
        fitted = ClinicalPreprocessor().fit(X)
        assert fitted.categories_ == ["Gender"]
        out = fitted.transform(X)
        assert out.sum(axis=1).tolist() == [1, 1, 1]
        assert out[0].tolist() == out[2].tolist() != out[1].tolist()

    def test_codes_of_a_category_with_and_without_gaps(self):
        fitted = ClinicalPreprocessor().fit(pd.DataFrame({"sex": [1, 2, 1]}))
        with_gap = fitted.transform(pd.DataFrame({"sex": [1.0, np.nan, 2.0]}))
        assert with_gap.tolist() == [[1, 0], [0, 0], [0, 1]]

    def test_long_codes_stay_apart_and_are_the_same_as_floats(self):
        codes = pd.DataFrame({"sex": [1234567, 1234568, 1234567]})
        fitted = ClinicalPreprocessor().fit(codes)
        assert fitted.get_feature_names_out().tolist() == ["sex_1234567", "sex_1234568"]
        with_gap = pd.DataFrame({"sex": [1234567.0, np.nan, 1234568.0]})
        assert fitted.transform(with_gap).tolist() == [[1, 0], [0, 0], [0, 1]]
        # as float32 objects, and the other way round
        back = ClinicalPreprocessor().fit(with_gap)
        typed = pd.DataFrame({"sex": pd.Series(np.float32([1234567, 1234568]), dtype=object)})
        np.testing.assert_array_equal(back.transform(typed), back.transform(codes)[:2])

    @pytest.mark.parametrize("blank", ["", "  ", "\u3000"])
    def test_blank_words_are_gaps(self, blank):
        X = pd.DataFrame({"ward": ["a", blank, "b"] * 10})
        gaps = X.replace(blank, None)
        for params in ({}, {"imputation": "keep"}, {"imputation": "keep", "missing_flags": True}):
            pd.testing.assert_frame_equal(transform(X, **params), transform(gaps, **params))
        as_category = X.astype("category")
        assert list(transform(as_category)) == ["ward_a", "ward_b", "ward_nan"]
        report = pd.DataFrame({"xray_diagnosis": ["clear lungs", "clear aorta", blank]})
        flags = transform(report, missing_flags=True)["xray_diagnosis_missing"]
        assert flags.tolist() == [0, 0, 1]

    @pytest.mark.parametrize(
        ("fit_on", "then"),
        [(["F", "M"], ["female", " Male "]), (["女", "男"], ["F", "m"]),
         (["Mujer", "Hombre"], ["woman", "MALE"]), (["femenino", "masculino"], ["女", "男"])],
    )  # fmt: skip
    def test_spellings_of_sex_are_one(self, fit_on, then):
        fitted = ClinicalPreprocessor().fit(pd.DataFrame({"Gender": [*fit_on, None]}))
        assert fitted.get_feature_names_out().tolist() == ["Gender_F", "Gender_M", "Gender_nan"]
        out = fitted.transform(pd.DataFrame({"Gender": then}))
        assert out.tolist() == [[1, 0, 0], [0, 1, 0]]

    @pytest.mark.parametrize(
        ("column", "words"),
        # beside H for hombre, M is a woman
        [("sex", ["H", "M"]), ("sex", ["F", "M", "X"]), ("ward", ["female", "male"])],
    )
    def test_other_words_stay_as_they_are(self, column, words):
        assert list(transform(pd.DataFrame({column: words * 10}))) == [
            f"{column}_{w}" for w in words
        ]

    def test_sparse_tables_are_refused(self):
        sparse = csr_matrix(np.eye(4))
        with pytest.raises(TypeError, match="Sparse data was passed"):
            ClinicalPreprocessor().fit(sparse)
        with pytest.raises(InputError, match=r"sparse columns.*to_dense"):
            ClinicalPreprocessor().fit(pd.DataFrame.sparse.from_spmatrix(sparse))

    def test_n_grams_are_never_made_dense(self, monkeypatch):
        def refuse(*args, **kwargs):
            raise AssertionError("made dense")

        for name in ("toarray", "todense"):
            monkeypatch.setattr(csr_matrix, name, refuse)
            monkeypatch.setattr("scipy.sparse.csr_array." + name, refuse)
        X = draw_patients(50, random_state=0)[CLINICAL]
        assert np.isfinite(ClinicalPreprocessor().fit_transform(X)).all()

    def test_constant_columns_stay(self):
        X = pd.DataFrame({"age": [60, 60, 60], "sex": ["F", "F", "F"]})
        assert transform(X).to_dict("list") == {"age": [60] * 3, "sex_F": [1] * 3}

    def test_arrays_after_a_table_are_read_by_position(self):
        X = table().drop(columns="sex")
        fitted = ClinicalPreprocessor().fit(X)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            out = fitted.transform(X.to_numpy())
        np.testing.assert_array_equal(out, fitted.transform(X))

    def test_column_numbers_instead_of_names(self):
        X = table().drop(columns="sex").set_axis(range(6), axis=1)
        fitted = ClinicalPreprocessor().fit(X)
        assert fitted.get_feature_names_out().tolist() == [f"x{i}" for i in range(6)]
        assert fitted.transform(X).shape == (5, 6)

    def test_dates_and_objects_are_refused_by_kind(self):
        days = pd.date_range("2020-01-01", periods=4)
        for cells, kind in (
            (days, "Timestamp"), (days.date, "date"), (days - days[0], "Timedelta"),
            ([np.zeros(2)] * 4, "ndarray"), ([[1]] * 4, "list"), ([1j] * 4, "complex"),
        ):  # fmt: skip
            with pytest.raises(InputError, match=f"'z' holds {kind}: neither numbers nor words"):
                ClinicalPreprocessor().fit(pd.DataFrame({"age": [60, 61, 62, 63], "z": cells}))

    def test_age_bands_are_a_category(self):
        X = pd.DataFrame({"band": pd.cut([55, 65, 75] * 10, [50, 60, 70, 80])})
        assert transform(X).to_numpy()[:3].tolist() == np.eye(3).tolist()
