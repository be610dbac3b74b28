"""Subgroups: each level is its own evaluation, and small cells give nothing away."""

import numpy as np
import pandas as pd
import pytest

from skosteo.evaluation import age_band, evaluate, subgroups
from skosteo.exceptions import InputError
from tests.evaluation.figures import legend_of


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(200), 2)
    y = (rng.random(200) < 0.4)[patient]
    models = {
        name: np.clip(0.3 + 0.3 * y + 0.2 * rng.normal(size=400), 0, 1) for name in ("a", "b")
    }
    by = pd.DataFrame(
        {
            "sex": np.where(rng.random(200) < 0.6, "F", "M")[patient],
            "band": age_band(rng.uniform(52, 78, 200)[patient]),
            "projection": np.where(patient < 9, "AP", "PA"),
        },
        index=rng.permutation(400),
    )
    return y, models, by, patient


def test_each_level_is_its_own_evaluation(cohort):
    y, models, by, patient = cohort
    frame = subgroups(y, models, by, groups=patient, threshold={"a": 0.4, "b": 0.5}).frame()
    for sex in "FM":
        rows = (by["sex"] == sex).to_numpy()
        inside = {name: p[rows] for name, p in models.items()}
        report = evaluate(y[rows], inside, groups=patient[rows], threshold={"a": 0.4, "b": 0.5})
        expected = report.frame().set_index(["model", "metric"])
        part = frame[(frame["variable"] == "sex") & (frame["level"] == sex)]
        assert set(part["rows"]) == {rows.sum()}
        assert set(part["patients"]) == {rows.sum() // 2}
        assert set(part["events"]) == {y[rows].sum()}
        part = part.set_index(["model", "metric"])
        for column in ("estimate", "low", "high", "count", "total"):
            pd.testing.assert_series_equal(
                part[column], expected.loc[part.index, column], check_dtype=False
            )


def test_each_row_may_have_its_own_threshold(cohort):
    y, models, by, _ = cohort
    female = (by["sex"] == "F").to_numpy()
    frame = subgroups(y, models, by, threshold=np.where(female, 0.3, 0.6)).frame()
    counts = frame.set_index(["model", "level", "metric"])["count"]
    for level, rows, at in (("F", female, 0.3), ("M", ~female, 0.6)):
        cells = evaluate(y[rows], models["a"][rows], threshold=at).counts.loc["model"]
        assert counts["a", level, "sensitivity"] == cells["tp"]
        assert counts["a", level, "specificity"] == cells["tn"]


def test_differences_are_newcombes_of_his_own_example():
    """56/70 less 48/80: .2000 [.0524, .3339] by his method 10, here as a specificity."""
    called = np.repeat([0.1, 0.9, 0.1, 0.9], [56, 14, 48, 32])
    sex = np.repeat(["M", "F"], [70, 80])
    y, p = np.repeat([0, 1], [150, 40]), np.append(called, np.full(40, 0.9))
    by = {"sex": np.append(sex, np.tile(["M", "F"], 20))}
    found = subgroups(y, p, by).differences().set_index("metric").loc["specificity"]
    assert [found["level"], found["reference"]] == ["M", "F"]
    limits = found[["difference", "low", "high"]].to_numpy(dtype=float)
    assert limits == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


def test_differences_tell_of_shown_levels_only(cohort):
    y, models, by, patient = cohort
    by = by.assign(site=np.array(["A", "B", "C", None])[np.minimum(patient // 60, 3)])
    by.loc[by["site"].isna(), "site"] = "D"
    by["site"] = by["site"].where(by["site"] != "A", None)  # the largest is not known
    result = subgroups(y, models, by, groups=patient)
    found, frame = result.differences(), result.frame()
    assert set(found["variable"]) == {"sex", "band", "site"}  # one level of projection is shown
    shown = (
        frame[~frame["suppressed"]].set_index(["model", "variable", "level", "metric"]).sort_index()
    )
    for row in found.itertuples():
        a = shown.loc[(row.model, row.variable, row.level, row.metric)]
        b = shown.loc[(row.model, row.variable, row.reference, row.metric)]
        assert row.difference == pytest.approx(a["estimate"] - b["estimate"])
        assert row.low < row.difference < row.high
        peers = shown.loc[(row.model, row.variable)].drop("not known", errors="ignore")
        assert b["patients"] == peers["patients"].max()
    assert not found.isna().any(axis=None)
    few = subgroups(y[:30], models["a"][:30], by.iloc[:30], groups=patient[:30])
    assert few.differences().empty


@pytest.mark.slow
def test_differences_hold_the_truth():
    """Planted areas, sensitivities and specificities of men and women, films in clusters."""
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    shift = {"F": 1.6, "M": 1.0}
    truth = {
        "AUC": np.subtract(*(norm.cdf(shift[s] / 2**0.5) for s in "MF")),
        "sensitivity": np.subtract(*(norm.cdf(shift[s] - 0.8) for s in "MF")),
        "specificity": 0.0,
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(600):
        sex = np.repeat(["F", "M"], [140, 60])
        y = np.arange(200) % 3 == 0
        patient = np.repeat(np.arange(200), 1 + rng.poisson(0.7, 200))
        own, noise = rng.normal(size=200), rng.normal(size=len(patient))
        score = (own * 0.8 + y * pd.Series(sex).map(shift))[patient] + 0.6 * noise
        p = norm.cdf(score - 0.8)
        scores = subgroups(y[patient], p, {"sex": sex[patient]}, groups=patient)
        for row in scores.differences().itertuples():
            held[row.metric] += row.low <= truth[row.metric] <= row.high
    coverage = {name: n / 600 for name, n in held.items()}
    assert all(0.93 <= c <= 0.98 for c in coverage.values()), coverage


def test_levels_come_in_their_order_and_missing_ones_have_a_name(cohort):
    y, models, by, patient = cohort
    by = by.astype({"sex": object})
    by.iloc[:60, 0] = None
    frame = subgroups(y, models, by, groups=patient).frame()
    levels = frame.groupby("variable", sort=False)["level"].unique()
    assert levels["sex"].tolist() == ["F", "M", "not known"]
    assert levels["band"].tolist() == ["50-59", "60-69", "70-79"]


def test_small_cells_give_no_number_away(cohort):
    y, models, by, patient = cohort
    result = subgroups(y, models, by, groups=patient)
    cell = result.frame().query("level == 'AP'")
    assert cell["suppressed"].all()
    assert len(cell) == 6
    numbers = ["rows", "patients", "events", "estimate", "low", "high", "count", "total"]
    assert cell[numbers].isna().all(axis=None)
    line = result.table().loc[("a", "projection", "AP")]
    assert line["events"] == "suppressed"
    assert not any(char.isdigit() for char in line.str.cat())
    assert "< 10 patients with or without the outcome" in result.note
    assert subgroups(y, models, by[["sex"]], groups=patient).note == ""


@pytest.mark.parametrize("few", [0, 1])
def test_few_without_the_outcome_are_no_count_of_events(few):
    """A level of 40 ill and 4 well patients has not fewer than 10 events."""
    y = np.repeat([few, 1 - few, 0, 1], [4, 40, 30, 30])
    site = np.repeat(["A", "B"], [44, 60])
    table = subgroups(y, np.linspace(0, 1, 104), {"site": site}).table()
    assert set(table["events"]) == {"suppressed"}


def test_no_count_follows_from_the_others_and_the_total():
    """One suppressed level takes the smallest other one with it; two need no more."""
    y = np.tile([0, 1], 120)
    site = np.repeat(["A", "B", "C", "D"], [100, 40, 90, 10])
    by = {"site": site, "other": np.repeat(["A", "B", "C"], [220, 10, 10])}
    frame = subgroups(y, np.linspace(0, 1, 240), by).frame()
    hidden = frame[frame["suppressed"]].groupby("variable")["level"].unique()
    assert hidden["site"].tolist() == ["B", "D"]
    assert hidden["other"].tolist() == ["B", "C"]
    for variable, part in frame[frame["metric"] == "AUC"].groupby("variable"):
        assert part["rows"].isna().sum() == 2, variable


def test_patients_are_counted_not_films():
    """Four ill patients with five films each are four people, not twenty."""
    patient = np.repeat(np.arange(40), 5)
    y, p = patient < 4, np.linspace(0, 1, 200)
    site = {"site": ["X"] * 200}
    assert subgroups(y, p, site, groups=patient).frame()["suppressed"].all()
    assert not subgroups(y, p, site, groups=patient, min_events=4).frame()["suppressed"].any()


def test_a_level_of_one_class_is_suppressed_not_a_crash(cohort):
    y, models, _, patient = cohort
    frame = subgroups(y, models, {"by label": y}, groups=patient, min_events=1).frame()
    assert frame["suppressed"].all()


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_age_bands(kind):
    ages = [30, 49.99, 50, 59.9, 60, 79, 80, 101, np.nan]
    below, older = "below 50", "80+"
    expected = [below, below, "50-59", "50-59", "60-69", "70-79", older, older]
    bands = age_band(kind(ages))
    assert bands.tolist()[:-1] == expected
    assert pd.isna(bands.iloc[-1])
    assert bands.cat.ordered


@pytest.mark.parametrize(
    ("ages", "message"),
    [([60, -1, 130], "2 of 3 rows, the first in row 2"), (["old"], "not numeric")],
)
def test_wrong_ages_are_named(ages, message):
    with pytest.raises(InputError, match=message):
        age_band(ages)


@pytest.mark.parametrize(
    ("by", "more", "message"),
    [
        ({"age": np.arange(400) / 7}, {}, r"by\['age'\] has 400 levels.*age_band"),
        ({"sex": ["F"]}, {}, r"by\['sex'\] has 1 values for 400 rows"),
        ({}, {}, "names no column"),
        ({"films": [["a"], ["b"]] * 200}, {}, r"by\['films'\] holds lists"),
        ({"sex": ["F"] * 400}, {"min_events": 0}, "min_events is 0"),
    ],
)
def test_wrong_input_is_named(cohort, by, more, message):
    y, models, _, _ = cohort
    with pytest.raises(InputError, match=message):
        subgroups(y, models, by, **more)


def test_what_is_hidden_together_does_not_follow_from_the_total():
    # all six rows of C and D are ill: with A and B shown, each of them would be known to be
    device = np.repeat(["A", "B", "C", "D"], [200, 194, 3, 3])
    y = np.concatenate([np.tile([0, 1], 197), np.ones(6, dtype=int)])
    frame = subgroups(y, np.linspace(0, 1, 400), {"device": device}).frame()
    hidden = frame.groupby("level")["suppressed"].first()
    assert hidden.to_dict() == {"A": False, "B": True, "C": True, "D": True}


def test_forest_of_subgroups_says_what_is_suppressed(report):
    site = np.full(100, "A")
    for side in (report.positive, ~report.positive):
        site[np.flatnonzero(side)[:14]] = np.repeat(["B", "C"], 7)
    result = subgroups(report.positive, report.probability, {"site": site})
    ax = result.plot()
    labels = [text.get_text().strip() for text in ax.get_yticklabels()]
    events = report.positive[site == "A"].sum()
    assert labels == ["site", f"A ({events}/72)", "", "B (suppressed)", "C (suppressed)"]
    assert result.note in ax.get_xlabel().replace("\n", " ")
    assert legend_of(ax) == ["image", "chance"]
