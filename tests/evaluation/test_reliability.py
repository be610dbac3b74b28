"""Reliability curves: scikit-learn's calibration_curve, ties, patients, certain models."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from skosteo.evaluation import calibration_line, reliability
from skosteo.exceptions import InputError
from tests.evaluation.figures import legend_of


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 3, 500)
    return rng.random(500) < p, p


@pytest.mark.parametrize("n_bins", [2, 5, 10])
def test_equals_scikit_learn(rows, n_bins):
    y, p = rows
    frame = reliability(y, p, n_bins=n_bins).frame()
    observed, mean = calibration_curve(y, p, n_bins=n_bins, strategy="quantile")
    assert frame["observed"].to_numpy() == pytest.approx(observed)
    assert frame["mean_probability"].to_numpy() == pytest.approx(mean)
    assert frame["bin"].tolist() == list(range(1, n_bins + 1))
    assert frame["total"].sum() == 500
    assert frame["count"].sum() == y.sum()
    assert frame["total"].max() - frame["total"].min() <= 1


def test_intervals_are_wilsons_and_widen_with_films(rows):
    y, p = rows
    frame = reliability(y, p).frame()
    for row in frame.itertuples():
        low, high = binomtest(row[7], row[8]).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((low, high))
    twice = reliability(np.repeat(y, 2), np.repeat(p, 2), groups=np.repeat(np.arange(500), 2))
    assert twice.frame()["low"].to_numpy() == pytest.approx(frame["low"].to_numpy(), abs=0.02)


def test_equal_probabilities_stay_together():
    y, p = np.tile([0, 1], 50), np.repeat([0.1, 0.2], [70, 30])
    assert reliability(y, p).frame()["total"].tolist() == [70, 30]


def test_lines_are_those_of_calibration_line(rows):
    y, p = rows
    groups = np.arange(500) // 2
    curve = reliability(y, {"a": p, "b": p**2}, groups=groups)
    assert curve.lines["a"] == calibration_line(y, p, groups=groups)
    assert curve.lines["b"] == calibration_line(y, p**2, groups=groups)
    assert curve.frame()["model"].unique().tolist() == ["a", "b"]


def test_a_model_that_is_certain_has_a_line_that_says_so():
    y = np.tile([0, 1, 1, 0, 1], 10)
    p = np.tile([0, 1.0, 0.6, 0.4, 0.3], 10)
    curve = reliability(y, p, n_bins=5)
    assert curve.frame()["observed"].tolist() == [0, 1, 0, 1, 1]
    assert curve.at_edges == {"model": 20}
    with pytest.warns(UserWarning, match="20 of 50"):
        assert curve.lines["model"] == calibration_line(y, p)
    legend = curve.plot().get_legend().get_texts()[0].get_text()
    assert "(20 of 50 at 0 or 1, moved)" in legend


@pytest.mark.parametrize("n_bins", [1, 0, 2.5])
def test_wrong_bins_are_named(rows, n_bins):
    with pytest.raises(InputError, match="n_bins is"):
        reliability(*rows, n_bins=n_bins)


def test_reliability_shows_bins_line_and_spread(report):
    y, models = report.positive, {"image": np.clip(report.probability["image"], 0.01, 0.99)}
    curve = reliability(y, models, n_bins=5)
    ax = curve.plot()
    frame = curve.frame()
    [drawn] = [line for line in ax.lines if line.get_label().startswith("image")]
    assert drawn.get_xydata() == pytest.approx(frame[["mean_probability", "observed"]].to_numpy())
    line = curve.lines["image"]
    text = legend_of(ax)[0].replace("\N{MINUS SIGN}", "-")
    assert f"{line.slope:.2f} [{line.slope_low:.2f}" in text
    assert f"{line.intercept:.2f} [" in text
    assert [patch for patch in ax.patches if type(patch).__name__ == "StepPatch"]


def test_the_figure_says_why_points_have_no_interval(rows):
    y, p = rows[0][:60], rows[1][:60]
    groups = np.arange(60) // 2
    few = reliability(y, p, groups=groups)
    assert few.frame()["low"].isna().any()
    title = few.plot().get_legend().get_title().get_text()
    assert "points without an interval: fewer than 10 patients" in title
    enough = reliability(y, p, groups=groups, n_bins=2)
    assert "without" not in enough.plot().get_legend().get_title().get_text()
