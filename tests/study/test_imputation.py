"""Multiple imputation: planted truths, and what cannot be drawn."""

import numpy as np
import pandas as pd
import pytest

from skosteo.exceptions import InputError
from skosteo.study import run_study
from skosteo.study.imputation import DrawnValues
from tests.study.cohorts import patients


def test_drawn_values_have_the_distribution_that_the_others_give():
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, 3000)
    weight = 70 + 0.5 * (age - 60) + rng.normal(0, 4, 3000)
    table = pd.DataFrame({"age": age, "weight": weight, "sex": "F"})
    gone = rng.random(3000) < 0.3
    holes = table.assign(weight=np.where(gone, np.nan, weight))
    drawn = [DrawnValues(("age", "weight"), seed).fit(holes).transform(holes) for seed in (0, 1)]
    for one in drawn:
        assert not one.isna().any(axis=None)
        pd.testing.assert_series_equal(one["age"], table["age"])
        pd.testing.assert_series_equal(one["sex"], table["sex"])
        residual = (one["weight"] - 70 - 0.5 * (age - 60))[gone]
        assert residual.mean() == pytest.approx(0, abs=0.5)
        assert residual.std() == pytest.approx(4, abs=0.4)  # a mean would give 0
        assert one["weight"].between(weight[~gone].min(), weight[~gone].max()).all()
    assert (drawn[0]["weight"] != drawn[1]["weight"])[gone].all()


def study_of(X, y, groups, **changes):
    params = {
        "image_column": None, "n_folds": 3, "n_repeats": 1, "verbose": 0,
        "models": ["logistic", "osta"], "primary": "logistic", "imputations": 5,
    } | changes  # fmt: skip
    return run_study(X, y, groups=groups, **params)


def test_the_study_shows_what_missing_values_cost():
    X, y, groups = patients(240)
    X.loc[X.index % 4 == 0, "bmi"] = np.nan
    study = study_of(X, y, groups)
    found = study.imputation()
    assert found.columns.tolist() == ["AUC", "difference"]
    assert found.index[0].startswith("missing values filled")
    assert found.index[1] == "patients without missing values: 180 rows"
    assert found.index[2] == "5 imputations, by Rubin's rules"
    assert found["AUC"].iloc[0] == study.scores(["logistic"])["AUC"].iloc[0]
    assert found["AUC"].nunique() == 3


def test_no_pooled_difference_is_beyond_1(monkeypatch):
    monkeypatch.setattr("skosteo.study.imputation._pool", lambda *_: (0.13, -1.008, 1.273))
    X, y, groups = patients(90)
    X.loc[::5, "bmi"] = np.nan
    pooled = study_of(X, y, groups, n_folds=2).imputation().iloc[-1]
    assert pooled["difference"] == "+.130 [\N{MINUS SIGN}1.000, +1.000]"


def test_nothing_is_drawn_where_nothing_is_missing_or_asked_for():
    X, y, groups = patients(90)
    assert study_of(X, y, groups).imputation() is None
    X.loc[::5, "bmi"] = np.nan
    assert study_of(X, y, groups, imputations=0).imputation() is None


def test_a_column_that_is_empty_in_a_fold_is_told_before_any_fit(monkeypatch):
    monkeypatch.setattr("skosteo.study.run.fit_models", lambda *_, **__: 1 / 0)
    X, y, groups = patients(90)
    X["calcium"] = np.where(np.arange(90) == 7, 2.3, np.nan)
    with pytest.raises(InputError, match=r"\['calcium'\] have no value among the training rows"):
        study_of(X, y, groups, n_folds=2)
