"""What the fusion is worth and what it must not find, over many cohorts: minutes, hence `slow`."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skosteo import ClinicalPreprocessor, ProbabilityFusionClassifier
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InSampleWarning
from skosteo.presets import clinical_baseline
from tests.small_models import small_clinical, small_image

pytestmark = pytest.mark.slow


def stacked(column):
    return np.stack(column["image"].tolist())


def cohort(seed, n):
    """Patients whose film is a vector: the planted view among noise, for a branch that overfits."""
    rng = np.random.default_rng(seed)
    # what films and table know at best: an AUC of .63, .73 or .83, each by itself
    signals = rng.choice([0.3, 0.5, 0.7], 2)
    patients = draw_patients(
        n, image_signal=signals[0], clinical_signal=signals[1], random_state=seed
    )
    film = np.column_stack([patients["image_view"], rng.normal(size=(n, 9))])
    return patients[CLINICAL].assign(image=list(film)), patients["osteoporosis"].to_numpy()


def fused_and_best_branch(seed, cv, n_trees=100, final_estimator=None):
    X, y = cohort(seed, 4400)
    forest = RandomForestClassifier(n_trees, random_state=seed)
    model = ProbabilityFusionClassifier(
        make_pipeline(FunctionTransformer(stacked), forest),
        clinical_baseline("logistic"),
        final_estimator=final_estimator,
        cv=cv,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InSampleWarning)
        model.fit(X[:400], y[:400])
    branches = model.branch_probabilities(X[400:])
    fused = roc_auc_score(y[400:], model.predict_proba(X[400:])[:, 1])
    return fused, max(roc_auc_score(y[400:], branch) for branch in branches.T)


def test_fusion_is_no_worse_than_its_better_branch_in_95_of_100_cohorts():
    pairs = np.array([fused_and_best_branch(seed, cv=5) for seed in range(100)])
    assert (pairs[:, 0] >= pairs[:, 1] - 0.01).sum() >= 95
    assert (pairs[:, 0] - pairs[:, 1]).mean() > 0


def test_probabilities_of_0_and_1_of_a_small_forest_do_no_harm():
    pairs = [fused_and_best_branch(seed, 5, 10, "logistic") for seed in range(20)]
    assert all(fused >= best - 0.01 for fused, best in pairs)


def test_learning_from_in_sample_predictions_loses():
    in_sample = [fused_and_best_branch(seed, cv="in-sample")[0] for seed in range(20)]
    out_of_fold = [fused_and_best_branch(seed, cv=5)[0] for seed in range(20)]
    assert np.mean(out_of_fold) > np.mean(in_sample) + 0.005


def test_labels_without_meaning_give_one_half_through_the_whole_pipeline():
    """Two films of each patient, which are alike: a leak over patients would show at once."""
    aucs = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        patients = draw_patients(60, random_state=seed)[CLINICAL]
        films = rng.integers(0, 256, (60, 24, 24))
        rows = np.arange(120) // 2
        shown = np.clip(films[rows] + rng.normal(0, 5, (120, 24, 24)), 0, 255).astype(np.uint8)
        X = patients.iloc[rows].reset_index(drop=True).assign(image=list(shown))
        y = rng.permutation(np.resize([0, 1], 60))[rows]
        model = ProbabilityFusionClassifier(
            small_image(max_epochs=5, batch_size=16, random_state=seed),
            make_pipeline(ClinicalPreprocessor(), small_clinical(max_epochs=20, batch_size=16)),
            final_estimator="logistic",
            cv=2,
            random_state=seed,
        )
        folds = StratifiedGroupKFold(2, shuffle=True, random_state=seed)
        for train, test in folds.split(X, y, rows):
            model.fit(X.iloc[train], y[train], groups=rows[train])
            aucs.append(roc_auc_score(y[test], model.predict_proba(X.iloc[test])[:, 1]))
    assert 0.49 <= np.mean(aucs) <= 0.51, pd.Series(aucs).describe()
