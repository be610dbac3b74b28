import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from skosteo import ImageOsteoClassifier, ProbabilityFusionClassifier
from skosteo.exceptions import InputError
from skosteo.explain import GradCam, grad_cam
from tests.small_models import (
    small_clinical,
    small_feature_fusion,
    small_fusion,
    small_image,
    still_image,
    write_films,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    X, y, _ = write_films(tmp_path_factory.mktemp("films"), 40)
    return X, y


def planted(n, side, square, seed):
    """Films of noise; in every second one a bright square at a random place."""
    rng = np.random.default_rng(seed)
    films = rng.integers(40, 120, (n, side, side)).astype(np.uint8)
    corners = rng.integers(0, side - square + 1, (n, 2))
    for i in range(1, n, 2):
        down, right = corners[i]
        films[i, down : down + square, right : right + square] += 100
    return films, np.arange(n) % 2, corners


def hits(model, side, square):
    """Share of planted squares that hold the maximum of the map: the pointing game.

    Half a cell of the map beside it counts: Zhang et al. 2018, doi:10.1007/s11263-017-1059-x, allow
    15 pixels.
    """
    films, y, corners = planted(60, side, square, seed=1)
    peaks = grad_cam(model, films).frame()[["peak_down", "peak_right"]].to_numpy()
    inside = ((peaks >= corners - 8) & (peaks < corners + square + 8)).all(axis=1)
    assert model.score(films, y) > 0.95
    return inside[y == 1].mean()


def spotter(**changes):
    params = {"max_epochs": 6, "batch_size": 16, "early_stopping": False}
    return small_image(image_size=None, **params | changes)


@pytest.fixture(scope="module")
def trained():
    films, y, _ = planted(60, 64, 24, seed=0)
    return spotter(wavelet=False, soft_attention=False, lr=3e-3).fit(films, y)


def test_the_maximum_lies_in_the_planted_lesion(trained):
    assert hits(trained, 64, 24) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"soft_attention": False}], ids=["both branches", "wavelet"]
)
def test_with_branches_too(changes):
    films, y, _ = planted(96, 128, 56, seed=0)
    assert hits(spotter(max_epochs=8, **changes).fit(films, y), 128, 56) >= 0.95


@pytest.mark.parametrize("part", ["head", "backbone"])
def test_maps_depend_on_what_the_net_has_learnt(trained, part):
    # Adebayo et al. 2018, arXiv:1810.03292
    films, y, _ = planted(40, 64, 24, seed=2)
    before = grad_cam(trained, films[y == 1]).maps
    module = trained.net_.module_
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(0)
    for layer in getattr(module, part).modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.reset_parameters()
    after = grad_cam(trained, films[y == 1]).maps
    module.load_state_dict(kept)
    alike = [
        spearmanr(a.ravel(), b.ravel()).statistic if b.any() else 0.0  # a map may be gone
        for a, b in zip(before, after, strict=True)
    ]
    assert np.mean(alike) < 0.5
    np.testing.assert_array_equal(grad_cam(trained, films[y == 1]).maps, before)


@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize("freeze", [False, True])
def test_maps_are_those_of_captum(branches, freeze):
    captum = pytest.importorskip("captum.attr")
    films, y, _ = planted(24, 48, 16, seed=0)
    model = spotter(
        wavelet=branches, soft_attention=branches, freeze_backbone=freeze, max_epochs=2
    ).fit(films, y)
    module = model.net_.module_.eval().requires_grad_()
    found = grad_cam(model, films)
    layer = captum.LayerGradCam(module, module.backbone)
    inputs = torch.from_numpy(films)[:, None].float().requires_grad_()
    expected = layer.attribute(inputs, relu_attributions=True).detach()[:, 0].numpy()
    own = found.maps * found.peak[:, None, None]
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def nets_of(model):
    if hasattr(model, "net_"):
        return [model.net_]
    return [m.net_ for m in (model.image_, model.clinical_, *model.final_estimators_.values())]


def state(model):
    nets = nets_of(model)
    parts = [part for net in nets for part in net.module_.modules()]
    parameters = [p for net in nets for p in net.module_.parameters()]
    hooks = [
        len(getattr(part, name))
        for part in parts
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    ]
    return {
        "hooks": sum(hooks),
        "modes": [part.training for part in parts],
        "requires_grad": [p.requires_grad for p in parameters],
        "gradients": [p.grad is None for p in parameters],
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
    }


