"""ImageOsteoRegressor, on films whose brightness is their density."""

import numpy as np
import pandas as pd
import pytest

from skosteo import ImageOsteoClassifier, ImageOsteoRegressor
from skosteo.exceptions import InputError
from tests.small_models import small_image


def bright(n, seed=0):
    """Films, and two sites: one lies in their upper half, the other in their lower."""
    rng = np.random.default_rng(seed)
    neck, spine = rng.normal(-1, 1, (2, n))
    films = rng.integers(80, 120, (n, 24, 24)).astype(float)
    films[:, :12] += 25 * (neck[:, None, None] + 1)
    films[:, 12:] += 25 * (spine[:, None, None] + 1)
    return films.clip(0, 255).astype(np.uint8), pd.DataFrame({"neck": neck, "spine": spine})


def model(**changes):
    return small_image(
        ImageOsteoRegressor, lr=1e-2, **{"max_epochs": 15, "batch_size": 32} | changes
    )


FILMS, T = bright(160)


@pytest.mark.parametrize("branches", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_it_learns_a_density_that_is_seen(branches):
    films, t = bright(100, seed=1)
    fitted = model(wavelet=branches, soft_attention=branches).fit(FILMS, T.mean(axis=1))
    mean, std = fitted.predict(films, return_std=True)
    assert np.corrcoef(mean, t.mean(axis=1))[0, 1] > 0.8
    assert std.mean() < t.mean(axis=1).std()
    lower, upper = fitted.predict_interval(films)
    held = ((lower <= t.mean(axis=1)) & (t.mean(axis=1) <= upper)).mean()
    assert 0.75 < held < 1
    if branches:  # the gradients of the likelihood weigh them
        assert fitted.history_["g_wavelet"].nunique() > 5
        np.testing.assert_allclose(fitted.gradient_weights_.sum(), 1, rtol=1e-6)


def test_two_sites_with_gaps():
    gaps = T.mask(np.arange(320).reshape(160, 2) % 5 == 0)
    fitted = model(max_epochs=3).fit(FILMS, gaps)
    assert fitted.predict(FILMS).shape == (160, 2)
    assert np.isfinite(fitted.probability_below(FILMS)).all()
    assert fitted.sites_ == ["neck", "spine"]


def test_embeddings_of_a_frozen_backbone_give_the_same_as_whole_passes(monkeypatch):
    frozen = {"freeze_backbone": True, "max_epochs": 3}
    embedded = model(**frozen).fit(FILMS, T)
    monkeypatch.setattr(ImageOsteoRegressor, "_embeds", lambda self: False)
    whole = model(**frozen).fit(FILMS, T)
    np.testing.assert_allclose(embedded.predict(FILMS), whole.predict(FILMS), atol=1e-4)
    np.testing.assert_allclose(embedded.spread_factor_, whole.spread_factor_, rtol=1e-3)


def test_its_parameters_are_those_of_the_classifier():
    ours, theirs = ImageOsteoRegressor().get_params(), ImageOsteoClassifier().get_params()
    assert ours == {k: v for k, v in theirs.items() if k != "class_weight"}


def test_labels_are_refused_before_a_film_is_opened():
    table = pd.DataFrame({"image": ["nowhere.dcm"] * 60})
    with pytest.raises(InputError, match="ClinicalOsteoClassifier"):
        model().fit(table, np.arange(60) % 2)
