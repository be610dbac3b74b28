"""Files of a data set: where they are looked for, checked, and fetched. No test goes online."""

import hashlib
from pathlib import Path

import pooch
import pytest

from skosteo.datasets import _home
from skosteo.exceptions import DatasetError

CONTENT = {"a.csv": b"one", "sub/b.png": b"two"}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
URLS = {name: f"https://example.org/{name}" for name in CONTENT}
PAGE = "https://example.org/data"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set" / "sub").mkdir(parents=True)
    for name, content in CONTENT.items():
        (tmp_path / "set" / name).write_bytes(content)
    return tmp_path / "set"


@pytest.fixture
def downloads(monkeypatch):
    """Stand in for the internet: what was asked for, and a server that has the content."""
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append((url, known_hash))
        name = url.removeprefix("https://example.org/")
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes(CONTENT[name])

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return asked


@pytest.fixture
def offline(monkeypatch):
    def retrieve(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", retrieve)


def test_argument_comes_before_environment_before_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SKOSTEO_DATA", str(tmp_path / "env"))
    assert _home.find_home(tmp_path / "given") == tmp_path / "given"
    assert _home.find_home() == tmp_path / "env"
    monkeypatch.delenv("SKOSTEO_DATA")
    assert _home.find_home() == Path(pooch.os_cache("skosteo"))


def test_good_files_are_left_alone(folder, offline):
    folder.chmod(0o555)  # a shared data home is often read-only
    assert _home.obtain(folder, CHECKSUMS, URLS, page=PAGE) == []
    folder.chmod(0o755)


def test_only_missing_files_are_downloaded_with_their_checksum(folder, downloads):
    (folder / "sub" / "b.png").unlink()
    assert _home.obtain(folder, CHECKSUMS, URLS, page=PAGE) == []
    assert downloads == [(URLS["sub/b.png"], f"sha256:{CHECKSUMS['sub/b.png']}")]
    assert (folder / "sub" / "b.png").read_bytes() == b"two"


def test_nothing_on_disk_and_no_internet(tmp_path, offline):
    with pytest.raises(DatasetError) as caught:
        _home.obtain(tmp_path / "set", CHECKSUMS, URLS, page=PAGE)
    for part in ("2 of 2 files", "a.csv, sub/b.png", str(tmp_path / "set"), PAGE, "SKOSTEO_DATA"):
        assert part in str(caught.value)


def test_a_changed_file_is_refused(folder, offline):
    (folder / "a.csv").write_bytes(b"other")
    with pytest.raises(DatasetError) as caught:
        _home.obtain(folder, CHECKSUMS, URLS, page=PAGE)
    found = hashlib.sha256(b"other").hexdigest()
    for part in ("a.csv", CHECKSUMS["a.csv"], found, "Delete it and fetch again"):
        assert part in str(caught.value)


def test_a_rebuilt_file_may_differ_and_is_named(folder, downloads):
    (folder / "a.csv").write_bytes(b"other")
    assert _home.obtain(folder, CHECKSUMS, URLS, page=PAGE, rebuilt=["a.csv"]) == ["a.csv"]
    (folder / "a.csv").unlink()
    assert _home.obtain(folder, CHECKSUMS, URLS, page=PAGE, rebuilt=["a.csv"]) == []
    assert downloads == [(URLS["a.csv"], None)]


@pytest.mark.parametrize(("name", "files"), [("hannover", 244), ("nhanes", 14)])
def test_shipped_checksums_are_complete(name, files):
    checksums = _home.read_checksums(f"{name}_sha256.txt")
    assert len(checksums) == files
    assert {len(digest) for digest in checksums.values()} == {64}
    assert not any(file.startswith(("/", "..")) for file in checksums)
