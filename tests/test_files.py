import os

import pytest

from skosteo.files import UNFINISHED, atomic_writer, write_atomic


def test_writes_and_replaces(tmp_path):
    target = tmp_path / "entry"
    write_atomic(target, b"one")
    write_atomic(str(target), b"two")
    assert target.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["entry"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "entry"
    write_atomic(target, b"old")

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["entry"]


def test_the_file_is_whole_before_it_takes_its_name(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def watch(source, target):
        with open(source, "rb") as stream:
            seen.append((os.path.dirname(source), stream.read()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_atomic(tmp_path / "entry", b"film")
    assert seen == [(str(tmp_path), b"film")]


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "no" / "entry", b"film")


def test_a_stream_is_written_part_by_part(tmp_path):
    target = tmp_path / "entry"
    write_atomic(target, b"old")
    with atomic_writer(target) as stream:
        for part in (b"fi", b"l", b"m"):
            stream.write(part)
            assert target.read_bytes() == b"old"
        names = set(os.listdir(tmp_path)) - {"entry"}
        assert [name.startswith(UNFINISHED) for name in names] == [True]
    assert target.read_bytes() == b"film"
    assert os.listdir(tmp_path) == ["entry"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(error, tmp_path):
    target = tmp_path / "entry"
    write_atomic(target, b"old")

    def write():
        with atomic_writer(target) as stream:
            stream.write(b"fi")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["entry"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_may_read(tmp_path):
    write_atomic(tmp_path / "entry", b"film")
    assert (tmp_path / "entry").stat().st_mode & 0o077 == 0
