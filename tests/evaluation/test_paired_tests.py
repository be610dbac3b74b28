"""McNemar, paired t and Holm: statsmodels, scipy, published values, error rates."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, ttest_rel

from skosteo.evaluation import holm, mcnemar_test, paired_t_test
from skosteo.exceptions import InputError


def cells(both, only_a, only_b, neither):
    """Labels and two predictions that are right as often as planted."""
    a = np.repeat([1, 1, 0, 0], [both, only_a, only_b, neither])
    b = np.repeat([1, 0, 1, 0], [both, only_a, only_b, neither])
    return np.ones(len(a), int), a, b


TABLES = [(50, 3, 9, 20), (30, 0, 6, 4), (100, 12, 12, 7), (80, 40, 21, 30), (500, 5, 200, 9)]


@pytest.mark.parametrize("table", TABLES)
def test_mcnemar_equals_statsmodels(table):
    module = pytest.importorskip("statsmodels.stats.contingency_tables")
    both, only_a, only_b, neither = table
    square = [[both, only_a], [only_b, neither]]
    exact = module.mcnemar(square, exact=True).pvalue
    plain = module.mcnemar(square, exact=False, correction=False)
    test = mcnemar_test(*cells(*table))
    assert test.statistic**2 == pytest.approx(plain.statistic)
    assert (test.only_a, test.only_b) == (only_a, only_b)
    assert test.difference == pytest.approx((only_a - only_b) / sum(table))
    if only_a + only_b < 25:
        assert test.exact
        assert test.pvalue == pytest.approx(min(exact, 1))
    else:  # mid-p: less the chance of exactly what was seen
        seen = binom.pmf(only_a, only_a + only_b, 0.5)
        assert test.pvalue == pytest.approx(exact - seen, rel=1e-6)
        assert test.pvalue == pytest.approx(plain.pvalue, rel=0.3)


def clustered(rng, patients, films, better=0.0, alike=0.6):
    """Where two models are right, on films of a patient that share a part."""
    group = np.repeat(np.arange(patients), films)
    n = len(group)

    def right(shift):
        shared = rng.normal(size=patients)[group]
        return np.sqrt(1 - alike) * rng.normal(size=n) + np.sqrt(alike) * shared < shift

    return right(0.8 + better), right(0.8), group


def test_the_p_value_of_patients_is_that_of_every_way_to_toss_their_signs():
    a, b, group = clustered(np.random.default_rng(0), 20, 3, better=1)
    balance = np.bincount(group, a.astype(int) - b)
    balance = balance[balance != 0]
    assert 5 < len(balance) < 18
    sums = [abs(balance @ signs) for signs in product([-1, 1], repeat=len(balance))]
    test = mcnemar_test(np.ones(60, bool), a, b, groups=group)
    assert test.pvalue == pytest.approx(np.mean(np.array(sums) >= abs(balance.sum())))
    assert test.statistic == pytest.approx(balance.sum() / np.sqrt((balance**2).sum()))


def test_mcnemar_of_films_counted_twice_and_of_models_swapped():
    y, a, b = cells(60, 30, 14, 20)
    group = np.arange(len(y))
    once = mcnemar_test(y, a, b)
    assert mcnemar_test(y, a, b, groups=group) == once
    twice = mcnemar_test(*(np.repeat(x, 2) for x in (y, a, b)), groups=np.repeat(group, 2))
    assert twice[:3] == pytest.approx(once[:3])
    assert 1 - 1e-9 < (twice.high - twice.low) / (once.high - once.low) < 1.02
    swapped = mcnemar_test(y, b, a)
    mirror = (-once.statistic, once.pvalue, -once.difference, -once.high, -once.low)
    assert swapped[:5] == pytest.approx(mirror)


def test_mcnemar_interval_is_bonett_and_prices():
    """Their equation, of counts with one more of either kind."""
    test = mcnemar_test(*cells(60, 30, 14, 20))
    p, q, n = 31 / 126, 15 / 126, 124
    half = 1.959964 * np.sqrt((p + q - (p - q) ** 2) / (n + 2))
    assert (test.low, test.high) == pytest.approx((p - q - half, p - q + half))


def test_models_that_never_disagree_and_a_single_patient():
    same = mcnemar_test([0, 1, 1], [0, 1, 0], [0, 1, 0])
    assert same[:3] == (0, 1, 0)
    assert np.isnan([same.low, same.high]).all()  # nothing says how far they may differ
    lone = mcnemar_test([0, 1, 1], [0, 1, 0], [0, 1, 1], groups=["a"] * 3)
    assert lone.difference == pytest.approx(-1 / 3)
    assert lone.pvalue == 1
    assert np.isnan([lone.low, lone.high]).all()
    few = mcnemar_test([1] * 40, [1] * 40, [0] * 40, groups=np.repeat([0, 1, 2, 3], 10))
    assert few.pvalue == 2 / 2**4  # of the ways to toss four signs, and never less
    assert np.isnan([few.low, few.high]).all()
    # patients of the same balance say nothing of how alike their films are
    alike = mcnemar_test([1] * 24, [1] * 24, [0, 1] * 12, groups=np.repeat(np.arange(12), 2))
    assert alike.pvalue == pytest.approx(2 / 2**12)
    assert alike.low < 0.5 < alike.high


def test_words_are_labels_too():
    y = np.array(["ill", "well", "ill"])
    assert mcnemar_test(y, y, ["ill", "ill", "well"]).difference == pytest.approx(2 / 3)


def test_a_hundred_thousand_films_take_seconds():
    a, b, group = clustered(np.random.default_rng(1), 40_000, 3, better=0.005)
    test = mcnemar_test(np.ones(len(a), bool), a, b, groups=group)
    assert 0 < test.pvalue < 1
    assert test.low < test.difference < test.high


def simulate(simulations, patients, films, better, truth):
    """Share of rejections at 5 %, and of intervals that hold the true difference."""
    rng = np.random.default_rng(2)
    rejected = held = 0
    for _ in range(simulations):
        a, b, group = clustered(rng, patients, films, better)
        test = mcnemar_test(np.ones(len(a), bool), a, b, groups=group)
        rejected += test.pvalue < 0.05
        held += test.low <= truth <= test.high
    return rejected / simulations, held / simulations


BETTER = 0.8643339 - 0.7881446  # normal shares below 1.1 and .8


@pytest.mark.parametrize("films", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_mcnemar_error_rate_and_coverage(films):
    rejected, held = simulate(500, 120, films, 0, 0)
    assert 0.02 <= rejected <= 0.08
    assert 0.92 <= held <= 0.98
    assert simulate(300, 250, films, 0.3, BETTER)[1] >= 0.9


def test_few_disagreements_reject_too_seldom_never_too_often():
    rejected, _ = simulate(2000, 40, 1, 0, 0)
    assert rejected <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("films", [1, 3])
def test_mcnemar_error_rate_is_4_to_6_and_coverage_94_to_96_per_cent(films):
    rejected, _ = simulate(20_000, 300, films, 0, 0)
    assert 0.04 <= rejected <= 0.06
    _, held = simulate(20_000, 300, films, 0.3, BETTER)
    assert 0.94 <= held <= 0.96


def test_ignoring_patients_would_reject_too_often():
    """The simulation can fail: without the patients five films count as five people."""
    rng = np.random.default_rng(3)
    pvalues = []
    for _ in range(200):
        a, b, _ = clustered(rng, 100, 5, alike=0.95)
        pvalues.append(mcnemar_test(np.ones(500, bool), a, b).pvalue)
    assert np.mean(np.array(pvalues) < 0.05) > 0.15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.2, 0.7], [1, 0]), "4 distinct values.*give the labels"),
        (([0, 1], [0, 1, 1], [1, 0]), r"y_pred_a has shape \(3,\)"),
        (([0, 1], [0, 1], [[0, 1]]), r"y_pred_b has shape \(1, 2\)"),
        (([], [], []), r"y_true has shape \(0,\)"),
        ((np.array([0, 1], object), ["0", "1"], [0, 1]), "2 distinct|mix|distinct values"),
    ],
)
def test_mcnemar_names_wrong_input(arguments, message):
    with pytest.raises(InputError, match=message):
        mcnemar_test(*arguments)


FOLDS = np.array([0.951, 0.942, 0.957, 0.939, 0.962]), np.array([0.93, 0.941, 0.925, 0.94, 0.951])


def folds_of(statistic):
    """Scores on five folds whose difference has this t."""
    shape = np.array([-2.0, -1, 0, 1, 2])
    error = shape.std(ddof=1) / np.sqrt(5)
    return (statistic * error + shape) / 100, np.zeros(5)


@pytest.mark.parametrize(("statistic", "published"), [(4.2426, 0.013), (2.9774, 0.041)])
def test_t_tests_of_the_paper(statistic, published):
    test = paired_t_test(*folds_of(statistic))
    assert test.statistic == pytest.approx(statistic)
    assert test.df == 4
    assert test.pvalue == pytest.approx(published, abs=5e-4)


def test_paired_t_equals_scipy():
    test, reference = paired_t_test(*FOLDS), ttest_rel(*FOLDS)
    assert test[:3] == pytest.approx((reference.statistic, reference.pvalue, reference.df))
    interval = reference.confidence_interval(0.95)
    assert (test.low, test.high) == pytest.approx((interval.low, interval.high))
    narrow = paired_t_test(*FOLDS, level=0.5)
    assert test.low < narrow.low < narrow.difference < narrow.high < test.high


def test_the_correction_widens_by_the_shared_training_rows():
    """Nadeau and Bengio: 1 / k + n_test / n_train in the place of 1 / k."""
    plain, corrected = paired_t_test(*FOLDS), paired_t_test(*FOLDS, 400, 100)
    assert plain.statistic / corrected.statistic == pytest.approx(
        np.sqrt((1 / 5 + 1 / 4) / (1 / 5))
    )
    assert corrected.difference == plain.difference
    assert corrected.pvalue > plain.pvalue


def test_the_correction_keeps_the_error_rate_where_the_plain_test_does_not():
    """Two cut-offs on equally good markers, learnt on 15 random splits of the same 100 rows."""
    rng = np.random.default_rng(6)
    rejected = np.zeros(2)
    for _ in range(600):
        y = np.arange(100) % 2
        X = rng.normal(size=(100, 2)) + 0.8 * y[:, None]
        scores = []
        for _ in range(15):
            test, train = np.split(rng.permutation(100), [20])
            means = [X[train][y[train] == label].mean(axis=0) for label in (0, 1)]
            scores.append(((X[test] > np.mean(means, axis=0)) == y[test][:, None]).mean(axis=0))
        a, b = np.transpose(scores)
        rejected += [paired_t_test(a, b, *sizes).pvalue < 0.05 for sizes in ((), (80, 20))]
    plain, corrected = rejected / 600
    assert plain > 0.2
    assert corrected < 0.08


def test_folds_without_variance():
    assert paired_t_test([0.9, 0.8], [0.9, 0.8])[:4] == (0, 1, 1, 0)
    test = paired_t_test([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])
    assert test.difference == pytest.approx(0.1)
    assert np.isnan([test.statistic, test.pvalue, test.low, test.high]).all()


@pytest.mark.parametrize(
    ("a", "b", "sizes", "message"),
    [
        ([0.9], [0.8], (), "2 or more"),
        ([0.9, 0.8], [0.8, 0.7, 0.9], (), "same folds"),
        ([0.9, np.nan], [0.8, 0.7], (), "1 of 2 folds are not finite, the first in fold 2"),
        (["good", "bad"], [0.8, 0.7], (), "not numeric"),
        ([0.9, 0.8], [0.8, 0.7], (100,), "needs the sizes of both"),
        ([0.9, 0.8], [0.8, 0.7], (0, 5), "above 0"),
        ([0.9, 0.8], [0.8, 0.7], ("a", 5), "n_train is 'a'"),
    ],
)
def test_paired_t_names_wrong_input(a, b, sizes, message):
    with pytest.raises(InputError, match=message):
        paired_t_test(a, b, *sizes)


def test_holm_equals_statsmodels_and_keeps_nan():
    module = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(4).random(12) ** 3
    assert holm(p) == pytest.approx(module.multipletests(p, method="holm")[1])
    with_gaps = np.insert(p, [0, 5, 12], np.nan)
    adjusted = holm(with_gaps)
    assert np.isnan(adjusted[[0, 6, 14]]).all()
    assert adjusted[~np.isnan(with_gaps)] == pytest.approx(holm(p))
    assert holm([[0.01, 0.04], [0.03, np.nan]]).shape == (2, 2)
    assert holm([0.9, 0.8]).tolist() == [1, 1]


def test_holm_refuses_what_is_no_p_value():
    with pytest.raises(InputError, match="2 of 3 p-values"):
        holm([-0.1, 0.5, 1.2])


def test_holm_keeps_the_error_of_the_family():
    """Of ten true hypotheses, one is rejected in at most 5 % of families; unadjusted in 40 %."""
    p = np.random.default_rng(5).random((4000, 10))
    adjusted = np.array([holm(family) for family in p])
    assert 0.04 <= (adjusted < 0.05).any(axis=1).mean() <= 0.06
    assert (p < 0.05).any(axis=1).mean() > 0.35
