"""Models of folds, averaged: against scikit-learn by hand, and no patient on both sides."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skosteo import FoldEnsembleClassifier, load_model, save_model
from skosteo.exceptions import InputError
from tests.fusion.spies import Spy, table
from tests.small_models import small_image, write_films


def known_by_heart(rng, n_patients):
    """Films of patients who are recognised by two numbers; the labels mean nothing."""
    patient = np.repeat(np.arange(n_patients), 3)
    X = rng.normal(size=(n_patients, 2))[patient] + 0.01 * rng.normal(size=(3 * n_patients, 2))
    return X, rng.permutation(np.resize([0, 1], n_patients))[patient], patient


def test_it_is_what_cross_validation_by_hand_gives():
    X, y, groups = table(120)
    folds = list(StratifiedGroupKFold(4).split(X, y, groups))
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    model = FoldEnsembleClassifier(tree, cv=folds).fit(X, y, groups=groups)
    by_hand = cross_validate(tree, X, y, cv=folds, return_estimator=True)["estimator"]
    mean = np.mean([one.predict_proba(X) for one in by_hand], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), mean, atol=1e-12)
    out_of_fold = cross_val_predict(tree, X, y, cv=folds, method="predict_proba")[:, 1]
    assert np.array_equal(model.oof_probability_, out_of_fold)


def test_no_patient_is_on_both_sides_and_all_reaches_the_estimator():
    X, y, groups = table(60)
    X = X.assign(image=groups / 100)
    weight = np.where(np.arange(60) < 4, 0.0, 2.0)
    Spy.log.clear()
    model = FoldEnsembleClassifier(Spy(), cv=3).fit(X, y, weight, groups)
    asked = [entry for entry in Spy.log if entry[0] == "predict"]
    fitted = [entry for entry in Spy.log if entry[0] == "fit"]
    assert len(fitted) == len(asked) == len(model.estimators_) == 3
    for _, _, tested, seen, _ in asked:
        assert not set(tested["image"]) & set(seen["image"])
    for _, _, seen, weights, patients in fitted:
        assert (weights == 2).all()
        assert len(np.unique(patients)) == seen["image"].nunique() == len(seen) // 2
    assert np.array_equal(np.isnan(model.oof_probability_), weight == 0)


@pytest.mark.parametrize("grouped", [True, False])
def test_labels_without_meaning_are_not_learned_from_other_films_of_a_patient(grouped):
    X, y, patient = known_by_heart(np.random.default_rng(0), 300)
    model = FoldEnsembleClassifier(DecisionTreeClassifier(random_state=0))
    model.fit(X, y, groups=patient if grouped else None)
    auc = roc_auc_score(y, model.oof_probability_)
    assert 0.4 < auc < 0.6 if grouped else auc > 0.8


def test_the_mean_is_better_than_its_models_on_new_patients():
    rng = np.random.default_rng(0)
    y, y_new = np.resize([0, 1], 300), np.resize([0, 1], 1000)
    X, X_new = rng.normal(size=(300, 4)) + y[:, None], rng.normal(size=(1000, 4)) + y_new[:, None]
    model = FoldEnsembleClassifier(DecisionTreeClassifier(random_state=0)).fit(X, y)
    said = model.predict_proba(X_new)[:, 1]
    singles = [one.predict_proba(X_new)[:, 1] for one in model.estimators_]
    for score, sign in ((roc_auc_score, 1), (brier_score_loss, -1)):
        assert sign * score(y_new, said) > max(sign * score(y_new, one) for one in singles)
    # which the out-of-fold probabilities tell without new patients, on the safe side
    assert brier_score_loss(y, model.oof_probability_) > brier_score_loss(y_new, said)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"estimator": [LogisticRegression()]}, "estimator=list is not a classifier"),
     ({"estimator": LinearSVC()}, "LinearSVC is not a classifier with predict_proba"),
     ({"estimator": FrozenEstimator(LogisticRegression())}, "the same in all folds"),
     ({"cv": "prefit"}, "cv='prefit': allowed are a number of folds"),
     ({"cv": [(np.arange(0, 60, 2), np.arange(1, 60, 2))]}, "one patient on both sides"),
     ({"cv": [(np.arange(30), np.arange(30, 60))]}, "30 of 60 rows in no test fold"),
     ({"estimator": LogisticRegression(C=-1)}, "'C' parameter")],
)  # fmt: skip
def test_wrong_parameters_are_named(params, message):
    X, y, groups = table()
    model = FoldEnsembleClassifier(**{"estimator": LogisticRegression()} | params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"groups": np.arange(3)}, r"groups has shape \(3,\), but there are 60 rows"),
     ({"y": np.zeros(60)}, "two classes"),
     ({"y": np.arange(60) % 3}, "multiclass"),
     ({"y": np.arange(60) == 0}, "A class has 1 of the"),
     ({"sample_weight": np.arange(60) % 2 - 1.0}, "[Nn]egative")],
)  # fmt: skip
def test_wrong_rows_are_named_and_leave_the_model_as_it_was(change, message):
    X, y, groups = table()
    model = FoldEnsembleClassifier(LogisticRegression()).fit(X, y, groups=groups)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.fit(X, **{"y": y, "groups": groups} | change)
    assert np.array_equal(model.predict_proba(X), before)


def test_folds_that_test_a_row_twice_are_refused():
    X, y, _ = table()
    folds = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    with pytest.raises(InputError, match="60 in several"):
        FoldEnsembleClassifier(LogisticRegression(), cv=folds).fit(X, y)


def test_films_copies_and_a_file_without_a_line_per_patient(tmp_path):
    X, y, groups = write_films(tmp_path)
    labels = np.where(y == 1, "osteoporosis", "normal")
    model = FoldEnsembleClassifier(small_image(max_epochs=8, lr=3e-3), cv=3).fit(
        X, labels, groups=groups
    )
    assert roc_auc_score(y, model.oof_probability_) > 0.9
    assert set(model.predict(X)) == {"normal", "osteoporosis"}
    said = model.predict_proba(X)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert not hasattr(loaded, "oof_probability_")
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.oof_probability_, model.oof_probability_)
    again = clone(model).fit(X, labels, groups=groups)
    for other in (loaded, copied, again):
        assert np.abs(other.predict_proba(X) - said).max() == 0
