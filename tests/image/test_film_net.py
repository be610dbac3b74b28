"""What the classifier and the regressor of films share: the paper's block."""

import numpy as np
import pytest

from tests.small_models import small_image, write_films


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


def test_the_weights_of_equation_1_are_kept_by_epoch(study):
    X, y, _ = study
    model = small_image(max_epochs=6, early_stopping=False).fit(X, y)
    shares = model.history_[["g_wavelet", "g_attention"]].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert len(np.unique(shares[:, 0])) == 6
    np.testing.assert_allclose(model.gradient_weights_, shares[-1])


def test_without_both_branches_there_are_no_such_weights(study):
    X, y, _ = study
    model = small_image(wavelet=False).fit(X, y)
    assert not hasattr(model, "gradient_weights_")
    assert "g_wavelet" not in model.history_
    assert model.attention_map(X).shape == (48, 2, 2)
    without = small_image(soft_attention=False)
    assert not hasattr(without, "attention_map")
    assert not hasattr(without.fit(X, y).set_params(soft_attention=True), "attention_map")
    assert hasattr(model.set_params(soft_attention=False), "attention_map")
    for lacking in (small_image(soft_attention=False), without):
        with pytest.raises(AttributeError) as raised:
            lacking.attention_map(X)
        assert "only with soft_attention=True" in str(raised.value.__cause__)


@pytest.mark.slow
def test_attention_lies_where_the_classes_differ():
    """In one quarter of the film, where only films of class 1 have a bright square."""
    rng = np.random.default_rng(0)
    y = np.resize([0, 1], 120)
    films = rng.integers(0, 60, (120, 64, 64)).astype(np.uint8)
    films[y == 1, 8:24, 40:56] += 150
    model = small_image(max_epochs=15, wavelet=False, early_stopping=False, lr=3e-3).fit(films, y)
    alpha = model.attention_map(films)
    np.testing.assert_allclose(alpha.sum(axis=(1, 2)), 16, rtol=1e-5)
    quarter = alpha[y == 1, :2, 2:].sum(axis=(1, 2)) / 16
    assert model.score(films, y) == 1
    assert quarter.mean() > 2 * 4 / 16
