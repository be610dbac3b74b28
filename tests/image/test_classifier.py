"""ImageOsteoClassifier."""

import io
import pickle
import shutil
import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

from skosteo import ImageOsteoClassifier, RadiographReader
from skosteo.exceptions import DicomError, InputError, MissingFileError, TrainingError, WeightsError
from skosteo.image import embedding_cache, film_cache
from skosteo.training import net_estimator
from tests.small_models import small_image, still_image, write_film, write_films


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


def test_it_learns_where_the_film_is_bright(study):
    X, y, groups = study
    model = small_image(max_epochs=10).fit(X.iloc[:32], y[:32], groups=groups[:32])
    assert model.score(X.iloc[32:], y[32:]) == 1


@pytest.mark.slow
def test_the_default_is_the_net_of_the_paper(study):
    X, y, _ = study
    model = ImageOsteoClassifier(
        pretrained=False, image_size=32, batch_size=16, max_epochs=1, random_state=0
    ).fit(X, y)
    assert sum(p.numel() for p in model.net_.module_.parameters()) == 43_410_513


# ---------------------------------------------------------------- going on

IN_A_FRESH_PROCESS = """
import pickle, torch
from tests.small_models import small_image
with open(argv[0], "rb") as stream:
    n_threads, X, y, params = pickle.load(stream)
torch.set_num_threads(n_threads)
print(small_image(**params).fit(X, y).predict_proba(X).tobytes().hex())
"""


def test_the_same_seed_gives_the_same_bits_in_a_fresh_process_too(study, fresh, tmp_path):
    X, y, _ = study
    params = {"augmentation": "paper", "max_epochs": 1, "random_state": 5}
    here = [small_image(**params).fit(X, y).predict_proba(X).tobytes() for _ in range(2)]
    # as many threads as here: sums of floats depend on how they are cut up
    (tmp_path / "work.pickle").write_bytes(pickle.dumps((torch.get_num_threads(), X, y, params)))
    there = fresh.run(IN_A_FRESH_PROCESS, tmp_path / "work.pickle")
    assert here[0] == here[1] == bytes.fromhex(there)


@pytest.mark.parametrize("lr", [1e6, 1e30])
def test_a_learning_rate_far_too_high_ends_in_an_error(study, lr):
    X, y, _ = study
    with pytest.raises(TrainingError, match=r"training lost its way\. Lower lr"):
        small_image(lr=lr).fit(X, y)


