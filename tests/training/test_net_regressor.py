"""What every regressor of a net does beyond `test_net_estimator`."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate

from skosteo.clinical.density_regressor import spread_factor
from skosteo.exceptions import InputError, TrainingError
from tests.small_models import small_clinical_regressor

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
T = pd.DataFrame(
    {"neck": X[:, 0] + rng.normal(0, 0.5, 120), "spine": X[:, 1] + rng.normal(0, 0.5, 120)}
)
GAPS = T.mask(rng.random(T.shape) < 0.3)
GAPS = GAPS.where(GAPS.notna().any(axis=1), T)


@pytest.fixture(scope="module")
def fitted():
    return small_clinical_regressor().fit(X, GAPS)


def test_the_net_is_a_skorch_net_of_standardised_densities(fitted):
    mean, raw = fitted.net_.predict(fitted.net_inputs(X)).reshape(120, 2, 2).transpose(1, 0, 2)
    said, std = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(said, mean * GAPS.std(ddof=0).to_numpy() + GAPS.mean().to_numpy())
    unit = fitted.spread_factor_ * GAPS.std(ddof=0).to_numpy()
    spread = np.log1p(np.exp(raw) * (np.e - 1))
    np.testing.assert_allclose(std, np.sqrt(spread**2 + 1e-4) * unit)
    assert fitted.net_.history[:, "valid_loss"] == fitted.history_["valid_loss"].tolist()
    assert "valid_accuracy" not in fitted.history_


def test_one_column_and_a_series_are_one_site():
    column = small_clinical_regressor().fit(X, T[["neck"]])
    series = small_clinical_regressor().fit(X, T["neck"])
    assert column.predict(X).shape == (120, 1)
    assert series.predict(X).shape == (120,)
    np.testing.assert_array_equal(column.predict(X)[:, 0], series.predict(X))
    assert column.sites_ == series.sites_ == ["neck"]


def test_what_is_not_measured_is_not_learnt_from():
    """No row has both sites: each is learnt from its own rows."""
    apart = pd.concat([T.assign(spine=np.nan), T.assign(neck=np.nan)])
    both = small_clinical_regressor(hidden_layer_sizes=(), early_stopping=False, max_epochs=20)
    both.fit(np.vstack([X, X]), apart)
    for j, other in ((0, X[:, 1]), (1, X[:, 0])):
        said = both.predict(X)[:, j]
        assert np.corrcoef(said, X[:, j])[0, 1] > 0.9
        assert abs(np.corrcoef(said, other)[0, 1]) < 0.3


def test_units_of_densities_do_not_matter():
    t, mg = (small_clinical_regressor().fit(X, y) for y in (T, T * 120 + 858))
    np.testing.assert_allclose(mg.predict(X), t.predict(X) * 120 + 858, rtol=1e-9)
    np.testing.assert_allclose(mg.probability_below(X, 738), t.probability_below(X, -1), atol=1e-9)


def test_the_scale_of_the_weights_does_not_matter_and_rows_of_weight_zero_do_not_exist():
    weights = np.repeat([1.0, 0], 60)
    half = small_clinical_regressor().fit(X[:60], GAPS[:60])
    for scale in (1, 1e-12):
        weighted = small_clinical_regressor().fit(X, GAPS, weights * scale)
        np.testing.assert_allclose(weighted.predict(X), half.predict(X), atol=1e-9)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        small_clinical_regressor().fit(X, GAPS, np.zeros(120))
    only_neck = GAPS.assign(spine=GAPS["spine"].where(weights == 0))
    with pytest.raises(InputError, match=r"no density of \['spine'\]"):
        small_clinical_regressor().fit(
            X, only_neck.where(only_neck.notna(), T * [1, np.nan]), weights
        )


class TestTheFactorOfTheSpreads:
    def test_makes_intervals_of_90_percent_hold_90_percent(self):
        residuals = 2.5 * rng.standard_t(4, 5000)
        factor = spread_factor(residuals, np.ones(5000))
        assert np.mean(abs(residuals) < norm.ppf(0.95) * factor) == pytest.approx(0.9, abs=0.002)

    def test_counts_a_row_of_weight_2_twice(self):
        residuals, weights = rng.normal(0, 2, 1000), np.repeat([1.0, 3.0], 500)
        again = np.concatenate([residuals, residuals[500:], residuals[500:]])
        assert spread_factor(residuals, weights) == pytest.approx(
            spread_factor(again, np.ones(2000)), rel=0.02
        )

    def test_stays_near_1_where_few_rows_speak(self):
        assert spread_factor(np.array([1e-9, np.nan]), np.ones(2)) == pytest.approx(1, abs=0.15)
        assert spread_factor(np.array([np.nan]), np.ones(1)) == pytest.approx(1, abs=0.15)

    def test_is_learnt_from_the_rows_set_aside(self, monkeypatch):
        """A net that fits 40 rows by heart, and is asked of 80 others."""
        train, valid = np.arange(40), np.arange(40, 120)
        model = small_clinical_regressor(
            n_members=1, hidden_layer_sizes=(64, 64), dropout=0.0, max_epochs=60,
            n_iter_no_change=60,
        )  # fmt: skip
        monkeypatch.setattr(type(model), "_split", lambda *_: (train, valid))
        lower, upper = model.fit(X, T).predict_interval(X[valid])
        held = ((lower <= T.loc[valid]) & (T.loc[valid] <= upper)).mean()
        assert held.to_numpy() == pytest.approx(0.9, abs=0.04)
        assert model.spread_factor_ != pytest.approx(1, abs=0.02)

    def test_is_1_where_no_rows_are_set_aside(self):
        model = small_clinical_regressor(early_stopping=False).fit(X, T)
        assert model.spread_factor_.tolist() == [1, 1]


def test_too_few_rows_or_densities_too_alike_are_said():
    for y in (T[:3], T[:40] * 0):
        with pytest.warns(UserWarning, match="too few, or .* too alike.*All 5 epochs") as caught:
            model = small_clinical_regressor(batch_size=2).fit(X[: len(y)], y)
        assert np.isfinite(model.predict(X)).all()
        assert caught[0].filename == __file__
    np.testing.assert_allclose(model.predict(X), 0, atol=0.1)


def test_a_step_that_is_far_too_large_raises():
    with pytest.raises(TrainingError, match=r"Lower lr \(it is 1000\)"):
        small_clinical_regressor(lr=1000).fit(X, T)


def test_labels_are_refused_before_the_first_epoch(monkeypatch):
    monkeypatch.setattr("skosteo.training.net_estimator.train", None)
    for y in (T["neck"] < 0, (T["neck"] < 0).astype(int), np.where(T["neck"] < 0, "yes", "no")):
        with pytest.raises(InputError, match="ClinicalOsteoClassifier"):
            small_clinical_regressor().fit(X, y)


def test_copies_answer_the_same(fitted):
    for copy in (pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(X, GAPS)):
        for ours, theirs in zip(
            copy.predict(X, return_std=True), fitted.predict(X, return_std=True), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_patients_reach_the_folds_of_a_search_and_of_the_net(monkeypatch):
    seen, groups = [], np.arange(120) // 2
    split = type(small_clinical_regressor())._split

    def noting(self, codes, groups, seed):
        seen.append(groups)
        return split(self, codes, groups, seed)

    monkeypatch.setattr(type(small_clinical_regressor()), "_split", noting)
    model = small_clinical_regressor(max_epochs=1)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {"dropout": [0.0, 0.5]}, cv=GroupKFold(2))
        search.fit(X, GAPS, groups=groups)
        scores = cross_validate(model, X, GAPS, cv=GroupKFold(2), params={"groups": groups})
    assert len(seen) == 7
    assert all(len(np.unique(ids)) == len(ids) / 2 for ids in seen)
    assert np.isfinite([*search.cv_results_["mean_test_score"], *scores["test_score"]]).all()
