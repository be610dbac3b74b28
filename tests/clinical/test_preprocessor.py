"""ClinicalPreprocessor: what is learnt is learnt from the rows of fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor
from skosteo.datasets import make_cohort
from skosteo.exceptions import InputError


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
    out = transform(pd.DataFrame({"sex": ["M", "X"]}), fit_on=pd.DataFrame({"sex": ["F", "M"]}))
    assert out.to_dict("list") == {"sex_F": [0, 0], "sex_M": [1, 0]}


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
    marked = [f"{text} {giveaway}" if i % 2 else text for i, text in enumerate(plain)]
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
    cohort = make_cohort(40, random_state=0)
    data = cohort.data.drop(columns="image")
    preprocessor = ClinicalPreprocessor().fit(data)
    names = preprocessor.get_feature_names_out()
    assert preprocessor.transform(data).shape == (40, len(names))
    assert {"age", "sex_F", "calcium_mmol_l", "xray_description_0"} <= set(names)
    assert np.isfinite(preprocessor.transform(data)).all()


def test_default_pipeline_takes_a_cohort_with_gaps_and_text():
    cohort = make_cohort(80, missing_rate=0.3, random_state=0)
    data = cohort.data.drop(columns="image")
    model = make_pipeline(
        ClinicalPreprocessor(), ClinicalOsteoClassifier(max_epochs=5, random_state=0)
    )
    assert np.isfinite(model.fit(data, cohort.target).predict_proba(data)).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"id": [f"p{i}" for i in range(30)]}, "'id' holds 30 different texts in 30 rows"),
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
    ("imputation", "match"),
    [({"bmi": "mode"}, "'mode'.*'mean' and 'median'"), ({"BMI": "mean"}, "'BMI'.*bmi")],
)
def test_imputation_that_does_not_fit(imputation, match):
    with pytest.raises(InputError, match=match):
        ClinicalPreprocessor(imputation).fit(table())


def test_a_missing_column_at_prediction_is_named():
    fitted = ClinicalPreprocessor().fit(table())
    with pytest.raises(ValueError, match="glucose_mmol_l"):
        fitted.transform(table().drop(columns="glucose_mmol_l"))