def test_a_fit_that_fails_leaves_the_model_as_it_was(study):
    X, y, _ = study
    model = small_image(max_epochs=1).fit(X, y)
    before = model.predict_proba(X)
    films = np.random.default_rng(0).random((40, 12, 12))
    with pytest.raises(InputError, match="lr"):
        model.set_params(lr=-1).fit(films, Y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


# ---------------------------------------------------------------- a frozen backbone


@pytest.mark.parametrize("augmentation", [None, "chest"])
def test_a_frozen_backbone_keeps_its_weights_and_the_head_learns(study, augmentation):
    X, y, _ = study
    params = {
        "backbone": "efficientnet_lite0", "pretrained": True, "freeze_backbone": True,
        "augmentation": augmentation, "image_size": 32, "early_stopping": False,
    }  # fmt: skip
    one, many = (
        small_image(**params, max_epochs=n).fit(X[:24], y[:24]).net_.module_ for n in (1, 3)
    )
    for name, value in one.backbone.state_dict().items():
        assert torch.equal(value, many.backbone.state_dict()[name])
    assert not torch.equal(one.head.layers[0].weight, many.head.layers[0].weight)


def test_features_of_a_frozen_backbone_give_the_same_as_whole_passes(study):
    # with nothing random in between, both ways are the same arithmetic
    X, y, _ = study
    params = {"freeze_backbone": True, "dropout": 0.0}
    quick = small_image(**params).fit(X, y)
    slow = small_image(**params)
    slow._embedding = lambda: None
    np.testing.assert_allclose(quick.predict_proba(X), slow.fit(X, y).predict_proba(X), atol=1e-5)


GRID = {"lr": [1e-3, 1e-4], "dropout": [0.2, 0.5]}


class Counting(ImageOsteoClassifier):
    """Notes in a file how many films pass the backbone; in workers of any kind."""

    def _prepare_net(self, net, plan, weights):
        note = partial(_note, Path(self.cache_dir, "passed"))
        net.module_.backbone.register_forward_pre_hook(note)


def _note(path, module, args):
    with path.open("a") as stream:
        stream.write(f"{len(args[0])}\n")


@pytest.mark.parametrize(
    ("branches", "n_jobs"),
    [
        (True, 1),
        (False, 2),
        pytest.param(True, 2, marks=pytest.mark.slow),
        pytest.param(False, 1, marks=pytest.mark.slow),
    ],
)
def test_a_search_embeds_each_film_once(n_jobs, branches, tmp_path):
    X, y, groups = write_films(tmp_path, n=60)
    (tmp_path / "cache").mkdir()
    params = small_image().get_params() | {"freeze_backbone": True, "cache_dir": tmp_path / "cache"}
    params |= {"wavelet": branches, "soft_attention": branches, "max_epochs": 1}
    search = GridSearchCV(Counting(**params), GRID, cv=StratifiedGroupKFold(2), n_jobs=n_jobs)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        parallel_config("multiprocessing"),  # forks, which need no imports
    ):
        search.fit(X, y, groups=groups)
    assert search.cv_results_["mean_test_score"].shape == (4,)
    passed = (tmp_path / "cache" / "passed").read_text().split()
    assert sum(map(int, passed)) == 60
    direct = ImageOsteoClassifier(**params | search.best_params_ | {"cache_dir": None}).fit(
        X, y, groups=groups
    )
    np.testing.assert_allclose(search.predict_proba(X), direct.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("folder", [None, "cache"])
def test_no_more_than_a_part_is_embedded_at_a_time_in_prediction(
    folder, study, tmp_path, monkeypatch
):
    X, y, _ = study
    cache = folder and tmp_path / folder
    model = small_image(freeze_backbone=True, cache_dir=cache).fit(X, y)
    whole, sizes = model.predict_proba(X), []
    monkeypatch.setattr(net_estimator, "_ROWS_EMBEDDED_AT_A_TIME", 20)
    logits = net_estimator.predict_logits
    monkeypatch.setattr(
        net_estimator,
        "predict_logits",
        lambda net, x: sizes.append(len(x["films"])) or logits(net, x),
    )
    np.testing.assert_allclose(model.predict_proba(X), whole, atol=1e-6)
    assert sizes == [20, 20, 8]


def test_other_weights_have_other_embeddings(study, tmp_path):
    X, y, _ = study
    params = {"freeze_backbone": True, "cache_dir": tmp_path, "early_stopping": False}
    params["max_epochs"] = 1
    one, other = (small_image(**params, random_state=s).fit(X, y) for s in (0, 1))
    params["cache_dir"] = None
    for seed, cached in enumerate((one, other)):
        model = small_image(**params, random_state=seed).fit(X, y)
        np.testing.assert_allclose(cached.predict_proba(X), model.predict_proba(X), atol=1e-6)


def test_augmentation_is_off_in_prediction(study):
    X, y, _ = study
    model = small_image(augmentation="paper", max_epochs=1).fit(X, y)
    assert np.array_equal(model.predict_proba(X), model.predict_proba(X))


def test_a_patients_score_ignores_its_batch_neighbours(study):
    X, y, _ = study
    model = small_image(max_epochs=1).fit(X, y)
    alone = np.vstack([model.predict_proba(X.iloc[[i]]) for i in range(12)])
    np.testing.assert_allclose(model.predict_proba(X)[:12], alone, atol=1e-6)
    log_odds = np.concatenate([model.decision_function(X.iloc[[i]]) for i in range(12)])
    np.testing.assert_allclose(model.decision_function(X)[:12], log_odds, rtol=1e-5, atol=1e-6)


def test_pixel_range_is_learnt_from_the_films_of_fit():
    films = np.random.default_rng(0).integers(0, 4096, (40, 12, 12))
    y = np.resize([0, 1], 40)
    model = small_image(max_epochs=1).fit(films, y)
    assert model.pixel_range_ == (films.min(), films.max())
    assert small_image(max_epochs=1).fit(films.astype(np.uint8), y).pixel_range_ == (0, 255)


def test_films_of_another_scale_than_in_fit_are_refused():
    films = np.random.default_rng(0).random((40, 12, 12))
    model = small_image(max_epochs=1).fit(films, np.resize([0, 1], 40))
    with pytest.raises(InputError, match="float32 films and X holds uint8"):
        model.predict((films * 255).astype(np.uint8))


def test_a_hot_pixel_in_fit_makes_no_other_film_strange():
    films = np.random.default_rng(0).integers(0, 300, (24, 12, 12)).astype(np.float32)
    films[0, 0, 0] = 65535
    model = small_image(max_epochs=1).fit(films, np.resize([0, 1], 24))
    np.testing.assert_allclose(
        model.predict_proba(films[1:]), model.predict_proba(films)[1:], atol=1e-6
    )


def test_cache_is_used_and_changes_nothing(study, tmp_path):
    X, y, _ = study
    cached = small_image(cache_dir=tmp_path, max_epochs=1)
    first = cached.fit(X, y).predict_proba(X)
    assert RadiographReader(24, cache_dir=tmp_path).clear_cache() > len(X) * 24 * 24
    assert np.array_equal(first, small_image(max_epochs=1).fit(X, y).predict_proba(X))


def test_ignore_rules_lifts_rules(tmp_path):
    paths = [write_film(tmp_path / f"{i}.png", i, (40, 40)) for i in range(40)]
    with pytest.raises(DicomError, match=r"row 1 of 40: .*ignore_rules=\['dimensions'\]"):
        small_image(max_epochs=1).fit(paths, Y)
    model = clone(small_image(ignore_rules=["dimensions"]))
    assert model.fit(paths, Y).predict(paths).shape == (40,)


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_a_film_that_was_not_read_is_not_scored(study, channels):
    X, y, _ = study
    column = X["image"].mask(X.index == 16, "nowhere.png")
    reader = RadiographReader(24, errors="report")
    pixels = reader.transform(column)
    films = np.broadcast_to(
        pixels.reshape(len(X), *(1 for _ in channels), 24, 24), (len(X), *channels, 24, 24)
    )
    read = np.delete(films, reader.report_["position"], axis=0)
    model = small_image(max_epochs=1).fit(read, np.delete(y, reader.report_["position"]))
    assert model.predict(read).shape == (len(X) - 1,)
    for call in (model.predict, model.predict_proba, lambda X: small_image(max_epochs=1).fit(X, y)):
        with pytest.raises(
            InputError, match=r"row 17 of 48: the film is black throughout.*report_"
        ):
            call(films)


def films(**changes):
    table = pd.DataFrame({"image": list(np.random.default_rng(0).random((40, 8, 8)))})
    return table.assign(**changes)


Y = np.resize([0, 1], 40)


def with_item(item):
    table = films()
    items = table["image"].tolist()
    items[16] = item
    return table.assign(image=pd.Series(items, dtype=object))


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (films().rename(columns={"image": "film"}), InputError, r"'image'.*\['film'\]"),
        (with_item("/nowhere/canary.dcm"), MissingFileError, "row 17 of 40"),
        (with_item(__file__), DicomError, "row 17 of 40"),
        (with_item(np.full((8, 8), np.nan)), InputError, "row 17 of 40.*not finite"),
        (with_item(None), InputError, "row 17 of 40"),
        (with_item(np.full((8, 8), 0.5)), InputError, "row 17 of 40.*blank"),
        (np.full((40, 8, 8), np.nan), ValueError, "contains NaN"),
        (np.ones((40, 2, 8, 8)), InputError, r"\(40, 2, 8, 8\).*c = 1 or 3"),
        (np.ones(40), ValueError, "1D array"),
    ],
)
def test_bad_films(X, error, match):
    with pytest.raises(error, match=match) as caught:
        small_image(max_epochs=1).fit(X, Y)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"augmentation": "wild"}, "augmentation.*chest.*'wild'"),
        ({"backbone": "resnet5000"}, "'resnet5000'"),
        ({"image_size": 0}, "image_size.*0"),
        ({"image_size": 1_000_000}, "image_size.*10000"),
        ({"optimizer": "adam"}, "optimizer='adam'.*such as torch.optim.Adam"),
        ({"optimizer": int}, "optimizer=.*such as torch.optim.Adam"),
        ({"image_size": 16, "backbone": "inception_v3"}, "cannot take films of 16 x 16 pixels"),
        ({"wavelet": "no"}, "wavelet.*'no'"),
        ({"soft_attention": 1}, "soft_attention.*1"),
        ({"gradient_fusion": "runing", "wavelet": False}, "gradient_fusion.*'running'.*'runing'"),
        ({"freeze_backbone": "all"}, "freeze_backbone.*'all'"),
        ({"hidden_layer_sizes": 32}, "hidden_layer_sizes=32"),
        ({"pretrained": None}, "pretrained=None"),
        ({"device": "gpu"}, "device='gpu'"),
        ({"ignore_rules": ["veiw"]}, "'veiw'; the rules are"),
    ],
)
def test_bad_parameters(params, match):
    with pytest.raises(InputError, match=match):
        small_image(**params).fit(films(), Y)


