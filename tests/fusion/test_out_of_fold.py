"""Out-of-fold predictions of one branch, and what its fit is given."""

import numpy as np
import pandas as pd
import pytest
from joblib import Memory
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import ProbabilityFusionClassifier
from skosteo.exceptions import InputError
from skosteo.fusion.columns import Part
from skosteo.fusion.out_of_fold import (
    fit_out_of_fold,
    fit_with_metadata,
    predict_present,
    splits_of_used_rows,
    validate_steps,
)

Y = np.resize(["ill", "ill", "well", "well"], 40)
PATIENTS = np.arange(40) // 2


def out_of_fold(part, splits):
    context = ProbabilityFusionClassifier()._init_callback_context(max_subtasks=6)
    return fit_out_of_fold(KnowsItsRows(), part, Y, splits, {}, Memory(None), context)


class KnowsItsRows(ClassifierMixin, BaseEstimator):
    """Gives 1 for rows that it was fitted on, and 0 for others."""

    def fit(self, X, y):
        self.classes_, self.known_ = np.unique(y), set(X["row"])
        return self

    def predict_proba(self, X):
        known = X["row"].isin(self.known_).to_numpy(float)
        return np.column_stack([1 - known, known])


def part(present=None):
    rows = np.ones(40, bool) if present is None else present
    return Part(pd.DataFrame({"row": np.arange(40)}), rows)


@pytest.mark.parametrize(("cv", "n_folds"), [(None, 5), (2, 2), (GroupKFold(3), 3)])
def test_no_row_is_predicted_by_a_model_that_has_seen_it(cv, n_folds):
    splits = splits_of_used_rows(cv, Y, PATIENTS, np.arange(40), seed=0)
    assert len(splits) == n_folds
    fitted, probability = out_of_fold(part(), splits)
    assert (probability == 0).all()
    assert fitted.known_ == set(range(40))
    _, in_sample = out_of_fold(part(), None)
    assert (in_sample == 1).all()


def test_none_is_five_folds():
    splits = [splits_of_used_rows(cv, Y, PATIENTS, np.arange(40), seed=3) for cv in (None, 5)]
    for first, second in zip(*splits, strict=True):
        assert all(map(np.array_equal, first, second))


def test_a_row_that_is_not_present_teaches_nothing_and_gets_nothing():
    present = np.arange(40) % 5 > 0
    splits = splits_of_used_rows(2, Y, None, np.arange(40), seed=0)
    fitted, probability = out_of_fold(part(present), splits)
    assert fitted.known_ == set(np.flatnonzero(present))
    assert np.array_equal(np.isnan(probability), ~present)
    assert np.array_equal(np.isnan(predict_present(fitted, part(present))), ~present)
    assert np.isnan(predict_present(fitted, part(np.zeros(40, bool)))).all()


def test_a_fold_of_all_rows_counts_by_the_rows_that_are_used():
    used = np.flatnonzero(np.arange(40) >= 8)
    for cv in (3, [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]):
        splits = splits_of_used_rows(cv, Y, None, used, seed=0)
        assert np.array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(32))


@pytest.mark.parametrize("grouped", [False, True])
def test_folds_are_no_more_than_the_patients_of_a_class(grouped):
    y = np.where(np.arange(40) < (6 if grouped else 3), "ill", "well")
    groups = PATIENTS if grouped else None
    with pytest.warns(UserWarning, match="A class has 3 .* 3 folds are used"):
        splits = splits_of_used_rows(None, y, groups, np.arange(40), seed=0)
    assert len(splits) == 3
    assert all("ill" in y[test] for _, test in splits)


SCALED = make_pipeline(StandardScaler(), LogisticRegression())


@pytest.mark.parametrize("model", [LogisticRegression(), SCALED], ids=["alone", "pipeline"])
def test_weights_reach_the_last_step_only(model):
    X, weights = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) + 1.0
    fitted = fit_with_metadata(model, X, Y, {"sample_weight": weights, "groups": PATIENTS})
    last = fitted[-1] if model is SCALED else fitted
    scaled = StandardScaler().fit_transform(X) if model is SCALED else X
    expected = LogisticRegression().fit(scaled, Y, sample_weight=weights)
    np.testing.assert_allclose(last.coef_, expected.coef_)


def test_patients_reach_a_group_cross_validator_in_a_search():
    X = np.random.default_rng(0).normal(size=(40, 2))
    search = GridSearchCV(LogisticRegression(), {"C": [1]}, cv=GroupKFold(3))
    assert fit_with_metadata(search, X, Y, {"groups": PATIENTS}).best_params_ == {"C": 1}


def test_weights_that_nobody_takes_are_refused():
    with pytest.raises(InputError, match="KNeighborsClassifier takes no sample_weight"):
        fit_with_metadata(KNeighborsClassifier(), np.eye(40), Y, {"sample_weight": np.ones(40)})


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(C=-1),
        make_pipeline(StandardScaler(), LogisticRegression(C=-1)),
        make_pipeline(make_pipeline(StandardScaler(with_mean="x")), LogisticRegression()),
    ],
)
def test_parameters_of_all_steps_are_checked(model):
    with pytest.raises(ValueError, match=r"'(C|with_mean)' parameter"):
        validate_steps(model)
    validate_steps(SCALED)
    validate_steps(None)
