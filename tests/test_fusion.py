"""ProbabilityFusionClassifier: what its branches see, and that nothing leaks into the fusion."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from xgboost import XGBClassifier

from skosteo import ProbabilityFusionClassifier
from skosteo.exceptions import InputError
from tests.small_models import small_clinical, small_fusion, small_image, write_films


class Spy(ClassifierMixin, BaseEstimator):
    """Notes what it was fitted on and what it was asked, in a list that its clones share."""

    log: list = []  # noqa: RUF012

    def __init__(self, name="spy"):
        self.name = name

    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_, self.seen_ = np.unique(y), X
        Spy.log.append(("fit", self.name, X, sample_weight, groups))
        return self

    def predict_proba(self, X):
        Spy.log.append(("predict", self.name, X, self.seen_, None))
        return np.column_stack([1 - X.iloc[:, 0], X.iloc[:, 0]])


@pytest.fixture(autouse=True)
def empty_log():
    Spy.log.clear()


def table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.resize([0, 0, 1, 1], n)
    X = pd.DataFrame({"image": rng.random(n), "age": rng.random(n), "bmi": rng.random(n)})
    return X, y, np.arange(n) // 2


def spied(**changes):
    params = {"final_estimator": LogisticRegression(), "random_state": 0}
    return ProbabilityFusionClassifier(Spy("image"), Spy("clinical"), **params | changes)


def test_branches_see_only_their_columns():
    X, y, groups = table()
    spied().fit(X, y, groups=groups).predict(X)
    columns = {(name, tuple(seen.columns)) for _, name, seen, *_ in Spy.log}
    assert columns == {("image", ("image",)), ("clinical", ("age", "bmi"))}


def test_clinical_columns_can_be_named():
    X, y, _ = table()
    model = spied(clinical_columns=["bmi"]).fit(X, y)
    assert list(model.clinical_.seen_) == ["bmi"]


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


def test_fusion_is_fitted_on_what_its_branches_said():
    X, y, _ = table()
    fused = spied().fit(X, y).final_estimator_
    expected = LogisticRegression().fit(X[["image", "age"]].to_numpy(), y)
    np.testing.assert_allclose(fused.coef_, expected.coef_, atol=1e-8)


def test_weights_and_patients_reach_every_branch_and_fold():
    X, y, groups = table()
    weights = np.arange(len(y)) + 1.0
    spied().fit(X, y, sample_weight=weights, groups=groups)
    for _, _, seen, passed, patients in (entry for entry in Spy.log if entry[0] == "fit"):
        np.testing.assert_array_equal(passed, weights[seen.index])
        np.testing.assert_array_equal(patients, groups[seen.index])


def test_rows_of_weight_zero_are_left_out_altogether():
    X, y, _ = table()
    weights = np.where(np.arange(len(y)) < 8, 0.0, 1.0)
    spied().fit(X, y, sample_weight=weights)
    assert all(seen.index.min() >= 8 for kind, _, seen, *_ in Spy.log if kind == "fit")


def test_out_of_fold_resists_a_branch_that_learns_by_heart():
    """An image branch that knows its training rows by heart ruins an in-sample fusion."""
    rng = np.random.default_rng(0)

    def draw(n):
        y = np.resize([0, 1], n)
        return pd.DataFrame({"image": rng.normal(size=n), "age": rng.normal(0.9 * y)}), y

    X, y = draw(400)
    X_new, y_new = draw(4000)
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


def test_prefit_keeps_the_branches_as_they_are():
    X, y, _ = table()
    image, clinical = Spy().fit(X[["image"]], y), Spy().fit(X[["age", "bmi"]], y)
    Spy.log.clear()
    model = ProbabilityFusionClassifier(
        image, clinical, cv="prefit", final_estimator=LogisticRegression()
    ).fit(X, y)
    assert model.image_ is image
    assert model.clinical_ is clinical
    assert not [entry for entry in Spy.log if entry[0] == "fit"]


def test_the_default_fusion_is_the_net_of_the_paper():
    X, y, _ = table(120)
    net = spied(final_estimator=None).fit(X, y).final_estimator_.net_.module_
    sizes = [(m.in_features, m.out_features) for m in net.layers if isinstance(m, nn.Linear)]
    assert sizes == [(2, 32), (32, 1)]


def test_default_branches(tmp_path, monkeypatch):
    model = ProbabilityFusionClassifier(image_column="film", random_state=3)
    image, clinical = model._default_or_clone(seed=5).values()
    assert (image.backbone, image.image_column, image.random_state) == ("resnet50", "film", 5)
    assert [type(step).__name__ for _, step in clinical.steps] == [
        "ClinicalPreprocessor", "ClinicalOsteoClassifier"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "clinical",
    [
        make_pipeline(SimpleImputer(), XGBClassifier(n_estimators=20)),
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        GridSearchCV(make_pipeline(SimpleImputer(), LogisticRegression()),
                     {"logisticregression__C": [0.1, 1]}, cv=GroupKFold(2)),
    ],
    ids=["xgboost", "logistic", "search"],
)  # fmt: skip
def test_any_classifier_is_a_branch(tmp_path, clinical):
    X, y, groups = write_films(tmp_path)
    X["age"] = X["age"].where(np.arange(len(X)) % 7 > 0)
    model = small_fusion(clinical=clinical, image=small_image(max_epochs=10))
    model.fit(X, np.where(y == 1, "ill", "well"), groups=groups)
    assert model.classes_.tolist() == ["ill", "well"]
    assert model.score(X, np.where(y == 1, "ill", "well")) > 0.9


def test_weights_pass_by_the_scaler_of_a_pipeline():
    X, y, _ = table()
    clinical = make_pipeline(StandardScaler(), LogisticRegression())
    weights = np.where(y == 1, 9.0, 1.0)
    model = ProbabilityFusionClassifier(Spy(), clinical, final_estimator=LogisticRegression())
    fitted = model.fit(X, y, sample_weight=weights).clinical_
    expected = make_pipeline(StandardScaler(), LogisticRegression())
    expected.fit(X[["age", "bmi"]], y, logisticregression__sample_weight=weights)
    np.testing.assert_allclose(fitted[-1].coef_, expected[-1].coef_)


def test_same_seed_same_model():
    X, y, groups = table(80)
    model = spied(final_estimator=small_clinical())
    first, second = (model.fit(X, y, groups=groups).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, second)


X, Y, GROUPS = table()


@pytest.mark.parametrize(
    ("model", "fit", "match"),
    [
        (spied(image_column="film"), {}, r"'film'.*\['image', 'age', 'bmi'\]"),
        (spied(clinical_columns=["age", "bme"]), {}, r"misses the columns \['bme'\]"),
        (spied(cv="holdout"), {}, "'holdout'.*'prefit'"),
        (spied(cv=ShuffleSplit(3, random_state=0)), {}, "in no test fold"),
        (
            spied(cv=list(KFold(5, shuffle=True, random_state=0).split(X))),
            {"groups": GROUPS},
            "both sides",
        ),
        (spied(clinical_columns="age"), {}, "'age'.*give a list"),
        (spied(), {"groups": [1, 2, 3]}, r"groups has shape \(3,\)"),
        (ProbabilityFusionClassifier(LinearSVC(), Spy()), {}, "image=LinearSVC.*Calibrated"),
        (
            ProbabilityFusionClassifier(Spy(), KNeighborsClassifier()),
            {"sample_weight": np.ones(60)},
            "KNeighborsClassifier takes no sample_weight",
        ),
        (ProbabilityFusionClassifier(cv="prefit"), {}, "prefit.*image=, not None"),
        (
            ProbabilityFusionClassifier(
                Spy().fit(X, np.where(Y, "a", "b")), DummyClassifier().fit(X, Y), cv="prefit"
            ),
            {},
            r"image branch.*\['a', 'b'\].*\[0, 1\]",
        ),
    ],
)
def test_bad_input(model, fit, match):
    with pytest.raises(InputError, match=match):
        model.fit(X, Y, **fit)


def test_a_missing_column_at_prediction_is_named():
    model = spied().fit(X, Y)
    with pytest.raises(InputError, match=r"misses the columns \['bmi'\]"):
        model.predict(X.drop(columns="bmi"))
