"""FeatureFusionClassifier: what it learns from, what it may lack, and what it refuses."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer

from skosteo import ClinicalPreprocessor, FeatureFusionClassifier, ImageOsteoClassifier, splits
from skosteo.exceptions import InputError, MissingModalityWarning
from tests.small_models import (
    lacking,
    small_clinical,
    small_feature_fusion,
    small_image,
    still_fusion,
    still_image,
)

STRATEGIES = ["concat", "learned", "attention"]
LACKING = "rows hold nothing for the branch"


def cohort(n=240, seed=0):
    """Films that are bright above or below, and ages high or low: what decides, and the table."""
    rng = np.random.default_rng(seed)
    above, old = rng.integers(0, 2, (2, n)).astype(bool)
    films = rng.integers(0, 60, (n, 24, 24)).astype(np.uint8)
    films[above, :12] += 120
    films[~above, 12:] += 120
    table = pd.DataFrame({
        "age": 60 + 15 * old + rng.normal(0, 2, n),
        "bmi": rng.normal(25, 3, n),
        "image": list(films),
    })  # fmt: skip
    return table, above, old


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize(
    "strategy", ["concat", pytest.param("learned", marks=pytest.mark.slow), "attention"]
)
def test_it_learns_what_film_and_table_decide_together(strategy):
    X, above, old = cohort()
    y = above & old
    model = small_feature_fusion(
        image=small_image(max_epochs=2, batch_size=16, lr=3e-3), strategy=strategy,
        max_epochs=8, batch_size=16, lr=3e-3, early_stopping=False,
    )  # fmt: skip
    new = model.fit(X[:160], y[:160]).predict_proba(X[160:])[:, 1]
    # either alone allows for 1 - 1/3/2: a third of the others looks the same
    assert roc_auc_score(y[160:], new) > 0.97


@pytest.mark.parametrize(
    "strategy", [STRATEGIES[0], *(pytest.param(s, marks=pytest.mark.slow) for s in STRATEGIES[1:])]
)
def test_a_fine_tuned_branch_learns_what_neither_side_shows(strategy):
    """The label is whether film and age disagree: a film alone teaches its branch nothing."""
    X, above, old = cohort(n=300)
    y = above ^ old
    model = small_feature_fusion(
        image=small_image(wavelet=False, soft_attention=False), strategy=strategy,
        image_branch="fine-tuned", max_epochs=8, batch_size=16, lr=3e-3, early_stopping=False,
    )  # fmt: skip
    assert roc_auc_score(y[200:], model.fit(X[:200], y[:200]).predict_proba(X[200:])[:, 1]) > 0.95


@pytest.fixture(scope="module")
def fitted(study):
    """A fusion of each strategy, with an image branch that has learnt nothing."""
    X, y, _ = study
    return {strategy: still_fusion(strategy=strategy).fit(X, y) for strategy in STRATEGIES}


def test_attention_tells_how_much_each_side_looks_at_what(study):
    X, y, _ = study
    X = X.assign(sex=np.where(np.arange(len(X)) % 3, "F", "M")).set_index(np.arange(100, 148))
    model = still_fusion(strategy="attention").fit(X, y)
    looks = model.attention(X)
    assert looks.image.shape == (48, 2, 2)  # a film of 24 pixels after 4 halvings
    assert looks.clinical.columns.tolist() == ["age", "bmi", "sex"]  # sex once, of two columns
    assert looks.clinical.index.equals(X.index)
    assert looks.image.min() >= 0
    assert looks.clinical.min(axis=None) >= 0
    np.testing.assert_allclose(looks.image.sum(axis=(1, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(looks.clinical.sum(axis=1), 1, atol=1e-5)


def test_who_lacks_a_modality_looks_at_nothing(study, fitted):
    X, attentive = study[0], fitted["attention"]
    with pytest.warns(MissingModalityWarning):
        looks = attentive.attention(lacking(X, film=[1], table=[5]))
    assert np.flatnonzero(np.isnan(looks.image).all(axis=(1, 2))).tolist() == [1, 5]
    assert np.flatnonzero(looks.clinical.isna().all(axis=1)).tolist() == [1, 5]
    whole = attentive.attention(X)
    others = np.delete(np.arange(48), [1, 5])
    np.testing.assert_allclose(looks.image[others], whole.image[others], atol=1e-6)


@pytest.mark.parametrize("strategy", ["concat", "learned"])
def test_others_have_no_attention_to_show(strategy, fitted):
    for model in (still_fusion(strategy=strategy), fitted[strategy]):
        assert not hasattr(model, "attention")
        with pytest.raises(AttributeError, match="no attribute 'attention'") as raised:
            model.attention  # noqa: B018
        assert f"strategy='{strategy}' has no" in str(raised.value.__cause__)


# ---------------------------------------------------------------- what each side sees


class Spy(ImageOsteoClassifier):
    """Notes what it was fitted on, in a list that its clones share."""

    log: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, groups=None):
        Spy.log.append((X, y, sample_weight, groups))
        return super().fit(X, y, sample_weight, groups)


@pytest.fixture(autouse=True)
def empty_log():
    Spy.log.clear()


def spied(**changes):
    return Spy(**small_image().get_params() | {"max_epochs": 1} | changes)


class Noting(FunctionTransformer):
    """Passes columns through, and notes in `fit` which."""

    def fit(self, X, y=None):
        self.seen_ = list(X)
        return super().fit(X, y)


@pytest.mark.parametrize("columns", [None, ["age"]])
def test_each_side_sees_only_its_columns(study, columns):
    X, y, _ = study
    model = small_feature_fusion(
        image=spied(), clinical=Noting(), clinical_columns=columns, max_epochs=1
    ).fit(X, y)
    assert list(Spy.log[0][0]) == ["image"]
    assert model.clinical_.seen_ == (columns or ["age", "bmi"])
    assert model.columns_ == {"image": ["image"], "clinical": columns or ["age", "bmi"]}
    assert len(model.scaler_.mean_) == len(model.clinical_.seen_)


def test_the_image_branch_learns_from_the_rows_of_fit_that_have_a_film_and_weigh(study):
    X, y, groups = study
    labels, weights = np.where(y == 1, "ill", "well"), 1.0 + np.arange(48)
    weights[:6] = 0
    X = X.assign(image=X["image"].where(np.arange(48) % 8 != 7))
    model = small_feature_fusion(
        image=spied(), strategy="attention", max_epochs=1, early_stopping=False
    )
    with pytest.warns(MissingModalityWarning, match=f"6 of 42 {LACKING} 'image'"):
        model.fit(X, labels, sample_weight=weights, groups=groups)
    (seen, of, weighed, patients), *further = Spy.log
    rows = [i for i in range(6, 48) if i % 8 != 7]
    assert not further
    assert seen.index.tolist() == rows
    assert list(of) == list(labels[rows])
    np.testing.assert_array_equal(weighed, weights[rows])
    assert len(np.unique(patients)) == len(np.unique(groups[rows]))
    assert pd.Series(groups[rows]).groupby(patients).nunique().eq(1).all()


def test_the_image_branch_has_not_seen_the_rows_that_stop_the_fusion(study, monkeypatch):
    X, y, groups = study
    aside, split = [], splits.validation_split

    def noting(*args):
        aside.append(split(*args)[1])
        return split(*args)

    monkeypatch.setattr("skosteo.training.net_estimator.validation_split", noting)
    small_feature_fusion(image=spied(), max_epochs=1).fit(X, y, groups=groups)
    seen = Spy.log[0][0].index
    assert sorted([*seen, *aside[0]]) == list(range(48))
    assert not set(groups[seen]) & set(groups[aside[0]])


def test_a_frozen_branch_is_as_its_own_fit_leaves_it(study):
    X, y, groups = study
    model = small_feature_fusion(early_stopping=False, max_epochs=1).fit(X, y, groups=groups)
    alone = small_image().fit(X[["image"]], y, groups=groups).net_.module_.state_dict()
    trunk = model.net_.module_.trunk.state_dict()
    assert {f"head.{k}" for k in ("layers.0.weight", "layers.3.bias")} < alone.keys()
    for name, value in trunk.items():
        assert torch.equal(value, alone[name]), name


@pytest.mark.parametrize(
    ("changes", "strategy", "branch", "fits"),
    [
        ({}, "concat", "frozen", 1),
        ({}, "concat", "fine-tuned", 0),
        ({"freeze_backbone": "stem"}, "attention", "fine-tuned", 0),
        ({"freeze_backbone": "stem"}, "attention", "frozen", 1),
        ({"freeze_backbone": True}, "concat", "frozen", 1),  # its branches can learn
        ({"freeze_backbone": True}, "attention", "frozen", 0),  # which attention does without
        ({"freeze_backbone": True, "wavelet": False, "soft_attention": False}, "learned",
         "frozen", 0),
    ],
)  # fmt: skip
def test_the_image_branch_is_fitted_where_it_can_learn_more_than_a_head(
    study, changes, strategy, branch, fits
):
    X, y, _ = study
    model = small_feature_fusion(
        image=spied(**changes), strategy=strategy, image_branch=branch, max_epochs=1
    ).fit(X, y)
    assert len(Spy.log) == fits
    assert hasattr(model.image_, "net_") == bool(fits)
    assert model.predict(X).shape == y.shape


def test_column_order_and_further_columns_do_not_matter(study, fitted):
    X, model = study[0], fitted["attention"]
    shuffled = X[["image", "bmi", "age"]].assign(ward=3)
    assert np.array_equal(model.predict_proba(X), model.predict_proba(shuffled))
    with pytest.raises(InputError, match=r"misses the columns \['bmi'\]"):
        model.predict(X.drop(columns="bmi"))


def test_a_patients_score_ignores_its_batch_neighbours(study, fitted):
    X, y, _ = study
    with_its_own_branches = small_feature_fusion(max_epochs=1).fit(X, y)
    for model in (with_its_own_branches, *fitted.values()):
        alone = np.vstack([model.predict_proba(X.iloc[[i]]) for i in range(8)])
        np.testing.assert_allclose(model.predict_proba(X)[:8], alone, atol=1e-6)


@pytest.mark.parametrize(
    "strategy", ["concat", pytest.param("learned", marks=pytest.mark.slow), "attention"]
)
def test_features_computed_before_train_the_same_net_as_whole_passes(study, strategy):
    # with nothing random in between, both ways are the same arithmetic
    X, y, _ = study
    quick, slow = (
        small_feature_fusion(
            image=small_image(max_epochs=1), strategy=strategy, dropout=0.0, max_epochs=2
        )
        for _ in range(2)
    )
    slow._embedding = lambda: None
    expected = slow.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(quick.fit(X, y).predict_proba(X), expected, atol=1e-5)


# ---------------------------------------------------------------- a modality missing


def test_who_lacks_a_modality_gets_a_probability_and_a_flag(study, fitted):
    X, attentive = study[0], fitted["attention"]
    part = lacking(X, film=[1, 2, 3], table=[5])
    with pytest.warns(MissingModalityWarning) as caught:
        found = attentive.predict_proba(part)
    assert len(caught) == 1
    assert f"3 of 48 {LACKING} 'image', 1 of 48 {LACKING} 'clinical'" in str(caught[0].message)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    whole = attentive.predict_proba(X)
    touched = [1, 2, 3, 5]
    np.testing.assert_allclose(
        np.delete(found, touched, 0), np.delete(whole, touched, 0), atol=1e-6
    )
    assert (np.abs(found - whole)[touched, 0] > 1e-6).all()
    used = attentive.branches_used(part)
    assert used.columns.tolist() == ["image", "clinical"]
    assert np.flatnonzero(~used["image"]).tolist() == [1, 2, 3]
    assert np.flatnonzero(~used["clinical"]).tolist() == [5]


def test_a_table_without_any_film_is_answered_too(study, fitted):
    X, attentive = study[0], fitted["attention"]
    some, none = lacking(X, film=range(1, 48)), lacking(X, film=range(48))
    with pytest.warns(MissingModalityWarning, match="48 of 48"):
        found = attentive.predict_proba(none)
    with pytest.warns(MissingModalityWarning, match="47 of 48"):
        np.testing.assert_allclose(attentive.predict_proba(some)[1:], found[1:], atol=1e-6)


def test_without_a_table_only_the_film_counts(study, fitted):
    X, attentive = study[0], fitted["attention"]
    twice = pd.concat([X.iloc[[0, 1]], X.iloc[[0, 0]]], ignore_index=True)
    with pytest.warns(MissingModalityWarning):
        p = attentive.predict_proba(lacking(twice, table=range(4)))[:, 1]
    assert p[0] == pytest.approx(p[2], abs=1e-6)
    assert p[0] != pytest.approx(p[1], abs=1e-6)


@pytest.mark.parametrize("strategy", ["concat", "learned"])
@pytest.mark.parametrize(
    ("side", "rows"), [("image", {"film": [3, 7]}), ("clinical", {"table": [3, 7]})]
)
def test_without_attention_a_missing_modality_is_an_error_with_the_remedy(
    study, fitted, strategy, side, rows
):
    X, y, _ = study
    match = (
        f"rows 4, 8 of 48: nothing is there in the {side} columns.*"
        "strategy='attention' or ProbabilityFusionClassifier"
    )
    model = still_fusion(strategy=strategy)
    with pytest.raises(InputError, match=match):
        model.fit(lacking(X, **rows), y)
    with pytest.raises(InputError, match=match):
        fitted[strategy].predict(lacking(X, **rows))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_patient_with_nothing_at_all_is_an_error(study, fitted, strategy):
    X, y, _ = study
    nothing = lacking(X, film=[6], table=[6])
    with pytest.raises(InputError, match=r"row 7 of 48: nothing is there"):
        still_fusion(strategy=strategy).fit(nothing, y)
    with pytest.raises(InputError, match=r"row 7 of 48: nothing is there"):
        fitted[strategy].predict(nothing)


# ---------------------------------------------------------------- scikit-learn's conventions


@pytest.mark.parametrize(
    ("strategy", "branch"),
    [
        ("concat", "frozen"),
        pytest.param("learned", "fine-tuned", marks=pytest.mark.slow),
        pytest.param("attention", "frozen", marks=pytest.mark.slow),
        ("attention", "fine-tuned"),
    ],
)
def test_same_seed_same_bits_and_pickle_and_clone_keep_them(study, strategy, branch):
    X, y, _ = study
    params = {"strategy": strategy, "image_branch": branch, "max_epochs": 1}
    image = small_image(augmentation="chest", max_epochs=1)
    model = small_feature_fusion(image=image, **params).fit(X, y)
    found = model.predict_proba(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), found)
    assert np.array_equal(clone(model).fit(X, y).predict_proba(X), found)
    assert not hasattr(image, "net_")  # the user's own is untouched
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), found)


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"lr": -1}, "'lr'.*Got -1"), ({"image__max_epochs": 0}, "'max_epochs'.*Got 0"),
     ({"clinical_columns": ["bme"]}, "'bme'"), ({"strategy": "sum"}, "Got 'sum'")],
)  # fmt: skip
def test_a_fit_that_fails_leaves_the_model_as_it_was(study, changes, match):
    X, y, _ = study
    model = small_feature_fusion(max_epochs=1).fit(X, y)
    before, attributes = model.predict_proba(X), copy.copy(vars(model))
    with pytest.raises(InputError, match=match):
        model.set_params(**changes).fit(X.assign(bmi=X["bmi"] + 1), 1 - y)
    fitted = {name for name in attributes if name.endswith("_") or name.startswith("_")}
    assert all(vars(model)[name] is attributes[name] for name in fitted)
    model.strategy = "concat"
    assert np.array_equal(model.predict_proba(X), before)


def test_string_labels_and_their_class_weights(study):
    X, y, _ = study
    labels = np.where(y == 1, "osteoporosis", "normal")
    weights = {"normal": 1.0, "osteoporosis": 3.0}
    params = {"image__class_weight": weights, "class_weight": weights, "image__max_epochs": 1}
    named = small_feature_fusion().set_params(**params).fit(X, labels)
    params |= {name: {0: 1.0, 1: 3.0} for name in ("image__class_weight", "class_weight")}
    numbered = small_feature_fusion().set_params(**params).fit(X, y)
    assert named.classes_.tolist() == ["normal", "osteoporosis"]
    assert set(named.predict(X)) <= set(labels)
    assert np.array_equal(named.predict_proba(X), numbered.predict_proba(X))


def test_rows_of_weight_zero_are_left_out_altogether(study):
    X, y, groups = study
    kept = np.arange(48) >= 8
    noise = X.assign(age=X["age"].where(kept, 1e4), image=X["image"].where(kept, "nowhere.png"))
    model = small_feature_fusion(image=small_image(max_epochs=1))
    weighed = model.fit(noise, y, sample_weight=kept.astype(float), groups=groups)
    found = weighed.predict_proba(X)
    without = clone(model).fit(X[kept], y[kept], groups=groups[kept])
    assert np.array_equal(without.predict_proba(X), found)


def test_a_search_over_the_image_branch_and_the_strategy(study):
    X, y, _ = study
    grid = [
        {"image__dropout": [0.0], "strategy": ["concat"]},
        {"image__dropout": [0.5], "strategy": ["attention"]},
    ]
    search = GridSearchCV(small_feature_fusion(max_epochs=1), grid, cv=2, scoring="roc_auc")
    search.set_params(estimator__image__max_epochs=1).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.image_.dropout == search.best_params_["image__dropout"]


def test_a_search_embeds_each_film_once(study, tmp_path, monkeypatch):
    """Between folds, candidates and strategies of the same pooling, by the cache folder."""
    from skosteo.nets.backbone import PlainCNN

    X, y, _ = study
    passed, forward = [], PlainCNN.forward

    def counting(self, x):
        if len(x) > 1 or x.any():
            passed.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(PlainCNN, "forward", counting)
    grid = {"dropout": [0.0, 0.5], "strategy": ["concat", "learned"]}
    model = still_fusion(image=still_image(cache_dir=tmp_path), max_epochs=1)
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert sum(passed) == 48
    direct = clone(search.best_estimator_).set_params(image__cache_dir=None).fit(X, y)
    np.testing.assert_allclose(search.predict_proba(X), direct.predict_proba(X), atol=1e-6)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"strategy": "late"}, "'strategy'.*'attention'.* Got 'late'"),
        ({"image_branch": "tuned"}, "'image_branch'.*'fine-tuned'.* Got 'tuned'"),
        ({"image": small_clinical()}, "image=ClinicalOsteoClassifier.*ProbabilityFusion"),
        ({"image": "resnet50"}, "image=str: the fusion needs.* ImageOsteoClassifier"),
        ({"image": small_image(image_column="film")}, r"'film'.*\['age', 'bmi', 'image'\]"),
        ({"clinical_columns": "age"}, "'age'.*give a list"),
        ({"clinical_columns": []}, r"\[\].*at least one"),
        ({"clinical_columns": ["age", "bme"]}, r"misses the columns \['bme'\]"),
        *[({"dropout": 1.0, "strategy": s}, "'dropout'.* Got 1.0") for s in STRATEGIES],
        ({"image_branch": "fine-tuned"}, "fine-tuned', but image has freeze_backbone=True"),
        ({"batch_size": 0}, "'batch_size'.* Got 0"),
        ({"validation_fraction": 0.9}, "'validation_fraction'.* Got 0.9"),
        ({"image": still_image(image_size=0)}, "'image_size'.* Got 0"),
        ({"clinical": ClinicalPreprocessor("maen")}, "maen"),
        ({"class_weight": {0: 1}}, "class_weight"),
        ({"device": "gpu"}, "device='gpu'"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters(study, changes, match):
    X, y, _ = study
    with pytest.raises(InputError, match=match):
        still_fusion(**changes).fit(X, y)


def test_the_default_image_branch_is_that_of_the_paper():
    image = FeatureFusionClassifier(random_state=7)._image()
    assert str(image) == str(ImageOsteoClassifier(random_state=7))


@pytest.mark.parametrize("image", [None, small_image()], ids=["default", "given"])
def test_attention_has_no_wavelet_and_no_soft_attention_beside_it(image):
    image = FeatureFusionClassifier(image, strategy="attention")._image()
    assert (image.wavelet, image.soft_attention) == (False, False)


@pytest.mark.parametrize(
    "model",
    [still_fusion(strategy="attention"), small_feature_fusion(max_epochs=1)],
    ids=["attention", "concat"],
)
def test_films_as_an_array_need_a_table(model):
    films = np.random.default_rng(0).random((40, 12, 12))
    with pytest.raises(ValueError, match="dim 3"):
        model.fit(films, np.resize([0, 1], 40))
