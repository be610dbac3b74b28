"""What is kept of each fit: whole or not there, without pickles, and of this study only."""

import json
import pickle
import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from skosteo.exceptions import InputError
from skosteo.study.store import FOLDER, FoldResult, Store

RESULT = FoldResult(
    validation=np.array([0.1, 0.7]),
    test=np.array([0.2]),
    seconds=1.5,
    histories={"net": pd.DataFrame({"epoch": [1, 2], "train_loss": [0.7, 0.6]})},
    explained={"shap": {"values": np.eye(2), "feature_names": np.array(["age", "xray/text"])}},
    notes=("grad_cam: no film", "=1+1 ä"),
)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "out", "digest")
    store.save("a", RESULT)
    return store


def entry(store):
    return store.folder / "a.npz"


def test_what_is_kept_comes_back(store):
    found = store.load("a")
    np.testing.assert_array_equal(found.validation, RESULT.validation)
    np.testing.assert_array_equal(found.test, RESULT.test)
    assert found.seconds == RESULT.seconds
    assert found.notes == RESULT.notes
    pd.testing.assert_frame_equal(found.histories["net"], RESULT.histories["net"])
    for name, array in RESULT.explained["shap"].items():
        np.testing.assert_array_equal(found.explained["shap"][name], array)
    assert store.load("b") is None


def test_an_entry_needs_no_pickle(store):
    with zipfile.ZipFile(entry(store)) as archive:
        for name in archive.namelist():
            np.load(BytesIO(archive.read(name)), allow_pickle=False)


def npz(**arrays):
    stream = BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy():
    stream = BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


GARBAGE = {
    "empty": b"",
    "a text": b"not an archive",
    "an array": npy(),
    "a pickle": pickle.dumps([1, 2]),
    "another archive": npz(x=np.zeros(3)),
    "objects": npz(
        validation=np.array([{"a": 1}], dtype=object), test=np.zeros(1), seconds=np.zeros(()),
        notes=np.zeros(0),
    ),
    "a header only": b"PK\x03\x04" + bytes(60),
}  # fmt: skip


@pytest.mark.parametrize("kind", GARBAGE)
def test_what_is_no_entry_is_as_if_it_were_not_there(kind, store):
    entry(store).write_bytes(GARBAGE[kind])
    with pytest.warns(UserWarning, match="is damaged .* done again"):
        assert store.load("a") is None


@pytest.mark.filterwarnings("ignore:A finished fit")
def test_an_entry_cut_anywhere_is_as_if_it_were_not_there(store):
    whole = entry(store).read_bytes()
    for end in range(0, len(whole) - 1, 7):
        entry(store).write_bytes(whole[:end])
        assert store.load("a") is None


@pytest.mark.filterwarnings("ignore:A finished fit")
def test_bytes_that_changed_on_the_disk_are_never_taken_for_a_result(store):
    whole = entry(store).read_bytes()
    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(300):
        damaged = bytearray(whole)
        at = rng.integers(len(damaged))
        damaged[at : at + 4] = rng.bytes(4)
        entry(store).write_bytes(bytes(damaged)[: len(whole)])
        found = store.load("a")
        if found is not None:  # what changed is no content, such as a date in the archive
            taken += 1
            np.testing.assert_array_equal(found.validation, RESULT.validation)
            np.testing.assert_array_equal(found.test, RESULT.test)
    assert taken < 150


# ---------------------------------------------------------------- the folder


def test_the_same_study_goes_on(store, tmp_path):
    assert Store(tmp_path / "out", "digest").load("a") is not None


def test_another_study_is_refused_and_left_as_it_is(store, tmp_path):
    before = sorted(path.name for path in store.folder.iterdir())
    with pytest.raises(InputError, match=r"study of other rows.*another folder"):
        Store(tmp_path / "out", "other")
    assert sorted(path.name for path in store.folder.iterdir()) == before


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"kind": "thesis"}', "no json", "\xff"])
def test_a_folder_work_of_somebody_else(content, tmp_path):
    work = tmp_path / FOLDER
    work.mkdir()
    (work / "study.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match="folder 'work' that is not of a study"):
        Store(tmp_path, "digest")
    assert (work / "study.json").read_bytes() == content.encode("latin-1")


def test_a_folder_work_with_other_files(tmp_path):
    work = tmp_path / FOLDER
    work.mkdir()
    (work / "thesis.tex").write_text("years of it")
    with pytest.raises(InputError, match="folder 'work' that is not of a study"):
        Store(tmp_path, "digest")
    assert [path.name for path in work.iterdir()] == ["thesis.tex"]


def test_a_file_work(tmp_path):
    (tmp_path / FOLDER).write_text("mine")
    with pytest.raises(InputError, match="not of a study"):
        Store(tmp_path, "digest")
    assert (tmp_path / FOLDER).read_text() == "mine"


def test_a_report_of_somebody_else(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(InputError, match=r"report\.html that no study wrote"):
        Store(tmp_path, "digest")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_file_as_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="out is a file; give a folder"):
        Store(tmp_path / "out", "digest")
    assert (tmp_path / "out").read_text() == "mine"


def test_the_manifest_says_what_it_is(store):
    assert json.loads((store.folder / "study.json").read_text())["kind"] == "skosteo study"
