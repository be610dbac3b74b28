import io
import itertools
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import fsspec
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError, InputError, MissingFileError
from skosteo.image import reader as images
from skosteo.image.reader import RadiographReader
from tests.small_models import write_film


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    return [write_film(folder / f"film_{i}.png", i) for i in range(6)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


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
        pl.Series,
        lambda p: pl.DataFrame({"image": p}),
        lambda p: pa.chunked_array([p[:2], p[2:]]),
        lambda p: pa.table({"image": p}),
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
    film = np.eye(16) / 2
    read = RadiographReader(size=16).transform([paths[0], film])
    np.testing.assert_array_equal(read, [*wanted(paths[:1]), np.eye(16) * 128])


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        ("film.png", "one path; put it in a list"),
        (Path("film.png"), "one path; put it in a list"),
        ([], "no rows"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns; pick the one"),
        (pl.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns; pick the one"),
        (pl.LazyFrame({"a": ["x"]}), r"lazy table .*collect"),
        (np.array([["x", "y"]]), r"shape \(1, 2\); give the column"),
        (np.zeros((8, 8)), r"put a single image in a list"),
        (np.zeros((8, 1)), r"shape \(8, 1\)"),
        (7, "X is a int"),
        (None, "X is a NoneType"),
        (np.array(3.0), "X is a ndarray"),
        ({"film.png"}, "X is a set"),
        ([3.0], "row 1 of 1: the image is a float"),
        (np.array([b"film"]), "loses zeros at their ends; give a list"),
        ([np.eye(4), np.zeros((4, 4, 3))], r"row 2 of 2: .* shape \(4, 4, 3\)"),
        ([np.zeros((0, 4))], r"row 1 of 1: .* shape \(0, 4\)"),
        ([np.zeros((4, 4), np.int16)], "row 1 of 1: .* int16"),
        ([np.full((4, 4), 1.1)], "row 1 of 1: .* outside 0 to 1"),
        ([np.full((4, 4), -0.1)], "row 1 of 1: .* outside 0 to 1"),
        ([np.full((4, 4), np.nan)], "row 1 of 1: .* not finite"),
        ([np.full((4, 4), np.inf)], "row 1 of 1: .* not finite"),
        ([np.array([["a", "b"]])], "row 1 of 1: .* <U1"),
        ([np.eye(4), np.full((4, 4), 0.5)], "row 2 of 2: .* blank"),
        ([np.full((8, 4), 255, np.uint8)], "row 1 of 1: .* blank"),
    ],
)
def test_other_forms_are_refused(X, reason):
    with pytest.raises(InputError, match=reason):
        RadiographReader(size=16).transform(X)


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT, "", "  "])
def test_missing_images_are_named_by_row(nothing, paths):
    with pytest.raises(InputError, match=r"^row 2 of 3: the image is missing;"):
        RadiographReader().transform([paths[0], nothing, paths[1]])


def test_many_missing_images_are_counted():
    X = pd.Series(["a", *[None] * 7, "b"])
    with pytest.raises(InputError, match=r"^rows 2, 3, 4, 5, 6 and 2 more of 9: .* missing"):
        RadiographReader().transform(X)


# ---------------------------------------------------------------- films that are no paths


def as_objects(paths, folder):
    """The films as bytes, open files, parts of an archive and objects of a store."""
    with zipfile.ZipFile(folder / "films.zip", "w") as archive:
        for path in paths:
            archive.write(path, Path(path).name)
    inside = zipfile.Path(folder / "films.zip")
    ways = [
        lambda path: Path(path).read_bytes(),
        lambda path: io.BytesIO(Path(path).read_bytes()),
        lambda path: inside / Path(path).name,
        lambda path: fsspec.open(f"file://{path}"),
        lambda path: memoryview(Path(path).read_bytes()),
    ]
    return [way(path) for way, path in zip(itertools.cycle(ways), paths, strict=False)]


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("cached", [False, True])
def test_films_need_not_be_on_disk(n_jobs, cached, paths, tmp_path, cache):
    reader = RadiographReader(16, n_jobs=n_jobs, cache_dir=cache if cached else None)
    films = as_objects(paths, tmp_path)
    table = pd.DataFrame({"image": pd.Series(films, dtype=object)})
    for X in (films, table, table["image"]):
        np.testing.assert_array_equal(reader.transform(X), wanted(paths))


