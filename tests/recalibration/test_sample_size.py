"""How many local patients: quadrature, simulated intervals, odd input."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from skosteo import how_many_local_patients
from skosteo.evaluation import calibration_line
from skosteo.exceptions import InputError
from skosteo.recalibration import LocalPatients
from tests.recalibration.planted import patients


def normal_risks(mean=-1.0, sd=1.2):
    """Risks whose log odds are normal, at 20,000 even quantiles."""
    return expit(norm.ppf((np.arange(20_000) + 0.5) / 20_000, mean, sd))


def test_the_numbers_equal_those_of_quadrature():
    def mean(of):
        return quad(lambda x: of(x) * norm.pdf(x, -1, 1.2), -12, 10)[0]

    spread = [mean(lambda x, k=k: x**k * expit(x) * expit(-x)) for k in range(3)]
    prevalence = mean(expit)
    slope = spread[0] / (spread[0] * spread[2] - spread[1] ** 2) / (0.3 / 2 / 1.959964) ** 2
    # limits of observed/expected of .82 and 1.22
    intercept = (1 - prevalence) / prevalence * (1.959964 / np.log(1.2198)) ** 2
    found = how_many_local_patients(normal_risks(), slope_width=0.3)
    assert found.slope == pytest.approx(slope, rel=0.002)
    assert found.intercept == pytest.approx(intercept, rel=0.002)
    assert found.cases == pytest.approx(found.slope * prevalence, rel=0.001)


def test_a_rarer_outcome_takes_more_patients():
    risks = normal_risks()
    assert how_many_local_patients(risks, prevalence=risks.mean()) == pytest.approx(
        how_many_local_patients(risks), abs=1
    )
    seven = how_many_local_patients(risks, prevalence=0.07)
    assert seven.intercept == pytest.approx(
        0.93 / 0.07 * (1.959964 / np.log(1.2198)) ** 2, rel=0.002
    )
    assert seven.slope > how_many_local_patients(risks).slope
    both = np.column_stack([1 - risks, risks])
    assert how_many_local_patients(both, prevalence=0.07) == seven


@pytest.mark.parametrize(("simulations", "tolerance"), [
    (60, 0.08), pytest.param(2000, 0.02, marks=pytest.mark.slow),
])  # fmt: skip
def test_that_many_patients_give_intervals_of_that_width(simulations, tolerance):
    rng = np.random.default_rng(0)
    found = how_many_local_patients(normal_risks(), oe_width=0.3, slope_width=0.5)
    slopes, ratios = [], []
    for _ in range(simulations):
        X, y, _, _ = patients(rng, found.slope)
        line = calibration_line(y, X[:, 0])
        slopes.append(line.slope_high - line.slope_low)
        _, y, _, _ = patients(rng, found.intercept)
        error = np.sqrt((1 - y.mean()) / y.sum())
        ratios.append(2 * np.sinh(1.959964 * error))
    assert np.mean(slopes) == pytest.approx(0.5, rel=tolerance)
    assert np.mean(ratios) == pytest.approx(0.3, rel=tolerance)


@pytest.mark.parametrize(
    ("y_prob", "more", "message"),
    [
        ([0.3] * 10, {}, "one value in all rows"),
        ([], {}, "y_prob is empty"),
        (0.3, {}, "y_prob"),
        ([10, 30], {}, "runs from 10 to 30.*divide by 100"),
        ([0.1, np.nan], {}, "not finite in 1 of 2 rows"),
        ([0.1, 0.2], {"prevalence": 20}, "prevalence is 20.*per cent"),
        ([0.1, 0.2], {"oe_width": 0}, "oe_width is 0"),
        ([0.1, 0.2], {"slope_width": "narrow"}, "slope_width is 'narrow'"),
    ],
)
def test_wrong_input_is_named(y_prob, more, message):
    with pytest.raises(InputError, match=message):
        how_many_local_patients(y_prob, **more)


def test_the_numbers_are_printed_in_words():
    assert repr(LocalPatients(235, 1787, 230.8)) == (
        "Local patients wanted: 235 for an intercept, 1,787 for a slope; about 231 of the greater "
        "number with the outcome."
    )


def test_certain_risks_count_as_almost_certain():
    found = how_many_local_patients(normal_risks().round(1))
    assert found.slope == pytest.approx(how_many_local_patients(normal_risks()).slope, rel=0.15)
