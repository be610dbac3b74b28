"""What is explained: rows drawn by the seed, of the final model."""

import numpy as np
import pytest

from skosteo.explain import ShapValues
from skosteo.study import run_study
from skosteo.study.explaining import explain
from skosteo.study.report.figures import explanations
from tests.small_models import small_clinical
from tests.study.cohorts import Says, patients


def test_the_final_model_is_explained_in_all_ways_and_no_models_of_folds(of_films):
    study = of_films.study
    assert set(study.final.fit.explained) == {"shap", "grad_cam", "fusion"}
    assert study.final.fit.notes == ()
    for result in study.results.values():
        assert not any(fit.explained for fit in result.folds)


def test_shap_values_are_of_the_clinical_columns_and_keep_ranks_alone(of_films):
    study = of_films.study
    values = ShapValues.from_arrays(explanations(study)["shap"])
    assert list(values.feature_names) == ["age", "sex", "bmi", "weight_kg"]
    assert values.values.shape == (len(study.design.y), 4)
    kept = values.data[:, 0].astype(float)
    # of each patient's value its rank only
    np.testing.assert_allclose(kept, study.design.X["age"].rank(pct=True))
    assert set(explanations(study)["shap"]["words"].ravel()) == {"word"}


def test_rows_of_the_test_set_are_explained_where_there_is_one(small_preset):
    X, y, groups = patients(90)
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, n_repeats=1, verbose=0,
        models=["clinical"],
        test=groups < 30,
    )  # fmt: skip
    values = ShapValues.from_arrays(explanations(study)["shap"])
    assert len(values.values) == 30
    np.testing.assert_allclose(values.data[:, 0].astype(float), X["age"][:30].rank(pct=True))


def test_films_are_four_as_in_the_paper(of_films):
    maps = explanations(of_films.study)["grad_cam"]
    assert len(maps["maps"]) == 4


@pytest.fixture(scope="module")
def net():
    X, y, _ = patients(60)
    X = X[["age", "bmi"]]
    return small_clinical().fit(X, y), X


def test_the_same_seed_draws_the_same_rows(net):
    fitted, X = net
    first, again, other = (explain(fitted, X, X, ["shap"], seed)[0]["shap"] for seed in (1, 1, 2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert other["values"].shape == first["values"].shape


def test_at_most_a_hundred_rows(net):
    fitted, X = net
    many = X.loc[np.resize(X.index, 300)]
    found, notes = explain(fitted, many, many, ["shap"], 0)
    assert found["shap"]["values"].shape == (100, 2)
    assert notes == ()


def test_what_cannot_be_explained_is_said_and_stops_nothing():
    X, _, _ = patients(60)
    found, notes = explain(Says("bmi").fit(X, [0, 1] * 30), X, X, ["grad_cam"], 0)
    assert found == {}
    assert len(notes) == 1
    assert notes[0].startswith("grad_cam: ")


def test_without_a_fusion_the_clinical_model_is_explained(small_preset):
    X, y, groups = patients(90)
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, n_repeats=1, verbose=0,
        models=["clinical"],
    )  # fmt: skip
    assert set(explanations(study)) == {"shap"}