BRIEF = small_image(max_epochs=1)
MODELS = {
    "plain": lambda: small_image(wavelet=False, soft_attention=False, max_epochs=1),
    "both branches": lambda: BRIEF,
    "stem frozen": lambda: small_image(freeze_backbone="stem", max_epochs=1),
    "frozen": lambda: small_image(freeze_backbone=True, max_epochs=1),
    "augmented": lambda: small_image(augmentation="chest", max_epochs=1),
    "fusion": lambda: small_fusion(
        image=BRIEF, clinical=small_clinical(n_members=1), final_estimator=small_clinical()
    ),
    "concat": lambda: small_feature_fusion(image=BRIEF),
    "learned": lambda: small_feature_fusion(image=BRIEF, strategy="learned"),
    "attention": lambda: small_feature_fusion(image=BRIEF, strategy="attention"),
    "fine-tuned": lambda: small_feature_fusion(image_branch="fine-tuned", max_epochs=1),
}


# variants of the others
FURTHER = ("stem frozen", "augmented", "concat", "learned")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in FURTHER else n for n in MODELS],
)
def test_any_model_is_explained_and_left_as_it_was(name, study):
    X, y = study
    model = MODELS[name]().fit(X, y)
    said = model.predict_proba(X)
    for net in nets_of(model):
        net.module_.train()
    before = state(model)
    found = grad_cam(model, X)
    assert state(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), said)
    np.testing.assert_allclose(found.probability, said[:, 1], atol=1e-6)
    assert found.maps.dtype == np.float32
    assert found.films.shape == (40, 24, 24)
    assert 0 <= found.maps.min() <= found.maps.max() <= 1
    np.testing.assert_array_equal(found.maps.max(axis=(1, 2)), (found.peak > 0).astype(float))
    assert (found.attention is None) == (name == "plain")


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_are_taken(library, tmp_path):
    module = pytest.importorskip(library)
    X, y, _ = write_films(tmp_path, 12)
    model = small_image().fit(X, y)
    other = module.from_pandas(X) if library == "polars" else module.Table.from_pandas(X)
    np.testing.assert_array_equal(grad_cam(model, other).maps, grad_cam(model, X).maps)


def test_an_embedding_cache_changes_nothing(study, tmp_path):
    X, y = study
    changes = {"freeze_backbone": True, "augmentation": None}
    with_cache = small_image(cache_dir=tmp_path, **changes).fit(X, y)
    without = small_image(**changes).fit(X, y)
    np.testing.assert_array_equal(grad_cam(with_cache, X).maps, grad_cam(without, X).maps)


def test_attention_is_that_of_the_model(study):
    X, y = study
    model = small_image().fit(X, y)
    alpha = model.attention_map(X)
    expected = alpha / alpha.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(grad_cam(model, X).attention, expected, rtol=1e-5)