def test_films_that_are_no_paths_are_found_in_the_cache_by_their_content(
    paths, tmp_path, cache, monkeypatch
):
    reader = RadiographReader(16, cache_dir=cache)
    reader.transform(paths)

    def refuse(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(images, "read_radiograph", refuse)
    films = as_objects(paths, tmp_path)
    np.testing.assert_array_equal(reader.transform(films[::-1]), wanted(paths)[::-1])


def test_an_object_that_cannot_be_read_is_named_by_row_only(paths, tmp_path):
    (film,) = as_objects(paths[:1], tmp_path)
    X = [
        film,
        zipfile.Path(tmp_path / "films.zip", "Secret_Name"),
        io.StringIO("Secret"),
        b"Secret",
    ]
    reader = RadiographReader(16, errors="report")
    reader.transform(X)
    assert reader.report_["position"].tolist() == [1, 2, 3]
    for said, words in zip(reader.report_["reason"], ["exist", "as text", "neither"], strict=True):
        assert words in said
    assert "Secret" not in reader.report_.to_csv()
    with pytest.raises(MissingFileError, match="row 2 of 4"):
        RadiographReader(16).transform(X)


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


# ---------------------------------------------------------------- films that are left out


def bad_items(folder):
    """Items that cannot be read, and the rule or the reason for each."""
    folder.mkdir()
    (folder / "Secret_text.dcm").write_bytes(b"not a film")
    Image.new("L", (80, 80), 128).save(folder / "Secret_blank.png")
    dark = np.arange(6400, dtype=np.uint16).reshape(80, 80) % 100
    Image.fromarray(dark).save(folder / "Secret_dark.png")
    return [
        (str(folder / "Secret_text.dcm"), None, "neither DICOM"),
        (str(folder / "Secret_nowhere.png"), None, "does not exist"),
        (write_film(folder / "Secret_small.png", 0, (40, 40)), "dimensions", "40 rows"),
        (str(folder / "Secret_blank.png"), "blank", "is blank"),
        (str(folder / "Secret_dark.png"), "blank", "is blank"),
        (str(folder), None, "is a folder"),
        ("Secret\0", None, "cannot be opened"),
        (None, None, "missing"),
        (np.nan, None, "missing"),
        ("", None, "missing"),
        (7.0, None, "a float"),
        (np.zeros((4, 4, 3)), None, r"shape (4, 4, 3)"),
        (np.full((4, 4), np.nan), None, "not finite"),
        (np.full((20, 10), 255, np.uint8), None, "blank"),
        (np.array([[0, 1e-5]]), None, "black throughout"),
    ]


@pytest.mark.parametrize(("n_jobs", "cached"), [(1, False), (1, True), (2, False), (2, True)])
def test_a_report_keeps_every_row_with_its_patient(
    n_jobs, cached, tmp_path, paths, cache, monkeypatch
):
    monkeypatch.setattr(images, "_CHUNK", 5)
    bad = bad_items(tmp_path / "bad")
    films = [*paths, *(item for item, *_ in bad)]
    order = np.random.default_rng(0).permutation(len(films))
    column = pd.Series([films[i] for i in order], dtype=object)
    X = pd.DataFrame({"image": column, "patient": order}).set_index(
        pd.Index([f"Secret_{i}" for i in order])
    )
    reader = RadiographReader(
        16, errors="report", n_jobs=n_jobs, cache_dir=cache if cached else None
    )
    for _ in range(2 if cached else 1):
        read = reader.transform(X["image"])
        report = reader.report_
        assert read.shape == (len(X), 16, 16)
        assert report.columns.tolist() == ["position", "rule", "reason", "remedy"]
        assert report["position"].tolist() == np.flatnonzero(order >= len(paths)).tolist()
        assert not read[report["position"]].any()
        for row in report.itertuples():
            _, rule, reason = bad[order[row.position] - len(paths)]
            assert row.rule == rule
            assert reason in row.reason
            assert row.remedy
        assert "Secret" not in report.to_csv()
        kept = X.drop(index=X.index[report["position"]])
        truth = np.stack([wanted(paths)[patient] for patient in kept["patient"]])
        np.testing.assert_array_equal(np.delete(read, report["position"], axis=0), truth)


def test_the_report_is_empty_when_all_was_read(paths, tmp_path):
    reader = RadiographReader(16, errors="report")
    reader.transform([*paths, tmp_path / "nowhere"])
    assert len(reader.report_) == 1
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))
    assert reader.report_.columns.tolist() == ["position", "rule", "reason", "remedy"]
    assert len(reader.report_) == 0
    assert reader.report_["position"].dtype.kind == "i"
    assert len(pd.DataFrame({"image": paths}).drop(index=reader.report_["position"])) == 6
    assert not hasattr(clone(reader), "report_")


def test_nothing_could_be_read(cache):
    for folder in (None, cache, cache):
        reader = RadiographReader(16, cache_dir=folder, errors="report")
        assert not reader.transform(["a", None]).any()
        assert reader.report_["position"].tolist() == [0, 1]


@pytest.mark.parametrize("errors", ["raise", "report"])
def test_a_wrong_form_raises_in_both_modes(errors):
    with pytest.raises(InputError, match="no rows"):
        RadiographReader(errors=errors).transform([])
    with pytest.raises(InputError, match="size=0"):
        RadiographReader(size=0, errors=errors).transform(["a"])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_first_bad_row_is_the_one_that_is_raised(n_jobs, paths, tmp_path):
    small = write_film(tmp_path / "small.png", 0, (40, 40))
    X = [*paths * 20, small, tmp_path / "nowhere", *paths]
    with pytest.raises(DicomError, match=r"^row 121 of 128: .*40 rows") as caught:
        RadiographReader(16, n_jobs=n_jobs).transform(X)
    assert caught.value.rule == "dimensions"
    assert "ignore_rules=['dimensions']" in caught.value.remedy


