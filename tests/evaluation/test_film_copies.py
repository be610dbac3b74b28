"""Copies of films are found, films that only look alike are not."""

import io
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skosteo.datasets import fetch_hannover_cxr, make_cohort
from skosteo.dicom import Radiograph, read_radiograph
from skosteo.evaluation.film_copies import find_copies

needs_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")


def uint8(film):
    return Radiograph(film.astype(np.float32) / 255).to_uint8(224)


def saved_anew(film, rng, crop=0.0, contrast=1.0, gamma=1.0, quality=90):
    """Return a film as it comes back from a JPEG, trimmed, brightened and squared again."""
    rows, columns = film.shape
    top, bottom, left, right = (rng.uniform(0, crop, 4) * [rows, rows, columns, columns]).astype(
        int
    )
    film = film[top : rows - bottom, left : columns - right] / 255
    film = np.clip(film * contrast + (contrast - 1) / 3, 0, 1) ** gamma
    buffer = io.BytesIO()
    Image.fromarray((film * 255).round().astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return uint8(np.asarray(Image.open(buffer)))


CHANGES = [
    {"quality": 30}, {"contrast": 1.15}, {"gamma": 1.4}, {"crop": 0.02},
    {"crop": 0.03, "quality": 60, "contrast": 1.15},
]  # fmt: skip


@pytest.fixture(scope="module")
def cohort():
    films = list(make_cohort(24, random_state=0).data["image"])
    return films, np.stack([uint8(film) for film in films])


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_copies_of_synthetic_films(change, cohort):
    originals, films = cohort
    rng = np.random.default_rng(0)
    copies = np.stack([saved_anew(film, rng, **change) for film in originals[::4]])
    found = find_copies(np.concatenate([films, copies]))
    assert (found.same[:24:4] == found.same[24:]).all()
    assert len(set(found.same)) == 24
    assert len(set(found.identical)) == 30


@needs_data
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_copies_of_real_films(change):
    originals = [
        (read_radiograph(path).pixels * 255).round().astype(np.uint8)
        for path in fetch_hannover_cxr().data["image"][::8]
    ]
    films, n, rng = (
        np.stack([uint8(film) for film in originals]),
        len(originals),
        np.random.default_rng(0),
    )
    found = find_copies(
        np.concatenate([films, [saved_anew(film, rng, **change) for film in originals]])
    )
    assert (found.same[:n] == found.same[n:]).all()
    assert len(set(found.same)) == n


def test_identical_films_have_one_code(cohort):
    films = cohort[1][[0, 1, 0, 2, 1, 0]]
    assert find_copies(films).identical.tolist() == [0, 1, 0, 2, 1, 0]
    assert len(set(find_copies(films).same)) == 3


def test_black_films_equal_none(cohort):
    films = np.concatenate([np.zeros((3, 224, 224), np.uint8), cohort[1][:2]])
    found = find_copies(films)
    assert len(set(found.identical)) == len(set(found.same)) == 5


@pytest.mark.parametrize("n", [1, 2])
def test_few_films(n, cohort):
    assert len(set(find_copies(cohort[1][:n]).same)) == n
    assert len(find_copies(np.zeros((n, 224, 224), np.uint8)).same) == n


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_no_film_of_another_patient(seed):
    data = make_cohort(60, random_state=seed).data
    films = np.stack([uint8(film) for film in data["image"]])
    assert len(set(find_copies(films).same)) == 60


@needs_data
def test_real_films_are_all_different():
    from skosteo.image.reader import RadiographReader

    films = RadiographReader().transform(fetch_hannover_cxr().data["image"])
    assert len(set(find_copies(films).same)) == 243
    assert pd.Series(find_copies(films).identical).is_unique
