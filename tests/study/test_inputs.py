"""What a study is given: clear refusals before anything is written, and rows in their order."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from skosteo import ClinicalPreprocessor
from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.clinical.small_levels import OTHERS
from skosteo.exceptions import InputError, SkosteoError
from skosteo.study import run_study
from skosteo.study.inputs import all_groupings, validate_inputs
from tests.study.cohorts import Counts, Says, fits_in, patients
from tests.study.studies import said_of

X, Y, GROUPS = patients(90)
WARDS = pd.Series(["\udcff", "b"] * 45, dtype=object)


def study_of(X=X, y=Y, groups=GROUPS, **changes):
    params = {"image_column": None, "models": ["age_sex_bmi"], "n_folds": 2, "verbose": 0}
    params["n_repeats"] = 1
    return run_study(X, y, groups=groups, **params | changes)


def with_value(labels, value):
    labels = np.array(labels, dtype=float)
    labels[7] = value
    return labels


BAD = {
    "X an array": ({"X": X[["age", "bmi"]].to_numpy()}, "X is a ndarray; .*DataFrame"),
    "X a dict": ({"X": dict(X)}, "X is a dict; .*DataFrame"),
    "columns of one name": ({"X": X.set_axis(["age", "age", "bmi", "sex"], axis=1)}, "age"),
    "no label in a row": ({"y": with_value(Y, np.nan)}, "y has no label in 1 of 90 rows"),
    "labels too short": ({"y": Y[:80]}, "80"),
    "T-scores": ({"y": np.linspace(-4, 1, 90)}, r"y = t_score <= -2\.5"),
    "three labels": ({"y": np.resize([0, 1, 2], 90)}, r"Make y 0 or 1"),
    "one label": ({"y": np.ones(90, int)}, "1 class in 90 rows"),
    "patients too few": ({"groups": GROUPS[:80]}, r"groups has shape \(80,\)"),
    "a patient missing": ({"groups": [None, *GROUPS[1:]]}, "patient id of 1 of 90 rows"),
    "3 patients": ({"groups": np.arange(90) % 3, "n_folds": 5}, "3 positive and 3 negative"),
    "test too short": ({"test": np.ones(9, bool)}, "9"),
    "test of numbers": ({"test": [1, 2, 3] * 30}, "True or False"),
    "test of one class": ({"test": (Y == 1) & (GROUPS > 45)}, "of 1 class"),
    "a patient on both sides": (
        {"groups": GROUPS // 2, "test": GROUPS % 2 == 1}, "45 patients on both sides"),
    "no such image column": ({"image_column": "film"}, "no column 'film'"),
    "clinical columns as a text": ({"clinical_columns": "age"}, "give a list"),
    "no such clinical column": ({"clinical_columns": ["agee"]}, r"no columns \['agee'\]"),
    "subgroups as a text": ({"subgroups": "sex"}, "give a list"),
    "no such subgroup": ({"subgroups": ["device"]}, r"no columns \['device'\]"),
    "subgroups too short": ({"subgroups": X[["sex"]][:9]}, "9"),
    "subgroups of too many levels": (
        {"subgroups": ["weight_kg"]}, "'weight_kg' has .. levels, 20 at most.*in bands"),
    "subgroups of lists": (
        {"subgroups": pd.DataFrame({"device": [[1]] * 90})}, "'device' holds lists"),
    "no such site": ({"site": "hospital"}, "no column 'hospital'"),
    "limits as a text": ({"limits": "SYNTHETIC patients."}, "limits.*list"),
    "models as a text": ({"models": "logistic"}, "give a list of names"),
    "no models": ({"models": []}, "models is empty; give names"),
    "a slip": ({"models": ["logistik"]}, "did you mean 'logistic'"),
    "a film model without films": ({"models": ["image"]}, "image_column is None"),
    "the same model twice": ({"models": ["logistic", "logistic"]}, "'logistic' twice"),
    "no probabilities": ({"models": [("svm", LinearSVC())]}, "without predict_proba"),
    "a class, not a model": ({"models": [("says", Says)]}, "without predict_proba|no classifier"),
    "a model of no name": ({"models": [Says("age")]}, r"as \(name, classifier\)"),
    "a name of the paper's": ({"models": [("cnn", Says("age"))]}, "Choose another name"),
    "preset": ({"preset": "fast"}, "'quick', 'paper'"),
    "seed of None": ({"random_state": None}, "whole number"),
    "generator as seed": ({"random_state": np.random.RandomState(0)}, "whole number"),
    "folds": ({"n_folds": 1}, "n_folds=1.*from 2"),
    "half a fold": ({"n_folds": 2.5}, "whole number"),
    "a yes as folds": ({"n_folds": True}, "whole number"),
    "prevalence in per cent": ({"prevalence": 20}, "prevalence is 20.*per cent"),
    "flow of another cohort": (
        {"flow": Flow(ExclusionLog(X[:50], None).frame(), pd.DataFrame())}, "50 rows and X has 90"),
    "the answer's name": ({"X": X.assign(t_score=X["age"])}, r"\['t_score'\] promise"),
    "a density": ({"X": X.assign(bmd=X["age"])}, r"\['bmd'\] promise"),
    "the answer under another name": ({"X": X.assign(code=Y * 2.5)}, "'code' alone tells"),
    "a name of a number": ({"X": X.rename(columns={"bmi": 7})}, "1 of 4 .*no texts.* 7"),
    "a name of a tuple": (
        {"X": X.set_axis(pd.MultiIndex.from_product([["a"], list(X)]), axis=1)},
        "4 of 4 .*no texts"),
    "a name of a surrogate": (
        {"X": X.set_axis(pd.Index(["age", "sex", "\ud800", "bmi"], dtype=object), axis=1)},
        r"1 of 4 .*no Unicode .*'\\ud800'"),
    "a level of a surrogate": (
        {"X": X.assign(ward=WARDS)}, "'ward' holds text that is no"),
    "a grouping of a surrogate": (
        {"subgroups": pd.DataFrame({"ward": WARDS})}, "'ward' holds"),
    "a title of a surrogate": ({"title": "\udcff"}, "title holds letters"),
    "an identifier by name": (
        {"X": X.assign(MRN=np.random.default_rng(0).integers(1e6, 1e7, 90))}, r"\['MRN'\] are the"),
    "a row counter": ({"X": X.assign(n=np.arange(90)[::-1])}, r"\['n'\] .*number .* rows"),
    "a fusion of few": (
        {"X": X.assign(image="a.png"), "image_column": "image", "models": ["multimodal"],
         "y": np.arange(90) < 3}, "2 patients of each class in the training rows"),
    "gaps that tell": ({"X": X.assign(lab=np.where(Y, np.nan, X["age"]))}, "'lab' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_refused_and_nothing_is_written(case, tmp_path):
    arguments, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        study_of(**arguments, out=tmp_path / "report")
    assert len(str(caught.value)) > 40  # a sentence and what to do
    assert not (tmp_path / "report").exists()


def test_an_error_names_no_value_of_a_patient():
    for changes in (
        {"y": np.where(Y, "QX01KANARI", "no").astype(object), "test": (Y == 1)},
        {"groups": [f"QX01KANARI {i // 2}" for i in range(90)], "test": GROUPS % 2 == 1},
        {"X": X.assign(code=np.where(Y, "QX01KANARI", "b"))},
        {"subgroups": pd.Series(np.where(Y, "QX01KANARI", "b"))},
        {"clinical_columns": [f"QX01KANARI {i}" for i in range(90)]},
    ):
        with pytest.raises(SkosteoError) as caught:
            study_of(**changes)
        assert "KANARI" not in str(caught.value)


# ---------------------------------------------------------------- what is as good


@pytest.fixture(scope="module")
def plain():
    return said_of(study_of())


WAYS = {
    "words": {"y": np.where(Y, "yes", "no")},
    "booleans": {"y": Y.astype(bool)},
    "a list": {"y": Y.tolist()},
    "floats": {"y": Y.astype(float)},
    "a Series of another index": {"y": pd.Series(Y, index=np.arange(90)[::-1])},
    "X of another index": {"X": X.set_axis(np.arange(90)[::-1] * 7)},
    "X of texts as index": {"X": X.set_axis([f"row {i}" for i in range(90)])},
    "X of an index that repeats": {"X": X.set_axis(np.zeros(90, int))},
    "patients as texts": {"groups": [f"{g:04}" for g in GROUPS]},
    "a seed of numpy": {"random_state": np.int64(0)},
}


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_give_the_same(library):
    module = pytest.importorskip(library)
    names = ("DataFrame", "Series") if library == "polars" else ("table", "array")
    table, column = (getattr(module, name) for name in names)
    given = {"X": X, "y": pd.Series(Y), "groups": pd.Series(GROUPS), "test": pd.Series(GROUPS < 30)}
    given["subgroups"] = pd.DataFrame({"device": np.resize(["a", "b"], 90)})
    plain = study_of(**given)
    made = {
        name: table(value.to_dict("list")) if value.ndim == 2 else column(value.to_numpy())
        for name, value in given.items()
    }
    study = study_of(**made)
    pd.testing.assert_frame_equal(said_of(study), said_of(plain))
    assert list(study.groupings) == list(plain.groupings) == ["sex", "age", "device"]
    pd.testing.assert_frame_equal(study.table(1), plain.table(1))


@pytest.mark.parametrize("way", WAYS)
def test_the_same_rows_in_another_form_give_the_same(way, plain):
    pd.testing.assert_frame_equal(said_of(study_of(**WAYS[way])), plain)


def test_labels_of_words_and_numbers_of_numpy_can_be_saved(tmp_path):
    study = study_of(y=np.where(Y, "yes", "no"), random_state=np.int64(0), n_folds=2)
    study.save(tmp_path)
    assert (tmp_path / "report.html").exists()


def test_probabilities_stand_by_position_of_the_row():
    table = X.assign(share=X["age"] / 100).set_axis(np.arange(90)[::-1])
    study = study_of(table, models=[("age", Says("share"))])
    said = said_of(study)["age"]
    np.testing.assert_allclose(said, X["age"].iloc[said.index] / 100)


def test_without_groups_every_row_is_a_patient():
    study = study_of(groups=None)
    assert len(np.unique(study.design.patient)) == 90
    assert "No patient ids were given" in repr(study.leakage)


def test_a_study_without_age_and_sex_has_no_subgroups():
    table = X.rename(columns={"age": "a", "sex": "s"})
    study = study_of(table, models=["logistic"])
    assert study.groupings.shape == (90, 0)
    with pytest.raises(InputError, match="give run_study `subgroups`"):
        study.subgroups()


def test_a_column_without_any_value_is_named(tmp_path):
    table = X.assign(vitamin_d=np.nan)
    with pytest.raises(InputError, match=r"'vitamin_d'.* no value.*[Ll]eave (them|it) out"):
        study_of(table, models=["logistic"], out=tmp_path)
    assert not (tmp_path / "report.html").exists()
    study = study_of(table)  # of which no model sees it
    assert study.leakage.frame().set_index("column").loc["vitamin_d", "severity"] == "note"


def test_ids_that_two_sites_use_are_found():
    site = np.where(np.arange(90) < 45, "north", "south")
    table = X.assign(site=site, sex=np.where(np.arange(90) < 45, "F", "M"))
    study = study_of(table, groups=GROUPS % 45, site="site")
    found = study.leakage.frame().set_index("kind").loc["ids across sites"]
    assert found["severity"] == "suspect"
    assert "45 patient ids at several sites" in found["finding"]
    assert "site" not in study.settings.clinical_columns
    assert "site" in study.groupings


# ---------------------------------------------------------------- the flow


def earlier_flow(n=120):
    rows = ExclusionLog(pd.DataFrame({"patient": np.arange(n)}), "patient")
    rows.exclude("younger than 40", np.arange(n) >= 90)
    return Flow(rows.frame(), rows.outcome(pd.Series(Y), ("ill", "well")))


def test_the_flow_of_a_cohort_goes_on():
    steps = study_of(flow=earlier_flow()).flow.frame()
    assert steps["step"].tolist() == ["rows in the table", "younger than 40"]
    assert steps["remaining"].tolist() == [120, 90]


def test_groups_of_the_flow_add_up():
    flow = study_of(groups=GROUPS // 2).flow
    assert flow.outcome["rows"].tolist() == [30, 60]
    assert int(flow.frame()["remaining"].iloc[-1]) == 90


@pytest.mark.parametrize("heading", ["age", "Age", "ward"])
def test_no_grouping_prints_names_under_any_heading(heading):
    names = pd.DataFrame({heading: np.resize(["Dr. Ann Moor", "Moor, Bob"], 90)})
    given = validate_inputs(X, Y, subgroups=names)
    assert set(all_groupings(given, None)[heading]) == {OTHERS}


def test_sex_that_is_no_clinical_column_is_still_a_grouping():
    table = X[["age", "sex"]].assign(device=np.resize(["a", "b"], 90))
    asked = ["sex", "device", "age"]
    params = {"clinical_columns": ["age"]}
    named = validate_inputs(table, Y, subgroups=asked, **params).groupings
    assert list(named) == ["sex", "device"]
    given = validate_inputs(table, Y, subgroups=table[["sex", "device"]], **params).groupings
    assert list(given) == ["sex", "device"]


def of_text(cases_named, **changes):
    """Run a study of reports that name the diagnosis in a proportion of the cases."""
    X, y, groups = patients(150)
    rng = np.random.default_rng(0)
    named = (y == 1) & (rng.random(150) < cases_named)
    said = rng.choice(["Clear lungs.", "Wide aorta.", "Lungs clear, aorta wide."], 150)
    X["xray_diagnosis"] = np.where(named, said + " Osteopenia.", said)
    options = {"models": ["clinical"], "image_column": None, "n_folds": 2, "verbose": 0}
    options["n_repeats"] = 1
    return run_study(X, y, groups=groups, **options | changes)


def test_free_text_is_refused_at_once_and_before_any_fit(tmp_path):
    X, y, groups = patients(90)
    X["notes"], X["comment"] = [[f"{word} {i}" for i in range(90)] for word in ("a", "b")]
    folder = tmp_path / "fits"
    folder.mkdir()
    models = ["logistic", ("counts", Counts(folder))]
    with pytest.raises(InputError, match=r"'notes' holds 90 .*'comment' holds 90 .*a study takes"):
        study_of(X, y, groups, models=models, clinical_columns=None)
    assert fits_in(folder) == 0


def test_a_study_of_text_says_that_it_could_tell(small_preset, no_report):
    study = of_text(0.9)
    assert list(study.models) == ["clinical", "report_text", "without_text"]
    found = study.leakage.frame().iloc[0]
    assert (found["kind"], found["severity"]) == ("column's text", "leak")


def test_a_model_of_ones_own_that_sees_such_text_as_it_is_is_refused(small_preset, tmp_path):
    raw = make_pipeline(FunctionTransformer(), LogisticRegression())
    with pytest.raises(InputError, match="'xray_diagnosis' names the diagnosis"):
        of_text(0.9, models=[("raw", raw)])
    masked = make_pipeline(ClinicalPreprocessor(), LogisticRegression(max_iter=10_000))
    assert "masked" in of_text(0.9, models=[("masked", masked)]).models
