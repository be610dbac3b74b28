"""AUC and rates: published values, independent references, planted truths."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import auc_interval
from skosteo.evaluation.metrics import (
    auc_variance,
    effective_sample_size,
    proportion_interval,
    rate_interval,
)
from skosteo.exceptions import InputError

# Subarachnoid haemorrhage data (aSAH) of the R package pROC, Robin et al. 2011,
# doi:10.1186/1471-2105-12-77: outcome (good, poor) and the markers wfns, s100b and ndka of each of
# the 113 patients.
ASAH = """
G 1 .13 3.01, G 1 .14 8.54, G 1 .1 8.09, G 1 .04 10.42, P 3 .13 17.4, P 2 .1 12.75, G 5 .47 6,
P 4 .16 13.2, G 1 .18 15.54, G 2 .1 6.01, P 5 .12 15.96, G 2 .1 17.86, P 5 .44 5.18, P 5 .71 8.9,
G 1 .04 13.41, G 2 .08 20.75, P 5 .49 11.6, G 2 .04 16.11, P 2 .07 32.37, P 5 .33 54.82,
P 2 .09 32.41, G 1 .09 49.94, P 1 .07 40.34, G 1 .11 9.47, G 1 .07 6.29, G 2 .17 12.53,
G 1 .07 6.54, G 2 .11 6.3, G 1 .13 80.3, G 1 .19 12.8, G 3 .05 9.8, G 4 .16 9.81, P 2 .41 9.85,
G 1 .14 18.21, G 4 .34 5.03, P 5 .35 14.04, P 4 .48 21.93, G 1 .09 8.02, P 4 .96 7.42, P 2 .25 8.38,
G 5 .5 6.59, G 5 .46 9.63, G 1 .16 13.12, G 1 .07 7.96, G 2 .43 14.34, G 4 .45 41.43, G 1 .11 7.63,
G 1 .08 7.06, G 2 .09 12.59, P 5 .86 13.56, P 5 .52 3.87, G 2 .08 9.44, G 1 .06 7.66, G 2 .13 12.98,
P 5 2.07 419.19, G 1 .1 27.19, G 2 .14 22.27, G 2 .15 9.95, P 2 .07 21.22, G 1 .06 11.73,
P 5 .77 10.4, G 1 .05 58.83, G 1 .09 6.39, P 2 .3 11.09, P 5 .03 12.22, P 2 .09 13.67,
G 1 .04 17.21, P 4 .23 22.63, P 5 .7 12.9, G 2 .09 9.7, P 4 .27 21.57, P 4 .71 8.23, P 1 .08 72.57,
P 4 .26 15.54,
G 1 .08 10.51, G 2 .16 10.6, G 1 .09 14.57, P 4 .13 5.19, P 2 .1 9.63, G 1 .08 4.61, P 2 .11 21.48,
G 3 .33 17.3, G 2 .11 12.71, G 4 .28 9.44, G 2 .07 11.07, G 1 .1 19.46, G 4 .32 10.83, P 5 .22 5.37,
G 1 .07 11.97, G 1 .05 7.75, G 5 .24 9.83, G 4 .38 10.55, G 2 .1 28.49, G 2 .15 8.53, G 1 .08 12.57,
G 1 .14 12.9, G 1 .1 46.83, G 3 .07 11.68, G 1 .04 12.67, G 2 .19 9.01, P 5 .56 9.57, P 2 .14 34.06,
P 2 .58 11.72, P 5 .32 14.26, P 5 .82 47.61, P 5 .74 11.67, G 2 .15 24.58, G 4 .47 10.33,
G 4 .17 13.87, P 5 .44 15.89, G 1 .15 22.43, G 1 .5 6.79, G 1 .48 13.45
"""
# What pROC 1.19 prints to 17 digits with method="delong".
PROC = {
    "s100b": (0.73136856368563685, 0.0026686824571724378),
    "wfns": (0.82367886178861793, 0.0014699147088236264),
    "ndka": (0.61195799457994582, 0.0031908105493913021),
}


def asah(marker):
    """Poor outcome and marker of each of the 113 patients."""
    rows = [row.split() for row in ASAH.split(",")]
    y = np.array([row[0] == "P" for row in rows])
    column = ("wfns", "s100b", "ndka").index(marker) + 1
    return y, np.array([float(row[column]) for row in rows])


def pairwise(y, score, group=None):
    """AUC and variance from every pair, as in DeLong 1988 and Obuchowski 1997; no ranks."""
    positive, negative = score[y], score[~y]
    wins = np.sign(positive[:, None] - negative[None, :]) / 2 + 0.5
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    auc = wins.mean()
    if group is None:
        return auc, v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)
    patients = np.unique(group)
    up = np.array([(v10[group[y] == g] - auc).sum() for g in patients])
    down = np.array([(v01[group[~y] == g] - auc).sum() for g in patients])
    k, k10, k01 = len(patients), len(np.unique(group[y])), len(np.unique(group[~y]))
    m, n = len(v10), len(v01)
    s10 = k10 / ((k10 - 1) * m) * (up**2).sum()
    s01 = k01 / ((k01 - 1) * n) * (down**2).sum()
    s11 = k / (k - 1) * (up * down).sum()
    return auc, s10 / m + s01 / n + 2 * s11 / (m * n)


def cohort(rng, patients, films=3, alike=0.8, separation=1.5):
    """Patients with ``films`` rows each, whose scores share a part."""
    group = np.repeat(np.arange(patients), films)
    y = (rng.random(patients) < 0.4)[group]
    own, shared = rng.normal(size=len(group)), rng.normal(size=patients)[group]
    return y, separation * y + np.sqrt(1 - alike) * own + np.sqrt(alike) * shared, group


@pytest.mark.parametrize("marker", PROC)
def test_equals_proc_on_its_published_data(marker):
    y, value = asah(marker)
    assert (len(y), y.sum()) == (113, 41)
    auc, variance = auc_variance(y, value, np.arange(113))
    assert auc == pytest.approx(PROC[marker][0], abs=1e-12)
    assert variance == pytest.approx(PROC[marker][1], rel=1e-10)


def test_proc_documented_interval_is_the_plain_one_of_this_variance():
    auc, variance = auc_variance(*asah("s100b"), np.arange(113))
    half = norm.ppf(0.975) * np.sqrt(variance)
    assert (auc - half, auc + half) == pytest.approx((0.6301, 0.8326), abs=5e-5)
    low, high = auc_interval(*asah("s100b"))[1:]
    assert (low, high) == pytest.approx((0.63, 0.833), abs=0.02)  # the logit scale moves it little


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_sum_over_all_pairs(seed):
    rng = np.random.default_rng(seed)
    y, score, group = cohort(rng, 25)
    score = score.round(seed % 3)  # ties
    alone = np.arange(len(y))
    assert auc_variance(y, score, alone) == pytest.approx(pairwise(y, score), rel=1e-10)
    assert auc_variance(y, score, group) == pytest.approx(pairwise(y, score, group), rel=1e-10)
    assert auc_interval(y, score)[0] == pytest.approx(roc_auc_score(y, score))


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_sum_over_all_pairs_where_patients_have_films_of_both_classes(seed):
    rng = np.random.default_rng(seed)
    _, score, group = cohort(rng, 25, films=4)
    y = np.tile([True, True, False, False], 25)
    assert auc_variance(y, score, group) == pytest.approx(pairwise(y, score, group), rel=1e-10)


def test_variances_of_skewed_patients_are_never_below_the_formulas_that_fall_short():
    """Obuchowski's of the area, and the sandwich of a proportion as statsmodels has it."""
    for seed in range(20):
        y, score, group = skewed(np.random.default_rng(seed), 12, 20, area=0.8)
        assert auc_variance(y, score, group)[1] >= pairwise(y, score, group)[1] * 0.999
        hit = score > 1
        rate = hit.mean()
        effective = effective_sample_size(hit, group)
        assert effective <= len(hit)
        assert rate * (1 - rate) / effective >= sandwich(hit, group) * 0.99


