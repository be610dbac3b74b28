"""The named fusions of several probabilities."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from torch import nn

from skosteo._validation import logits
from skosteo.exceptions import InputError
from skosteo.fusion.final_estimators import (
    MeanOfLogits,
    check_final_estimator,
    fit_final_estimators,
    make_final_estimator,
)

P = np.array([[0.2, 0.8, 0.5], [0.9, 0.6, 0.99], [0.1, 0.1, 0.1], [0.7, 0.5, 0.3]])
Y = np.array([0, 1, 0, 1])


def test_mean_is_that_of_the_log_odds():
    odds = P / (1 - P)
    geometric = odds.prod(axis=1) ** (1 / 3)
    expected = geometric / (1 + geometric)
    answer = MeanOfLogits().fit(P, Y).predict_proba(P)
    np.testing.assert_allclose(answer[:, 1], expected, atol=1e-12)
    np.testing.assert_allclose(answer.sum(axis=1), 1)


def test_one_branch_alone_keeps_its_probability_under_the_mean():
    answer = MeanOfLogits().fit(P[:, :1], Y).predict_proba(P[:, :1])
    np.testing.assert_allclose(answer[:, 1], P[:, 0], atol=1e-12)


def test_certainty_has_finite_log_odds():
    assert np.isfinite(logits([0.0, 1.0])).all()
    assert logits(0.5) == 0


def test_mean_answers_in_the_labels_of_fit():
    model = MeanOfLogits().fit(P, np.array(["well", "ill"])[1 - Y])
    assert model.predict([[0.9, 0.9, 0.9]]) == ["well"]


def test_logistic_is_nearly_the_unpenalised_regression_on_log_odds():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 2))
    y = (rng.random(2000) < expit(0.3 + 1.5 * z[:, 0] - 0.5 * z[:, 1])).astype(int)
    ours = make_final_estimator("logistic", 2000, seed=0).fit(expit(z), y)
    free = LogisticRegression(C=np.inf).fit(z, y)
    np.testing.assert_allclose(ours.predict_proba(expit(z)), free.predict_proba(z), atol=1e-3)


def test_default_is_the_net_of_the_paper_for_any_number_of_branches():
    rng = np.random.default_rng(0)
    probability = rng.random((60, 3))
    net = make_final_estimator(None, 60, seed=0).fit(probability, probability[:, 0] > 0.5)
    layers = [m for m in net.net_.module_.layers if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(3, 32), (32, 1)]


@pytest.mark.parametrize("wrong", ["median", LinearSVC(), LogisticRegression, 3])
def test_what_is_no_fusion(wrong):
    with pytest.raises(InputError, match=r"final_estimator=.*'logistic'.*'mean'"):
        check_final_estimator(wrong)


def test_every_set_of_branches_that_has_rows_of_both_classes_gets_a_fusion():
    fused = np.full((8, 3), 0.5)
    fused[4:, 2] = np.nan
    fused[6:, 1] = np.nan
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    fitted = fit_final_estimators("mean", ["a", "b", "c"], fused, y, {}, seed=0)
    sets = {("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")}
    assert set(fitted) == sets
    with pytest.raises(InputError, match=r"0 rows hold something for each of .*'a', 'b', 'c'"):
        fit_final_estimators("mean", ["a", "b", "c"], fused[4:], y[4:], {}, seed=0)
