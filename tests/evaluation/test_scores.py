"""Predictive values, F1, Brier score and average precision: scikit-learn, planted truths, cover."""

from functools import cache

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score

from skosteo.evaluation.metrics import proportion_interval
from skosteo.evaluation.scores import (
    average_precision_influence,
    average_precision_interval,
    brier_interval,
    f1_interval,
    predictive_interval,
)

PREVALENCE = 0.1


def patients(rng, n, films=1, alike=0.6):
    """Labels and probabilities of patients with ``films`` rows each, which share a part."""
    group = np.repeat(np.arange(n), films)
    y = (rng.random(n) < 0.35)[group]
    own, shared = rng.normal(size=len(group)), rng.normal(size=n)[group]
    return y, expit(1.5 * y + np.sqrt(1 - alike) * own + np.sqrt(alike) * shared - 1), group


def scores(y, p, group):
    """Every interval of this module by its name."""
    y_pred, of = p >= 0.5, (group[y], group[~y])
    ppv = predictive_interval(y_pred[y], y_pred[~y], of, PREVALENCE)
    npv = predictive_interval(~y_pred[~y], ~y_pred[y], of[::-1], 1 - PREVALENCE)
    return {
        "PPV": proportion_interval(y[y_pred], group[y_pred]),
        "F1": f1_interval(y, y_pred, group),
        "Brier": brier_interval(y, p, group),
        "average precision": average_precision_interval(y, p, group),
        "PPV at 10 %": ppv,
        "NPV at 10 %": npv,
    }


@pytest.mark.parametrize("digits", [1, 6])
def test_estimates_equal_scikit_learn(digits):
    y, p, group = patients(np.random.default_rng(0), 200)
    p = p.round(digits)  # ties
    found = scores(y, p, group)
    assert found["Brier"][0] == pytest.approx(brier_score_loss(y, p))
    assert found["average precision"][0] == pytest.approx(average_precision_score(y, p))
    assert found["F1"][0] == pytest.approx(f1_score(y, p >= 0.5))


def test_influence_is_the_slope_of_average_precision_in_each_weight():
    y, p, _ = patients(np.random.default_rng(1), 60)
    p = p.round(1)
    _, influence = average_precision_influence(y, p)
    step = 1e-5
    slopes = [
        (
            average_precision_score(y, p, sample_weight=1 + step * (np.arange(60) == i))
            - average_precision_score(y, p)
        )
        / step
        for i in range(60)
    ]
    assert influence == pytest.approx(np.array(slopes), abs=1e-6)


def test_predictive_values_are_bayes_theorem():
    found, alarmed = np.repeat([True, False], [80, 20]), np.repeat([True, False], [30, 70])
    alone = np.arange(100), np.arange(100)
    value, low, high = predictive_interval(found, alarmed, alone, 0.05)
    assert value == pytest.approx(0.8 * 0.05 / (0.8 * 0.05 + 0.3 * 0.95))
    assert low < value < high
    # of a likelihood ratio of two shares, the textbook's log method is close for counts like these
    error = np.sqrt(0.2 / 80 + 0.7 / 30)
    ends = expit(np.log(0.05 / 0.95 * 0.8 / 0.3) + norm.ppf([0.025, 0.975]) * error)
    assert (low, high) == pytest.approx(tuple(ends), rel=0.04)


def test_predictive_values_of_no_false_alarm_and_of_no_case_found():
    all_, none, alone = np.ones(30, bool), np.zeros(30, bool), (np.arange(30), np.arange(30))
    value, low, high = predictive_interval(all_, none, alone, 0.1)
    assert (value, high) == (1, 1)
    assert 0.1 < low < 0.9
    value, low, high = predictive_interval(none, all_, alone, 0.1)
    assert (value, low) == (0, 0)
    assert 0 < high < 0.1
    value, low, high = predictive_interval(none, none, alone, 0.1)
    assert np.isnan(value)
    assert (low, high) == (0, 1)


def test_what_cannot_be_estimated_is_nan():
    y, one = np.array([True, True, False]), np.zeros(3, int)
    assert np.isnan(brier_interval(y, np.array([0.9, 0.8, 0.3]), one)[1:]).all()
    assert np.isnan(average_precision_interval(y, np.array([0.9, 0.2, 0.3]), one)[1:]).all()
    assert np.isnan(proportion_interval(np.array([], bool), np.array([], int))).all()
    perfect = average_precision_interval(y, np.array([0.9, 0.8, 0.3]), np.arange(3))
    assert perfect[0] == 1
    assert np.isnan(perfect[1:]).all()


def test_a_film_counted_twice_adds_nothing():
    y, p, group = patients(np.random.default_rng(2), 120)
    twice = [np.repeat(column, 2) for column in (y, p, group)]
    once, again, naive = scores(y, p, group), scores(*twice), scores(*twice[:2], np.arange(240))
    for name in once:
        assert again[name][0] == pytest.approx(once[name][0]), name
        width = np.ptp(again[name][1:]) / np.ptp(once[name][1:])
        assert 1 - 1e-9 <= width < 1.05, name
        assert naive[name][1] > once[name][1], name


def test_a_hundred_thousand_rows_take_no_time():
    y, p, group = patients(np.random.default_rng(3), 50_000, films=2)
    for estimate, low, high in scores(y, p, group).values():
        assert low < estimate < high
        assert high - low < 0.03


@cache
def true_scores():
    rng = np.random.default_rng(3)
    return {name: x[0] for name, x in scores(*patients(rng, 500_000)).items()}


def coverage(simulations, n, films):
    """Share of intervals that hold the score of half a million patients, by score."""
    truth, rng = true_scores(), np.random.default_rng(4)
    held = dict.fromkeys(truth, 0)
    for _ in range(simulations):
        for name, (_, low, high) in scores(*patients(rng, n, films)).items():
            held[name] += low <= truth[name] <= high
    return {name: count / simulations for name, count in held.items()}


@pytest.mark.parametrize(("n", "films"), [pytest.param(200, 1, marks=pytest.mark.slow), (200, 3)])
def test_coverage(n, films):
    assert all(0.9 <= share <= 0.985 for share in coverage(150, n, films).values())


@pytest.mark.slow
@pytest.mark.parametrize(("n", "films"), [(600, 1), (600, 3)])
def test_coverage_is_94_to_97_per_cent(n, films):
    """To the wide side where patients repeat: the greater of two variances is taken."""
    held = coverage(5_000, n, films)
    assert {name: share for name, share in held.items() if not 0.94 <= share <= 0.97} == {}
