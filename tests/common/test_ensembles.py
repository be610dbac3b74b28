"""scikit-learn's votes and stackings of our models: patients, weights, and what leaks in them."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skosteo import (
    ClinicalOsteoClassifier,
    FoldEnsembleClassifier,
    ProbabilityFusionClassifier,
    RecalibratedClassifier,
    load_model,
    save_model,
)
from skosteo.exceptions import InputError
from skosteo.training.net_classifier import NetClassifier
from tests.fusion.spies import Spy, table
from tests.small_models import (
    small_clinical,
    small_fusion,
    still_fusion,
    still_image,
    write_films,
)

CV = StratifiedGroupKFold(2)


class Grouped(ClassifierMixin, BaseEstimator):
    """A tree that takes patients, and what a final estimator was given to learn from."""

    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, groups=None):
        self.tree_, self.classes_ = DecisionTreeClassifier(random_state=0).fit(X, y), np.unique(y)
        self.auc_ = roc_auc_score(y, np.asarray(X)[:, -1])
        return self

    def predict_proba(self, X):
        return self.tree_.predict_proba(X)

    def predict(self, X):
        return self.tree_.predict(X)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


def vote():
    net = small_clinical(n_members=2)
    baseline = make_pipeline(StandardScaler(), net)
    members = [
        ("pf", small_fusion(image=still_image(), clinical=baseline, final_estimator=net)),
        ("ff", still_fusion(strategy="concat")),
        ("lff", still_fusion(strategy="learned")),
        ("attention", still_fusion(strategy="attention")),
        ("image", still_image(max_epochs=10, lr=1e-2)),
    ]
    return VotingClassifier(members, voting="soft")


def test_a_vote_hands_patients_to_every_early_stopping_split(study, monkeypatch):
    X, y, groups = study
    seen = []

    def spy(split):
        def noting(self, codes, groups, seed):
            seen.append(groups)
            return split(self, codes, groups, seed)

        return noting

    for nets in (NetClassifier, ClinicalOsteoClassifier):
        monkeypatch.setattr(nets, "_split", spy(nets._split))
    with config_context(enable_metadata_routing=True):
        done = cross_validate(vote(), X, y, cv=CV, params={"groups": groups}, scoring="roc_auc")
    # per outer fold 9 nets in PF, 3 of feature fusions, the image model
    assert len(seen) == 2 * 13
    assert all(ids is not None and len(np.unique(ids)) < len(ids) for ids in seen)
    assert done["test_score"].mean() > 0.9


def test_a_vote_is_saved_and_answers_as_it_did(study, tmp_path):
    X, y, groups = study
    with config_context(enable_metadata_routing=True):
        model = vote().set_params(ff="drop", lff="drop").fit(X, y, groups=groups)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert np.abs(loaded.predict_proba(X) - model.predict_proba(X)).max() == 0


def test_a_probability_fusion_is_a_stacking_of_feature_fusions(study, tmp_path):
    X, y, groups = study
    columns = ["age", "bmi"]
    model = small_fusion(
        image=still_image(),
        clinical_columns=columns,
        other_branches=[("ff", still_fusion(), ["image", *columns])],
        final_estimator="logistic",
    ).fit(X, y, np.ones(len(y)), groups)
    assert list(model.branches_) == ["image", "clinical", "ff"]
    said = model.predict_proba(X)
    save_model(model, tmp_path / "model.skops")
    assert np.abs(load_model(tmp_path / "model.skops").predict_proba(X) - said).max() == 0


@pytest.mark.parametrize("outer", [FoldEnsembleClassifier, RecalibratedClassifier])
def test_weights_and_patients_reach_the_members_of_a_vote(outer):
    X, y, groups = table(60)
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    members = [("spy", Spy()), ("scaled", scaled), ("left out", "drop")]
    Spy.log.clear()
    outer(VotingClassifier(members, voting="soft"), cv=2).fit(X, y, np.full(60, 2.0), groups)
    fits = [entry for entry in Spy.log if entry[0] == "fit"]
    assert len(fits) >= 2
    for _, _, _, weights, patients in fits:
        assert (weights == 2).all()
        assert len(np.unique(patients)) == len(patients) / 2


def test_a_member_that_takes_no_weights_is_named():
    X, y, _ = table(60)
    members = [("logistic", LogisticRegression()), ("near", KNeighborsClassifier())]
    model = FoldEnsembleClassifier(VotingClassifier(members, voting="soft"))
    with pytest.raises(InputError, match="KNeighborsClassifier takes no sample_weight"):
        model.fit(X, y, sample_weight=np.ones(60))
    with pytest.raises(InputError, match="VotingClassifier is not a classifier with predict_proba"):
        FoldEnsembleClassifier(VotingClassifier(members)).fit(X, y)


def patients_known_by_heart(seed, n=200):
    """Three films a patient, which give him away; the labels mean nothing."""
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(n), 3))
    X = rng.normal(size=(n, 3))[patient] + 0.01 * rng.normal(size=(3 * n, 3))
    y = rng.permutation(np.resize([0, 1], n))[patient]
    return pd.DataFrame(X, columns=["image", "age", "bmi"]), y, patient


def tree():
    return DecisionTreeClassifier(random_state=0)


def stacked(cv):
    return StackingClassifier([("one", Grouped()), ("other", Grouped())], Grouped(), cv=cv)


def fused():
    both = [("both", tree(), ["image", "age", "bmi"])]
    columns = ["age", "bmi"]
    return ProbabilityFusionClassifier(
        tree(), tree(), other_branches=both, clinical_columns=columns, final_estimator=Grouped()
    )


@pytest.mark.parametrize(
    ("model", "leaks"),
    [(fused(), False), (stacked(StratifiedGroupKFold(5)), False), (stacked(5), True)],
    ids=["our fusion", "scikit-learn, grouped", "scikit-learn, a number of folds"],
)
def test_what_a_stacking_learns_from(model, leaks):
    """The third is scikit-learn's own way, which the documentation of our fusion warns of."""
    X, y, patient = patients_known_by_heart(0)
    with config_context(enable_metadata_routing=True):
        final = model.fit(X, y, groups=patient).final_estimator_
    assert final.auc_ > 0.8 if leaks else 0.4 < final.auc_ < 0.6


def test_labels_without_meaning_are_not_predicted_by_a_stacking_of_patients():
    X, y, patient = patients_known_by_heart(1)
    model = fused().set_params(final_estimator="logistic")
    with config_context(enable_metadata_routing=True):
        said = cross_val_predict(
            model, X, y, cv=StratifiedGroupKFold(5), params={"groups": patient},
            method="predict_proba",
        )  # fmt: skip
    assert 0.4 < roc_auc_score(y, said[:, 1]) < 0.6


def test_members_that_share_branches_fit_them_once(tmp_path):
    """Two fusions of the same branches, and the vote fitted once more."""
    X, y, groups = table(60)
    members = [
        (str(final), ProbabilityFusionClassifier(
            Spy("image"), Spy("clinical"), final_estimator=final, cv=3, memory=tmp_path / "kept",
            random_state=0))
        for final in ("logistic", "mean")
    ]  # fmt: skip
    model = VotingClassifier(members, voting="soft")
    Spy.log.clear()
    with config_context(enable_metadata_routing=True):
        first = model.fit(X, y, groups=groups).predict_proba(X)
        again = model.fit(X, y, groups=groups).predict_proba(X)
    fits = [name for what, name, *_ in Spy.log if what == "fit"]
    assert fits.count("image") == fits.count("clinical") == 3 + 1
    assert np.array_equal(first, again)
