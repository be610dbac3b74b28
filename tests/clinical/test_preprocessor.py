"""ClinicalPreprocessor: what is learnt is learnt from the rows of fit."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor
from skosteo.clinical import GIVEAWAY_TERMS
from skosteo.datasets import fetch_nhanes
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError, ValuesWarning

real_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")


def table():
    return pd.DataFrame(
        {
            "age": [60.0, 70.0, 80.0, 90.0, 71.0],
            "sex": ["F", "M", "F", "F", None],
            "bmi": [20.0, 21.0, 22.0, 40.0, np.nan],
            "wbc_10e9_l": [4.0, 5.0, 6.0, 20.0, np.nan],
            "calcium_mmol_l": [2.2, 2.3, 2.3, 2.6, np.nan],
            "platelets_10e9_l": [150.0, 200.0, 250.0, 900.0, np.nan],
            "glucose_mmol_l": [5.0, 5.2, 5.4, 15.0, np.nan],
        }
    )


def transform(X, fit_on=None, **params):
    preprocessor = ClinicalPreprocessor(**params).set_output(transform="pandas")
    return preprocessor.fit(X if fit_on is None else fit_on).transform(X)


def test_gaps_are_filled_as_the_paper_says():
    last = transform(table()).iloc[-1]
    known = table().iloc[:4]
    for column in ("wbc_10e9_l", "calcium_mmol_l"):
        assert last[column] == pytest.approx(known[column].mean(), abs=1e-12)
    for column in ("bmi", "platelets_10e9_l", "glucose_mmol_l"):
        assert last[column] == pytest.approx(known[column].median(), abs=1e-12)


def test_filling_can_be_chosen_by_column():
    out = transform(table(), imputation={"bmi": "mean"})
    assert out["bmi"].iloc[-1] == pytest.approx((20 + 21 + 22 + 40) / 4)
    assert out["wbc_10e9_l"].iloc[-1] == pytest.approx(5.5)  # the median now


def test_nothing_is_learnt_outside_of_fit():
    train, test = table().iloc[:3], table().iloc[3:]
    filled = transform(test, fit_on=train)
    assert filled["bmi"].iloc[-1] == 21
    assert filled["wbc_10e9_l"].iloc[-1] == 5


def test_categories_get_a_column_each_and_unknown_ones_zeros():
    fitted = ClinicalPreprocessor().fit(pd.DataFrame({"sex": ["F", "M"]}))
    match = "'sex': 1 of 3 rows hold a value that fit has not seen"
    with pytest.warns(ValuesWarning, match=match) as caught:
        out = fitted.transform(pd.DataFrame({"sex": ["M", "diverse", None]}))
    assert out.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert "diverse" not in str(caught[0].message)
    assert caught[0].filename == __file__


def test_cross_validation_with_a_rare_category_only_warns():
    cohort = draw_patients(80, random_state=0)
    X = cohort[["age", "sex"]].assign(ward=["rare"] + ["usual"] * 79)
    pipeline = make_pipeline(ClinicalPreprocessor(), StandardScaler(), LogisticRegression())
    with pytest.warns(ValuesWarning, match="'ward': 1 of 20 rows"):  # where fit had none
        scores = cross_val_score(pipeline, X, cohort["osteoporosis"], cv=4, error_score="raise")
    assert np.isfinite(scores).all()


def test_levels_of_few_rows_are_one_and_none_is_kept_by_name():
    ward = ["north"] * 30 + ["south"] * 20 + [f"Dr {name}" for name in "ABCDE"]
    fitted = ClinicalPreprocessor().fit(pd.DataFrame({"ward": ward}))
    names = fitted.get_feature_names_out().tolist()
    assert names == ["ward_north", "ward_south", "ward_infrequent"]
    assert b"Dr A" not in pickle.dumps(fitted)
    out = fitted.transform(pd.DataFrame({"ward": ["north", "Dr B", "Dr Z"]}))
    assert out.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    with pytest.warns(
        ValuesWarning, match="40 of 40 rows hold a value that fit has not seen often"
    ):
        fitted.transform(pd.DataFrame({"ward": ["NORTH"] * 40}))


def test_a_missing_category_is_a_category_where_fit_saw_one():
    assert [c for c in transform(table()) if c.startswith("sex")] == ["sex_F", "sex_M", "sex_nan"]


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_one_new_patient_of_unknown_sex(gap):
    train = pd.DataFrame({"age": [60.0, 70.0, 80.0], "sex": ["F", "M", None]})
    out = transform(pd.DataFrame({"age": [66.0], "sex": [gap]}), fit_on=train)
    assert out.iloc[0].to_dict() == {"age": 66, "sex_F": 0, "sex_M": 0, "sex_nan": 1}


def test_booleans_are_numbers():
    out = transform(pd.DataFrame({"fracture": [True, False]}))
    assert out["fracture"].tolist() == [1, 0]


def test_report_text_becomes_components_that_tell_reports_apart():
    text = pd.DataFrame({"xray_diagnosis": ["aortic calcification", "clear lungs", None] * 10})
    out = transform(text)
    assert all(c.startswith("xray_diagnosis_") for c in out)
    assert len(out.columns) <= 8
    assert np.abs(out.iloc[0] - out.iloc[1]).max() > 0.5
    assert np.allclose(out.iloc[2], 0)


@pytest.mark.parametrize(
    "giveaway",
    [
        "osteoporosis", "Osteopenia", "osteoporotic", "compression fracture", "wedge deformity",
        "bone mineral density", "T-score", "DXA", "demineralization", "骨质疏松", "压缩性骨折",
        "fractura por aplastamiento", "BMD", "T-scores", "osteoporótica", "osteopaenia",
        "osteo-porosis", "骨質疏鬆", "vertebral collapse",
    ],
)  # fmt: skip
def test_terms_that_give_the_answer_away_change_nothing(giveaway):
    plain = ["clear lungs", "aortic calcification", "kyphosis"] * 5
    marked = [f"{text}. Known {giveaway}." if i % 2 else text for i, text in enumerate(plain)]
    assert np.allclose(
        transform(pd.DataFrame({"xray_description": marked})),
        transform(pd.DataFrame({"xray_description": plain})),
        atol=1e-12,
    )


def test_chinese_reports_need_no_word_list():
    text = pd.DataFrame({"xray_description": ["主动脉钙化", "双肺清晰"] * 6})
    out = transform(text).to_numpy()
    assert np.abs(out[0] - out[1]).max() > 0.5


def test_names_of_all_columns_come_out():
    data = draw_patients(40, random_state=0)[CLINICAL]
    preprocessor = ClinicalPreprocessor().fit(data)
    names = preprocessor.get_feature_names_out()
    assert preprocessor.transform(data).shape == (40, len(names))
    assert {"age", "sex_F", "calcium_mmol_l", "xray_description_0"} <= set(names)
    assert np.isfinite(preprocessor.transform(data)).all()


def test_default_pipeline_takes_a_cohort_with_gaps_and_text():
    cohort = draw_patients(80, missing_rate=0.3, random_state=0)
    data = cohort[CLINICAL]
    model = make_pipeline(
        ClinicalPreprocessor(), ClinicalOsteoClassifier(max_epochs=5, random_state=0)
    )
    assert np.isfinite(model.fit(data, cohort["osteoporosis"]).predict_proba(data)).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"id": [f"p{i}" for i in range(30)]}, "'id' holds 30 different texts in 30 rows"),
        (
            {"a": [f"p{i}" for i in range(30)], "b": [f"p{i // 1}" for i in range(30)]},
            "'a' holds 30 .*'b' holds 30",
        ),
        ({"finding": ["osteoporosis", "normal"] * 15}, "'finding'.*name the diagnosis"),
        ({"xray_diagnosis": ["osteopenia"] * 30}, "'xray_diagnosis' holds no text"),
        ({"bmi": [np.nan] * 30}, r"\['bmi'\] hold no value in the 30 rows"),
        ({"crp": [np.inf] + [1.0] * 29}, r"\['crp'\] hold infinity.*detection limit"),
    ],
)
def test_columns_that_cannot_be_used_are_named(change, match):
    X = pd.DataFrame({"age": np.arange(30.0)} | change)
    with pytest.raises(InputError, match=match):
        ClinicalPreprocessor().fit(X)


@pytest.mark.parametrize(
    "name", ["Family history of osteoporosis", "mother_osteoporosis", "家族骨质疏松史"]
)
def test_a_disease_of_the_family_is_no_answer(name):
    X = table().assign(**{name: [0, 1, 0, 0, 1]})
    assert name in transform(X)
    assert name in transform(X, columns=["age", name])
    with pytest.raises(InputError, match="gave the answer away"):
        transform(X.rename(columns={name: "Osteoporosis"}))


@pytest.mark.parametrize(
    "name", ["relative BMD", "BMD relative to peers", "Apparent osteoporosis",
             "Relative bone density (T-score)", "family doctor: osteoporosis"]
)  # fmt: skip
def test_the_patients_own_disease_is_an_answer_beside_such_words(name):
    with pytest.raises(InputError, match="gave the answer away"):
        transform(table().assign(**{name: [0, 1, 0, 0, 1]}))


@pytest.mark.parametrize(
    ("imputation", "match"),
    [
        ({"bmi": "mode"}, "'mode'.*'mean' and 'median'"),
        ({"bme": "mean"}, "'bme'.*bmi"),
        ({"sex": "mean"}, "'sex'.*no column of numbers"),
        ("mean", "imputation='mean': allowed"),
    ],
)
def test_imputation_that_does_not_fit(imputation, match):
    with pytest.raises(InputError, match=match):
        ClinicalPreprocessor(imputation).fit(table())


def test_a_missing_column_at_prediction_is_named():
    fitted = ClinicalPreprocessor().fit(table())
    with pytest.raises(ValueError, match="glucose_mmol_l"):
        fitted.transform(table().drop(columns="glucose_mmol_l"))


def test_statistics_of_half_of_the_rows_are_of_those_rows_only():
    cohort = draw_patients(200, missing_rate=0.3, random_state=0)[CLINICAL]
    half = cohort.iloc[:100]
    alone = ClinicalPreprocessor().fit(half)
    ruined = cohort.copy()
    ruined.iloc[100:, ruined.columns.get_loc("calcium_mmol_l")] = 4.0
    again = ClinicalPreprocessor().fit(ruined.iloc[:100])
    np.testing.assert_allclose(alone.transform(half), again.transform(half), atol=1e-12)
    for name, how in (("wbc_10e9_l", "mean"), ("glucose_mmol_l", "median")):
        assert alone.columns_[name].value_ == pytest.approx(half[name].agg(how), abs=1e-12)


def test_a_patients_numbers_do_not_depend_on_the_others():
    cohort = draw_patients(60, random_state=1)[CLINICAL]
    fitted = ClinicalPreprocessor(units={"weight_kg": "kg"}, infinities="clip").fit(cohort)
    alone = np.vstack([fitted.transform(cohort.iloc[[i]]) for i in range(60)])
    np.testing.assert_allclose(alone, fitted.transform(cohort), atol=1e-12)


class TestMaskedTerms:
    X = pd.DataFrame(
        {
            "xray_diagnosis": ["osteoporosis, clear lungs", "aorta", "T-score -2.9, aorta", None]
            * 10,
            "finding": ["low bone mass", "none", "none", "none"] * 10,
        }
    )

    def test_what_was_masked_is_listed(self):
        masked = ClinicalPreprocessor(columns=["xray_diagnosis"]).fit(self.X).masked_
        assert masked["column"].tolist() == ["xray_diagnosis"] * 2
        assert masked["n_rows"].tolist() == [10, 10]
        assert set(masked["term"]) <= set(GIVEAWAY_TERMS)

    def test_nothing_masked_is_an_empty_list(self):
        assert ClinicalPreprocessor().fit(table()).masked_.empty

    def test_none_are_masked_for_the_ablation(self):
        X = self.X
        with pytest.raises(InputError, match=r"'finding'.*name the diagnosis"):
            ClinicalPreprocessor().fit(X)
        fitted = ClinicalPreprocessor(masked_terms=()).fit(X)
        assert fitted.masked_.empty
        assert "finding_low bone mass" in fitted.get_feature_names_out()

    def test_terms_of_ones_own(self):
        X = self.X[["xray_diagnosis"]]
        masked = ClinicalPreprocessor(masked_terms=["aorta", *GIVEAWAY_TERMS]).fit(X).masked_
        assert masked.set_index("term")["n_rows"]["aorta"] == 20

    def test_report_text_under_an_alias(self):
        X = self.X[["xray_diagnosis"]].set_axis(["Chest X-ray diagnosis"], axis=1)
        out = transform(X)
        assert all(c.startswith("Chest X-ray diagnosis_") for c in out)


def test_the_source_of_every_column():
    X = draw_patients(60, random_state=0)[CLINICAL].drop(columns="bmi")
    X = X.rename(columns={"calcium_mmol_l": "Serum Ca"})
    X["Serum Ca"] *= 4.0078
    fitted = ClinicalPreprocessor(units={"Serum Ca": "mg/dL"}, missing_flags=True).fit(X)
    sources = pd.Series(fitted.source_columns_, fitted.get_feature_names_out())
    assert sources.shape == (fitted.transform(X).shape[1],)
    assert sources["calcium_mmol_l"] == sources["calcium_mmol_l_missing"] == "Serum Ca"
    assert sources["sex_F"] == sources["sex_M"] == "sex"
    assert sources["xray_diagnosis_0"] == sources["xray_diagnosis_missing"] == "xray_diagnosis"
    assert sources["bmi"] == "bmi"
    assert set(sources) == {*X.columns, "bmi"}


def test_clone_pickle_and_grid_search():
    cohort = draw_patients(80, random_state=0)
    X, y = cohort[CLINICAL], cohort["osteoporosis"]
    fitted = ClinicalPreprocessor(columns=["age", "sex", "bmi"]).fit(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    assert clone(fitted).columns == ["age", "sex", "bmi"]
    pipeline = make_pipeline(ClinicalPreprocessor(), StandardScaler(), LogisticRegression())
    grid = {
        "clinicalpreprocessor__columns": [None, ["age", "sex", "bmi"]],
        "clinicalpreprocessor__masked_terms": [GIVEAWAY_TERMS, ()],
    }
    assert GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y).best_score_ > 0.5


@real_data
def test_nhanes_comes_out_whole_and_without_a_warning():
    data = fetch_nhanes(["2017-2018"]).data
    out = transform(data, columns=["age", "sex", "bmi"])
    assert out.shape == (2286, 4)
    assert out.notna().all(axis=None)
    codes = data.rename(columns={"calcium_mmol_l": "LBXSCA"}).drop(columns="bmi")
    codes["LBXSCA"] /= 0.2495
    again = transform(codes, units={"LBXSCA": "mg/dL"})
    np.testing.assert_allclose(again["calcium_mmol_l"], transform(data)["calcium_mmol_l"])
    np.testing.assert_allclose(again["bmi"], transform(data)["bmi"], rtol=0.01)


class TestContract:
    """What scikit-learn, and what its users' tables, ask of the preprocessor."""

    def test_common_checks(self):
        with pytest.warns(SkipTestWarning, match="SCIPY_ARRAY_API"):
            results = check_estimator(ClinicalPreprocessor())
        assert len(results) >= 46
        assert not [r for r in results if r["status"] == "failed"]

    # the checks fit with names and transform without
    @pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
    @pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                estimator_checks.check_dataframe_column_names_consistency,
                # scikit-learn asks for an error where the order of the columns is another
                marks=pytest.mark.xfail(raises=AssertionError, reason="columns are found by name"),
            ),
            estimator_checks.check_transformer_get_feature_names_out,
            estimator_checks.check_transformer_get_feature_names_out_pandas,
            estimator_checks.check_set_output_transform,
            estimator_checks.check_set_output_transform_pandas,
            estimator_checks.check_global_output_transform_pandas,
            estimator_checks.check_set_output_transform_polars,
            estimator_checks.check_global_set_output_transform_polars,
        ],
    )
    def test_checks_of_transformers(self, check):
        check("ClinicalPreprocessor", ClinicalPreprocessor())

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_tables_come_out_as_the_user_sets_for_all(self, library):
        pytest.importorskip(library)
        cohort = draw_patients(60, missing_rate=0.2, random_state=0)
        X, y = cohort[CLINICAL], cohort["osteoporosis"]
        preprocessor = ClinicalPreprocessor(imputation="keep").fit(X)
        plain = preprocessor.transform(X)
        model = make_pipeline(ClinicalPreprocessor(), LogisticRegression(max_iter=10_000))
        expected = model.fit(X, y).predict_proba(X)
        chosen = ColumnTransformer([("lab", ClinicalPreprocessor(), ["age", "calcium_mmol_l"])])
        with config_context(transform_output=library):
            out = preprocessor.transform(X)
            assert type(out).__module__.split(".")[0] == library
            assert list(out.columns) == preprocessor.get_feature_names_out().tolist()
            np.testing.assert_array_equal(out.to_numpy(), plain)
            again = clone(preprocessor).fit(X).transform(X)
            np.testing.assert_array_equal(again.to_numpy(), plain)
            np.testing.assert_allclose(model.fit(X, y).predict_proba(X), expected)
            part = chosen.fit_transform(X)
        assert list(part.columns) == ["lab__age", "lab__calcium_mmol_l"]
        assert chosen.get_feature_names_out().tolist() == list(part.columns)

    @pytest.mark.parametrize("library", ["polars", "pyarrow"])
    def test_tables_of_other_libraries(self, library):
        pytest.importorskip("pyarrow")
        module = pytest.importorskip(library)
        X = draw_patients(60, missing_rate=0.2, random_state=0)[CLINICAL]
        other = module.from_pandas(X) if library == "polars" else module.Table.from_pandas(X)
        backwards = other.select(CLINICAL[::-1])
        expected = ClinicalPreprocessor().fit_transform(X)
        fitted = ClinicalPreprocessor().fit(other)
        assert fitted.feature_names_in_.tolist() == CLINICAL
        for table in (X, other, backwards):
            np.testing.assert_allclose(fitted.transform(table), expected, atol=1e-12)
        np.testing.assert_allclose(
            ClinicalPreprocessor().fit(X).transform(backwards), expected, atol=1e-12
        )

    def test_a_lazy_table_says_what_to_do(self):
        polars = pytest.importorskip("polars")
        with pytest.raises(InputError, match=r"X\.collect\(\)"):
            ClinicalPreprocessor().fit(polars.LazyFrame({"age": [61, 75]}))

    def test_a_pickle_opens_without_pyarrow(self, tmp_path):
        cohort = draw_patients(60, missing_rate=0.2, random_state=0)[CLINICAL]
        fitted = ClinicalPreprocessor(missing_flags=True).fit(
            cohort.assign(xray_diagnosis=["T-score -2.9, aorta", "clear lungs"] * 30)
        )
        assert len(fitted.masked_) == 1
        (tmp_path / "model.pickle").write_bytes(pickle.dumps(fitted))
        code = (
            "import pickle, sys; sys.modules['pyarrow'] = None\n"
            f"model = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb'))\n"
            "print(model.masked_['column'].tolist(), len(model.get_feature_names_out()))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["['xray_diagnosis']", str(len(fitted.source_columns_))]


@pytest.mark.parametrize("heading", ["patient_id", "MRN", "Patient number", "住院号", "subject"])
def test_an_identifier_among_the_columns_is_told(heading):
    X = pd.DataFrame({"age": [61, 75, 50], heading: [1001, 1002, 1003]})
    with pytest.warns(ValuesWarning, match="say which patient a row is of") as told:
        ClinicalPreprocessor().fit(X)
    assert "1001" not in str(told[0].message)
    ClinicalPreprocessor(columns=["age", heading]).fit(X)  # warnings are errors here
    ClinicalPreprocessor().fit(X.rename(columns={heading: "patience"}))
