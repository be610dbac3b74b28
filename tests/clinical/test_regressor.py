"""ClinicalOsteoRegressor, on tables whose truth is planted."""

import os

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalOsteoRegressor, ClinicalPreprocessor
from skosteo.datasets import fetch_nhanes
from skosteo.datasets.cohort import draw_patients
from skosteo.exceptions import InputError
from tests.clinical.test_classifier import cohort


def planted(n, seed):
    """Two sites of one patient; the spread of the first grows with age."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    std = 0.4 + 0.5 * norm.cdf(2 * X[:, 0])
    neck = -1 - X[:, 0] + 0.5 * X[:, 1] + std * rng.normal(size=n)
    spine = -1.5 + X[:, 2] + 0.7 * rng.normal(size=n)
    return X, pd.DataFrame({"neck": neck, "spine": spine}), std


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = planted(1000, 0)
    gaps = y.assign(spine=y["spine"].mask(np.arange(1000) % 2 == 0))
    return ClinicalOsteoRegressor(max_epochs=60, random_state=0).fit(X, gaps)


def test_it_finds_the_means_that_are_planted(fitted):
    X, *_ = planted(4000, 1)
    mean = np.column_stack([-1 - X[:, 0] + 0.5 * X[:, 1], -1.5 + X[:, 2]])
    assert np.sqrt(((fitted.predict(X) - mean) ** 2).mean(axis=0)) == pytest.approx(0, abs=0.12)


def test_it_finds_the_spreads_that_are_planted(fitted):
    X, _, std = planted(4000, 1)
    said = fitted.predict(X, return_std=True)[1]
    assert np.corrcoef(said[:, 0], std)[0, 1] > 0.9
    assert said.mean(axis=0) == pytest.approx([std.mean(), 0.7], rel=0.06)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_hold_as_many_as_they_say(fitted, coverage):
    X, y, _ = planted(4000, 1)
    lower, upper = fitted.predict_interval(X, coverage)
    held = ((lower <= y) & (y <= upper)).mean()
    assert held.to_numpy() == pytest.approx(coverage, abs=0.025)


def test_probabilities_are_calibrated(fitted):
    X, y, _ = planted(4000, 1)
    for threshold in (-2.5, -1):
        p, below = fitted.probability_below(X, threshold), y <= threshold
        assert p.mean(axis=0) == pytest.approx(below.mean().to_numpy(), abs=0.02)
        high = p[:, 0] > 0.5
        assert below["neck"][high].mean() == pytest.approx(p[high, 0].mean(), abs=0.04)


def test_on_a_small_table_it_loses_little_to_least_squares():
    new, y_new, _ = planted(2000, 9)
    lost = []
    for seed in range(3):
        X, y, _ = planted(60, seed)
        net = ClinicalOsteoRegressor(batch_size=16, random_state=seed).fit(X, y)
        line = LinearRegression().fit(X, y)
        lost.append(line.score(new, y_new) - net.score(new, y_new))
    assert np.mean(lost) < 0.03


def test_a_hospitals_table_through_the_preprocessor():
    patients = draw_patients(600, clinical_signal=0.8, random_state=0)
    data = patients[["age", "sex", "height_cm", "weight_kg", "platelets_10e9_l"]]
    model = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoRegressor(max_epochs=40))
    model.fit(data, patients["t_score"])
    mean, std = model.predict(data, return_std=True)
    assert np.corrcoef(mean, patients["t_score"])[0, 1] > 0.5
    assert std.shape == (600,)


@pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")
@pytest.mark.slow
def test_people_of_nhanes_in_another_cycle():
    people = fetch_nhanes()
    early = (people.frame["cycle"] == "2013-2014").to_numpy()
    t, columns = people.frame["t_score"], ["age", "sex", "bmi"]
    X = ClinicalPreprocessor().fit(people.data.loc[early, columns]).transform(people.data[columns])
    net = ClinicalOsteoRegressor(max_epochs=40, random_state=0).fit(X[early], t[early])
    line = LinearRegression().fit(X[early], t[early])
    r = [np.corrcoef(m.predict(X[~early]), t[~early])[0, 1] for m in (net, line)]
    assert r[0] > r[1] - 0.005
    lower, upper = net.predict_interval(X[~early])
    assert 0.88 < ((lower <= t[~early]) & (t[~early] <= upper)).mean() < 0.92


def test_a_value_far_from_all_others_gives_no_absurd_density(fitted):
    X, *_ = planted(200, 1)
    X[0] = 400
    mean = fitted.predict(X)
    assert np.abs(mean[0]).max() < 12
    np.testing.assert_allclose(fitted.predict(np.full((1, 4), 7.0)), mean[:1])


def test_wrong_input():
    X, _ = cohort(40)
    with pytest.raises(ValueError, match="X contains NaN"):
        ClinicalOsteoRegressor().fit(np.where(X > 70, np.nan, X), X[:, 0])
    with pytest.raises(InputError, match="n_members"):
        ClinicalOsteoRegressor(n_members=0).fit(X, X[:, 0])
    with pytest.raises(TypeError, match="class_weight"):
        ClinicalOsteoRegressor(class_weight="balanced")
