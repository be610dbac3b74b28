"""External validation: planted sites, figures of the rooms below, and input that tells nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skosteo import validate
from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.evaluation import bootstrap_interval, calibration_line, evaluate, net_benefit
from skosteo.exceptions import InputError
from tests.recalibration.planted import Says, patients

SAYS = Says().fit(None, [0, 1])


def estimates(found, which="figures"):
    return found.frame(which).set_index("figure")["estimate"]


def two(found, figure):
    frame = found.frame("update")
    return frame.loc[frame["figure"] == figure, "estimate"].to_numpy()


def test_figures_are_those_of_the_functions_for_each():
    X, y, _, group = patients(np.random.default_rng(0), 700, 0.8, -0.4, films=2, alike=0.5)
    frame = validate(SAYS, X, y, group, threshold=0.3).frame().set_index("figure")
    p = X[:, 0]
    report = evaluate(y, p, groups=group, threshold=0.3).frame().set_index("metric")
    names = ["AUC", "sensitivity", "specificity", "PPV", "NPV"]
    columns = ["estimate", "low", "high"]
    pd.testing.assert_frame_equal(
        frame.loc[names, columns], report.loc[names, columns], check_names=False
    )
    line = calibration_line(y, p, groups=group)
    found = frame.loc[["calibration slope", "calibration intercept"], columns].to_numpy().ravel()
    assert found == pytest.approx(line)
    assert frame.loc["prevalence", ["count", "total", "patients"]].tolist() == [y.sum(), 1400, 700]
    assert frame["estimate"]["net benefit"] == pytest.approx(net_benefit(y, p, 0.3))
    every = net_benefit(y, np.ones(1400), 0.3)
    assert frame["estimate"]["net benefit of treating all"] == pytest.approx(every)
    difference = frame["estimate"]["net benefit less that of treating all"]
    assert difference == pytest.approx(net_benefit(y, p, 0.3) - every)


@pytest.mark.parametrize("films", [1, 3])
def test_the_interval_of_net_benefit_is_that_of_patients_drawn_again(films):
    X, y, _, group = patients(np.random.default_rng(1), 600, films=films, alike=1.0)
    frame = validate(SAYS, X, y, group, threshold=0.3).frame().set_index("figure")
    drawn = bootstrap_interval(
        lambda y, p: net_benefit(y, p, 0.3), y, X[:, 0], groups=group, n_resamples=1000
    )
    low, high = frame.loc["net benefit", ["low", "high"]]
    assert (low, high) == pytest.approx((drawn.low, drawn.high), abs=0.15 * (high - low))


def test_of_a_right_model_nothing_is_wrong():
    X, y, _, _ = patients(np.random.default_rng(2), 4000)
    found = validate(SAYS, X, y)
    frame = found.frame().set_index("figure")
    for name, right in (("observed / expected", 1), ("calibration slope", 1)):
        assert frame["low"][name] < right < frame["high"][name], name
    assert frame["estimate"]["ICI"] < 0.02
    assert found.update.chosen == "original"
    assert found.update.model is SAYS
    assert "the model would be kept as it is" in repr(found)


def test_an_update_makes_risks_right_and_what_it_does_to_sensitivity_is_said():
    """Fewer are ill at the same findings: half the cases then stay below the threshold."""
    X, y, risk, _ = patients(np.random.default_rng(3), 6000, 1, -1.0)
    found = validate(SAYS, X, y, threshold=0.2)
    assert found.update.chosen == "intercept"
    assert sum(found.chosen.values()) == 10
    before, after = two(found, "observed / expected")
    assert before == pytest.approx(y.mean() / X.mean())
    assert after == pytest.approx(1, abs=0.02)
    right = [(X[:, 0] >= 0.2)[y == 1].mean(), (risk >= 0.2)[y == 1].mean()]
    assert two(found, "sensitivity") == pytest.approx(right, abs=0.03)
    assert right[1] < right[0] - 0.2
    gains = [net_benefit(y, X[:, 0], 0.2), net_benefit(y, risk, 0.2)]
    assert two(found, "net benefit") == pytest.approx(gains, abs=0.005)
    said = repr(found)
    assert "on average the risks are too high" in said
    assert "it does not restore a sensitivity" in said


def test_subgroups_are_sex_age_and_those_named(site):
    model, _, there = site
    site_of = pd.DataFrame({"hospital": np.arange(len(there.data)) % 2})
    found = validate(model, there.data, there.target, there.groups, subgroups=site_of)
    variables = found.frame("subgroups")["variable"].unique().tolist()
    assert variables == ["sex", "age", "hospital"]
    named = validate(model, there.data.assign(h=1), there.target, subgroups=["h"])
    assert "h" in named.frame("subgroups")["variable"].unique()


def test_rows_without_names_have_no_groups():
    X, y, _, _ = patients(np.random.default_rng(6), 200)
    found = validate(SAYS, X, y)
    assert set(found.tables) == {
        "figures", "calibration_curve", "decision_curve", "update", "update_tests"
    }  # fmt: skip
    with pytest.raises(InputError, match="allowed here are 'figures'"):
        found.frame("subgroups")


def test_labels_of_words(site):
    model, home, there = site
    words = [cohort.target.map({0: "bone", 1: "thin bone"}) for cohort in (home, there)]
    found = validate(clone(model).fit(home.data, words[0]), there.data, words[1])
    assert found.outcome == "osteoporosis: thin bone"
    same = validate(model, there.data, there.target)
    pd.testing.assert_frame_equal(found.frame(), same.frame())


def test_rows_left_out_before_are_counted(site):
    model, _, there = site
    log = ExclusionLog(there.data, None)
    log.exclude("film cannot be read", np.arange(500) < 10)
    X, y = there.data[log.kept], there.target[log.kept]
    flow = Flow(log.frame(), log.outcome(y, ("ill", "well")))
    found = validate(model, X, y, flow=flow)
    assert found.frame("flow")["remaining"].iloc[-1] == len(found.rows.positive) == 490
    with pytest.raises(InputError, match="flow leaves 490 rows"):
        validate(model, there.data, there.target, flow=flow)


# ---------------------------------------------------------------- input that tells little


def test_eight_patients_are_no_ground_for_an_update():
    X, y = expit(np.linspace(-2, 2, 8))[:, None], np.array([0, 0, 1, 0, 1, 0, 1, 1])
    found = validate(SAYS, X, y)
    assert found.update is None
    assert found.after is None
    assert "10 of each" in repr(found)
    assert estimates(found)["sensitivity"] == 0.75
    twice = validate(SAYS, np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat(range(8), 2))
    assert twice.frame()[["low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize("threshold", [0.999, 1])
def test_nobody_reaches_the_threshold(threshold):
    X, y, _, _ = patients(np.random.default_rng(7), 300)
    frame = validate(SAYS, X, y, threshold=threshold).frame().set_index("figure")
    assert frame["estimate"][["sensitivity", "specificity"]].tolist() == [0, 1]
    assert frame["count"]["specificity"] == frame["total"]["specificity"] == (y == 0).sum()
    assert np.isnan(frame["estimate"]["PPV"])
    assert np.isnan(frame["low"]["net benefit"])
    assert np.isnan(frame["estimate"]["net benefit"]) == (threshold == 1)


def test_one_risk_for_all_is_not_estimable():
    found = validate(SAYS, np.full((200, 1), 0.3), np.repeat([0, 1], 100))
    frame = found.frame().set_index("figure")
    assert frame["estimate"]["AUC"] == 0.5
    assert frame["estimate"]["observed / expected"] == pytest.approx(0.5 / 0.3)
    assert np.isnan(frame["estimate"][["calibration slope", "ICI"]]).all()
    assert "No slope can be estimated" in found.no_update
    assert "slope not estimable" in repr(found)
    found.plot()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": np.zeros(50, int)}, "patients without; wait for more"),
        ({"y": np.repeat([2, 3], 25)}, r"classes \[0, 1\], y has \[2, 3\]"),
        ({"y": np.repeat([0, 1, 2], [20, 20, 10])}, "binary"),
        ({"threshold": 20}, "per cent"),
        ({"groups": np.arange(49)}, "groups has shape"),
        ({"subgroups": "sex"}, "one text"),
        ({"subgroups": ["sex"]}, "no columns"),
        ({"subgroups": pd.DataFrame({"a": [1]})}, "1 rows, and X has 50"),
        ({"subgroups": pd.DataFrame({"a": range(50)})}, "50 levels"),
        ({"X": np.full((50, 1), 37.1)}, "per cent"),
        ({"X": np.full((50, 1), np.nan)}, "gives no probability"),
        ({"model": StandardScaler()}, "predict_proba"),
    ],
)
def test_wrong_input(change, said):
    given = {"model": SAYS, "X": np.full((50, 1), 0.2), "y": np.repeat([0, 1], 25)}
    with pytest.raises(InputError, match=said):
        validate(**given | change)


@pytest.mark.parametrize("as_given", [lambda column: column, lambda column: column.tolist()])
def test_cells_for_names_of_columns_are_refused_without_a_cell(as_given, site):
    model, _, there = site
    doctors = pd.Series(np.resize(["Wang Fang", "Li Na", "Zhao Min"], 500), name="doctor")
    with pytest.raises(InputError, match=r"column itself|3 entries that are no columns") as caught:
        validate(model, there.data, there.target, subgroups=as_given(doctors))
    assert "Li Na" not in str(caught.value)


def test_a_column_that_the_model_needs_is_missed_by_the_model_itself(site):
    model, _, there = site
    with pytest.raises(ValueError, match="age"):
        validate(model, there.data.drop(columns="age"), there.target)
