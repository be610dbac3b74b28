"""Calibration slope and intercept: planted truths, scikit-learn, the jackknife, coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from skosteo.evaluation import calibration_line
from skosteo.exceptions import InputError
from skosteo.presets import clinical_baseline


def patients(rng, n, slope=1.0, intercept=0.0, films=1, alike=0.0):
    """Probabilities that are off by a planted line, for patients with ``films`` rows each.

    With ``alike`` the films of a patient share label and probability that often, which leaves the
    line as it is.
    """
    group = np.repeat(np.arange(n), films)
    log_odds = rng.normal(-1, 1.2, n * films)
    y = rng.random(n * films) < expit(intercept + slope * log_odds)
    first = np.arange(n * films) // films * films
    copied = rng.random(n * films) < alike
    source = np.where(copied, first, np.arange(n * films))
    return y[source], expit(log_odds[source]), group


@pytest.mark.parametrize("spread", [1e-16, 1e-15, 1e-12, 1e-9])
def test_rounding_is_no_slope(spread):
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.3
    line = calibration_line(y, 0.3 + spread * rng.normal(size=400))
    assert np.isnan(line[:3]).all()
    assert line.intercept == pytest.approx(logit(y.mean()) - logit(0.3))


def in_the_large(y, p, weight):
    """The shift in logits after which as many are expected as are ill."""
    return brentq(lambda c: weight @ (expit(c + logit(p)) - y), -800, 800)


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("intercept", [-0.7, 0.0, 0.4])
def test_planted_lines_are_recovered(slope, intercept):
    y, p, _ = patients(np.random.default_rng(0), 100_000, slope, intercept)
    line = calibration_line(y, p)
    assert line.slope == pytest.approx(slope, abs=0.05)
    assert line.slope_low < slope < line.slope_high
    if slope == 1:
        assert line.intercept == pytest.approx(intercept, abs=0.05)


@pytest.mark.parametrize("weighted", [False, True])
def test_estimates_equal_independent_ones(weighted):
    rng = np.random.default_rng(1)
    y, p, _ = patients(rng, 400, 0.7, 0.3)
    weight = rng.lognormal(size=400) if weighted else np.ones(400)
    line = calibration_line(y, p, sample_weight=weight if weighted else None)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(logit(p)[:, None], y, sample_weight=weight)
    assert line.slope == pytest.approx(model.coef_[0, 0], rel=1e-5)
    assert line.intercept == pytest.approx(in_the_large(y, p, weight), rel=1e-9)


def test_calibration_in_the_large_fixes_the_slope_at_1():
    """Van Calster 2016: not the intercept beside a free slope, which is another number."""
    y, p, _ = patients(np.random.default_rng(2), 20_000, 0.5, 0.0)
    beside = LogisticRegression(C=np.inf).fit(logit(p)[:, None], y).intercept_[0]
    line = calibration_line(y, p)
    assert line.intercept > 0.2  # the mean is off, since the mean logit of these is not 0
    assert abs(beside) < 0.05


@pytest.mark.parametrize("films", [1, 3])
def test_errors_equal_the_jackknife_over_patients(films):
    rng = np.random.default_rng(3)
    y, p, group = patients(rng, 150, 0.8, -0.2, films, alike=0.6)
    weight = rng.uniform(1, 3, len(y))
    left = [
        calibration_line(y[group != g], p[group != g], sample_weight=weight[group != g])
        for g in range(150)
    ]
    line = calibration_line(y, p, groups=group, sample_weight=weight)
    for name in ("slope", "intercept"):
        jackknife = np.std([getattr(each, name) for each in left]) * np.sqrt(149)
        low, high = getattr(line, f"{name}_low"), getattr(line, f"{name}_high")
        assert (high - low) / (2 * 1.959964) == pytest.approx(jackknife, rel=0.06)
        assert (low + high) / 2 == pytest.approx(getattr(line, name))


def test_weights_and_patients():
    rng = np.random.default_rng(4)
    y, p, group = patients(rng, 100, 0.8, films=2)
    line = calibration_line(y, p, groups=group)
    assert calibration_line(y, p, groups=group, sample_weight=np.full(200, 0.1)) == line
    assert calibration_line(y, p) == pytest.approx(calibration_line(y, p, groups=np.arange(200)))
    times = rng.integers(0, 4, 200)
    rows = np.repeat(np.arange(200), times)
    repeated = calibration_line(y[rows], p[rows], groups=group[rows])
    weighted = calibration_line(y, p, groups=group, sample_weight=times)
    assert tuple(weighted) == pytest.approx(tuple(repeated), abs=0.01)  # t of more rows
    twice = [np.repeat(column, 2) for column in (y, p, group)]
    clustered = calibration_line(*twice[:2], groups=twice[2])
    assert tuple(clustered) == pytest.approx(tuple(line), abs=0.02)
    assert calibration_line(*twice[:2]).slope_low > line.slope_low  # what ignoring them would claim


def test_the_complement_has_the_same_slope_and_the_opposite_intercept():
    y, p, _ = patients(np.random.default_rng(5), 500, 0.8, 0.4)
    line, other = calibration_line(y, p), calibration_line(~y, 1 - p)
    assert other[:3] == pytest.approx(line[:3])
    mirror = (-line.intercept, -line.intercept_high, -line.intercept_low)
    assert other[3:] == pytest.approx(mirror)


@pytest.mark.parametrize("labels", [[False, True], ["Good", "Poor"]])
def test_both_columns_of_predict_proba_and_any_two_labels(labels):
    y, p, _ = patients(np.random.default_rng(6), 300)
    both = np.column_stack([1 - p, p])
    assert calibration_line(np.array(labels)[y.astype(int)], both) == calibration_line(y, p)


@pytest.mark.parametrize(
    "p", [[0.2, 0.3, 0.7, 0.8], [0.8, 0.7, 0.3, 0.2], [0.2, 0.4, 0.4, 0.8], [0.3] * 4]
)
def test_a_slope_that_is_not_to_be_had_is_nan_and_the_intercept_stays(p):
    """Classes that do not overlap: the steeper the line, the better it fits, without an end."""
    y = np.array([0, 0, 1, 1])
    line = calibration_line(y, p)
    assert np.isnan(line[:3]).all()
    assert line.intercept == pytest.approx(in_the_large(y, np.array(p), np.ones(4)), abs=1e-9)


def test_one_patient_has_no_interval():
    line = calibration_line([0, 1, 0, 1], [0.1, 0.2, 0.7, 0.8], groups=["a"] * 4)
    assert np.isfinite([line.slope, line.intercept]).all()
    assert np.isnan([line.slope_low, line.slope_high, line.intercept_high]).all()


@pytest.mark.parametrize("tiny", [1e-6, 1e-100, 2.3e-308])
def test_probabilities_far_from_the_truth_still_converge(tiny):
    y = np.array([0, 1] * 20)
    p = np.geomspace(tiny, tiny * 1e4, 40)
    line = calibration_line(y, p)
    assert line.intercept == pytest.approx(in_the_large(y, p, np.ones(40)), rel=1e-6)
    assert np.isfinite(line.slope)


def coverage(simulations, n, films, slope, intercept):
    rng = np.random.default_rng(7)
    held = np.zeros(2)
    for _ in range(simulations):
        y, p, group = patients(rng, n, slope, intercept, films, alike=0.7 if films > 1 else 0)
        line = calibration_line(y, p, groups=group)
        held += [
            line.slope_low <= slope <= line.slope_high,
            line.intercept_low <= intercept <= line.intercept_high,
        ]
    return held / simulations


@pytest.mark.parametrize(
    ("films", "intercept"), [pytest.param(1, 0.5, marks=pytest.mark.slow), (3, 0.0)]
)
def test_coverage(films, intercept):
    held = coverage(400, 250, films, 1, intercept)
    assert held.min() >= 0.915
    assert held.max() <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize(("films", "intercept"), [(1, 0.5), (3, 0.0)])
def test_coverage_is_94_to_96_per_cent(films, intercept):
    held = coverage(20_000, 400, films, 1, intercept)
    assert held.min() >= 0.94
    assert held.max() <= 0.96


def test_no_limits_of_fewer_than_ten_patients_with_several_films():
    rng = np.random.default_rng(7)
    p = rng.uniform(0.2, 0.8, 60)
    y = np.repeat([True, False], 30)
    line = calibration_line(y, p, groups=np.repeat(np.arange(15), 4))
    assert np.isfinite([line.slope, line.intercept]).all()
    assert np.isnan([line.slope_low, line.slope_high, line.intercept_low]).all()
    assert np.isfinite(calibration_line(y, p).slope_low)


@pytest.mark.parametrize(
    ("y_prob", "more", "message"),
    [
        ([1, 20, 30, 99], {}, "runs from 1 to 99.*divide by 100"),
        ([-2, 0.2, 0.3, 3], {}, "runs from -2 to 3.*predict_proba"),
        ([0.1, np.nan, 0.3, 0.4], {}, "not finite in 1 of 4 rows"),
        ([0.1, 0.2, 0.3, 0.4], {"level": 95}, "level is 95"),
        ([0.1, 0.2, 0.3, 0.4], {"groups": ["a"]}, r"groups has shape \(1,\)"),
        ([0.1, 0.2, 0.3, 0.4], {"sample_weight": [1, 0, 1, 0]}, "leaves 1 class"),
    ],
)
def test_wrong_input_is_named(y_prob, more, message):
    with pytest.raises(InputError, match=message):
        calibration_line([0, 1, 0, 1], y_prob, **more)


def test_a_forests_certainties_are_moved_by_what_the_others_show_and_said():
    y, p, _ = patients(np.random.default_rng(0), 400)
    votes = np.round(p, 1)  # ten trees
    inside = np.clip(votes, 0.05, 0.95)
    assert (votes != inside).sum() == 14
    match = r"exactly 0 or 1 in 14 of 400 rows.*0\.00125 from it.*say so"
    with pytest.warns(UserWarning, match=match) as caught:
        line = calibration_line(y, votes)
    assert caught[0].filename == __file__
    # half a row of 400, where half a vote would be more
    assert line == calibration_line(y, np.clip(votes, 1 / 800, 1 - 1 / 800))
    fine = np.where(votes == 0, 0, np.where(votes == 1, 1, np.clip(p, 1e-4, 1 - 1e-4)))
    fine[5] = 1e-4
    with pytest.warns(UserWarning, match="5e-05 from it"):
        calibration_line(y, fine)


def test_a_denormal_is_no_smaller_than_nothing():
    with pytest.warns(UserWarning, match="exactly 0 or 1 in 1 of 4 rows"):
        calibration_line([0, 1, 0, 1], [5e-324, 0.2, 0.3, 0.4])


def test_our_own_forest_has_a_line():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.uniform(50, 90, 600)})
    y = rng.random(600) < expit((X["age"] - 70) / 2)
    p = clinical_baseline("random_forest").fit(X[:400], y[:400]).predict_proba(X[400:])[:, 1]
    assert ((p == 0) | (p == 1)).sum() > 20
    with pytest.warns(UserWarning, match="exactly 0 or 1"):
        line = calibration_line(y[400:], p)
    assert 0.5 < line.slope_low < line.slope < line.slope_high < 1.5


@pytest.mark.parametrize("least", [1e-17, 1e-20, 1e-300])
def test_an_exact_1_beside_a_tiny_probability(least):
    rng = np.random.default_rng(0)
    p = np.r_[least, 0, 1, rng.uniform(0.1, 0.9, 57)]
    y = rng.random(60) < p
    y[:3] = [False, True, False]
    with pytest.warns(UserWarning, match="exactly 0 or 1 in 2 of 60 rows"):
        line = calibration_line(y, p)
    assert np.isfinite(line).all()
