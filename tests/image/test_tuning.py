"""Adapters fitted to labels: no patient on both sides, nothing learnt from chance."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import RadiographEmbedder, load_model, save_model
from skosteo.exceptions import InputError
from skosteo.image import embedder, tuning


def tiny(backbone="test_vit", **changes):
    params = {"pretrained": False, "tune": "lora", "random_state": 0, "pooling": "mean"}
    return RadiographEmbedder(backbone, **params | changes)


def cohort(seed, n_patients=40, signal=0):
    """Three noisy films a patient, and a label by chance or seen in them."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_patients), 3)
    y = rng.permutation(np.arange(n_patients) % 2)[groups]
    patients = rng.integers(0, 128, (n_patients, 32, 32))
    films = patients[groups] + rng.integers(0, 64, (len(y), 32, 32))
    films[:, :16] += signal * y[:, None, None]
    return films.astype(np.uint8), y, groups


@pytest.fixture
def brief(monkeypatch):
    """Two epochs, for what does not depend on how well the adapters learn."""
    monkeypatch.setattr(embedder, "_MAX_EPOCHS", 2)


def learner():
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def auc(columns, y, groups):
    """Of a logistic regression, out of folds by patient."""
    cv = StratifiedGroupKFold(5, shuffle=True, random_state=9)
    p = cross_val_predict(learner(), columns, y, groups=groups, cv=cv, method="predict_proba")
    return roc_auc_score(y, p[:, 1])


@pytest.mark.slow
def test_labels_by_chance_teach_a_pipeline_nothing():
    found = []
    for seed in range(4):
        X, y, groups = cohort(seed)
        p = np.empty(len(y))
        for train, test in StratifiedGroupKFold(3).split(X, y, groups):
            model = make_pipeline(tiny(), learner())
            model.fit(X[train], y[train], radiographembedder__groups=groups[train])
            p[test] = model.predict_proba(X[test])[:, 1]
        found.append(roc_auc_score(y, p))
    assert 0.45 < np.mean(found) < 0.55


@pytest.mark.slow
def test_adapters_that_memorise_chance_leak_it_in_sample_only(monkeypatch):
    """They stop by the films that they learn from, which no early stopping does."""
    monkeypatch.setattr(tuning, "validation_split", lambda y, *_: (np.arange(len(y)),) * 2)
    monkeypatch.setattr(embedder, "_LR", 1e-2)
    X, y, groups = cohort(0)
    model = tiny()
    assert auc(model.fit_transform(X, y, groups=groups), y, groups) < 0.55
    assert auc(model.transform(X), y, groups) > 0.9


@pytest.mark.parametrize(
    "backbone", [pytest.param("test_efficientnet", marks=pytest.mark.slow), "test_vit"]
)
def test_a_signal_is_found_in_new_patients(backbone):
    X, y, groups = cohort(0, n_patients=24, signal=40)
    model = make_pipeline(tiny(backbone), learner())
    model.fit(X, y, radiographembedder__groups=groups)
    new, truth, _ = cohort(1, signal=40)
    assert roc_auc_score(truth, model.predict_proba(new)[:, 1]) > 0.9


def test_no_patient_is_on_both_sides(monkeypatch):
    X, y, groups = cohort(0)
    seen, embedded = [], []

    def tuned(frozen, stems, labels, rows, *args):
        seen.append(set(groups[rows]))
        return frozen

    def embed(net, stems):
        embedded.append(len(stems))
        return np.zeros((len(stems), 64), np.float32)

    monkeypatch.setattr(tuning, "tuned_net", tuned)
    monkeypatch.setattr(tuning, "embed_stems", embed)
    tiny().fit_transform(X, y, groups=groups)
    assert len(seen) == 5
    for patients, n_films in zip(seen, embedded, strict=True):
        assert n_films == 3 * (40 - len(patients))  # whole patients are left for the embedding
    assert all(sum(patient not in fold for fold in seen) == 1 for patient in range(40))


