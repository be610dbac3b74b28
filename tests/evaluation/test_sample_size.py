"""Sample size: pmsampsize and pmvalsampsize, and what so many simulated patients show."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from skosteo.evaluation import (
    auc_interval,
    calibration_line,
    development_sample_size,
    validation_sample_size,
)
from skosteo.evaluation.calibration import fit_logistic
from skosteo.exceptions import InputError


# Both packages simulate a million patients: numbers that rest on the area vary by 1 in 100.
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [  # of pmsampsize 0.1.0 by tests/reference/sample_size.py
        ((20, 0.2, 0.8, 0.9), [884, 563, 246]),
        ((9, 0.07, 0.75, 0.9), [1414, 436, 101]),
        ((30, 0.5, 0.85, 0.9), [617, 634, 385]),
        ((12, 0.3, 0.7, 0.95), [2090, 317, 323]),
    ],
)
def test_development_equals_pmsampsize(arguments, expected):
    found = development_sample_size(*arguments)
    assert found["n"][:3].to_numpy() == pytest.approx(expected, rel=0.012)
    assert found["n"][2] == expected[2]
    assert found.iloc[3, 1] == found["n"][:3].max()
    assert found["events"].to_numpy() == pytest.approx(found["n"] * arguments[1], abs=1)
    per = found["n"] * arguments[1] / arguments[0]
    assert found["events_per_parameter"].to_numpy() == pytest.approx(per)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [  # of pmvalsampsize 0.2.1
        ((0.2, 0.8), [1538, 2671, 471]),
        ((0.07, 0.75), [5108, 7611, 1393]),
        ((0.5, 0.85), [385, 1599, 233]),
    ],
)
def test_validation_equals_pmvalsampsize(arguments, expected):
    found = validation_sample_size(*arguments)
    assert found["criterion"].tolist() == ["observed/expected", "slope", "AUC", "all of these"]
    assert found["n"][:3].to_numpy() == pytest.approx(expected, rel=0.012)
    assert found.iloc[3, 1] == found["n"][:3].max()


def patients(rng, k, prevalence=0.2, auc=0.8):
    """Labels and right log odds of patients, at that prevalence and area."""
    spread = np.sqrt(2) * norm.ppf(auc)
    y = rng.random(k) < prevalence
    return y, logit(prevalence) + spread**2 * (y - 0.5) + spread * rng.normal(size=k)


def test_so_many_patients_give_intervals_of_those_widths():
    rng = np.random.default_rng(0)
    sizes = validation_sample_size(0.2, 0.8, slope_width=0.3, auc_width=0.08).set_index("criterion")
    slopes, areas = [], []
    for _ in range(40):
        y, log_odds = patients(rng, sizes["n"]["slope"])
        line = calibration_line(y, expit(log_odds))
        slopes.append(line.slope_high - line.slope_low)
        y, log_odds = patients(rng, sizes["n"]["AUC"])
        _, low, high = auc_interval(y, log_odds)
        areas.append(high - low)
    assert np.mean(slopes) == pytest.approx(0.3, rel=0.04)
    assert np.mean(areas) == pytest.approx(0.08, rel=0.06)


def test_a_model_developed_on_so_many_patients_has_the_expected_slope_on_others():
    """Eight findings, half of which tell something: .9 asked for, .87 to .89 had on average."""
    rng = np.random.default_rng(1)
    effect = np.array([0.7, 0.6, 0.5, 0.4, 0, 0, 0, 0])

    def draw(k):
        X = rng.normal(size=(k, 8))
        return X, rng.random(k) < expit(-1 + X @ effect)

    X, y = draw(200_000)
    n = int(development_sample_size(8, y.mean(), auc_interval(y, X @ effect)[0])["n"][0])
    slopes = []
    for _ in range(100):
        X, y = draw(n)
        design = np.column_stack([X, np.ones(n)])
        coefficients = fit_logistic(design, np.zeros(n), y, np.ones(n))
        X, y = draw(5000)
        slopes.append(calibration_line(y, expit(X @ coefficients[:-1] + coefficients[-1])).slope)
    assert 0.86 <= np.mean(slopes) <= 0.92


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: development_sample_size(0, 0.2, 0.8), "n_parameters is 0"),
        (lambda: development_sample_size(10, 20, 0.8), "prevalence is 20.*per cent"),
        (lambda: development_sample_size(10, 0.2, 0.5), "auc is 0.5; it is an area above .5"),
        (lambda: development_sample_size(10, 0.2, 1), "auc is 1"),
        (
            lambda: development_sample_size(10, 0.2, 0.8, 0.1),
            "is 0.1, not above the 0.18",
        ),
        (lambda: validation_sample_size(0, 0.8), "prevalence is 0"),
        (lambda: validation_sample_size(0.2, 0.8, auc_width=0), "auc_width is 0; it is a width"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
