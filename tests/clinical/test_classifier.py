"""ClinicalOsteoClassifier."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from skosteo import ClinicalOsteoClassifier
from skosteo.exceptions import InputError, TrainingError
from skosteo.presets import paper_clinical_classifier
from tests.small_models import small_clinical


def cohort(n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [10, 4, 50, 0.1] + [69, 24, 225, 2.3]
    logit = (X[:, 0] - 69) / 10 - (X[:, 1] - 24) / 4
    return X, (rng.random(n) < 1 / (1 + np.exp(-1.5 * logit))).astype(int)


def test_the_net_of_the_paper():
    model = paper_clinical_classifier(max_epochs=1, random_state=0)[-1].fit(*cohort())
    layers = [(m._get_name(), getattr(m, "out_features", None)) for m in model.net_.module_.layers]
    assert layers == [("Linear", 50), ("ReLU", None), ("Dropout", None), ("Linear", 1)]


def test_it_learns_what_logistic_regression_learns():
    X, y = cohort()
    X_new, y_new = cohort(2000, seed=1)
    net = ClinicalOsteoClassifier(random_state=0).fit(X, y)
    reference = LogisticRegression(max_iter=1000).fit(X / X.std(0), y)
    bar = roc_auc_score(y_new, reference.predict_proba(X_new / X.std(0))[:, 1])
    assert roc_auc_score(y_new, net.predict_proba(X_new)[:, 1]) > bar - 0.02


def test_history_and_best_weights():
    X, y = cohort()
    model = small_clinical(n_members=1, lr=1e-3, max_epochs=300, n_iter_no_change=5).fit(X, y)
    best = model.history_["valid_loss"].idxmin()
    assert len(model.history_) == model.n_iter_ == best + 1 + 5 < 300


def test_without_early_stopping_all_epochs_run_and_there_is_no_validation_loss():
    model = small_clinical(early_stopping=False).fit(*cohort())
    assert model.n_iter_ == 5
    assert "valid_loss" not in model.history_


def test_global_random_states_are_untouched():
    import torch

    numpy_state, torch_state = repr(np.random.mtrand._rand.get_state()), torch.get_rng_state()
    small_clinical().fit(*cohort())
    assert repr(np.random.mtrand._rand.get_state()) == numpy_state
    assert torch.equal(torch.get_rng_state(), torch_state)


X, Y = cohort(40)


@pytest.mark.parametrize(
    ("fit", "error", "match"),
    [
        (lambda m: m.fit(X, np.ones(40)), InputError, "1 class in 40 rows"),
        (lambda m: m.fit(X, np.arange(40)), InputError, "Only binary.*multiclass.*t_score <= -2.5"),
        (lambda m: m.fit(X, Y, groups=[1, 2]), InputError, r"groups has shape \(2,\).*40 rows"),
        (lambda m: m.fit(np.where(X > 70, np.nan, X), Y), ValueError, "X contains NaN"),
        (lambda m: m.fit(X, Y, -np.ones(40)), ValueError, "[Nn]egative"),
        (lambda m: m.fit(X, Y, np.where(Y, 1.0, 0.0)), InputError, "sample_weight leaves 1 class"),
        (lambda m: m.set_params(class_weight="even").fit(X, Y), InputError, "balanced.*'even'"),
        (lambda m: m.set_params(class_weight={0: 1}).fit(X, Y), InputError, r"each of \[0, 1\]"),
        (lambda m: m.set_params(lr=1e300).fit(X, Y), TrainingError, "Lower lr"),
        (lambda m: m.predict_proba(X), NotFittedError, "not fitted"),
    ],
)
def test_bad_input(fit, error, match):
    with pytest.raises(error, match=match):
        fit(small_clinical())