def test_an_embedding_does_not_depend_on_the_labels_of_its_fold(monkeypatch, brief):
    """The label of every film of a test fold is turned: its own embeddings stay as they are."""
    X, y, groups = cohort(0, n_patients=24)
    splits = list(StratifiedGroupKFold(5).split(y, y, groups))
    same = type("Same", (), {"split": lambda *_: splits})
    monkeypatch.setattr(tuning, "fold_splitter", lambda *_: same())
    test = splits[0][1]
    turned = y.copy()
    turned[test] = 1 - y[test]
    first, second = (tiny().fit_transform(X, labels, groups=groups) for labels in (y, turned))
    np.testing.assert_array_equal(second[test], first[test])
    assert not np.allclose(second, first)


def test_fit_is_fit_transform(tmp_path, brief):
    X, y, groups = cohort(0, n_patients=12)
    one = tiny(n_components=3, cache_dir=tmp_path).fit(X, y, groups=groups)
    two = tiny(n_components=3)
    assert two.fit_transform(X, y, groups=groups).shape == (36, 3)
    np.testing.assert_allclose(one.transform(X), two.transform(X), atol=1e-4)


def test_films_of_weight_0_are_embedded_but_not_learnt_from(brief):
    X, y, groups = cohort(0, n_patients=14)
    weight = (groups < 12).astype(float)
    turned = np.where(weight == 0, 1 - y, y)
    one = tiny().fit(X, y, sample_weight=weight, groups=groups)
    two = tiny().fit(X, turned, sample_weight=weight, groups=groups)
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    assert one.fit_transform(X, y, weight, groups).shape == (42, 64)


def test_patients_are_routed(brief):
    X, y, groups = cohort(0, n_patients=12)
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(tiny(), LogisticRegression())
        assert model.get_metadata_routing().consumes("fit", {"groups"}) == {"groups"}
        model.fit(X, y, groups=groups)


@pytest.mark.parametrize(
    "backbone", [pytest.param("test_efficientnet", marks=pytest.mark.slow), "test_vit"]
)
def test_a_copy_and_a_file_embed_alike(backbone, tmp_path, brief):
    X, y, groups = cohort(0, n_patients=12)
    model = make_pipeline(tiny(backbone), learner())
    model.fit(X, y, radiographembedder__groups=groups)
    save_model(model, tmp_path / "model.skops")
    for other in (load_model(tmp_path / "model.skops"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other[0].transform(X), model[0].transform(X))


def test_what_comes_before_the_adapters_is_computed_once_a_film(tmp_path, monkeypatch, brief):
    from skosteo.nets import image_net

    n_films, true = [], image_net.before_adapters

    def counted(backbone, x):
        n_films.append(len(x))
        return true(backbone, x)

    monkeypatch.setattr(image_net, "before_adapters", counted)
    X, y, groups = cohort(0, n_patients=12)
    for seed in (0, 0):
        model = tiny(cache_dir=tmp_path, random_state=seed)
        model.fit_transform(X, y, groups=groups)
        model.transform(X)
    assert sum(n_films) == len(X)


@pytest.mark.parametrize(
    ("changes", "y", "message"),
    [
        ({}, None, "y is None"),
        ({}, [0, 1] * 4, "a class has 4 films"),
        ({}, [1] * 8, "class"),
        ({"tune": "lorra"}, [0, 1] * 4, "did you mean 'lora'"),
        ({"backbone": "cnn"}, [0, 1] * 4, "such as 'efficientnet_lite0'"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_a_film_is_read(changes, y, message):
    with pytest.raises(InputError, match=message):
        tiny(**changes).fit(["not there.dcm"] * 8, y)


def test_an_untuned_embedder_needs_no_labels():
    X, _, _ = cohort(0, n_patients=4)
    model = clone(tiny(tune=None))
    assert model.fit_transform(X).shape == model.fit(X).transform(X).shape == (12, 64)
