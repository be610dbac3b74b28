import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skosteo import images
from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError, InputError, MissingFileError
from skosteo.images import RadiographReader


def write(path, seed, shape=(40, 30), form="PNG"):
    film = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(film).save(path, form)
    return str(path)


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    return [write(folder / f"film_{i}.png", i) for i in range(6)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """Count the films decoded from here on."""
    calls = []

    def counting(path):
        calls.append(path)
        return read_radiograph(path)

    monkeypatch.setattr(images, "read_radiograph", counting)
    images._content_digest.cache_clear()
    return calls


def entries(cache):
    return sorted(path for path in cache.rglob("*") if path.is_file())


def wanted(paths, size=16):
    return np.stack([read_radiograph(path).to_uint8(size) for path in paths])


# ---------------------------------------------------------------- what X may be


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        pd.Series,
        lambda p: pd.Series(p, dtype=object),
        lambda p: pd.Series(p, dtype="category"),
        lambda p: pd.Series(p, index=range(50, 56)),
        lambda p: pd.DataFrame({"image": p}),
        np.array,
        lambda p: np.array(p, dtype=object),
        lambda p: np.array(p, dtype=object)[:, None],
        lambda p: [Path(path) for path in p],
    ],
)
def test_every_form_of_a_column(form, paths):
    read = RadiographReader(size=16).transform(form(paths))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, wanted(paths))


def test_arrays_as_items():
    levels = np.random.default_rng(0).integers(0, 256, (3, 16, 16)).astype(np.uint8)
    column = pd.Series(list(levels))
    reader = RadiographReader(size=16)
    for X in (levels, list(levels), column, column.to_frame(), list(levels / 255)):
        np.testing.assert_array_equal(reader.transform(X), levels)


def test_paths_and_arrays_together(paths):
    film = np.full((16, 16), 0.5)
    read = RadiographReader(size=16).transform([paths[0], film])
    np.testing.assert_array_equal(read, [*wanted(paths[:1]), np.full((16, 16), 128)])


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        ("film.png", "one path; put it in a list"),
        (Path("film.png"), "one path; put it in a list"),
        ([], "no rows"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns; pick the one"),
        (np.array([["x", "y"]]), r"shape \(1, 2\); give the column"),
        (np.zeros((8, 8)), r"put a single image in a list"),
        (np.zeros((8, 1)), r"shape \(8, 1\)"),
        (7, "X is a int"),
        (None, "X is a NoneType"),
        (np.array(3.0), "X is a ndarray"),
        ({"film.png"}, "X is a set"),
        ([3.0], "row 1 of 1: the image is a float"),
        ([b"film"], "row 1 of 1: the image is a bytes"),
        ([np.zeros((4, 4)), np.zeros((4, 4, 3))], r"row 2 of 2: .* shape \(4, 4, 3\)"),
        ([np.zeros((0, 4))], r"row 1 of 1: .* shape \(0, 4\)"),
        ([np.zeros((4, 4), np.int16)], "row 1 of 1: .* int16"),
        ([np.full((4, 4), 1.1)], "row 1 of 1: .* outside 0 to 1"),
        ([np.full((4, 4), -0.1)], "row 1 of 1: .* outside 0 to 1"),
        ([np.full((4, 4), np.nan)], "row 1 of 1: .* not finite"),
        ([np.full((4, 4), np.inf)], "row 1 of 1: .* not finite"),
        ([np.array([["a", "b"]])], "row 1 of 1: .* <U1"),
    ],
)
def test_other_forms_are_refused(X, reason):
    with pytest.raises(InputError, match=reason):
        RadiographReader(size=16).transform(X)


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT, "", "  "])
def test_missing_images_are_named_by_row(nothing, paths):
    with pytest.raises(InputError, match=r"missing in row 2 of 3;"):
        RadiographReader().transform([paths[0], nothing, paths[1]])


def test_many_missing_images_are_counted():
    X = pd.Series(["a", *[None] * 7, "b"])
    with pytest.raises(InputError, match=r"missing in rows 2, 3, 4, 5, 6 and 2 more of 9"):
        RadiographReader().transform(X)


# ---------------------------------------------------------------- files that cannot be read


@pytest.mark.parametrize(("n_jobs", "cached"), [(None, False), (None, True), (2, True)])
def test_a_bad_file_is_named_by_row_only(n_jobs, cached, paths, tmp_path, cache):
    bad = tmp_path / "Secret_Name.dcm"
    bad.write_bytes(b"not a film")
    reader = RadiographReader(n_jobs=n_jobs, cache_dir=cache if cached else None)
    with pytest.raises(DicomError, match=r"^row 3 of 4: the content is neither DICOM") as caught:
        reader.transform([*paths[:2], str(bad), paths[2]])
    assert type(caught.value) is DicomError
    assert "Secret_Name" not in str(caught.value)


@pytest.mark.parametrize(("n_jobs", "cached"), [(None, False), (None, True), (2, True)])
def test_a_missing_file_is_also_file_not_found(n_jobs, cached, paths, cache):
    reader = RadiographReader(n_jobs=n_jobs, cache_dir=cache if cached else None)
    with pytest.raises(FileNotFoundError, match=r"^row 2 of 2: .* does not exist") as caught:
        reader.transform([paths[0], paths[0] + ".Secret_Name"])
    assert type(caught.value) is MissingFileError
    assert "Secret_Name" not in str(caught.value)


