"""What is kept of each fit: whole or not there, without pickles, and of this study only."""

import pickle
import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from skosteo.study.folder import StudyFolder
from skosteo.study.store import FoldResult, Store

RESULT = FoldResult(
    probability=np.array([0.1, 0.7]),
    seconds=1.5,
    histories={"net": pd.DataFrame({"epoch": [1, 2], "train_loss": [0.7, 0.6]})},
    explained={"shap": {"values": np.eye(2), "feature_names": np.array(["age", "xray/text"])}},
    notes=("grad_cam: no film", "=1+1 ä"),
)


@pytest.fixture
def store(tmp_path):
    StudyFolder(tmp_path / "out", "digest").claim()
    store = Store(tmp_path / "out", "digest")
    store.save("a", RESULT)
    return store


def entry(store):
    return store.folder / "a.npz"


def test_what_is_kept_comes_back(store):
    found = store.load("a")
    np.testing.assert_array_equal(found.probability, RESULT.probability)
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
            np.testing.assert_array_equal(found.probability, RESULT.probability)
    assert taken < 150


# ---------------------------------------------------------------- by another hand


def test_the_same_study_goes_on(store, tmp_path):
    assert Store(tmp_path / "out", "digest").load("a") is not None


def forged(store, **changes):
    """The entry with other arrays, whole otherwise."""
    with np.load(entry(store)) as kept:
        np.savez_compressed(entry(store), **dict(kept) | changes)


FORGED = {
    "other probabilities": {"test": np.array([0.9])},
    "one row more": {"validation": np.array([0.1, 0.7, 0.5])},
    "one row less": {"validation": np.array([0.1])},
    "another time": {"seconds": np.array(0.0)},
    "a net more": {"histories/other/epoch": np.array([1])},
}


@pytest.mark.parametrize("case", FORGED)
def test_arrays_that_were_not_kept_are_not_taken(case, store):
    forged(store, **FORGED[case])
    with pytest.warns(UserWarning, match="damaged or not of this study .* done again"):
        assert store.load("a") is None


def test_the_result_of_another_model_fold_or_study_is_not_taken(store, tmp_path):
    (store.folder / "b.npz").write_bytes(entry(store).read_bytes())
    for other, name in ((store, "b"), (Store(tmp_path / "out", "other"), "a")):
        with pytest.warns(UserWarning, match="done again"):
            assert other.load(name) is None