def sandwich(hit, group):
    """Variance of a proportion by statsmodels' regression on a constant, clustered by patient."""
    api = pytest.importorskip("statsmodels.api")
    fit = api.OLS(hit.astype(float), np.ones(len(hit))).fit(
        cov_type="cluster", cov_kwds={"groups": group, "use_correction": True}
    )
    return float(fit.cov_params()[0, 0])


def test_the_design_effect_of_patients_of_one_size_is_that_of_statsmodels():
    rng = np.random.default_rng(7)
    group = np.repeat(np.arange(60), 4)
    hit = np.repeat(rng.beta(1, 0.5, 60), 4) > rng.random(240)
    rate = hit.mean()
    # statsmodels' correction has (n - 1) / (n - 1) for one coefficient, so k / (k - 1) is left
    expected = rate * (1 - rate) / sandwich(hit, group) * 240 / 239
    assert effective_sample_size(hit, group) == pytest.approx(expected)


def test_variances_of_many_skewed_patients_are_those_of_leaving_each_patient_out():
    """The jackknife over patients, by brute force."""
    y, score, group = skewed(np.random.default_rng(5), 90, 110, area=0.8, skew=0.6)
    k = len(np.unique(group))
    hit = score > 1
    areas, rates = [], []
    for patient in range(k):
        kept = group != patient
        areas.append(auc_variance(y[kept], score[kept], np.arange(kept.sum()))[0])
        rates.append(hit[kept].mean())
    jackknife = [(k - 1) ** 2 / k * np.var(values, ddof=1) for values in (areas, rates)]
    rate = hit.mean()
    found = auc_variance(y, score, group)[1], rate * (1 - rate) / effective_sample_size(hit, group)
    assert found == pytest.approx(jackknife, rel=0.12)


