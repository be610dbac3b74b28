"""Films of many rows, in memory or in a pool: what is taken is right, nothing else is fetched."""

import tracemalloc

import numpy as np
import pytest

from skosteo.dicom import read_radiograph
from skosteo.image.films import film_digest
from skosteo.image.reader import RadiographReader
from tests.films import bytes_of, dataset, gradient
from tests.small_models import write_film


@pytest.fixture
def paths(tmp_path):
    return [write_film(tmp_path / f"film_{i}.png", i) for i in range(6)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def wanted(paths, size=16):
    return np.stack([read_radiograph(path).to_uint8(size) for path in paths])


def test_films_are_taken_by_row(paths, cache):
    X = [*paths, paths[2], "nowhere"]
    truth = [*wanted(paths), wanted(paths)[2], np.zeros((16, 16))]
    for folder in (None, cache, cache):
        films = RadiographReader(16, cache_dir=folder, errors="report").read(X)
        assert len(films) == 8
        for rows in (slice(None), [7, 2, 6, 6], slice(3, 7), np.array([5])):
            np.testing.assert_array_equal(films[rows], np.array(truth)[rows])
            np.testing.assert_array_equal(films.select(rows)[:], np.array(truth)[rows])
        assert films.digests[7] == b""
        assert films.digests[2] == films.digests[6] == film_digest(wanted(paths)[2]).encode()
        assert len(set(films.digests)) == 7
        np.testing.assert_array_equal(films.select([4, 5]).to_array(), truth[4:6])


def test_facts_travel_with_the_films(paths, cache, tmp_path):
    film = dataset(gradient(), ViewPosition="PA", Manufacturer="GE", PixelSpacing=[0.2, 0.25])
    (tmp_path / "film.dcm").write_bytes(bytes_of(film))
    X = [paths[0], "nowhere", tmp_path / "film.dcm", np.eye(70)]
    seen = []
    for folder in (None, cache, cache):
        films = RadiographReader(16, cache_dir=folder, errors="report").read(X)
        seen.append(films.facts)
        stated = read_radiograph(tmp_path / "film.dcm").stated
        assert films.facts.loc[2].to_dict() == stated
        assert stated["spacing_mm"] == (0.2, 0.25)
        assert films.facts["bits"].tolist() == [8, None, 12, None]
        assert films.facts["view_position"].tolist() == [None, None, "PA", None]
        assert films.facts["rows"].tolist() == [80, None, 64, 70]
    assert seen[0].equals(seen[1])
    assert seen[0].equals(seen[2])


@pytest.mark.parametrize("cached", [False, True])
def test_no_pixel_is_copied_before_it_is_taken(cached, paths, cache):
    reader = RadiographReader(200, cache_dir=cache if cached else None)
    films = reader.read(paths)
    films[:1]
    tracemalloc.start()
    some = films.select([0, 2, 5]).select(slice(1, 3))
    every = films.to_array()
    copied = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert copied < 200 * 200 / 4
    np.testing.assert_array_equal(every, wanted(paths, 200))
    np.testing.assert_array_equal(some[:], wanted([paths[2], paths[5]], 200))


@pytest.mark.parametrize(
    "other",
    [
        lambda pixels: pixels.astype(np.int8),
        lambda pixels: pixels.reshape(2, 8),
        lambda pixels: pixels[None],
        lambda pixels: pixels[::-1],
    ],
)
def test_a_digest_stands_for_pixels_type_and_shape(other):
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert film_digest(pixels) == film_digest(pixels.copy(order="F"))
    assert film_digest(pixels) != film_digest(other(pixels))
