import itertools
import pickle

import numpy as np
import pytest

from skosteo.dicom import radiograph
from skosteo.dicom.radiograph import Radiograph
from tests.films import film


def integrated(pixels, size):
    """Integrate the centred piecewise constant film over every new pixel, by definition."""
    rows, columns = pixels.shape
    side = max(rows, columns)
    result = np.zeros((size, size))
    for i, j in itertools.product(range(size), repeat=2):
        for r, c in itertools.product(range(rows), range(columns)):
            top, left = r + (side - rows) / 2, c + (side - columns) / 2
            high = min(top + 1, (i + 1) * side / size) - max(top, i * side / size)
            wide = min(left + 1, (j + 1) * side / size) - max(left, j * side / size)
            result[i, j] += max(high, 0) * max(wide, 0) * pixels[r, c]
    return result * (size / side) ** 2


@pytest.mark.parametrize("shape", [(13, 10), (10, 13), (7, 7), (1, 6), (9, 2)])
@pytest.mark.parametrize("size", [1, 3, 5, 13, 20])
def test_resampling_is_the_integral(shape, size):
    pixels = film(*shape).astype(np.float32)
    wanted = integrated(pixels, size) * 255
    assert np.abs(Radiograph(pixels).to_uint8(size) - wanted).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("size", [50, 224, 300])
def test_resampling_keeps_the_mean(size):
    pixels = film(150, 97).astype(np.float32)
    weights = [radiograph._area_weights(n, 150, size).toarray() for n in (150, 97)]
    mean = (weights[0] @ pixels @ weights[1].T).mean()
    assert mean == pytest.approx(pixels.sum() / 150**2, rel=1e-5)
    assert weights[0].sum(axis=1) == pytest.approx(1, rel=1e-6)


def test_same_size_is_the_identity_and_multiples_repeat():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    radiograph = Radiograph(levels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(radiograph.to_uint8(16), levels)
    np.testing.assert_array_equal(radiograph.to_uint8(32), levels.repeat(2, 0).repeat(2, 1))


def test_halves_are_rounded_up():
    pixels = np.array([[1, 0], [1, 0]], np.float32)  # mean 127.5
    assert Radiograph(pixels).to_uint8(1) == 128


@pytest.mark.parametrize("shape", [(13, 10), (10, 13)])
def test_a_mirrored_film_gives_the_mirrored_result(shape):
    pixels = film(*shape).astype(np.float32)
    np.testing.assert_array_equal(
        Radiograph(pixels[::-1, ::-1]).to_uint8(7), Radiograph(pixels).to_uint8(7)[::-1, ::-1]
    )


def test_padding_is_black_and_centred():
    square = Radiograph(np.ones((4, 8), np.float32)).to_uint8(8)
    np.testing.assert_array_equal(square[:, 0], [0, 0, 255, 255, 255, 255, 0, 0])


def test_repr_and_pickle():
    radiograph = Radiograph(np.ones((4, 8), np.float32))
    assert repr(radiograph) == "Radiograph(4 rows x 8 columns)"
    assert pickle.loads(pickle.dumps(radiograph)).pixels.shape == (4, 8)