def test_patients_with_one_row_are_the_unclustered_case():
    y, score = asah("wfns")
    names = [f"patient {i}" for i in np.random.default_rng(0).permutation(113)]
    assert auc_interval(y, score, groups=names) == pytest.approx(auc_interval(y, score))
    assert effective_sample_size(y, np.arange(113)) == pytest.approx(113)


@pytest.mark.parametrize("separation", [0.5, 9.0], ids=["mixed", "AUC 1"])
def test_a_film_counted_twice_adds_nothing(separation):
    y, score, group = cohort(np.random.default_rng(3), 30, separation=separation)
    twice = [np.repeat(a, 2) for a in (y, score, group)]
    once = auc_interval(y, score, groups=group)
    again = auc_interval(twice[0], twice[1], groups=twice[2])
    assert again[0] == once[0]
    assert 1 < (again[2] - again[1]) / (once[2] - once[1]) < 1.02
    assert auc_interval(twice[0], twice[1])[1] > once[1]  # what ignoring patients would claim
    for hit in (score > 0.5, np.ones_like(y), np.zeros_like(y)):
        ratio = effective_sample_size(np.repeat(hit, 2), twice[2]) / effective_sample_size(
            hit, group
        )
        assert ratio == pytest.approx(1, abs=0.01)


def test_interval_of_the_complement_is_its_mirror():
    y, score, group = cohort(np.random.default_rng(4), 40)
    auc, low, high = auc_interval(y, score, groups=group)
    mirror = pytest.approx((1 - auc, 1 - high, 1 - low))
    assert auc_interval(y, -score, groups=group) == mirror
    assert auc_interval(~y, score, groups=group) == mirror


def survey(rng, units=40, people=12):
    """People in units that share a part, some healthy and some ill in each, with uneven weights."""
    group = np.repeat(np.arange(units), people)
    y = rng.random(len(group)) < 0.3
    score = y + rng.normal(size=len(group)) + rng.normal(size=units)[group]
    weight = rng.lognormal(0, 0.4, units)[group] * rng.uniform(1, 3, len(group))
    return y, score.round(1), group, weight


@pytest.mark.parametrize("weight", [1, 0.1, 7, 31415.9])
def test_equal_weights_are_exactly_none(weight):
    y, score, group, _ = survey(np.random.default_rng(0))
    for groups in (None, group):
        weighted = auc_interval(y, score, groups=groups, sample_weight=np.full(len(y), weight))
        assert weighted == auc_interval(y, score, groups=groups)


def test_whole_weights_are_repeated_rows():
    y, score, group, _ = survey(np.random.default_rng(1))
    times = np.random.default_rng(2).integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    weighted = auc_interval(y, score, groups=group, sample_weight=times)
    repeated = auc_interval(y[rows], score[rows], groups=group[rows])
    assert weighted == pytest.approx(repeated, abs=1e-3)
    # one person of weight 3 is still one person
    alone = auc_interval(y, score, sample_weight=times)
    assert alone == pytest.approx(auc_interval(y[rows], score[rows], groups=rows), abs=1e-3)


def test_weighted_area_equals_scikit_learn():
    for seed in range(5):
        y, score, group, weight = survey(np.random.default_rng(seed))
        expected = roc_auc_score(y, score, sample_weight=weight)
        assert auc_interval(y, score, groups=group, sample_weight=weight)[0] == pytest.approx(
            expected
        )


