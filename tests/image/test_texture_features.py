"""Each family against planted films, counts by hand, and the libraries that it stands on."""

import numpy as np
import pandas as pd
import pytest
import pywt

from skosteo import RadiographTexture

GABOR = [(f, angle) for f in (0.1, 0.2, 0.4) for angle in (0, 45, 90, 135)]


def described(films, **params):
    """Features of an array of films, as a table."""
    texture = RadiographTexture(**params).set_output(transform="pandas")
    return texture.fit_transform(np.asarray(films))


def noise(n=2, shape=(40, 48), seed=0):
    """Films of grey noise that differ from pixel to pixel and are correlated."""
    rng = np.random.default_rng(seed)
    films = rng.integers(20, 200, (n, *shape)).astype(float)
    return ((films + np.roll(films, 1, axis=2)) / 2).astype(np.uint8)


def grating(frequency, angle, side=240):
    y, x = np.mgrid[:side, :side]
    along = x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))
    return np.sin(2 * np.pi * frequency * along)


@pytest.mark.parametrize(("frequency", "angle"), GABOR)
def test_a_grating_lights_the_filter_of_its_frequency_and_angle(frequency, angle):
    found = described([grating(frequency, angle)], families=["gabor"]).iloc[0]
    name = f"gabor_{frequency:g}_{angle}deg_energy"
    assert found.idxmax() == name
    # a wave of variance 1 is two exponentials of amplitude 1/sqrt(2), of which one passes
    assert found[name] == pytest.approx(0.5, rel=0.1)
    assert found.drop(name).max() < 0.2


def test_gabor_energies_are_those_of_scikit_image():
    from skimage.filters import gabor

    film = noise(1)[0]
    z = (film - film.mean()) / film.std()
    found = described([film], families=["gabor"]).iloc[0]
    for frequency, angle in GABOR:
        real, imaginary = gabor(z, frequency, theta=np.deg2rad(angle), n_stds=4)
        expected = (real**2 + imaginary**2).mean()
        assert found[f"gabor_{frequency:g}_{angle}deg_energy"] == pytest.approx(expected, rel=1e-5)


def pattern_of(film, row, column, radius):
    """Ojala's pattern: how many of 8 neighbours are as bright, or "other"."""
    bits = []
    for k in range(8):
        angle = 2 * np.pi * k / 8
        r, c = (round(v, 5) for v in (-radius * np.sin(angle), radius * np.cos(angle)))
        top, left = int(np.floor(r)), int(np.floor(c))
        value = sum(
            film[row + top + i, column + left + j]
            * (1 - abs(r - top - i))
            * (1 - abs(c - left - j))
            for i in (0, 1)
            for j in (0, 1)
            if abs(r - top - i) < 1 and abs(c - left - j) < 1
        )
        bits.append(value >= film[row, column])
    changes = sum(bits[k] != bits[k - 1] for k in range(8))
    return f"uniform_{sum(bits)}" if changes <= 2 else "other"


@pytest.mark.parametrize("radius", [1, 2])
def test_patterns_are_counted_as_by_hand(radius):
    film = noise(1, (20, 22))[0].astype(float)
    found = described([film.astype(np.uint8)], families=["lbp"]).iloc[0]
    inner = [(r, c) for r in range(radius, 20 - radius) for c in range(radius, 22 - radius)]
    names = pd.Series([pattern_of(film, r, c, radius) for r, c in inner])
    expected = names.value_counts(normalize=True)
    for pattern in [*(f"uniform_{n}" for n in range(9)), "other"]:
        by_hand = expected.get(pattern, 0.0)
        assert found[f"lbp_8_{radius}_{pattern}"] == pytest.approx(by_hand, abs=3e-3)
    assert found.filter(like=f"lbp_8_{radius}_").sum() == pytest.approx(1)


def test_pairs_of_grey_levels_are_counted_as_by_hand():
    film = noise(1, (16, 18))[0]
    z = (film - film.mean()) / film.std()
    level = np.clip((z + 3) * 32 / 6, 0, 31).astype(int)
    for distance, steps in {
        1: [(0, 1), (1, 1), (1, 0), (1, -1)],
        2: [(0, 2), (1, 1), (2, 0), (1, -1)],  # the diagonal of 1.4 pixels, rounded
        4: [(0, 4), (3, 3), (4, 0), (3, -3)],
    }.items():
        by_angle = []
        for down, right in steps:
            pairs = np.zeros((32, 32))
            for r in range(16):
                for c in range(18):
                    if 0 <= r + down < 16 and 0 <= c + right < 18:
                        pairs[level[r, c], level[r + down, c + right]] += 1
            p = (pairs + pairs.T) / (2 * pairs.sum())
            i, j = np.mgrid[:32, :32]
            mean = (p * i).sum()
            by_angle.append(
                {
                    "contrast": (p * (i - j) ** 2).sum(),
                    "dissimilarity": (p * abs(i - j)).sum(),
                    "homogeneity": (p / (1 + (i - j) ** 2)).sum(),
                    "energy": np.sqrt((p**2).sum()),
                    "correlation": (p * (i - mean) * (j - mean)).sum()
                    / (p * (i - mean) ** 2).sum(),
                }
            )
        found = described([film], families=["glcm"]).iloc[0]
        for measure, value in pd.DataFrame(by_angle).mean().items():
            assert found[f"glcm_{distance}px_{measure}"] == pytest.approx(value, rel=1e-5)


def test_wavelet_energies_add_up_to_the_variance_and_are_those_of_single_steps():
    film = noise(1, (32, 40))[0]
    found = described([film], families=["wavelet"]).iloc[0]
    assert found.sum() == pytest.approx(1, abs=1e-5)  # Parseval
    left = (film - film.mean()) / film.std()
    for level in (1, 2, 3):
        left, details = pywt.dwt2(left, "haar")
        for name, detail in zip(("horizontal", "vertical", "diagonal"), details, strict=True):
            energy = (detail**2).sum() / film.size
            assert found[f"wavelet_haar_{level}_{name}_energy"] == pytest.approx(energy, rel=1e-4)


def test_stripes_are_details_of_their_direction():
    stripes = np.tile([1.0, 0.0], (32, 16))
    lying = described([stripes.T], families=["wavelet"]).iloc[0]
    upright = described([stripes], families=["wavelet"]).iloc[0]
    assert lying["wavelet_haar_1_horizontal_energy"] == pytest.approx(1, abs=0.01)
    assert upright["wavelet_haar_1_vertical_energy"] == pytest.approx(1, abs=0.01)
