"""Out-of-fold predictions of a branch: what it learns from, what it answers, and how rows split."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skosteo import ProbabilityFusionClassifier
from skosteo.exceptions import InputError, InSampleWarning, MissingModalityWarning
from skosteo.fusion.columns import Part
from skosteo.fusion.out_of_fold import FitRows, predict_present, validate_steps
from tests.fusion.spies import Spy, cheap_fusion, noise_and_signal, spied, table


@pytest.mark.parametrize("cv", [5, GroupKFold(3)])
def test_no_in_sample_probability_and_no_known_patient_reaches_the_fusion(cv):
    X, y, groups = table()
    model = spied(cv=cv).fit(X, y, groups=groups)
    patients = pd.Series(groups, index=X.index)
    predictions = [entry for entry in Spy.log if entry[0] == "predict"]
    for _, _, asked, fitted_on, _ in predictions:
        assert not set(patients[asked.index]) & set(patients[fitted_on.index])
    for name in ("image", "clinical"):
        rows = [i for entry in predictions if entry[1] == name for i in entry[2].index]
        assert sorted(rows) == list(X.index)
    # and in the end each branch has learnt from all rows
    assert len(model.image_.seen_) == len(model.clinical_.seen_) == len(X)


def test_out_of_fold_resists_a_branch_that_learns_by_heart():
    """An image branch that knows its training rows by heart ruins an in-sample fusion."""
    (X, y), (X_new, y_new) = noise_and_signal(400, 0), noise_and_signal(4000, 1)
    image, clinical = DecisionTreeClassifier(random_state=0), LogisticRegression()
    branches = {"image": image.fit(X[["image"]], y), "clinical": clinical.fit(X[["age"]], y)}
    auc = {
        cv: roc_auc_score(
            y_new,
            ProbabilityFusionClassifier(
                **branches, cv=cv, final_estimator=LogisticRegression(), random_state=0
            ).fit(X, y).predict_proba(X_new)[:, 1],
        )
        for cv in (5, "prefit")
    }  # fmt: skip
    alone = roc_auc_score(y_new, clinical.predict_proba(X_new[["age"]])[:, 1])
    assert auc[5] > alone - 0.01
    assert auc["prefit"] < alone - 0.1


def test_branches_learn_only_from_rows_that_they_can_see():
    X, y, groups = table()
    X["image"] = X["image"].mask(X.index < 20)
    with pytest.warns(MissingModalityWarning, match="20 of 60"):
        spied().fit(X, y, groups=groups)
    for _, name, seen, *_ in Spy.log:
        assert (seen.index.min() >= 20) == (name == "image")


def test_a_branch_that_says_nan_is_told():
    X, y, _ = table()
    model = spied().fit(X, y)
    with pytest.raises(InputError, match="rows 1, 2, 3 of 12: Spy gives no probability"):
        model.predict(X[:12].assign(age=X["age"].mask(X.index < 3)))


def test_folds_of_all_rows_serve_where_some_weigh_nothing():
    X, y, groups = table()
    weights = np.where(np.arange(60) % 12 == 0, 0.0, 1.0)
    folds = PredefinedSplit(groups % 5)
    spied(cv=folds).fit(X, y, sample_weight=weights)
    for _, _, asked, fitted_on, _ in (entry for entry in Spy.log if entry[0] == "predict"):
        assert not set(groups[asked.index] % 5) & set(groups[fitted_on.index] % 5)


def test_weights_and_patients_reach_every_branch_and_fold():
    X, y, groups = table()
    weights = np.arange(len(y)) + 1.0
    spied().fit(X, y, sample_weight=weights, groups=groups)
    for _, _, seen, passed, patients in (entry for entry in Spy.log if entry[0] == "fit"):
        np.testing.assert_array_equal(passed, weights[seen.index])
        np.testing.assert_array_equal(patients, groups[seen.index])


def test_weights_pass_by_the_scaler_of_a_pipeline():
    X, y, _ = table()
    clinical = make_pipeline(StandardScaler(), LogisticRegression())
    weights = np.where(y == 1, 9.0, 1.0)
    model = ProbabilityFusionClassifier(Spy(), clinical, final_estimator=LogisticRegression())
    fitted = model.fit(X, y, sample_weight=weights).clinical_
    expected = make_pipeline(StandardScaler(), LogisticRegression())
    expected.fit(X[["age", "bmi"]], y, logisticregression__sample_weight=weights)
    np.testing.assert_allclose(fitted[-1].coef_, expected[-1].coef_)


def test_none_means_five_folds():
    X, y, groups = table()
    default = cheap_fusion().fit(X, y, groups=groups)
    five = cheap_fusion(cv=5).fit(X, y, groups=groups)
    assert np.array_equal(default.predict_proba(X), five.predict_proba(X))
    with pytest.warns(InSampleWarning, match="cv='in-sample'"):
        in_sample = cheap_fusion(cv="in-sample").fit(X, y, groups=groups)
    assert not np.array_equal(default.predict_proba(X), in_sample.predict_proba(X))


@pytest.mark.parametrize(("ill", "grouped"), [(3, False), (6, True)])
def test_a_class_of_few_patients_has_fewer_folds(ill, grouped):
    X, _, groups = table(60)
    y = np.where(np.arange(60) < ill, "ill", "well")
    unit = "patients" if grouped else "rows"
    with pytest.warns(UserWarning, match=f"A class has 3 {unit}, fewer than the 5 folds of cv"):
        model = cheap_fusion().fit(X, y, groups=groups if grouped else None)
    three = cheap_fusion(cv=3).fit(X, y, groups=groups if grouped else None)
    assert np.array_equal(model.predict_proba(X), three.predict_proba(X))


def test_one_patient_of_a_class_is_too_few():
    X, _, groups = table(60)
    y = np.where(np.arange(60) < 2, "ill", "well")
    with pytest.raises(InputError, match="A class has 1 of the patients"):
        cheap_fusion().fit(X, y, groups=groups)


# ---------------------------------------------------------------- one part at a time


def test_folds_are_of_the_rows_used_and_part_no_patient():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 200)
    y = rng.integers(0, 2, 200)
    used = np.flatnonzero(rng.random(200) < 0.7)
    weights = np.isin(np.arange(200), used).astype(float)
    splits = FitRows.of(groups, y, weights, groups).splits(4, seed=0)
    assert len(splits) == 4
    tested = np.concatenate([test for _, test in splits])
    assert sorted(tested) == list(range(len(used)))  # positions among these, each once
    for train, test in splits:
        assert not set(groups[used][train]) & set(groups[used][test])
        assert set(y[used][train]) == set(y[used][test]) == {0, 1}
        assert sorted([*train, *test]) == list(range(len(used)))


def test_a_row_that_is_not_present_has_no_prediction():
    X, y, _ = table()
    present = np.arange(len(X)) % 3 > 0
    branch = LogisticRegression().fit(X, y)
    found = predict_present(branch, Part(X.mask(~pd.Series(present)), present))
    assert np.isnan(found[~present]).all()
    np.testing.assert_array_equal(found[present], branch.predict_proba(X[present])[:, 1])
    assert np.isnan(predict_present(branch, Part(X, np.zeros(len(X), bool)))).all()


def test_a_parameter_of_a_step_within_steps_is_checked():
    inner = make_pipeline(StandardScaler(), LogisticRegression(C=-1))
    with pytest.raises(ValueError, match="'C' parameter of LogisticRegression"):
        validate_steps(make_pipeline(StandardScaler(), inner))
    validate_steps(make_pipeline(StandardScaler(), LogisticRegression()))
