"""Files that would fill the memory or the time, or that are no films; names that lead elsewhere."""

import os
import re
import shutil
import sys

import numpy as np
import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR

from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError
from skosteo.image import film_cache
from skosteo.image.reader import RadiographReader
from tests.films import bytes_of, dataset, gradient
from tests.hostile.bombs import BOMBS, write
from tests.hostile.child import Child
from tests.hostile.seeds import seed

ABOVE, SLOWEST = 64, 2  # MB above what the good film of the same encoding left, seconds

linux = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")


@pytest.fixture(scope="module")
def warm():
    """Give a process that has read the good film, and its memory then, in MB."""
    children = {}

    def warm(like):
        if like not in children:
            child = Child()
            child.read(seed(like))
            children[like] = child, child.read(seed(like)).before
        return children[like]

    yield warm
    for child, _ in children.values():
        child.close()


@linux
@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name, warm, tmp_path):
    bomb = BOMBS[name]
    child, baseline = warm(bomb.like)
    path = write(tmp_path / "film", bomb.parts())
    outcome = child.read(str(path), bomb.ignore_rules)
    path.unlink()
    assert outcome.kind == bomb.kind
    assert outcome.peak - baseline < ABOVE
    assert outcome.seconds < SLOWEST


# ---------------------------------------------------------------- no films


@pytest.mark.parametrize(
    "start",
    [
        b"MZ\x90\0",
        b"\x7fELF\x02\x01\x01",
        b"\xfe\xed\xfa\xce",
        b"\xce\xfa\xed\xfe",
        b"\xfe\xed\xfa\xcf",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
        b"#!/bin/sh\n",
    ],
)
def test_a_film_that_is_a_program_too_is_refused(start):
    with pytest.raises(DicomError, match="begins like a program"):
        read_radiograph(start + seed("explicit")[len(start) :])


def test_a_film_that_is_a_tiff_too_is_read():
    """Which is what PS3.10 7.1 made the preamble for."""
    film = read_radiograph(b"II*\0" + seed("explicit")[4:])
    np.testing.assert_array_equal(film.pixels, read_radiograph(seed("explicit")).pixels)


@linux
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "pipe"])
def test_what_is_no_file_is_refused(path, warm, tmp_path):
    if path == "pipe":  # to which nobody writes
        path = str(tmp_path / "pipe")
        os.mkfifo(path)
    assert warm("explicit")[0].read(path).kind == "refused"


@linux
def test_a_file_that_fails_while_it_is_read_is_refused():
    """As on a disk or a network that breaks down."""
    with pytest.raises(DicomError):
        read_radiograph("/proc/self/mem")


# ---------------------------------------------------------------- names

LAYOUT = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{38}\.entry|pool/16-[0-9a-f]{32}\.u8|pool\.lock")
SIZE = 16
FILE_NAMES = [
    b"..film",
    b"~root",
    b"-rf *",
    b"a\nb",
    b"$(touch harmed)`touch harmed`;touch harmed",
    b"%s%n{0}",
    b"\\..\\..\\film",
    b"C:film",
    b"\xff\xfe\x80",
    "\u202egnp.\u0000film".replace("\0", "").encode(),
    b"n" * 255,
]
VALUES = ["../../harmed", "/tmp/harmed", "a\\..\\..\\b", "a\0b", "n" * 300, "$(touch harmed)", "~"]


def named(value):
    """A film whose names and UIDs are all this."""
    ds = dataset(gradient(), Modality="DX")
    with config.disable_value_validation():
        for name in ("PatientName", "PatientID", "StudyDescription", "InstitutionName"):
            ds.add_new(name, dictionary_VR(name), value)
        for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            ds.add_new(name, "UI", value)
        ds.file_meta.add_new("MediaStorageSOPInstanceUID", "UI", value)
        return bytes_of(ds)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Everything that a careless name could reach, and the cache in its midst."""
    for name, variable in {"work": None, "home": "HOME", "temporary": "TMPDIR"}.items():
        (tmp_path / name).mkdir()
        if variable:
            monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(film_cache, "_SETTLED_NS", -(10**9))  # so that films are known by name too
    (tmp_path / "films").mkdir()
    return tmp_path


def files(folder):
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in found]


def assert_written_to_cache_only(place, paths):
    before = files(place)
    reader = RadiographReader(SIZE, cache_dir=place / "work" / "cache")
    images = reader.transform(paths)
    np.testing.assert_array_equal(reader.transform(paths), images)
    assert images.any(axis=(1, 2)).all()
    cached = files(place / "work" / "cache")
    assert cached
    assert [name for name in cached if not LAYOUT.fullmatch(name)] == []
    shutil.rmtree(place / "work" / "cache")
    assert files(place) == before


def test_values_of_a_film_never_become_a_path(place):
    paths = [place / "films" / str(number) for number in range(len(VALUES))]
    for path, value in zip(paths, VALUES, strict=True):
        path.write_bytes(named(value))
    assert_written_to_cache_only(place, paths)


def test_the_name_of_a_film_never_becomes_a_path(place):
    paths = [os.fsdecode(os.path.join(os.fsencode(place / "films"), name)) for name in FILE_NAMES]
    for number, path in enumerate(paths):
        film = dataset(gradient(), WindowCenter=2000 + number, WindowWidth=4000)
        write(path, [bytes_of(film)])
    assert_written_to_cache_only(place, paths)


def test_a_path_that_leads_back_and_forth_is_one_of_a_film(place):
    path = place / "films" / "film"
    path.write_bytes(named("Name"))
    assert_written_to_cache_only(place, [f"{place}/work/../films/../films/./film"])
