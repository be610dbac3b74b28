"""FusionOsteoRegressor, on branches whose errors are planted."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor

from skosteo import FusionOsteoRegressor, ImageOsteoRegressor
from skosteo.datasets.cohort import fused_signal
from skosteo.exceptions import InputError, MissingModalityWarning
from tests.small_models import small_clinical_regressor, small_image, write_films


def views(n, seed=0, signals=(0.6, 0.7)):
    """Two views of one latent density, each with noise of its own."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    image, clinical = (s * z + np.sqrt(1 - s * s) * rng.normal(size=n) for s in signals)
    return pd.DataFrame({"image": image, "age": 70 - 5 * clinical}), -1 + 1.2 * z


def lines(**changes):
    return FusionOsteoRegressor(LinearRegression(), LinearRegression(), random_state=0, **changes)


def test_it_reaches_the_correlation_that_is_attainable():
    X, t = views(2000)
    new, t_new = views(20_000, seed=1)
    model = lines().fit(X, t)
    r = np.corrcoef(model.predict(new), t_new)[0, 1]
    assert r == pytest.approx(fused_signal(0.6, 0.7), abs=0.01)
    std = model.predict(new, return_std=True)[1]
    assert std == pytest.approx(1.2 * np.sqrt(1 - fused_signal(0.6, 0.7) ** 2), rel=0.05)
    lower, upper = model.predict_interval(new)
    assert ((lower <= t_new) & (t_new <= upper)).mean() == pytest.approx(0.9, abs=0.015)
    p = model.probability_below(new)
    assert p.mean() == pytest.approx((t_new <= -2.5).mean(), abs=0.01)


def test_a_row_without_a_modality_is_answered_by_the_other_and_its_own_spread():
    X, t = views(2000)
    gaps = X.copy()
    gaps.loc[::10, "image"] = np.nan
    gaps.loc[1::10, "age"] = np.nan
    with pytest.warns(MissingModalityWarning):
        model = lines().fit(gaps, t)
    new, t_new = views(4000, seed=1)
    half = np.arange(4000) < 2000
    new.loc[half, "image"] = new.loc[~half, "age"] = np.nan
    with pytest.warns(MissingModalityWarning, match="2000 of 4000"):
        mean, std = model.predict(new, return_std=True)
    for rows, signal in ((half, 0.7), (~half, 0.6)):
        assert np.corrcoef(mean[rows], t_new[rows])[0, 1] == pytest.approx(signal, abs=0.03)
        assert std[rows] == pytest.approx(1.2 * np.sqrt(1 - signal**2), rel=0.06)
    assert model.branches_used(new)["clinical"].tolist() == half.tolist()


def test_an_image_branch_that_knows_its_rows_by_heart_is_not_trusted():
    """In-sample it is perfect; out-of-fold it says nothing."""
    X, t = views(400)
    X["image"] = np.random.default_rng(2).normal(size=400)
    new, t_new = views(2000, seed=1)
    new["image"] = np.random.default_rng(3).normal(size=2000)
    model = FusionOsteoRegressor(KNeighborsRegressor(1), LinearRegression(), random_state=0)
    both = model.fit(X, t).predict(new)
    assert np.corrcoef(both, t_new)[0, 1] > 0.7 - 0.03


def test_sites_are_combined_each_where_it_is_measured():
    X, t = views(400)
    sites = pd.DataFrame({"neck": t, "spine": 100 - 3 * t})
    sites.loc[::3, "spine"] = np.nan
    by_net = small_clinical_regressor(
        hidden_layer_sizes=(), max_epochs=20, batch_size=64, n_members=3
    )
    model = FusionOsteoRegressor(by_net, clone(by_net), cv=2, random_state=0).fit(X, sites)
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (400, 2)
    assert np.corrcoef(mean[:, 1], -t)[0, 1] > 0.75
    assert std[0, 1] / std[0, 0] == pytest.approx(3, rel=0.1)
    assert model.sites_ == ["neck", "spine"]


