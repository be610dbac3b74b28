"""Added value: statsmodels' clustered logistic regression, null and planted pairs of models."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import added_value
from skosteo.exceptions import InputError


def draw(rng, k, effect, films=3, prevalence=-1.2):
    """Risks of k patients by age and by film; the film's add its effect to the log odds."""
    age = rng.normal(size=k)
    film = 0.5 * age + rng.normal(size=k)
    y = rng.random(k) < expit(prevalence + age + effect * (film - 0.5 * age))
    patient = np.repeat(np.arange(k), rng.integers(1, films + 1, k))
    seen = film[patient] + 0.5 * rng.normal(size=len(patient))
    return y[patient], expit(0.7 * age[patient] - 1), expit(seen - 1), patient


@pytest.mark.parametrize("clustered", [False, True])
def test_coefficient_is_that_of_statsmodels(clustered):
    sm = pytest.importorskip("statsmodels.api")
    y, base, added, patient = draw(np.random.default_rng(0), 400, 0.5)
    groups = patient if clustered else None
    found = added_value(y, base, added, groups=groups)
    x = np.column_stack([np.ones(len(y)), logit(base), logit(added)])
    x[:, 2] /= x[:, 2].std(ddof=1)
    robust = {"cov_type": "HC0"}
    if clustered:
        robust = {"cov_type": "cluster", "cov_kwds": {"groups": patient}}
    fit = sm.Logit(y.astype(int), x).fit(disp=0, **robust)
    assert found.coefficient == pytest.approx(fit.params[2], abs=1e-6)
    assert found.odds_ratio == pytest.approx(np.exp(fit.params[2]))
    error = np.log(found.high / found.low) / 2 / 1.96
    # of patients it is the greater of two, of which statsmodels' is one
    assert error == pytest.approx(fit.bse[2], rel=0.07 if clustered else 0.005)
    assert error > 0.995 * fit.bse[2]


def test_a_film_that_knows_something_adds_and_one_that_repeats_the_age_does_not():
    y, base, added, patient = draw(np.random.default_rng(1), 600, 1.0)
    found = added_value(y, base, added, groups=patient)
    assert found.pvalue < 1e-6
    assert 1 < found.low < found.odds_ratio < found.high
    assert found.auc_base == pytest.approx(roc_auc_score(y, base))
    assert found.auc_both > found.auc_base + 0.03
    assert found.auc_difference.pvalue < 0.001
    assert found.auc_difference.difference == pytest.approx(found.auc_both - found.auc_base)
    # what is new is all that is tested
    again = added_value(y, base, expit(2 * logit(base) + 0.1 * logit(added)), groups=patient)
    assert again.pvalue == pytest.approx(found.pvalue, rel=0.01)


def test_the_combination_is_scored_on_patients_that_it_has_not_seen():
    """Of 15 cases, a combination fitted to the rows themselves would gain from noise."""
    gains = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = np.repeat([1, 0], [15, 45])
        base = expit(0.5 * y + rng.normal(size=60))
        found = added_value(y, base, expit(rng.normal(size=60)))
        gains.append(found.auc_both - found.auc_base)
    assert -0.02 < np.mean(gains) < 0.001


def test_a_risk_that_counts_against_itself_adds_nothing():
    y, base, added, patient = draw(np.random.default_rng(3), 400, 1.0)
    found = added_value(y, base, 1 - added, groups=patient)
    assert found.high < 1
    assert found.auc_both == found.auc_base
    assert found.auc_difference[:3] == (0, 1, 0)


@pytest.mark.parametrize("which", ["few", "separated", "same", "constant"])
def test_what_cannot_be_estimated_is_nan(which):
    y, base, added, _ = draw(np.random.default_rng(2), 200, 0.5, films=1)
    if which == "few":
        rows = np.r_[np.flatnonzero(y)[:9], np.flatnonzero(~y)]
        y, base, added = y[rows], base[rows], added[rows]
    elif which == "separated":
        added = expit(logit(base) / 2 + 8 * y)
    elif which == "same":
        added = base
    else:
        added = np.full(200, 0.3)
    found = added_value(y, base, added)
    assert found.auc_base == pytest.approx(roc_auc_score(y, base))
    assert np.isnan([*found[:5], found.auc_both, *found.auc_difference]).all()


def test_wrong_input_is_named():
    y, p = [0, 1] * 20, np.linspace(0.1, 0.9, 40)
    with pytest.raises(InputError, match="probabilities lie within 0 and 1"):
        added_value(y, p, 10 * p)
    with pytest.raises(InputError, match=r"shape \(39,\) for 40 labels"):
        added_value(y, p, p[1:])


@pytest.mark.slow
def test_error_rate_and_power():
    """Where the film says no more than the age, P < .05 in 4 to 6 of 100; else it is found."""
    rng = np.random.default_rng(100)

    def pvalues(k, effect, times):
        for _ in range(times):
            y, base, added, patient = draw(rng, k, effect, prevalence=-0.9)
            yield added_value(y, base, added, groups=patient).pvalue

    null = np.mean([p < 0.05 for p in pvalues(100, 0, 1000)])
    assert 0.036 <= null <= 0.064, null  # .05, give or take two standard errors
    power = [np.mean([p < 0.05 for p in pvalues(k, 0.9, 100)]) for k in (100, 300)]
    assert power[0] > 0.8, power
    assert power[1] > 0.98, power
