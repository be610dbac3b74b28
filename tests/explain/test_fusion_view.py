import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from skosteo.datasets import make_cohort
from skosteo.exceptions import InputError
from skosteo.explain import FusionView, explain_fusion
from tests.small_models import small_clinical, small_fusion


@pytest.fixture(scope="module")
def fitted():
    cohort = make_cohort(40, missing_rate=0, random_state=0)
    X = cohort.data[["image", "age", "bmi"]]
    return small_fusion(final_estimator="mean").fit(X, cohort.target), X


@pytest.fixture(scope="module")
def view(fitted):
    model, X = fitted
    return explain_fusion(model, X[5:6], X)


def test_the_mean_of_log_odds_moves_by_half_of_each_branch(fitted, view):
    model, X = fitted
    own = logit(model.branch_probabilities(X))
    np.testing.assert_allclose(view.moved, (own[5] - own.mean(axis=0)) / 2, atol=1e-6)
    assert view.base == pytest.approx(own.mean(), abs=1e-6)


def test_the_way_adds_up_to_the_answer(fitted, view):
    model, X = fitted
    frame = view.frame().set_index("part")
    assert list(frame.index) == ["background", "image", "clinical", "fused"]
    assert frame.loc["fused", "probability"] == model.predict_proba(X[5:6])[0, 1]
    assert expit(frame["log_odds"][:-1].sum()) == pytest.approx(frame.loc["fused", "probability"])


def test_the_surface_is_what_the_fusion_says_of_any_two_probabilities(view):
    # across: image; downwards: clinical
    assert view.surface[30, 80] == pytest.approx(expit((logit(0.8) + logit(0.3)) / 2))


def test_a_patient_without_a_film_is_explained_by_what_is_there(fitted):
    model, X = fitted
    gone = X[5:6].assign(image=None)
    with pytest.warns(UserWarning, match="branch 'image'"):
        view = explain_fusion(model, gone, X)
    assert np.isnan(view.probability[0])
    assert np.isnan(view.moved[0])
    assert view.surface is None
    assert expit(view.base + view.moved[1]) == pytest.approx(view.fused)


def test_further_branches_are_further_parts():
    cohort = make_cohort(40, missing_rate=0, random_state=0)
    X = cohort.data[["image", "age", "bmi"]]
    model = small_fusion(
        clinical_columns=["age"],
        other_branches=[("body", small_clinical(), ["bmi"])],
        final_estimator="logistic",
    ).fit(X, cohort.target)
    view = explain_fusion(model, X[:1], X)
    assert view.branches == ("image", "clinical", "body")
    assert view.surface is None
    assert expit(view.base + view.moved.sum()) == pytest.approx(view.fused)


def test_it_comes_back_from_plain_arrays(view, tmp_path):
    np.savez(tmp_path / "view.npz", **view.to_arrays())
    with np.load(tmp_path / "view.npz", allow_pickle=False) as stored:
        back = FusionView.from_arrays(dict(stored))
    pd.testing.assert_frame_equal(back.frame(), view.frame())


def test_what_does_not_fit_is_refused(fitted):
    model, X = fitted
    with pytest.raises(InputError, match="3 rows"):
        explain_fusion(model, X[:3], X)
    with pytest.raises(InputError, match="joins no probabilities"):
        explain_fusion(model.clinical_, X[:1], X)
    with (
        pytest.raises(InputError, match="No row of the background"),
        pytest.warns(UserWarning, match="branch 'image'"),
    ):
        explain_fusion(model, X[:1], X.assign(image=None))