def test_weighted_variance_equals_the_bootstrap_over_units():
    rng = np.random.default_rng(3)
    y, score, group, weight = survey(rng, units=60)
    rows = [np.flatnonzero(group == g) for g in range(60)]
    areas = []
    for _ in range(2000):
        drawn = np.concatenate([rows[g] for g in rng.integers(0, 60, 60)])
        areas.append(auc_variance(y[drawn], score[drawn], np.arange(len(drawn)), weight[drawn])[0])
    _, variance = auc_variance(y, score, group, weight)
    assert variance == pytest.approx(np.var(areas), rel=0.12)


def test_rows_of_weight_0_are_left_out_patients_and_all():
    y, score, group, weight = survey(np.random.default_rng(4))
    out = group < 10
    assert auc_interval(
        y, score, groups=group, sample_weight=np.where(out, 0, weight)
    ) == pytest.approx(
        auc_interval(y[~out], score[~out], groups=group[~out], sample_weight=weight[~out])
    )


def test_perfect_and_useless_scores_are_honest_with_weights_too():
    y, _, _, weight = survey(np.random.default_rng(5))
    auc, low, high = auc_interval(y, y, sample_weight=weight)
    assert (auc, high) == (1, 1)
    assert low < auc_interval(y, y)[1] < 1  # uneven weights are worth fewer people
    auc, low, high = auc_interval(y, np.full(len(y), 0.3), sample_weight=weight)
    assert auc == 0.5
    assert low < 0.5 < high


@pytest.mark.parametrize("n", [1, 5, 50])
def test_perfect_and_useless_scores_have_honest_intervals(n):
    y = np.repeat([0, 1], n)
    auc, low, high = auc_interval(y, y)
    assert (auc, high) == (1, 1)
    assert low < 1 - 1 / (n + 1)  # never narrower than "one in n more would have failed"
    assert auc_interval(y, -y) == pytest.approx((0, 0, 1 - low))
    auc, low, high = auc_interval(y, np.full(2 * n, 0.3))
    assert auc == 0.5
    assert low < 0.5 < high
    assert high - low > 0.3 / np.sqrt(n)


def test_newcombe_interval_holds_the_areas_within_z_standard_errors():
    """Its definition: |A - a| = z SE(a), with the variance of Hanley and McNeil 1982."""
    m, n = 12, 20
    low = auc_interval([0] * n + [1] * m, [0] * n + [1] * m)[1]
    q1, q2 = low / (2 - low), 2 * low**2 / (1 + low)
    mean = (m + n) / 2 - 1
    variance = (low * (1 - low) + mean * (q1 - low**2) + mean * (q2 - low**2)) / (m * n)
    assert 1 - low == pytest.approx(norm.ppf(0.975) * np.sqrt(variance))


def test_one_positive_patient_has_an_interval_unless_patients_repeat():
    auc, low, high = auc_interval([0, 0, 0, 1], [1, 3, 5, 4])
    assert auc == pytest.approx(2 / 3)
    assert 0 < low < 0.3
    assert 0.9 < high < 1
    auc, *limits = auc_interval([0, 0, 0, 1, 1], [1, 3, 5, 4, 4], groups=[0, 1, 2, 3, 3])
    assert auc == pytest.approx(2 / 3)
    assert np.isnan(limits).all()


@pytest.mark.parametrize("cases", [4, 9, 10])
def test_fewer_than_ten_patients_of_a_class_with_several_films_have_no_interval(cases):
    y, score, group = skewed(np.random.default_rng(0), cases, 40, area=0.8)
    _, *limits = auc_interval(y, score, groups=group)
    rate, *of_rate = proportion_interval(score[y] > 1, group[y])
    assert np.isnan(limits).all() == np.isnan(of_rate).all() == (cases < 10)
    assert rate == (score[y] > 1).mean()
    _, *as_rows = proportion_interval(score[:4] > 1, np.arange(4))
    assert np.isfinite(as_rows).all()  # Wilson's, which holds for any number


@pytest.mark.parametrize(("count", "total"), [(0, 7), (7, 7), (1, 9), (182, 240), (3, 1000)])
def test_rates_equal_scipy_wilson(count, total):
    reference = binomtest(count, total).proportion_ci(method="wilson")
    assert rate_interval(count, total) == pytest.approx((count / total, *reference), abs=1e-12)


def test_patients_whose_films_of_both_classes_get_one_score_leave_no_interval_of_no_width():
    """All differences cancel within patients but for rounding: that is no certainty."""
    rng = np.random.default_rng(0)
    score = np.repeat(rng.random(31), 2)
    auc, low, high = auc_interval(np.tile([0, 1], 31), score, groups=np.repeat(np.arange(31), 2))
    assert auc == pytest.approx(0.5)
    assert low < 0.4
    assert high > 0.6