# ---------------------------------------------------------------- the cache


def test_a_film_is_decoded_once(paths, cache, decoded):
    reader = RadiographReader(size=16, cache_dir=cache)
    first = reader.transform(paths)
    again = clone(reader).transform(paths[::-1])[::-1]
    assert len(decoded) == len(paths)
    np.testing.assert_array_equal(first, wanted(paths))
    np.testing.assert_array_equal(again, first)


def test_without_a_folder_nothing_is_kept(paths, decoded):
    reader = RadiographReader(size=16)
    reader.transform(paths)
    reader.transform(paths)
    assert len(decoded) == 2 * len(paths)


def test_equal_content_under_two_names_is_one_entry(paths, cache, tmp_path, decoded):
    twin = tmp_path / "twin"
    twin.write_bytes(Path(paths[0]).read_bytes())
    RadiographReader(size=16, cache_dir=cache).transform([paths[0], twin])
    assert len(decoded) == len(entries(cache)) == 1


def test_a_changed_film_is_noticed(paths, cache):
    reader = RadiographReader(size=16, cache_dir=cache)
    before = reader.transform(paths[:1])
    write(paths[0], 99)
    os.utime(paths[0], ns=(0, 10**18))
    after = reader.transform(paths[:1])
    np.testing.assert_array_equal(after, wanted(paths[:1]))
    assert (before != after).any()


def test_sizes_do_not_collide(paths, cache):
    for size in (16, 24, 16, 24):
        read = RadiographReader(size=size, cache_dir=cache).transform(paths)
        np.testing.assert_array_equal(read, wanted(paths, size))
    assert len(entries(cache)) == 2 * len(paths)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: data[::-1],
    ],
)
def test_a_damaged_entry_is_written_anew(damage, paths, cache, decoded):
    reader = RadiographReader(size=16, cache_dir=cache)
    reader.transform(paths[:1])
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    np.testing.assert_array_equal(reader.transform(paths[:1]), wanted(paths[:1]))
    assert entry.read_bytes() == whole
    assert len(decoded) == 2


def test_another_process_uses_the_same_entries(paths, cache):
    reader = RadiographReader(size=16, cache_dir=cache)
    mine = reader.transform(paths)
    # the other process cannot decode at all, so what it returns comes from the cache
    program = """
import pickle, sys
from skosteo import images
def refuse(path):
    raise AssertionError("decoded")
images.read_radiograph = refuse
reader, paths = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(reader.transform(paths).tobytes())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps((reader, paths)),
        capture_output=True,
        check=True,
        cwd=Path(images.__file__).parents[1],
    )
    assert done.stdout == mine.tobytes()


def test_the_cache_writes_in_its_folder_and_tells_no_names(paths, cache, tmp_path):
    before = {path: path.read_bytes() for path in entries(tmp_path)}
    RadiographReader(size=16, cache_dir=cache / "deep").transform(paths)
    after = entries(tmp_path)
    assert {path: path.read_bytes() for path in after if cache not in path.parents} == before
    for path in entries(cache):
        parent, name = path.relative_to(cache / "deep").parts
        assert name.startswith(parent)
        assert set(name) <= set("0123456789abcdef")


def test_a_cache_that_is_no_folder(paths, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cache folder cannot be used"):
            RadiographReader(cache_dir=folder).transform(paths)


def test_a_full_disk(paths, cache, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(images, "write_atomic", full)
    with pytest.raises(InputError, match="cache folder cannot be used") as caught:
        RadiographReader(cache_dir=cache).transform(paths)
    assert str(cache) not in str(caught.value)


# ---------------------------------------------------------------- scikit-learn


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_two_jobs_equal_one(backend, paths, cache):
    with joblib.parallel_config(backend=backend):
        for folder in (None, cache, cache):
            read = RadiographReader(size=16, n_jobs=2, cache_dir=folder).transform(paths)
            np.testing.assert_array_equal(read, wanted(paths))


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ({"size": 0}, "at least 1"),
        ({"size": 22.4}, "integer"),
        ({"size": True}, "integer"),
        ({"cache_dir": 3}, "path of a folder, or None"),
        ({"n_jobs": 0}, "not 0"),
        ({"n_jobs": "all"}, "None or an integer"),
        ({"errors": "ignore"}, "allowed is 'raise'"),
    ],
)
def test_parameters_are_checked_late(params, allowed, paths):
    reader = RadiographReader(**params)
    for call in (reader.fit, reader.transform):
        with pytest.raises(InputError, match=allowed):
            call(paths)


def test_fit_opens_nothing_and_notes_the_column():
    X = pd.DataFrame({"image": ["nowhere.png"]})
    reader = RadiographReader().fit(X)
    assert reader.n_features_in_ == 1
    assert list(reader.feature_names_in_) == ["image"]
    assert not hasattr(RadiographReader().fit(X["image"]), "n_features_in_")


def test_in_a_pipeline_without_fit_and_with_any_output_setting(paths):
    pipeline = make_pipeline(RadiographReader(size=16), FunctionTransformer(np.mean))
    with config_context(transform_output="pandas"):
        read = RadiographReader(size=16).fit_transform(pd.DataFrame({"image": paths}))
    assert isinstance(read, np.ndarray)
    assert pipeline.fit_transform(paths) == wanted(paths).mean()
    assert pickle.loads(pickle.dumps(pipeline)).transform(paths) == wanted(paths).mean()