class Against(RandomForestClassifier):
    """A fusion that takes the image branch for the opposite of what it says."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.stack([X[:, 0], 1 - X[:, 0]], axis=1)


class Deaf(Against):
    """A fusion that does not listen to the image branch."""

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


@pytest.mark.parametrize(("final", "sign"), [("mean", 1), (Against(), -1), (Deaf(), 0)])
def test_the_sign_of_a_fusion_matters(study, final, sign):
    X, y = study
    fusion = small_fusion(clinical=small_clinical(n_members=1), final_estimator=final).fit(X, y)
    alone, fused = grad_cam(fusion.image_, X), grad_cam(fusion, X)
    if sign == 1:
        np.testing.assert_allclose(fused.maps, alone.maps, atol=1e-5)
        np.testing.assert_allclose(fused.peak, alone.peak / 2, rtol=1e-5)
    elif sign == -1:
        both = (fused.maps > 0) & (alone.maps > 0)
        assert not both.any()
        assert (fused.peak > 0).any()
    else:
        assert not fused.maps.any()


def test_half_precision_is_safe(trained):
    films, _, _ = planted(8, 64, 24, seed=3)
    exact = grad_cam(trained, films)
    module = trained.net_.module_
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    module.to(torch.bfloat16)
    rough = grad_cam(trained, films)
    module.float().load_state_dict(kept)
    assert np.isfinite(rough.maps).all()
    np.testing.assert_allclose(rough.probability, exact.probability, atol=0.05)


def test_a_film_is_explained_alike_alone_and_among_others(trained):
    films, _, _ = planted(30, 64, 24, seed=4)
    one, all_of_them = grad_cam(trained, films[7:8]), grad_cam(trained, films)
    np.testing.assert_allclose(one.maps[0], all_of_them.maps[7], atol=1e-4)


def test_rows_without_a_film_are_counted(study):
    X, y = study
    model = small_fusion(image=still_image(), final_estimator="logistic").fit(X, y)
    gone = X.assign(image=[None, *X["image"][1:]])
    with pytest.raises(InputError, match="1 of 40 rows have no film"):
        grad_cam(model, gone)


def test_a_branch_that_is_no_net_is_refused(study):
    X, y = study
    table = X.assign(image=0.0)
    forest = RandomForestClassifier(5, random_state=0)
    model = ProbabilityFusionClassifier(forest, forest, cv=2, random_state=0)
    with pytest.raises(InputError, match="RandomForestClassifier has no feature map"):
        grad_cam(model.fit(table, y), table)


def test_the_heat_of_a_film_has_its_size_and_the_frame_its_maximum():
    maps = np.zeros((2, 4, 4), dtype=np.float32)
    maps[0, 3, 1] = 1
    found = GradCam(maps, np.zeros((2, 32, 32), np.uint8), np.array([0.8, 0.2]), np.array([2.0, 0]))
    down, right = found.frame().loc[0, ["peak_down", "peak_right"]]
    assert down >= 24
    assert 8 <= right < 16
    assert found.frame().loc[1, "peak_down":].isna().all()
    with pytest.raises(InputError, match="attention"):
        found.attention_heat(0)


def test_maps_come_back_from_plain_arrays(trained, tmp_path):
    found = grad_cam(trained, planted(4, 64, 24, seed=5)[0])
    np.savez(tmp_path / "maps.npz", **found.to_arrays())
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as stored:
        back = GradCam.from_arrays(dict(stored))
    pd.testing.assert_frame_equal(back.frame(), found.frame())
    assert back.attention is None


def with_transformer(**changes):
    """A frozen transformer on films of 4 x 4 patches, one of which is lit in cases."""
    rng = np.random.default_rng(0)
    films, y = rng.integers(0, 50, (48, 64, 64)).astype(np.uint8), np.arange(48) % 2
    films[y == 1, 16:32, 32:48] += 200
    return small_image(backbone="test_vit", freeze_backbone=True, **changes).fit(films, y), films


def test_a_transformer_is_explained_by_its_patches():
    model, films = with_transformer(wavelet=False, soft_attention=False, lr=1e-2, max_epochs=30)
    found = grad_cam(model, films[1::2])
    peaks = [np.unravel_index(m.argmax(), m.shape) for m in found.maps]
    assert found.maps.shape == (24, 4, 4)
    assert peaks.count((1, 2)) > 12


def test_a_transformer_shows_its_attention():
    model, films = with_transformer(max_epochs=1)
    found, alpha = grad_cam(model, films[:4]), model.attention_map(films[:4])
    assert found.attention.shape == alpha.shape == (4, 4, 4)
    assert np.allclose(alpha.sum(axis=(1, 2)), 16, atol=1e-4)


@pytest.mark.slow
def test_the_offline_backbone_is_explained():
    films, y, _ = planted(24, 96, 32, seed=0)
    model = ImageOsteoClassifier(
        backbone="efficientnet_lite0", freeze_backbone=True, hidden_layer_sizes=(8,),
        augmentation=None, batch_size=8, max_epochs=2, random_state=0,
    ).fit(films, y)  # fmt: skip
    assert grad_cam(model, films).maps.shape == (24, 3, 3)


@pytest.mark.parametrize(("attention", "views"), [(None, 2), (np.ones((6, 2, 2), np.float32), 3)])
def test_panels_show_film_heat_and_attention(attention, views):
    maps = np.random.default_rng(0).random((6, 2, 2)).astype(np.float32)
    films = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8)
    cam = GradCam(maps, films, np.linspace(0, 1, 6), np.array([1, 0, 1, 1, 1, 1.0]), attention)
    figure = cam.plot()
    figure.canvas.draw()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    said = [f"probability {p}" for p in (".00", ".20", ".40", ".60")]
    assert [title for title in titles if title.startswith("p")] == said
    assert titles.count("Grad-CAM: none") == 1
    assert len([ax for ax in figure.axes if ax.images]) == 4 * views
    assert len([ax for ax in cam.plot([5, 0, 2], n_columns=2).axes if ax.images]) == 3 * views


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rows": []}, r"rows=\[\].* from 0 to 1"),
        ({"rows": [99]}, r"rows=\[99\]"),
        ({"rows": [-1]}, r"rows=\[-1\]"),
        ({"n_columns": 0}, "n_columns=0"),
    ],
)
def test_panels_that_are_not_there_are_refused(arguments, said):
    maps, films = np.ones((2, 2, 2), np.float32), np.zeros((2, 8, 8), np.uint8)
    with pytest.raises(InputError, match=said):
        GradCam(maps, films, np.ones(2), np.ones(2)).plot(**arguments)