def test_a_rate_of_nothing_is_unknown():
    rate, low, high = rate_interval(0, 0)
    assert np.isnan(rate)
    assert (low, high) == (0, 1)


def test_fully_alike_films_are_worth_one_row_a_patient():
    right = np.repeat(np.arange(40) < 25, 4)
    assert effective_sample_size(right, np.repeat(np.arange(40), 4)) == pytest.approx(40, rel=0.02)


def coverage(simulations, draw, truth):
    inside = [low <= truth <= high for _, low, high in (draw() for _ in range(simulations))]
    return np.mean(inside)


def auc_of_normals(rng, m, n, area):
    y = np.repeat([1, 0], [m, n])
    return auc_interval(y, rng.normal(size=m + n) + y * np.sqrt(2) * norm.ppf(area))


def auc_of_patients(rng, patients):
    y, score, group = cohort(rng, patients)
    return auc_interval(y, score, groups=group)


def auc_of_survey(rng):
    y, score, group, weight = survey(rng, units=200)
    return auc_interval(y, score, groups=group, sample_weight=weight)


def rate_of_patients(rng, patients, rate, alike=0.25, films=None):
    """Films agree within patients: each has its own chance, of mean ``rate``."""
    films = 1 + rng.poisson(2.4, patients) if films is None else films
    spread = (1 - alike) / alike
    chance = rng.beta(spread * rate, spread * (1 - rate), patients)
    hit = np.repeat(chance, films) > rng.random(films.sum())
    return proportion_interval(hit, np.repeat(np.arange(patients), films))


def skewed_sizes(rng, patients, skew):
    """Numbers of films of which the greatest is some ten (skew 1) or 30 (1.4) times the median."""
    return np.ceil(rng.lognormal(0.7, skew, patients)).astype(int)


def skewed(rng, cases, controls, area, alike=0.5, skew=1.0):
    """Films of patients of one class each, in skewed numbers, whose scores share a part."""
    patients = cases + controls
    group = np.repeat(np.arange(patients), skewed_sizes(rng, patients, skew))
    y = group < cases
    own, shared = rng.normal(size=len(y)), rng.normal(size=patients)[group]
    between = np.sqrt(2) * norm.ppf(area)
    return y, between * y + np.sqrt(1 - alike) * own + np.sqrt(alike) * shared, group


SHARED_AREA = norm.cdf(1.5 / np.sqrt(2))  # of ``cohort``
SURVEY_AREA = norm.cdf(1 / 2)  # of ``survey``: people of two units differ by 1 +- 2
CASES = {
    "AUC .75": (lambda rng: auc_of_normals(rng, 30, 150, 0.75), 0.75),
    "AUC .9": (lambda rng: auc_of_normals(rng, 40, 160, 0.9), 0.9),
    "AUC .97, small": (lambda rng: auc_of_normals(rng, 15, 30, 0.97), 0.97),
    "AUC, patients": (lambda rng: auc_of_patients(rng, 100), SHARED_AREA),
    "AUC, weights and units": (auc_of_survey, SURVEY_AREA),
    "rate, patients": (lambda rng: rate_of_patients(rng, 120, 0.8), 0.8),
}


@pytest.mark.parametrize("case", CASES)
def test_coverage(case):
    draw, truth = CASES[case]
    rng = np.random.default_rng(0)
    assert 0.915 <= coverage(500, lambda: draw(rng), truth) <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if "small" not in c])
def test_coverage_is_94_to_96_per_cent(case):
    draw, truth = CASES[case]
    rng = np.random.default_rng(1)
    assert 0.94 <= coverage(20_000, lambda: draw(rng), truth) <= 0.96


SKEWED = [
    (patients, skew, alike)
    for patients in (10, 29, 100)
    for skew in (1.0, 1.4)
    for alike in (0.25, 0.67)
]


@pytest.mark.slow
@pytest.mark.parametrize(("patients", "skew", "alike"), SKEWED)
@pytest.mark.parametrize("rate", [0.6, 0.9])
def test_coverage_of_rates_of_skewed_patients(patients, skew, alike, rate):
    rng = np.random.default_rng(1)

    def draw():
        return rate_of_patients(rng, patients, rate, alike, skewed_sizes(rng, patients, skew))

    assert 0.93 <= coverage(2000, draw, rate) <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "skew", "alike"), SKEWED)
