"""What the clinical net promises at its defaults, where rows are few."""

import os

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor
from skosteo.datasets import fetch_nhanes
from skosteo.evaluation import calibration_line
from skosteo.exceptions import InputError
from tests.small_models import small_clinical

needs_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")


def linear(Z):
    return Z[:, 0] - 0.7 * Z[:, 1] - 1


def interaction(Z):
    return 2 * Z[:, 0] * Z[:, 1] - 0.5


def draw(n, log_odds, seed):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n + 3000, 9))
    y = (rng.random(len(Z)) < expit(log_odds(Z))).astype(int)
    return Z[:n], y[:n], Z[n:], y[n:]


def judged(X, y, X_new, y_new, seed):
    """AUC of the net, of logistic regression, and calibration slope of the net."""
    net = ClinicalOsteoClassifier(random_state=seed).fit(X, y).predict_proba(X_new)[:, 1]
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    auc = [roc_auc_score(y_new, p) for p in (net, logistic.predict_proba(X_new)[:, 1])]
    # an extreme value, as a leucocyte count of 400, may make a risk of 1: it has no log odds
    return *auc, calibration_line(y_new, np.clip(net, 1e-9, 1 - 1e-9)).slope


def test_a_linear_truth_is_learnt_as_well_as_by_logistic_regression_and_calibrated():
    results = [judged(*draw(240, linear, seed), seed) for seed in range(4)]
    net, logistic, slope = np.mean(results, axis=0)
    assert net > logistic - 0.02
    assert 0.8 < slope < 1.25


def test_it_learns_what_logistic_regression_cannot():
    net, logistic, _ = judged(*draw(600, interaction, seed=0), seed=0)
    assert logistic < 0.6
    assert net > 0.75


def test_all_rows_say_when_to_stop_by_members_that_have_not_seen_them():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 20)), np.resize([0, 1], 80)  # nothing to learn
    model = small_clinical(max_epochs=100, lr=3e-2, n_iter_no_change=90).fit(X, y)
    history = model.history_
    # in-sample these labels are learnt by heart; out of fold they are guessed, and ever worse
    assert history["train_loss"].iloc[-1] < 0.2
    assert history["valid_loss"].min() > 0.65
    assert history["valid_accuracy"].iloc[-1] < 0.65


def test_copies_of_a_patient_do_not_tell_his_label_out_of_fold():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(30), 4)
    X, y = rng.normal(size=(30, 20))[patients], np.resize([0, 1], 30)[patients]
    known = small_clinical(max_epochs=30).fit(X, y, groups=patients).history_
    unknown = small_clinical(max_epochs=30).fit(X, y).history_
    assert unknown["valid_accuracy"].iloc[-1] > 0.95
    assert known["valid_accuracy"].iloc[-1] < 0.7


@pytest.mark.filterwarnings("ignore:batch_size")
def test_a_table_of_20_rows():
    X = np.random.default_rng(0).normal(size=(20, 3))
    risk = ClinicalOsteoClassifier(random_state=0).fit(X, X[:, 0] > 0.5).predict_proba(X)[:, 1]
    assert roc_auc_score(X[:, 0] > 0.5, risk) > 0.8
    with pytest.warns(UserWarning, match=r"\{False: 19, True: 1\}: too few.*All 30 epochs"):
        model = ClinicalOsteoClassifier(max_epochs=30, random_state=0).fit(X, np.arange(20) == 3)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("wrong", [0, 2.5, "ten"])
def test_what_is_no_number_of_members(wrong):
    with pytest.raises(InputError, match="n_members"):
        small_clinical(n_members=wrong).fit(np.eye(4), [0, 1, 0, 1])


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("n", [150, 240, 500, 1000])
def test_it_holds_on_people_with_measured_density(n):
    people = fetch_nhanes()
    y, results = people.target.to_numpy(), []
    for seed in range(20):
        splitter = StratifiedShuffleSplit(1, train_size=n, random_state=seed)
        train, test = next(splitter.split(y, y))
        filling = ClinicalPreprocessor().fit(people.data.iloc[train])
        X, X_new = (filling.transform(people.data.iloc[rows]) for rows in (train, test))
        results.append(judged(X, y[train], X_new, y[test], seed))
    net, logistic, slope = np.transpose(results)
    assert (net - logistic).mean() > -0.005
    assert (net - logistic).min() > -0.03
    assert 0.8 < slope.mean() < 1.25