def test_ignore_rules_lifts_a_rule(tmp_path, cache):
    small = write_film(tmp_path / "small.png", 0, (40, 40))
    for folder in (None, cache):
        reader = RadiographReader(16, ignore_rules=["dimensions"], cache_dir=folder)
        expected = read_radiograph(small, ignore_rules=["dimensions"]).to_uint8(16)
        np.testing.assert_array_equal(reader.transform([small])[0], expected)
        with pytest.raises(DicomError, match="40 rows"):
            clone(reader).set_params(ignore_rules=()).transform([small])


def test_a_film_that_would_look_like_one_not_read_is_refused(tmp_path):
    dark = np.arange(6400, dtype=np.uint16).reshape(80, 80) % 100
    Image.fromarray(dark).save(tmp_path / "dark.png")
    with pytest.raises(DicomError, match="row 1 of 1: the image is black throughout"):
        RadiographReader(16, ignore_rules=["blank", "saturated"]).transform([tmp_path / "dark.png"])


def test_no_film_is_held_while_the_report_grows(tmp_path):
    (tmp_path / "large.dcm").write_bytes(bytes(2**22))
    reader = RadiographReader(16, cache_dir=tmp_path / "cache", errors="report")
    tracemalloc.start()
    reader.transform([tmp_path / "large.dcm"] * 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**22


def test_a_progress_bar_counts_films(paths, capsys):
    RadiographReader(16).transform(paths)
    assert capsys.readouterr().err == ""
    RadiographReader(16, verbose=1).transform(paths)
    assert "film" in capsys.readouterr().err


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
        ({"size": 1_000_000}, "at most 10000"),
        ({"size": 22.4}, "integer"),
        ({"size": True}, "integer"),
        ({"cache_dir": 3}, "path of a folder, or None"),
        ({"n_jobs": 0}, "not 0"),
        ({"n_jobs": "all"}, "None or an integer"),
        ({"errors": "ignore"}, "'ignore' is not allowed; give 'raise' or 'report'"),
        ({"ignore_rules": "blank"}, "give a list"),
        ({"ignore_rules": ["blanc"]}, "'blanc'; the rules are"),
    ],
)
def test_parameters_are_checked_late(params, allowed, paths):
    reader = RadiographReader(**params)
    for call in (reader.fit, reader.transform):
        with pytest.raises(InputError, match=allowed):
            call(paths)


def test_parameters_are_named():
    with pytest.raises(TypeError, match="positional"):
        RadiographReader(64, "cache")


@pytest.mark.parametrize("library", [pd, pl])
def test_fit_opens_nothing_and_notes_the_column(library):
    X = library.DataFrame({"image": ["nowhere.png"]})
    reader = RadiographReader().fit(X)
    assert reader.n_features_in_ == 1
    assert list(reader.feature_names_in_) == ["image"]
    reader.fit(X["image"])
    assert reader.n_features_in_ == 1
    assert not hasattr(reader, "feature_names_in_")
    with pytest.raises(InputError, match="no rows"):
        reader.fit([])


def flattened(films):
    return films.reshape(len(films), -1) / 255


# what scikit-learn says of any function that gives no table
@pytest.mark.filterwarnings("ignore:When `set_output` is configured:UserWarning")
@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("globally", [True, False])
def test_in_a_pipeline_with_any_output_setting(output, globally, paths):
    y = [0, 1] * 3
    pipeline = make_pipeline(
        RadiographReader(size=4), FunctionTransformer(flattened), LogisticRegression()
    )
    with config_context(transform_output=output if globally else "default"):
        if not globally:
            pipeline.set_output(transform=output)
        pipeline.fit(pd.DataFrame({"image": paths}), y)
        films = pipeline[0].fit_transform(paths)
        answer = pipeline.predict_proba(paths)
    assert type(films) is np.ndarray
    np.testing.assert_array_equal(films, wanted(paths, 4))
    assert len(pipeline[0].get_feature_names_out()) == flattened(films).shape[1]
    plain = LogisticRegression().fit(flattened(films), y).predict_proba(flattened(films))
    np.testing.assert_allclose(answer, plain)


def test_pixels_have_names():
    names = RadiographReader(size=2).get_feature_names_out()
    assert names.tolist() == ["pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_1_1"]


def test_in_a_pipeline_without_fit(paths):
    pipeline = make_pipeline(RadiographReader(size=16), FunctionTransformer(np.mean))
    assert pipeline.fit_transform(paths) == wanted(paths).mean()
    assert pickle.loads(pickle.dumps(pipeline)).transform(paths) == wanted(paths).mean()