@pytest.mark.parametrize("area", [0.75, 0.9])
def test_coverage_of_areas_of_skewed_patients(cases, skew, alike, area):
    """As many controls as cases, but for 10 cases 19: 29 patients."""
    rng = np.random.default_rng(1)
    controls = 19 if cases == 10 else cases

    def draw():
        y, score, group = skewed(rng, cases, controls, area, alike, skew)
        return auc_interval(y, score, groups=group)

    assert 0.93 <= coverage(2000, draw, area) <= 0.985


@pytest.mark.parametrize("patients", [10, 29])
def test_coverage_of_rates_of_few_skewed_patients_in_brief(patients):
    rng = np.random.default_rng(3)

    def draw():
        return rate_of_patients(rng, patients, 0.8, 0.5, skewed_sizes(rng, patients, 1.2))

    assert 0.92 <= coverage(400, draw, 0.8) <= 0.99


def test_coverage_of_areas_of_few_skewed_patients_in_brief():
    rng = np.random.default_rng(2)

    def draw():
        y, score, group = skewed(rng, 10, 19, 0.8, 0.5, 1.2)
        return auc_interval(y, score, groups=group)

    assert 0.92 <= coverage(400, draw, 0.8) <= 0.99


def test_ignoring_patients_would_not_cover():
    """The simulation can fail: without the patients the interval is far too narrow."""
    rng = np.random.default_rng(0)
    assert coverage(200, lambda: auc_interval(*cohort(rng, 100)[:2]), SHARED_AREA) < 0.85


@pytest.mark.parametrize(
    ("y_true", "y_prob", "more", "message"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], {}, "one class in all 3 rows"),
        ([-2.6, -1.0, 0.3], [0.1, 0.2, 0.3], {}, "3 distinct values.*T-scores"),
        ([0, 1, None], [0.1, 0.2, 0.3], {}, "no label in 1 of 3 rows, the first in row 3"),
        ([], [], {}, "shape"),
        ([0, 1, 1], [0.1, 0.2], {}, r"shape \(2,\) for 3 labels"),
        ([0, 1, 1], [0.1, np.nan, 0.3], {}, "not finite in 1 of 3 rows, the first in row 2"),
        ([0, 1, 1], ["low", "high", "high"], {}, "not numeric"),
        ([0, 1], [[0.1, 0.3], [0.2, 0.4]], {}, "mapping of model name"),
        ([0, 1], [[0.1, 0.3, 0.6], [0.2, 0.4, 0.4]], {}, r"shape \(2, 3\)"),
        ([0, 1], [0.1, 0.2], {"groups": ["a"]}, r"groups has shape \(1,\), but there are 2 rows"),
        ([0, 1], [0.1, 0.2], {"groups": ["a", None]}, "patient id of 1 of 2 rows.*row 2"),
        ([0, 1], [0.1, 0.2], {"level": 95}, "level is 95"),
        ([0, 1], [0.1, 0.2], {"level": "x"}, "level is 'x'"),
        ([0, 1], [0.1, 0.2], {"sample_weight": [1, -1]}, "negative in 1 of 2 rows.*in row 2"),
        ([0, 1], [0.1, 0.2], {"sample_weight": [np.nan, 1]}, "missing.* 1 of 2 rows.*in row 1"),
        ([0, 1], [0.1, 0.2], {"sample_weight": [0, 0]}, "0 in all 2 rows"),
        ([0, 1], [0.1, 0.2], {"sample_weight": [0, 1]}, "leaves 1 class"),
        ([0, 1], [0.1, 0.2], {"sample_weight": [1]}, r"shape \(1,\) for 2 rows"),
        ([0, 1], [0.1, 0.2], {"sample_weight": ["a", "b"]}, "not numeric"),
    ],
)
def test_wrong_input_is_named(y_true, y_prob, more, message):
    with pytest.raises(InputError, match=message):
        auc_interval(y_true, y_prob, **more)


@pytest.mark.parametrize("labels", [[False, True], [1, 2], ["Good", "Poor"], [0.0, 1.0]])
def test_the_greater_label_is_positive(labels):
    y = np.array(labels)[[0, 0, 1, 1]]
    column = np.array([0.1, 0.2, 0.8, 0.9])
    both = np.column_stack([1 - column, column])
    assert auc_interval(y, column)[0] == auc_interval(y, both)[0] == 1
