"""Paired comparison of models: published values, independent references, error rates."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import auc_interval, compare, delong_test, evaluate, holm, mcnemar_test
from skosteo.exceptions import InputError
from tests.evaluation.test_metrics import asah, survey

# What pROC's own tests of roc.test (tests/testthat/test-roc.test.R) hold for its aSAH data: Z, p
# and the ends of the 95 % interval of the paired DeLong test.
PROC = {
    ("wfns", "s100b"): (
        2.20898359144091,
        0.0271757822291882,
        0.0104061769564846,
        0.174214419249478,
    ),
    ("wfns", "ndka"): (
        2.79777591868904,
        0.00514557970691098,
        0.0634011709339876,
        0.3600405634833566,
    ),
    ("ndka", "s100b"): (
        -1.39077002573558,
        0.164295175223054,
        -0.2876917446341914,
        0.0488706064228094,
    ),
}


def two_models(rng, patients, films=1, better=0.0, ties=1):
    """Scores of two models that share a part of what they see, for patients with several films."""
    group = np.repeat(np.arange(patients), films)
    n = len(group)
    y = (rng.random(patients) < 0.4)[group]
    shared = y + rng.normal(size=n) + rng.normal(size=patients)[group]
    a = shared + rng.normal(size=n) + rng.normal(size=patients)[group] + better * y
    b = shared + rng.normal(size=n) + rng.normal(size=patients)[group]
    return y, a.round(ties), b.round(ties), group


def pairwise_test(y, a, b, group):
    """Difference and its variance from all pairs, as in DeLong 1988 and Obuchowski 1997."""
    sides = []
    for score in (a, b):
        wins = np.sign(score[y][:, None] - score[~y][None, :]) / 2 + 0.5
        sides.append((wins.mean(), wins.mean(axis=1), wins.mean(axis=0)))
    (auc_a, up_a, down_a), (auc_b, up_b, down_b) = sides
    if group is None:
        s10, s01 = np.cov(up_a, up_b), np.cov(down_a, down_b)
        s = s10 / len(up_a) + s01 / len(down_a)
        return auc_a - auc_b, s[0, 0] + s[1, 1] - 2 * s[0, 1]
    up, down = up_a - up_b - (auc_a - auc_b), down_a - down_b - (auc_a - auc_b)
    patients = np.unique(group)
    up = np.array([up[group[y] == g].sum() for g in patients]) / len(up)
    down = np.array([down[group[~y] == g].sum() for g in patients]) / len(down)
    k, k10, k01 = len(patients), len(np.unique(group[y])), len(np.unique(group[~y]))
    s10, s01 = k10 / (k10 - 1) * (up**2).sum(), k01 / (k01 - 1) * (down**2).sum()
    return auc_a - auc_b, s10 + s01 + 2 * k / (k - 1) * (up * down).sum()


@pytest.mark.parametrize("markers", PROC, ids=" against ".join)
def test_equals_proc_on_its_published_data(markers):
    (y, a), (_, b) = (asah(marker) for marker in markers)
    test = delong_test(y, a, b)
    assert (test.statistic, test.pvalue, test.low, test.high) == pytest.approx(
        PROC[markers], rel=1e-10
    )
    assert test.difference == pytest.approx(roc_auc_score(y, a) - roc_auc_score(y, b))


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_sum_over_all_pairs(seed):
    rng = np.random.default_rng(seed)
    y, a, b, group = two_models(rng, 80, films=3, ties=seed % 3)
    k = [len(np.unique(group[side])) for side in (y, ~y)]
    for groups, law in ((None, norm), (group, t(sum(k) - 2))):
        test = delong_test(y, a, b, groups=groups)
        difference, variance = pairwise_test(y, a, b, groups)
        assert test.difference == pytest.approx(difference)
        assert test.statistic == pytest.approx(difference / np.sqrt(variance))
        assert test.pvalue == pytest.approx(2 * law.cdf(-abs(test.statistic)))


def test_swapping_the_models_turns_the_sign():
    y, a, b, group = two_models(np.random.default_rng(0), 40, films=2, better=1)
    test, other = delong_test(y, a, b, groups=group), delong_test(y, b, a, groups=group)
    assert test.difference > 0
    mirror = (-test.statistic, test.pvalue, -test.difference, -test.high, -test.low)
    assert other == pytest.approx(mirror)


@pytest.mark.parametrize("groups", [None, [1] * 8])
def test_models_that_rank_alike_do_not_differ(groups):
    y = [0, 1] * 4
    p = np.array([0.1, 0.4, 0.3, 0.2, 0.35, 0.8, 0.5, 0.9])
    for same in (p, p**2, np.log(p), np.column_stack([1 - p, p])):
        test = delong_test(y, p, same, groups=groups)
        assert test[:3] == (0, 1, 0)
        assert np.isnan(test[3:]).all()


def test_what_cannot_be_estimated_is_nan_not_certainty():
    y = np.repeat([0, 1], 10)
    perfect_against_useless = delong_test(y, y, np.full(20, 0.5))
    assert perfect_against_useless.difference == 0.5
    four = np.repeat([0, 1, 2, 3], 5)  # 2 patients of a class, of 10 films in all
    b = np.random.default_rng(0).normal(size=20)
    of_four, of_nine = delong_test(y, y + b / 9, b, groups=four), delong_test(y[1:], y[1:], b[1:])
    for test in (perfect_against_useless, of_four, of_nine):
        assert test.difference > 0
        assert np.isnan([test.statistic, test.pvalue, test.low, test.high]).all()
    assert not np.isnan(delong_test(y, y, b).pvalue)


def test_the_interval_holds_0_if_and_only_if_the_p_value_is_above_its_level():
    rng = np.random.default_rng(1)
    agree = []
    for _ in range(200):
        y, a, b, _ = two_models(rng, 40, better=0.7)
        for level in (0.8, 0.95):
            test = delong_test(y, a, b, level=level)
            agree.append((test.low <= 0 <= test.high) == (test.pvalue >= 1 - level))
    assert all(agree)


def test_a_film_counted_twice_adds_nothing():
    y, a, b, group = two_models(np.random.default_rng(2), 40, better=0.5)
    twice = [np.repeat(column, 2) for column in (y, a, b, group)]
    once = delong_test(y, a, b)
    test = delong_test(*twice[:3], groups=twice[3])
    assert test.statistic == pytest.approx(once.statistic)
    assert once.pvalue < test.pvalue < once.pvalue + 0.02
    assert delong_test(*twice[:3]).pvalue < once.pvalue  # what ignoring patients would claim


def test_weights():
    y, a, group, weight = survey(np.random.default_rng(3))
    b = (a + np.random.default_rng(4).normal(size=len(a))).round(1)
    test = delong_test(y, a, b, groups=group, sample_weight=weight)
    areas = [roc_auc_score(y, score, sample_weight=weight) for score in (a, b)]
    assert test.difference == pytest.approx(areas[0] - areas[1])
    equal = delong_test(y, a, b, groups=group, sample_weight=np.full(len(y), 0.1))
    assert equal == delong_test(y, a, b, groups=group)
    assert test.pvalue != pytest.approx(equal.pvalue)
    times = np.random.default_rng(5).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    repeated = delong_test(y[rows], a[rows], b[rows], groups=group[rows])
    weighted = delong_test(y, a, b, groups=group, sample_weight=times)
    assert weighted.difference == pytest.approx(repeated.difference)
    assert weighted.statistic == pytest.approx(repeated.statistic, rel=0.03)


def test_weighted_error_equals_the_bootstrap_over_units():
    y, a, group, weight = survey(np.random.default_rng(6), units=60)
    rng = np.random.default_rng(7)
    b = (a + rng.normal(size=len(a))).round(1)
    rows = [np.flatnonzero(group == g) for g in range(60)]
    differences = []
    for _ in range(1500):
        drawn = np.concatenate([rows[g] for g in rng.integers(0, 60, 60)])
        columns = (column[drawn] for column in (y, a, b))
        differences.append(delong_test(*columns, sample_weight=weight[drawn]).difference)
    test = delong_test(y, a, b, groups=group, sample_weight=weight)
    assert test.difference / test.statistic == pytest.approx(np.std(differences), rel=0.1)


def simulate(simulations, patients, films, better, truth, ignore_patients=False):
    """Share of rejections at 5 %, and of intervals that hold the true difference."""
    rng = np.random.default_rng(8)
    rejected = held = 0
    for _ in range(simulations):
        y, a, b, group = two_models(rng, patients, films, better, ties=3)
        test = delong_test(y, a, b, groups=None if ignore_patients else group)
        rejected += test.pvalue < 0.05
        held += test.low <= truth <= test.high
    return rejected / simulations, held / simulations


# The scores of two rows of different patients differ by 1 (+ better) with a variance of 8.
BETTER = norm.cdf(2 / np.sqrt(8)) - norm.cdf(1 / np.sqrt(8))


@pytest.mark.parametrize("films", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_error_rate_and_coverage(films):
    rejected, _ = simulate(500, 80, films, 0, 0)
    assert 0.025 <= rejected <= 0.08
    rejected, held = simulate(500, 80, films, 1, BETTER)
    assert 0.92 <= held <= 0.98
    assert rejected > 0.25  # and the difference is found


@pytest.mark.slow
@pytest.mark.parametrize("films", [1, 3])
def test_error_rate_is_4_to_6_and_coverage_94_to_96_per_cent(films):
    rejected, _ = simulate(20_000, 150, films, 0, 0)
    assert 0.04 <= rejected <= 0.06
    _, held = simulate(20_000, 150, films, 1, BETTER)
    assert 0.94 <= held <= 0.96


def test_ignoring_patients_would_reject_too_often():
    """The simulation can fail: without the patients three films count as three people."""
    rejected, _ = simulate(300, 80, 3, 0, 0, ignore_patients=True)
    assert rejected > 0.1


@pytest.mark.slow
def test_a_million_rows_take_seconds_at_most():
    """n log n, not n squared: a million squared would not fit in memory."""
    rng = np.random.default_rng(9)
    y, a, b, _ = two_models(rng, 1_000_000, ties=8)
    test = delong_test(y, a, b)
    assert test.low <= 0 <= test.high
    assert auc_interval(y, a)[0] - auc_interval(y, b)[0] == pytest.approx(test.difference)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], [0.1, 0.2], [0.1, 0.2]), "one class in all 2 rows"),
        (([0, 1], [0.1, 0.2], [0.1]), r"shape \(1,\) for 2 labels"),
        (([0, 1], [0.1, np.nan], [0.1, 0.2]), "not finite in 1 of 2 rows"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        delong_test(*arguments)


def test_a_wrong_level_is_named():
    with pytest.raises(InputError, match="level is 95"):
        delong_test([0, 1], [0.1, 0.2], [0.2, 0.1], level=95)


@pytest.fixture
def cohort():
    rng = np.random.default_rng(10)
    group = np.repeat(np.arange(150), 2)
    y = (rng.random(150) < 0.4)[group]
    noise = {"image": 0.2, "clinical": 0.35, "both": 0.18}
    return (
        y,
        {k: np.clip(0.3 + 0.3 * y + rng.normal(0, s, 300), 0, 1) for k, s in noise.items()},
        group,
    )


def test_rates_are_compared_at_the_threshold_of_each_row(cohort):
    y, models, _ = cohort
    at = {"image": np.linspace(0.3, 0.6, 300), "clinical": np.linspace(0.6, 0.3, 300), "both": 0.5}
    frame = compare(y, models, reference="image", threshold=at).frame()
    rate = evaluate(y, models, threshold=at).frame().set_index(["metric", "model"])["estimate"]
    for row in frame.itertuples():
        expected = rate[row.metric, row.model_a] - rate[row.metric, "image"]
        assert row.difference == pytest.approx(expected)


@pytest.mark.parametrize("clustered", [False, True])
def test_compare_is_its_tests_in_one_call(cohort, clustered):
    y, models, group = cohort
    groups = group if clustered else None
    comparison = compare(y, models, groups=groups, threshold=0.4)
    frame = comparison.frame()
    assert list(frame) == [
        "model_a", "model_b", "metric", "difference", "low", "high", "statistic", "pvalue",
        "pvalue_holm", "test",
    ]  # fmt: skip
    assert len(frame) == 3 * 4
    sides = {"accuracy": np.full(300, True), "sensitivity": y, "specificity": ~y}
    estimate = evaluate(y, models, threshold=0.4).frame().set_index(["model", "metric"])["estimate"]
    for row in frame.itertuples():
        a, b = models[row.model_a], models[row.model_b]
        rows = sides.get(row.metric)
        if rows is None:
            test = delong_test(y, a, b, groups=groups)
        else:
            mine = group[rows] if clustered else None
            test = mcnemar_test(y[rows], a[rows] >= 0.4, b[rows] >= 0.4, groups=mine)
        assert (row.difference, row.low, row.high) == (test.difference, test.low, test.high)
        assert (row.statistic, row.pvalue) == (test.statistic, test.pvalue)
        planted = estimate[row.model_a, row.metric] - estimate[row.model_b, row.metric]
        assert row.difference == pytest.approx(planted)
    for _, family in frame.groupby("metric"):
        assert family["pvalue_holm"].tolist() == holm(family["pvalue"]).tolist()


def test_compare_says_no_more_than_four_patients_and_like_models_can_tell(cohort):
    y, group = np.repeat([0, 1], 60), np.repeat([0, 1, 2, 3], 30)
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 120))
    models = {"good": 0.2 + 0.6 * y + noise[0], "poor": 0.5 + noise[1]}
    few = compare(y, {k: np.clip(p, 0, 1) for k, p in models.items()}, groups=group).table()
    assert few.map(lambda text: text.startswith("+") and "[\N{EM DASH}]" in text).all(axis=None)
    assert not few.map(lambda text: "<" in text).any(axis=None)
    assert few["AUC"].iloc[0].endswith("P not estimable")
    y, models, group = cohort
    same = compare(y, {"one": models["image"], "same": models["image"]}, groups=group).table()
    assert (same == "+.000 [\N{EM DASH}], P = 1.00").all(axis=None)


def test_compare_with_a_reference(cohort):
    y, models, _ = cohort
    frame = compare(y, pd.DataFrame(models), reference="clinical").frame()
    pairs = frame[["model_a", "model_b"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["image", "clinical"], ["both", "clinical"]]
    auc = frame[frame["metric"] == "AUC"]
    assert (auc["difference"] > 0).all()
    assert (auc["pvalue_holm"] < 0.01).all()


def test_comparison_as_a_paper_prints_it(cohort):
    y, models, _ = cohort
    comparison = compare(y, models, reference="clinical", threshold={**dict.fromkeys(models, 0.5)})
    table = comparison.table()
    assert table.index.tolist() == ["image", "both"]
    assert table.attrs["reference"] == "clinical"
    assert "Differences from clinical with" in repr(comparison)
    pairs = compare(y, {"a": models["image"], "b": models["both"]}).table()
    assert pairs.index.tolist() == ["a \N{MINUS SIGN} b"]
    row = comparison.frame().iloc[0]
    ends = [f"+{x:.3f}".replace("+0", "+") for x in (row["difference"], row["low"], row["high"])]
    assert table.iloc[0]["AUC"] == f"{ends[0]} [{ends[1]}, {ends[2]}], P < .001"
    assert "Holm for 2 comparisons" in repr(comparison)
    assert "Holm" not in repr(compare(y, {"a": models["image"], "b": models["both"]}))


def test_models_that_are_the_same_do_not_differ():
    y, p = [0, 0, 1, 1, 1], [0.1, 0.6, 0.4, 0.7, 0.8]
    comparison = compare(y, {"a": p, "b": p})
    assert (comparison.frame()["pvalue_holm"] == 1).all()
    assert (comparison.frame()["difference"] == 0).all()
    assert comparison.table().iloc[0]["accuracy"].endswith("P = 1.00")


@pytest.mark.slow
def test_holm_keeps_the_family_of_four_equal_models():
    """Some difference of AUC is claimed among four equally good models in 5 of 100 studies."""
    rng = np.random.default_rng(11)
    claimed = 0
    for _ in range(3000):
        y = rng.random(120) < 0.4
        models = {str(i): expit(y + rng.normal(size=120)) for i in range(4)}
        frame = compare(y, models).frame()
        claimed += (frame.loc[frame["metric"] == "AUC", "pvalue_holm"] < 0.05).any()
    assert 0.01 < claimed / 3000 <= 0.055


@pytest.mark.parametrize(
    ("y_prob", "more", "message"),
    [
        ({"a": [0.1, 0.9]}, {}, "holds 1 model; a comparison needs 2"),
        ([0.1, 0.9], {}, "holds 1 model"),
        ({"image": [0.1, 0.9], "b": [0.2, 0.8]}, {"reference": "imge"}, "did you mean 'image'"),
        ({"a": [0.1, 0.9], "b": [0.2, 8]}, {}, "Model 'b': y_prob runs from 0.2 to 8"),
        ({"a": [0.1, 0.9], "b": [0.2, 0.8]}, {"threshold": {"a": 0.5}}, r"lacks \['b'\]"),
        ({"a": [0.1, 0.9], "b": [0.2, 0.8]}, {"level": 95}, "level is 95"),
    ],
)
def test_compare_names_wrong_input(y_prob, more, message):
    with pytest.raises(InputError, match=message):
        compare([0, 1], y_prob, **more)


def test_forest_of_differences_shows_every_line_of_the_table(report):
    comparison = compare(report.positive, report.probability)
    ax = comparison.plot()
    written = [text.get_text() for text in ax.texts]
    assert written == comparison.table().iloc[0].tolist()
    points = [line.get_xydata()[0, 0] for line in ax.lines if len(line.get_xydata()) == 1]
    assert points == pytest.approx(comparison.frame()["difference"].tolist())


def test_the_one_reference_is_named_once(report):
    three = {**report.probability, "both": np.linspace(0, 1, 100)}
    ax = compare(report.positive, three, reference="chance").plot()
    assert ax.get_xlabel().startswith("Difference from chance [95 %")
    assert not any("chance" in text.get_text() for text in ax.get_yticklabels())
