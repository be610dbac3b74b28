"""What a mean and a spread answer, against scipy's and scikit-learn's own."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score

from skosteo.clinical.density_regressor import DensityRegressor
from skosteo.exceptions import InputError

rng = np.random.default_rng(0)
Y = np.column_stack([rng.normal(-1, 1.2, 200), rng.normal(-1.5, 1.4, 200)])
MEAN, STD = Y + rng.normal(0, 0.8, Y.shape), np.column_stack([np.full(200, 0.8), np.full(200, 1)])


class Known(DensityRegressor, BaseEstimator):
    """Its X are the rows of MEAN and STD."""

    def fit(self, X, y):
        self.sites_ = ["neck", "spine"][: y.reshape(len(y), -1).shape[1]]
        self._learn_unit(y, np.ones(len(y)))
        return self

    def _gaussian(self, X):
        k = len(self.sites_)
        return MEAN[X, :k], STD[X, :k]


ROWS = np.arange(200)


@pytest.fixture(params=[1, 2])
def model(request):
    return Known().fit(ROWS, Y if request.param == 2 else Y[:, 0])


def test_intervals_and_probabilities_are_of_the_normal_distribution(model):
    mean, std = model.predict(ROWS, return_std=True)
    lower, upper = model.predict_interval(ROWS, coverage=0.8)
    np.testing.assert_allclose([lower, upper], norm.interval(0.8, mean, std))
    expected = norm(mean, std).cdf(-1)
    np.testing.assert_allclose(model.probability_below(ROWS, -1), expected)
    assert model.probability_below(ROWS).shape == model.predict(ROWS).shape == mean.shape


@pytest.mark.parametrize("coverage", [0, 1, 90, np.nan, "0.9", None, True])
def test_a_coverage_that_is_none(model, coverage):
    with pytest.raises(InputError, match=r"coverage=.*above 0 and below 1"):
        model.predict_interval(ROWS, coverage)


@pytest.mark.parametrize("threshold", ["-2.5", None, True])
def test_a_threshold_that_is_no_number(model, threshold):
    with pytest.raises(InputError, match=r"threshold=.*number, such as -2.5"):
        model.probability_below(ROWS, threshold)


@pytest.mark.parametrize("threshold", [0.558, -2.5, np.nan, np.inf])
def test_a_threshold_of_another_unit_is_refused(threshold):
    densities = 0.858 + 0.12 * Y[:, 0]
    if threshold == 0.558:
        Known().fit(ROWS, densities).probability_below(ROWS, threshold)
        densities = densities * 1000
    with pytest.raises(InputError, match=f"threshold={threshold}.*'neck' had a mean of"):
        Known().fit(ROWS, densities).probability_below(ROWS, threshold)


def test_the_score_is_r2_of_each_site_where_it_is_measured():
    model = Known().fit(ROWS, Y)
    weights = rng.random(200)
    whole = r2_score(Y, MEAN, sample_weight=weights)
    assert model.score(ROWS, Y, weights) == pytest.approx(whole)
    gaps = Y.copy()
    gaps[:50, 1] = np.nan
    expected = (r2_score(Y[:, 0], MEAN[:, 0]) + r2_score(Y[50:, 1], MEAN[50:, 1])) / 2
    assert model.score(ROWS, gaps) == pytest.approx(expected)
    one = Known().fit(ROWS, Y[:, 0])
    assert one.score(ROWS, Y[:, 0]) == pytest.approx(r2_score(Y[:, 0], MEAN[:, 0]))


def test_the_unit_is_learnt_with_weights_from_what_was_measured():
    y = np.array([[1.0, np.nan], [3, 5], [np.nan, 7]])
    model = Known()
    model.sites_ = ["a", "b"]
    model._learn_unit(y, np.array([1.0, 1, 3]))
    np.testing.assert_allclose(model._centre, [2, 6.5])
    np.testing.assert_allclose(model._scale, [1, np.sqrt(0.75)])
