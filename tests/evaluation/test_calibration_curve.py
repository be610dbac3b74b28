"""Flexible calibration curves: R's rms, planted distortions, few patients, nothing to fit."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm, t

from skosteo.evaluation import bootstrap_interval, calibration_curve, calibration_line
from skosteo.exceptions import InputError
from tests.evaluation.figures import legend_of

# of rms 6.5 by tests/reference/calibration_curve.R: the curve at five of its points, the standard
# errors there (of patients, without k / (k - 1)), and ICI, E50 and E90
RMS = {
    3: (
        [0.232921062752, 0.256314072963, 0.345106785496, 0.477422386828, 0.647457499509],
        [0.291784726723, 0.126248194331, 0.108441802955, 0.115247434389, 0.245590525021],
        [0.0939412083196, 0.0951190302644, 0.167477495503],
    ),
    4: (
        [0.242217122093, 0.256081134011, 0.347354324326, 0.476616493322, 0.648358110819],
        [0.350579654771, 0.137402419582, 0.143002320988, 0.118649484801, 0.308852738237],
        [0.0930488527549, 0.0940243933845, 0.167976866963],
    ),
    5: (
        [0.269739034489, 0.282123307774, 0.344842243112, 0.451429067806, 0.684288722493],
        [0.365103941713, 0.166022223613, 0.138275109289, 0.143118900759, 0.349561604568],
        [0.0965711984265, 0.0898626160567, 0.161107813378],
    ),
}


def rows_of_the_script():
    i = np.arange(600)
    x = -1 + 1.5 * np.sin(i) + 0.8 * np.cos(2.3 * i)
    y = (i * 0.6180339887498949) % 1 < expit(-0.4 + 0.7 * x + 0.15 * x**2)
    return y, expit(x), i // 2


@pytest.mark.parametrize("n_knots", [3, 4, 5])
def test_equals_rms(n_knots, monkeypatch):
    monkeypatch.setitem(calibration_curve.__globals__, "_PATIENTS", {n_knots: 50})
    y, p, patient = rows_of_the_script()
    curve = calibration_curve(y, p, groups=patient)
    observed, errors, distances = RMS[n_knots]
    found = curve.frame().iloc[[0, 25, 50, 75, 100]]
    assert found["observed"].to_numpy() == pytest.approx(observed, abs=1e-8)
    assert [curve.ici, curve.e50, curve.e90] == pytest.approx(distances, abs=1e-8)
    # t quantiles of patients of both classes, and of rows
    free = sum(len(np.unique(patient[side])) - 1 for side in (y, ~y))
    q = norm.ppf(0.975) * t.ppf(0.975, free) / t.ppf(0.975, 598)
    expected = q * np.array(errors) * np.sqrt(300 / 299)
    for limit, sign in (("low", -1), ("high", 1)):
        half = sign * (logit(found[limit]) - logit(found["observed"]))
        assert half.to_numpy() == pytest.approx(expected, abs=1e-6)


def draw(n, true=lambda x: x, seed=0, mean=-2.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, n)
    return rng.random(n) < expit(true(x)), expit(x)


def test_of_right_risks_the_distance_is_that_of_chance():
    curves = [calibration_curve(*draw(1000, seed=seed)) for seed in range(60)]
    ici, chance = np.mean([(c.ici, c.ici_by_chance) for c in curves], axis=0)
    assert ici == pytest.approx(chance, rel=0.15)
    assert ici < 0.02
    inside = [
        f["probability"].between(f["low"], f["high"]).mean() for f in (c.frame() for c in curves)
    ]
    assert 0.9 < np.mean(inside) < 0.99


def test_a_bent_distortion_is_found_where_a_line_is_not():
    def true(x):
        return x + 0.5 * (x + 2) ** 2 - 0.5

    y, p = draw(40_000, true)
    curve = calibration_curve(y, p)
    found = curve.frame()
    right = expit(true(logit(found["probability"])))
    assert np.abs(found["observed"] - right).max() < 0.03
    assert curve.ici == pytest.approx(np.abs(expit(true(logit(p))) - p).mean(), abs=0.005)
    assert curve.e50 < curve.ici < curve.e90
    assert len(curve.knots) == 5


@pytest.mark.parametrize(("n_cases", "n_knots"), [(49, 0), (50, 3), (99, 3), (100, 4), (200, 5)])
def test_knots_by_patients_of_the_rarer_class(n_cases, n_knots):
    p = np.linspace(0.05, 0.6, 900)
    y = np.zeros(900, bool)
    y[np.linspace(1, 898, n_cases).astype(int)] = True
    assert len(calibration_curve(y, p).knots) == n_knots
    films = np.repeat(y, 2), np.repeat(p, 2)
    assert len(calibration_curve(*films, groups=np.repeat(np.arange(900), 2)).knots) == n_knots


def test_with_few_cases_it_is_the_calibration_line():
    y, p = draw(300, mean=-2.5)
    line, found = calibration_line(y, p), calibration_curve(y, p).frame()
    slopes = np.diff(logit(found["observed"])) / np.diff(logit(found["probability"]))
    assert slopes == pytest.approx(line.slope)


def test_observed_over_expected():
    y, p = draw(3000, lambda x: x - 1)
    ratio, low, high = calibration_curve(y, p).observed_expected
    assert ratio == pytest.approx(y.sum() / p.sum())
    drawn = bootstrap_interval(lambda y, p: y.sum() / p.sum(), y, p, n_resamples=1000)
    assert (low, high) == pytest.approx((drawn.low, drawn.high), rel=0.03)
    assert low < expit(logit(p) - 1).sum() / p.sum() < high


def test_films_of_one_patient_narrow_nothing():
    y, p = draw(400)
    alone = calibration_curve(y, p)
    films = calibration_curve(np.repeat(y, 3), np.repeat(p, 3), groups=np.repeat(np.arange(400), 3))
    assert films.observed_expected == pytest.approx(alone.observed_expected, rel=0.01)
    widths = [np.ptp(c.frame()[["low", "high"]].iloc[50]) for c in (films, alone)]
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert films.ici == pytest.approx(alone.ici, rel=0.02)


def test_no_limits_of_few_patients_who_repeat():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, 40)
    curve = calibration_curve(rng.random(40) < p, p, groups=np.arange(40) // 5)
    assert curve.frame()["observed"].notna().all()
    assert curve.frame()[["low", "high"]].isna().all(axis=None)
    assert np.isnan([*curve.observed_expected[1:], curve.ici_by_chance]).all()
    calibration_curve([0, 1, 0, 1], [0.2, 0.3, 0.4, 0.5], groups=[1, 1, 1, 1]).plot()


@pytest.mark.parametrize(
    ("y", "p"),
    [([0, 1, 0, 1], [0.3] * 4), ([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.7])],
    ids=["constant", "apart"],
)
def test_where_nothing_fits_there_is_no_curve(y, p):
    curve = calibration_curve(y, p)
    assert curve.frame().empty
    assert np.isnan([curve.ici, curve.e50, curve.e90, curve.ici_by_chance]).all()
    assert curve.observed_expected[0] == pytest.approx(2 / sum(p))
    curve.plot()


def test_risks_of_0_alone_expect_nobody():
    assert np.isnan(calibration_curve([0, 1], [0, 0]).observed_expected).all()


def test_a_curve_that_separates_falls_back_to_fewer_knots():
    """Cases in the middle alone: a spline could be as steep as it likes, a line cannot."""
    p = np.linspace(0.05, 0.95, 400)
    curve = calibration_curve((p > 0.3) & (p < 0.7), p)
    assert len(curve.knots) < 5
    assert np.isfinite(curve.ici)
    assert curve.frame().notna().all(axis=None)


def test_risks_that_differ_by_rounding_are_no_knots():
    """A model that has learned nothing: two risks, one of them with a last digit of either kind."""
    p = np.repeat([0.33125, 0.33125 + 1e-16, 0.3375], [80, 240, 160])
    curve = calibration_curve(np.resize([0, 0, 1], 480), p)
    assert len(set(p)) == 3
    assert len(curve.knots) == 0
    points = curve.frame()
    assert (points["high"] - points["low"]).max() < 0.2


def test_certain_risks_are_counted():
    y, p = draw(500)
    p[:3] = 0
    curve = calibration_curve(y, p)
    assert curve.at_edges == 3
    assert np.isfinite(curve.ici)


def test_the_plot_ends_where_the_curve_does():
    y, p = draw(2000, mean=-3)
    ax = calibration_curve(y, p).plot()
    assert ax.get_xlim()[1] < 0.5
    assert legend_of(ax) == ["this model", "risks are right"]
    plt.close("all")


def test_wrong_input():
    with pytest.raises(InputError, match="within 0 and 1"):
        calibration_curve([0, 1], [2, 3])
    with pytest.raises(InputError, match="level"):
        calibration_curve([0, 1], [0.2, 0.3], level=95)