def test_patients_stay_on_one_side_and_weights_reach_the_branches():
    X, t = views(60)
    seen = []

    class Spy(RegressorMixin, BaseEstimator):
        def fit(self, X, y, sample_weight=None, groups=None):
            self.fitted_ = True
            seen.append((len(y), sample_weight, groups))
            return self

        def predict(self, X):
            return X.iloc[:, 0].to_numpy()

    groups, weights = np.arange(60) // 3, np.r_[np.zeros(6), np.ones(54)]
    FusionOsteoRegressor(Spy(), Spy(), random_state=0).fit(X, t, weights, groups)
    assert len(seen) == 12  # 2 branches, 5 folds and all rows
    assert sorted(n for n, _, _ in seen)[-2:] == [54, 54]  # rows of weight 0 are left out
    for n, weight, patients in seen:
        assert (weight == np.ones(n)).all()
        assert (np.unique(patients, return_counts=True)[1] == 3).all()


def test_searches_clones_and_pickles():
    X, t = views(120)
    model = FusionOsteoRegressor(
        HistGradientBoostingRegressor(max_iter=5), LinearRegression(), cv=2, random_state=0
    )
    search = GridSearchCV(model, {"image__max_iter": [1, 5]}, cv=2).fit(X, t)
    assert search.best_score_ > 0.2
    fitted = clone(model).fit(X, t)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    scores = cross_val_score(model, X, t, cv=GroupKFold(3), groups=np.arange(120) // 2)
    assert np.isfinite(scores).all()


def test_nets_of_films_and_of_a_table(tmp_path):
    X, y, groups = write_films(tmp_path)
    image = small_image(ImageOsteoRegressor, max_epochs=8, lr=3e-3)
    model = FusionOsteoRegressor(image, small_clinical_regressor(), cv=2, random_state=0)
    t = y + X["age"] / 20
    new, y_new, _ = write_films(tmp_path, seed=1)
    r = np.corrcoef(model.fit(X, t, groups=groups).predict(new), y_new + new["age"] / 20)[0, 1]
    assert r > 0.6


def test_what_is_wrong_is_said_before_a_branch_is_fitted():
    X, t = views(60)
    for change, match in (
        ({"image": LogisticRegression()}, "image=LogisticRegression is no regressor.*Probability"),
        ({"clinical": "ridge"}, "clinical=ridge is no regressor"),
        ({"cv": "prefit"}, "cv='prefit': allowed are a number"),
        ({"image_column": "film"}, "no column 'film'"),
    ):
        with pytest.raises(InputError, match=match):
            lines().set_params(**change).fit(X, t)
    with pytest.raises(InputError, match="ClinicalOsteoClassifier"):
        lines().fit(X, t < -1)
    with pytest.raises(InputError, match="n_samples = 3"):
        lines().fit(X[:3], t[:3])
    never_both = X.mask(np.arange(120).reshape(60, 2) % 3 == 0)
    never_both.loc[never_both.notna().all(axis=1), "age"] = np.nan
    with (
        pytest.warns(MissingModalityWarning),
        pytest.raises(InputError, match="Too few rows have a density of every site"),
    ):
        lines().fit(never_both, t)


def test_an_error_of_a_fit_names_its_branch():
    X, t = views(60)
    X["bmi"] = np.where(np.arange(60) == 7, np.nan, 25.0)
    with pytest.raises(ValueError, match="contains NaN") as raised:
        lines().fit(X, t)
    assert raised.value.__notes__ == ["In the fit of the branch 'clinical'."]


def test_a_modality_that_always_was_there_can_be_left_out():
    X, t = views(200)
    model = lines().fit(X, t)
    with pytest.warns(MissingModalityWarning):
        alone = model.predict(X.assign(image=np.nan))
    assert np.corrcoef(alone, t)[0, 1] > 0.6
