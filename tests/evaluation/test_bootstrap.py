"""The bootstrap draws patients: against the analytic intervals, and in simulation."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from skosteo.evaluation import auc_interval, bootstrap_interval, delong_test
from skosteo.evaluation.bootstrap import patient_draws
from skosteo.evaluation.metrics import auc_influence
from skosteo.exceptions import InputError


def patients(rng, n, films=1):
    """Labels and two scores of patients with ``films`` rows each, which share most."""
    group = np.repeat(np.arange(n), films)
    y = (rng.random(n) < 0.4)[group]
    shared = y + rng.normal(size=n)[group]
    a, b = (shared + rng.normal(size=n * films) / 2 for _ in range(2))
    return y, a, b, group


def auc(y, score):
    """The area, faster than scikit-learn's."""
    return auc_influence(y.astype(bool), score, np.ones(len(y)))[0]


def test_draws_are_of_whole_patients():
    patient = np.array([2, 0, 1, 0, 2, 2])
    drawn = list(patient_draws(patient, 300, np.random.default_rng(0)))
    times = np.array([np.bincount(rows, minlength=6) for rows in drawn])
    assert (times[:, [1, 0, 0]] == times[:, [3, 4, 5]]).all()
    assert (times[:, [0, 1, 2]].sum(axis=1) == 3).all()
    assert times.mean(axis=0) == pytest.approx(np.ones(6), abs=0.15)


@pytest.mark.parametrize("films", [1, 3])
def test_agrees_with_delong_and_obuchowski(films):
    y, a, b, group = patients(np.random.default_rng(1), 250, films)
    one = bootstrap_interval(auc, y, a, groups=group, n_resamples=1500)
    assert one.estimate == pytest.approx(roc_auc_score(y, a))
    assert one[1:3] == pytest.approx(auc_interval(y, a, groups=group)[1:], abs=0.008)
    two = bootstrap_interval(auc, y, a, y_prob_b=b, groups=group, n_resamples=1500)
    test = delong_test(y, a, b, groups=group)
    assert two.estimate == pytest.approx(test.difference)
    assert two[1:3] == pytest.approx((test.low, test.high), abs=0.006)


def test_equals_scipy_bca_up_to_the_draws():
    rng = np.random.default_rng(2)
    y = rng.random(150) < 0.3
    p = np.clip(0.3 + 0.2 * y + 0.2 * rng.normal(size=150), 0, 1)
    loss = (p - y) ** 2
    ours = bootstrap_interval(lambda y, p: np.mean((p - y) ** 2), y, p, n_resamples=4000)
    theirs = bootstrap((loss,), np.mean, n_resamples=4000, method="BCa", rng=3).confidence_interval
    assert ours[1:3] == pytest.approx(tuple(theirs), abs=0.002)


def test_same_seed_same_interval_and_the_global_state_is_left():
    y, a, _, group = patients(np.random.default_rng(3), 60, 2)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (
        bootstrap_interval(auc, y, a, groups=group, n_resamples=200, random_state=seed)
        for seed in (5, 5, 6)
    )
    assert one == same != other
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_films_of_a_patient_are_not_people():
    y, a, _, group = patients(np.random.default_rng(4), 80, 5)
    by_patient = bootstrap_interval(auc, y, a, groups=group, n_resamples=400)
    by_row = bootstrap_interval(auc, y, a, n_resamples=400)
    assert by_patient.high - by_patient.low > 1.5 * (by_row.high - by_row.low)


def test_a_class_of_few_is_not_estimable():
    y = np.repeat([0, 1], [40, 2])
    result = bootstrap_interval(average_precision_score, y, np.linspace(0, 1, 42), n_resamples=500)
    assert result.n_resamples < 450
    assert np.isnan([result.low, result.high]).all()
    assert result.estimate == 1


def test_a_single_patient_is_not_estimable():
    result = bootstrap_interval(auc, [0, 1, 0], [0.1, 0.5, 0.3], groups=[1] * 3, n_resamples=100)
    assert np.isnan([result.low, result.high]).all()


def test_a_score_that_never_varies_has_no_width():
    y, p = np.repeat([0, 1], 30), np.full(60, 0.5)
    assert bootstrap_interval(brier_score_loss, y, p, n_resamples=200)[:3] == (0.25, 0.25, 0.25)


def coverage(simulations, n, films, n_resamples):
    """How often the intervals hold the true area, and the difference of 0."""
    rng = np.random.default_rng(5)
    truth = norm.cdf(1 / np.sqrt(2 * 1.25))
    held = np.zeros(2)
    for _ in range(simulations):
        y, a, b, group = patients(rng, n, films)
        one = bootstrap_interval(auc, y, a, groups=group, n_resamples=n_resamples)
        two = bootstrap_interval(auc, y, a, y_prob_b=b, groups=group, n_resamples=n_resamples)
        held += one.low <= truth <= one.high, two.low <= 0 <= two.high
    return held / simulations


def test_coverage():
    held = coverage(40, 60, 2, 100)
    assert held.min() >= 0.87


@pytest.mark.slow
@pytest.mark.parametrize("films", [1, 3])
def test_coverage_is_94_to_96_per_cent(films):
    held = coverage(1200, 200, films, 1000)
    assert held.min() >= 0.927  # 94 less twice the error of 1,200 simulations
    assert held.max() <= 0.973


@pytest.mark.parametrize(
    ("metric", "y_prob", "more", "message"),
    [
        ("roc_auc", [0.1, 0.2], {}, "metric is a str; it is a function"),
        (auc, [0.1, 0.2], {"n_resamples": 10}, "n_resamples is 10.*100 draws"),
        (auc, [0.1, 0.2], {"level": 95}, "level is 95"),
        (auc, [0.1], {}, r"shape \(1,\) for 2 labels"),
        (auc, [0.1, 0.2], {"y_prob_b": [0.1, np.nan]}, "not finite in 1 of 2 rows"),
        (auc, [0.1, 0.2], {"groups": [1]}, "groups has shape"),
    ],
)
def test_wrong_input_is_named(metric, y_prob, more, message):
    with pytest.raises(InputError, match=message):
        bootstrap_interval(metric, [0, 1], y_prob, **more)