def test_an_error_names_the_row_of_the_users_table(study):
    X, y, _ = study
    X = X.assign(image=X["image"].where(np.arange(48) != 10, None))
    weights = np.where(np.arange(48) < 4, 0.0, 1.0)
    with pytest.raises(InputError, match=r"^row 11 of 48: the image is missing"):
        small_image(max_epochs=1).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"dropout": 1.5}, "dropout"),
        ({"lr": 0}, "lr"),
        ({"backbone": "resnet5000"}, "backbone"),
        ({"pretrained": "weights.pt"}, "no file 'weights.pt'"),
        ({"device": "tpu"}, "device"),
        ({"class_weight": {0: 1}}, "class_weight"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_film_is_opened(params, match, tmp_path):
    X = pd.DataFrame({"image": [str(tmp_path / f"absent_{i}.dcm") for i in range(len(Y))]})
    with pytest.raises((InputError, WeightsError), match=match):
        small_image(**params).fit(X, Y)


# ---------------------------------------------------------------- the cache is an aid


def unusable(folder):
    """A file where the folder was."""
    shutil.rmtree(folder)
    folder.write_bytes(b"")


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("happens", [unusable, shutil.rmtree])
def test_a_fitted_model_answers_without_its_cache_folder(happens, frozen, study, tmp_path):
    X, y, _ = study
    model = small_image(cache_dir=tmp_path / "cache", freeze_backbone=frozen, max_epochs=1)
    model.fit(X, y)
    wanted = model.predict_proba(X)
    model = pickle.loads(pickle.dumps(model))
    happens(tmp_path / "cache")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(model.predict_proba(X), wanted)
    said = {str(warning.message) for warning in warned}
    assert bool(said) == (happens is unusable)
    assert all("cache folder cannot be used" in words for words in said)
    assert all("goes on without it" in words for words in said)
    assert str(tmp_path) not in str(said)


def test_a_fit_refuses_a_cache_folder_that_cannot_be_used(study, tmp_path):
    X, y, _ = study
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(InputError, match="cache folder cannot be used"):
        small_image(cache_dir=tmp_path / "cache").fit(X, y)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_relative_cache_folder_stays_where_it_was_at_fit(frozen, study, tmp_path, monkeypatch):
    X, y, _ = study
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = small_image(cache_dir="cache", freeze_backbone=frozen, max_epochs=1).fit(X, y)
    wanted = model.predict_proba(X)
    monkeypatch.chdir(tmp_path / "there")
    np.testing.assert_array_equal(model.predict_proba(X), wanted)
    assert list((tmp_path / "there").iterdir()) == []
    assert model.get_params()["cache_dir"] == "cache"


@pytest.mark.parametrize("embedding", [np.full(4, np.nan), np.ones(3), np.ones((3, 3, 3))])
def test_embeddings_that_another_has_planted(embedding, study, tmp_path):
    X, y, _ = study
    model = still_image(cache_dir=tmp_path, max_epochs=1).fit(X, y)
    wanted = model.predict_proba(X)
    for path in tmp_path.rglob("*.entry"):
        data = path.read_bytes()
        if data[16:17] != b"[" and len(data) != 48:
            content = embedding_cache._packed(embedding.astype(np.float32))
            path.write_bytes(film_cache._check(path.stem, content) + content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(model.predict_proba(X), wanted)
    assert any("of other shapes" in str(w.message) for w in warned) == np.isfinite(embedding).all()


# ---------------------------------------------------------------- films that are no paths


def test_films_from_bytes_and_archives_give_the_same_answers(study, tmp_path):
    X, y, _ = study
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for path in X["image"]:
            archive.write(path, Path(path).name)
    inside = zipfile.Path(tmp_path / "films.zip")
    model = small_image(max_epochs=1, cache_dir=tmp_path / "cache").fit(X, y)
    wanted = model.predict_proba(X)
    for films in (
        [Path(path).read_bytes() for path in X["image"]],
        [io.BytesIO(Path(path).read_bytes()) for path in X["image"]],
        [inside / Path(path).name for path in X["image"]],
    ):
        np.testing.assert_array_equal(model.predict_proba(X.assign(image=films)), wanted)
        np.testing.assert_array_equal(model.predict_proba(films), wanted)
        again = small_image(max_epochs=1, cache_dir=tmp_path / "cache").fit(films, y)
        np.testing.assert_array_equal(again.predict_proba(films), wanted)


# ---------------------------------------------------------------- the scale of arrays

PIXELS = np.random.default_rng(0).random((24, 16, 16))
LABELS = np.arange(24) % 2


@pytest.mark.parametrize(("of_fit", "then"), [(1, 255), (255, 1), (1, 65535), (65535, 255)])
def test_films_on_another_scale_than_in_fit_are_refused(of_fit, then):
    model = small_image(max_epochs=1, validation_fraction=0.5).fit(PIXELS * of_fit, LABELS)
    for scale in (0.5, 1, 1.3):
        assert np.isfinite(model.predict_proba(PIXELS * of_fit * scale)).all()
    with pytest.raises(InputError, match="the model was fitted on pixels from"):
        model.predict_proba(PIXELS * then)


def test_a_pixel_that_no_film_has():
    films = PIXELS.copy()
    films[3, 4, 5] = 3e38
    model = small_image(max_epochs=1, validation_fraction=0.5)
    with pytest.raises(InputError, match="row 4 of 24: the film has pixels beyond 1e"):
        model.fit(films, LABELS)
    model.fit(PIXELS, LABELS)
    for beyond in (3e38, -3e38, 9):
        films[3, 4, 5] = beyond
        with pytest.raises(InputError, match="row 4 of 24: the film has pixels far beyond"):
            model.predict_proba(films)
