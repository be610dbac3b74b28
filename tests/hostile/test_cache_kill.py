"""A cache folder whose writers are killed: what they leave is right, or not taken."""

import os
import pickle
import signal
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from skosteo import RadiographReader
from skosteo.dicom import read_radiograph
from skosteo.image.film_cache import FilmCache
from tests.small_models import write_film

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
SIZE, N_FILMS = 32, 100

# two processes that fill the folder from both ends, and keep some films at a time
FILL = """
import os, pickle
from skosteo.image import reader as images
os.setsid()
images._CHUNK = 4
with open(argv[0], "rb") as stream:
    folder, paths = pickle.load(stream)
reader = images.RadiographReader(32, cache_dir=folder)
said = os.open(argv[1], os.O_WRONLY)
os.write(said, b"go\\n")
if os.fork() == 0:
    paths = paths[::-1]
reader.transform(paths)
os.write(said, b"done\\n")
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    written = [write_film(folder / f"film_{i}.png", i) for i in range(N_FILMS)]
    time.sleep(2.1)  # from then on they are entered by name too
    return written


@pytest.fixture(scope="module")
def truth(paths):
    return np.stack([read_radiograph(path).to_uint8(SIZE) for path in paths])


def content(folder):
    """All entries of a cache folder that have their final name, films as their pixels.

    An entry whose film is not there is None.
    """
    cache, found = FilmCache(folder), {}
    for path in folder.rglob("*.entry"):
        data = path.read_bytes()
        if data[16:17] == b"[":
            film = cache.film(path.stem, SIZE)
            data = None if film is None else film.pixels.tobytes()
        found[path.stem] = data
    return found


def in_pool(folder):
    """Count the films that the pool has room for, a last one in part too."""
    return sum(-(-path.stat().st_size // SIZE**2) for path in (folder / "pool").iterdir())


@pytest.fixture(scope="module")
def whole(paths, tmp_path_factory, fresh):
    """What a cache folder holds when nobody is killed, and the seconds that filling it takes."""
    folder = tmp_path_factory.mktemp("whole")
    with filling(folder, paths, fresh) as said:
        started = time.perf_counter()
        assert [said.readline() for _ in range(2)] == 2 * [b"done\n"]
        seconds = time.perf_counter() - started
    entries = content(folder)
    assert len(entries) == 2 * N_FILMS
    assert in_pool(folder) == N_FILMS
    return entries, seconds


@contextmanager
def filling(folder, paths, fresh):
    """Two processes that fill it, as one group; by a pipe they say how far they are."""
    work, pipe = (folder.with_name(f"{folder.name}.{kind}") for kind in ("work", "pipe"))
    work.write_bytes(pickle.dumps((folder, paths)))
    os.mkfifo(pipe)
    fresh.start(FILL, work, pipe)
    with pipe.open("rb") as said:
        assert said.readline() == b"go\n"
        yield said
    fresh.wait()


def fill_and_kill(folder, paths, seconds, fresh):
    with filling(folder, paths, fresh) as said:
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # both are done
            os.killpg(fresh.pid, signal.SIGKILL)
        said.read()  # ends when both are gone
    return content(folder)


def check_kills(parts, paths, truth, whole, tmp_path, fresh):
    """Kill at these parts of the time; return how many entries were found each time."""
    expected, seconds = whole
    found, bad = [], 0
    for number, part in enumerate(parts):
        folder = tmp_path / str(number)
        folder.mkdir()
        left = fill_and_kill(folder, paths, part * seconds, fresh)
        found.append(len(left))
        bad += sum(expected.get(name) != data for name, data in left.items())
        reader = RadiographReader(SIZE, cache_dir=folder)
        np.testing.assert_array_equal(reader.transform(paths), truth)
        np.testing.assert_array_equal(reader.transform(paths[::-1]), truth[::-1])
        assert content(folder) == expected
        assert in_pool(folder) <= N_FILMS + 1  # what was being written when it ended
    assert bad == 0
    return found


def test_one_kill(paths, truth, whole, tmp_path, fresh):
    check_kills([0.4], paths, truth, whole, tmp_path, fresh)


@pytest.mark.slow
def test_fifty_kills(paths, truth, whole, tmp_path, fresh):
    parts = np.random.default_rng(1).permutation([*np.linspace(0, 1.5, 49), 10])
    found = check_kills(parts, paths, truth, whole, tmp_path, fresh)
    everything = len(whole[0])
    assert min(found) < everything / 10
    assert max(found) == everything
    assert sum(everything / 10 < count < everything for count in found) >= 10
