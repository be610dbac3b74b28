"""Where a film comes from: paths, bytes, open files, archives and what fsspec opens."""

import traceback
import zipfile
from io import BytesIO, StringIO

import fsspec
import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from skosteo.dicom import read_facts, read_radiograph, sources
from skosteo.exceptions import DicomError, InputError, MissingFileError
from tests.films import bytes_of, dataset, gradient

FILM = bytes_of(dataset(gradient(), ViewPosition="PA"), DeflatedExplicitVRLittleEndian)
WANTED = read_radiograph(FILM).pixels


@pytest.fixture
def made(tmp_path):
    """The film by every way to it."""
    path = tmp_path / "Secret_Name"
    path.write_bytes(FILM)
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.write(path, "Secret_Name")
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/films/Secret_Name", FILM)
    with open(path, "rb") as stream, zipfile.ZipFile(tmp_path / "films.zip") as archive:
        yield {
            "path": path,
            "text": str(path),
            "bytes": FILM,
            "bytearray": bytearray(FILM),
            "view": memoryview(FILM),
            "BytesIO": BytesIO(FILM),
            "file": stream,
            "zip": zipfile.Path(archive, "Secret_Name"),
            "zip file": archive.open("Secret_Name"),
            "fsspec": fsspec.open("memory://films/Secret_Name", "rb"),
            "fsspec file": memory.open("/films/Secret_Name"),
            "fsspec zip": fsspec.open(f"zip://Secret_Name::{tmp_path / 'films.zip'}"),
        }
    memory.rm("/films", recursive=True)


WAYS = ["path", "text", "bytes", "bytearray", "view", "BytesIO", "file", "zip", "zip file"]
WAYS += ["fsspec", "fsspec file", "fsspec zip"]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_leads_to_the_film_again_and_again(way, made):
    for _ in range(2):
        np.testing.assert_array_equal(read_radiograph(made[way]).pixels, WANTED)
        assert read_facts(made[way])["view_position"] == "PA"


def test_an_open_file_is_read_whole_and_left_as_it_was():
    stream = BytesIO(FILM)
    stream.seek(777)
    np.testing.assert_array_equal(read_radiograph(stream).pixels, WANTED)
    assert stream.tell() == 777
    assert not stream.closed


def assert_silent(error):
    assert "Secret" not in "".join(traceback.format_exception(error))
    assert error.__context__ is None


def test_what_is_not_there(tmp_path):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.writestr("other", b"")
    for missing in (
        tmp_path / "Secret_Name",
        zipfile.Path(tmp_path / "films.zip", "Secret_Name"),
        fsspec.open("memory://Secret_Name"),
    ):
        with pytest.raises(MissingFileError, match="does not exist") as caught:
            read_radiograph(missing)
        assert_silent(caught.value)


class Broken(BytesIO):
    def read(self, *_):
        raise ConnectionError("Secret_Name")


class Downwards(BytesIO):
    """As what an answer of a web server is."""

    def seekable(self):
        return False


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        (Broken(FILM), DicomError, r"cannot be opened \(ConnectionError\)"),
        (Downwards(FILM), InputError, "a stream that cannot go back; give its content"),
        (StringIO("Secret_Name"), InputError, "opened as text; open it with mode 'rb'"),
        (BytesIO(b"Secret_Name"), DicomError, "neither DICOM"),
        (zipfile.Path, DicomError, "cannot be opened"),  # the class, in place of one
    ],
)
def test_what_cannot_be_read(source, kind, words):
    with pytest.raises(kind, match=words) as caught:
        read_radiograph(source)
    assert_silent(caught.value)


def test_what_is_too_large_for_a_film(monkeypatch):
    monkeypatch.setattr(sources, "LARGEST", len(FILM) - 1)
    with pytest.raises(DicomError, match="more than a film"):
        read_radiograph(BytesIO(FILM))


def test_a_path_of_fsspec_is_not_taken_for_one_of_this_machine(tmp_path):
    """It has the form of a path, and opens something else."""
    assert not sources.is_path(fsspec.open("memory://film"))
    assert not sources.is_path(zipfile.Path.__new__(zipfile.Path))
    assert sources.is_path(tmp_path / "film")
