"""The cache folder of RadiographReader: seen from its user, and what lies in it."""

import os
import pickle
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib._memmapping_reducer import reduce_array_memmap_backward
from sklearn.base import clone

from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError, InputError
from skosteo.image import film_cache
from skosteo.image import reader as images
from skosteo.image.film_cache import PooledFilms
from skosteo.image.films import film_digest
from skosteo.image.reader import RadiographReader
from tests.small_models import write_film

ROOT = Path(images.__file__).parents[2]
PIXELS = 16 * 16  # of a film


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    return [write_film(folder / f"film_{i}.png", i) for i in range(6)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def reader(cache):
    return RadiographReader(size=16, cache_dir=cache)


@pytest.fixture
def decoded(monkeypatch):
    """Count the films decoded from here on."""
    calls = []

    def counting(source, *, ignore_rules=()):
        calls.append(source)
        return read_radiograph(source, ignore_rules=ignore_rules)

    monkeypatch.setattr(images, "read_radiograph", counting)
    return calls


@pytest.fixture
def settled(monkeypatch):
    """Take files just written for old ones."""
    monkeypatch.setattr(film_cache, "_SETTLED_NS", -(10**9))


def files(folder):
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.suffix != ".lock"]


def names(cache):
    """Entries from a file to the digest of its content."""
    return [path for path in files(cache) if path.stat().st_size == 16 + 32]


def films(cache):
    """Entries from a digest to a film."""
    return [path for path in files(cache) if path.read_bytes()[16:17] == b"["]


def pool(cache):
    return files(cache / "pool")


def in_pool(cache):
    """Count the films whose pixels the pool holds."""
    return sum(path.stat().st_size for path in pool(cache)) / PIXELS


def wanted(paths, size=16):
    return np.stack([read_radiograph(path).to_uint8(size) for path in paths])


# ---------------------------------------------------------------- no film is decoded twice


def test_a_film_is_decoded_once(paths, reader, decoded):
    first = reader.transform(paths)
    again = clone(reader).transform(paths[::-1])[::-1]
    assert len(decoded) == len(paths)
    np.testing.assert_array_equal(first, wanted(paths))
    np.testing.assert_array_equal(again, first)


def test_without_a_folder_nothing_is_kept(paths, decoded):
    reader = RadiographReader(size=16)
    reader.transform(paths)
    assert type(reader.transform(paths)) is np.ndarray
    assert len(decoded) == 2 * len(paths)


def test_an_unchanged_film_is_not_even_opened(paths, reader, monkeypatch, settled):
    opened = []

    def watch(path, mode, **options):
        opened.append(str(path))
        return open(path, mode, **options)

    monkeypatch.setattr(film_cache, "open", watch, raising=False)
    first = reader.transform(paths)
    assert set(paths) <= set(opened)
    opened.clear()
    np.testing.assert_array_equal(reader.transform(paths[::-1]), first[::-1])
    assert not set(paths) & set(opened)


def test_without_its_name_a_film_is_found_by_its_content(
    paths, reader, cache, tmp_path, decoded, settled
):
    reader.transform(paths)
    known = names(cache)
    assert len(known) == len(paths)
    for path in known:
        path.unlink()
    moved = [shutil.copy(path, tmp_path / f"moved_{i}") for i, path in enumerate(paths)]
    np.testing.assert_array_equal(reader.transform(moved[::-1]), wanted(paths[::-1]))
    assert len(decoded) == len(paths) == len(films(cache)) == in_pool(cache)


def test_equal_content_under_two_names_is_decoded_once(paths, reader, cache, tmp_path, decoded):
    twin = shutil.copy(paths[0], tmp_path / "twin")
    reader.transform([paths[0], twin])
    assert len(films(cache)) == in_pool(cache) == 1
    reader.transform([twin, paths[0]])
    assert len(decoded) <= 2  # both came before the first was kept


def test_two_workers_decode_each_film_once(paths, reader, cache, decoded):
    first = reader.set_params(n_jobs=2).transform(paths)
    assert len(films(cache)) == in_pool(cache) == len(paths)
    np.testing.assert_array_equal(reader.set_params(n_jobs=1).transform(paths[::-1]), first[::-1])
    assert not decoded


def test_arrays_are_kept_too(paths, reader, cache, decoded):
    film = np.random.default_rng(9).random((20, 30))
    first = reader.transform([film, paths[0]])
    np.testing.assert_array_equal(first, RadiographReader(16).transform([film, paths[0]]))
    kept = files(cache)
    np.testing.assert_array_equal(reader.transform([film, paths[0]]), first)
    assert files(cache) == kept
    assert len(films(cache)) == in_pool(cache) == 2


def test_sizes_and_lifted_rules_do_not_collide(paths, cache, decoded):
    for size in (16, 24, 16, 24):
        read = RadiographReader(size=size, cache_dir=cache).transform(paths)
        np.testing.assert_array_equal(read, wanted(paths, size))
    assert len(decoded) == 2 * len(paths)
    for ignore_rules in (["view"], ["view", "blank"], ("blank", "view"), {"view"}):
        RadiographReader(16, cache_dir=cache, ignore_rules=ignore_rules).transform(paths)
    assert len(decoded) == 4 * len(paths)


def test_a_refusal_is_not_kept(paths, reader, tmp_path):
    film = tmp_path / "film.png"
    film.write_bytes(b"not yet a film")
    with pytest.raises(DicomError, match="row 2 of 2"):
        reader.transform([paths[0], film])
    shutil.copy(paths[1], film)
    np.testing.assert_array_equal(reader.transform([paths[0], film]), wanted(paths[:2]))


# ---------------------------------------------------------------- a change is noticed


def replace_film(path, seed):
    """Overwrite a film by another of as many bytes and with the same time of change."""
    before = os.stat(path)
    write_film(path, seed, form="TIFF")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = os.stat(path)
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    )


@pytest.mark.parametrize("pause", [0, 0.1])
def test_a_film_overwritten_by_one_of_equal_size_and_time(pause, reader, tmp_path, monkeypatch):
    if pause:  # then the time of the last change of status must tell
        monkeypatch.setattr(film_cache, "_SETTLED_NS", -(10**9))
    path = write_film(tmp_path / "film.tif", 0, form="TIFF")
    for seed in (1, 2, 3):
        before = reader.transform([path])
        time.sleep(pause)
        replace_film(path, seed)
        after = reader.transform([path])
        np.testing.assert_array_equal(after, wanted([path]))
        assert (before != after).any()


def test_a_film_just_written_is_not_known_by_its_name(paths, reader, cache, monkeypatch):
    # on a file system with a coarse clock it might change again without a trace
    written = os.stat(paths[-1]).st_ctime_ns
    for seconds, known in ((1, 0), (3, len(paths))):
        monkeypatch.setattr(film_cache.time, "time_ns", lambda s=seconds: written + s * 10**9)
        reader.transform(paths)
        assert len(names(cache)) == known


def test_a_film_that_changes_while_it_is_read(paths, reader, settled, monkeypatch):
    def swap(source, *, ignore_rules=()):
        film = read_radiograph(source, ignore_rules=ignore_rules)
        shutil.copy(paths[1], paths[0])
        return film

    first = wanted(paths[:1])
    with monkeypatch.context() as patched:
        patched.setattr(images, "read_radiograph", swap)
        np.testing.assert_array_equal(reader.transform(paths[:1]), first)
    np.testing.assert_array_equal(reader.transform(paths[:1]), wanted(paths[1:2]))


def test_a_film_that_is_empty_when_it_is_looked_for_and_then_filled(
    paths, reader, settled, monkeypatch, tmp_path
):
    """As while a folder is being copied: no other empty file may pass for it."""
    filling, empty = tmp_path / "a.png", tmp_path / "b.png"
    filling.touch()
    empty.touch()

    def fill(source, *, ignore_rules=()):
        shutil.copy(paths[0], filling)
        return read_radiograph(source, ignore_rules=ignore_rules)

    with monkeypatch.context() as patched:
        patched.setattr(images, "read_radiograph", fill)
        with pytest.raises(DicomError):
            reader.transform([filling])
    with pytest.raises(DicomError):
        reader.transform([empty])


# ---------------------------------------------------------------- damage


DAMAGE = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "one bit": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "last bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "zeros": lambda data: bytes(len(data)),
    "backwards": lambda data: data[::-1],
}


# films among the first two of the pool that each kind of damage touches
DAMAGED = {"cut": 1, "longer": 0, "one bit": 1, "last bit": 1}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["name", "film", "pool"])
def test_what_is_damaged_is_made_anew(kind, damage, paths, reader, cache, settled, decoded):
    reader.transform(paths[:2])
    found = {"name": names, "film": films, "pool": pool}[kind](cache)
    whole = {path: path.read_bytes() for path in found}
    assert whole
    for path, data in whole.items():
        path.write_bytes(DAMAGE[damage](data))
    again = {"name": 0, "film": 2, "pool": DAMAGED.get(damage, 2)}[kind]
    for _ in range(2):
        np.testing.assert_array_equal(reader.transform(paths[:2]), wanted(paths[:2]))
        assert len(decoded) == 2 + again
    if kind == "name":
        assert {path: path.read_bytes() for path in whole} == whole


def test_an_entry_under_the_name_of_another_is_not_taken(paths, reader, cache, settled):
    first = reader.transform(paths[:2])
    for kind in (names, films):
        one, two = kind(cache)
        shutil.copy(one, two)
        np.testing.assert_array_equal(reader.transform(paths[:2]), first)


def test_what_a_killed_process_left_in_the_pool_is_passed_over(paths, reader, cache):
    first = reader.transform(paths[:2])
    with open(pool(cache)[0], "ab") as stream:
        stream.write(bytes(100))
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))
    assert in_pool(cache) == len(paths) + 1
    np.testing.assert_array_equal(first, wanted(paths[:2]))


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("vanishing", [shutil.rmtree, lambda cache: shutil.rmtree(cache / "pool")])
def test_a_folder_that_vanishes_while_films_are_read(
    vanishing, filled, paths, reader, cache, monkeypatch, decoded
):
    keep = PooledFilms.keep

    def empty_first(self, read):
        vanishing(cache)
        keep(self, read)

    if filled:
        reader.transform(paths)
    with monkeypatch.context() as patched:
        patched.setattr(PooledFilms, "keep", empty_first)
        np.testing.assert_array_equal(reader.transform(paths), wanted(paths))
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))
    assert len(decoded) == len(paths)


def test_a_pool_that_cannot_be_mapped(paths, reader, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no such thing as mapping here")

    monkeypatch.setattr(film_cache.np, "memmap", refuse)
    with pytest.raises(InputError, match="vanished or cannot be mapped; call again"):
        reader.transform(paths)


# ---------------------------------------------------------------- what others have put there

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, links and owners are POSIX")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def linked_to(target):
    def link(path):
        path.unlink()
        path.symlink_to(target)

    return link


def of_another(path):
    os.chown(path, 4321, 4321)


PLANTED = {
    "a pipe": pipe,
    "a link without end": linked_to("/dev/zero"),
    "a link to nothing": linked_to("nowhere"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a file of another user": of_another,
}


@posix
@pytest.mark.parametrize("kind", ["name", "film", "pool"])
@pytest.mark.parametrize("what", PLANTED)
def test_what_is_no_file_of_this_user_counts_as_absent(
    what, kind, paths, reader, cache, settled, decoded
):
    if what == "a file of another user" and os.geteuid():
        pytest.skip("only root can give files away")
    reader.transform(paths[:2])
    for path in {"name": names, "film": films, "pool": pool}[kind](cache):
        PLANTED[what](path)
    if what == "a folder" and kind != "pool":
        with pytest.raises(InputError, match="cache folder cannot be used"):
            reader.transform(paths[:2])
        return
    for _ in range(2):
        np.testing.assert_array_equal(reader.transform(paths[:2]), wanted(paths[:2]))
        assert len(decoded) == 2 + (0 if kind == "name" else 2)


@posix
def test_a_pool_file_that_is_a_link_is_never_written_through(paths, reader, cache, tmp_path):
    reader.transform(paths[:2])
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (file,) = pool(cache)
    linked_to(mine)(file)
    reader.transform(paths)
    assert mine.read_bytes() == b"mine"


def forged(key, content):
    """An entry as the cache itself would write it."""
    return film_cache._check(key, content) + content


@pytest.mark.parametrize(
    "content",
    [
        b"7",
        b"[]",
        b"{",
        b'["../mine.u8", 0, "DIGEST", "{}"]',
        b'["16-NAME.u8", -1, "0", "{}"]',
        b'["16-NAME.u8", 1e99, "0", "{}"]',
        b'["16-NAME.u8", 99999999999999999999, "0", "{}"]',
        b'["16-NAME.u8", 0, 0, "["]',
        b'[["16-NAME.u8"], 0, 0, "{}"]',
    ],
)
def test_an_entry_that_says_anything_else(content, paths, reader, cache):
    first = reader.transform(paths[:2])
    name = pool(cache)[0].name.encode()
    mine = np.full((16, 16), 7, np.uint8)  # of which an entry tells the truth
    (pool(cache)[0].parents[1] / "mine.u8").write_bytes(mine.tobytes())
    content = content.replace(b"16-NAME.u8", name).replace(b"DIGEST", film_digest(mine).encode())
    for path in films(cache):
        path.write_bytes(forged(path.stem, content))
    np.testing.assert_array_equal(reader.transform(paths[:2]), first)


@pytest.mark.parametrize("take", [lambda read: read[:], lambda read: read.to_array()])
def test_a_pool_that_is_cut_short_while_it_is_mapped(take, paths, reader, cache):
    """Which would end the process, and does not."""
    read = reader.read(paths)
    some = read.select(np.array([5, 3]))
    np.testing.assert_array_equal(some[:], wanted(paths)[[5, 3]])
    with open(pool(cache)[0], "r+b") as stream:
        stream.truncate(0)
    for part in (read, some):
        with pytest.raises(InputError, match="cut short while it was in use; call again"):
            take(part)
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))


@posix
def test_users_who_share_a_folder_have_one_each(paths, reader, cache, decoded):
    cache.mkdir(0o777)
    first = reader.transform(paths)
    mine = files(cache)
    if os.geteuid() == 0:
        os.chown(cache, 4321, 4321)  # as if another had made it
    else:
        pytest.skip("only root can give folders away")
    for _ in range(2):
        np.testing.assert_array_equal(reader.transform(paths), first)
    assert len(decoded) == 2 * len(paths)
    own = cache / f"user-{os.geteuid()}"
    assert set(files(cache)) - set(mine) == set(files(own))
    assert own.stat().st_mode & 0o777 == 0o700
    assert reader.clear_cache() > 0
    assert not files(own)
    assert [path for path in mine if not path.exists()] == []
    shutil.rmtree(own)
    own.symlink_to(paths[0])
    with pytest.raises(InputError, match="cache folder cannot be used"):
        reader.transform(paths)


# ---------------------------------------------------------------- the folder


def test_the_cache_writes_in_its_folder_and_tells_no_names(paths, cache, tmp_path, settled):
    before = {path: path.read_bytes() for path in files(tmp_path)}
    RadiographReader(size=16, cache_dir=cache / "deep").transform(paths)
    after = files(tmp_path)
    assert {path: path.read_bytes() for path in after if cache not in path.parents} == before
    for path in files(cache):
        parent, name = path.relative_to(cache / "deep").parts
        assert name.startswith("16-" if parent == "pool" else parent)
        stem = path.stem.removeprefix("16-")
        assert len(stem) == (32 if parent == "pool" else 40)
        assert set(stem) <= set("0123456789abcdef")
        assert b"film" not in path.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_may_read(paths, reader, cache):
    reader.transform(paths)
    kept = [path for path in cache.rglob("*") if path.is_file()]
    assert len(kept) > len(files(cache))  # the lock too
    assert not any(path.stat().st_mode & 0o077 for path in [cache, *cache.rglob("*")])


@pytest.mark.parametrize("errors", ["raise", "report"])
def test_a_cache_that_is_no_folder(errors, paths, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cache folder cannot be used"):
            RadiographReader(cache_dir=folder, errors=errors).transform(paths)


@pytest.mark.parametrize("errors", ["raise", "report"])
@pytest.mark.parametrize("writer", ["write_atomic", "_append"])
def test_a_full_disk(writer, errors, paths, reader, cache, monkeypatch):
    def full(path, *_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(film_cache, writer, full)
    with pytest.raises(InputError, match="cache folder cannot be used") as caught:
        reader.set_params(errors=errors).transform(paths)
    assert str(cache) not in str(caught.value)


# ---------------------------------------------------------------- the array


def test_the_array_is_mapped_and_the_next_call_maps_the_same(paths, reader, cache):
    first = reader.transform(paths)
    before = {path: path.read_bytes() for path in files(cache)}
    for rows in (slice(None), slice(2, 5), slice(4, 5)):  # as they lie in the pool
        again = reader.transform(paths[rows])
        assert isinstance(again, np.memmap)
        assert [Path(again.filename)] == pool(cache)
        np.testing.assert_array_equal(again, first[rows])
    assert {path: path.read_bytes() for path in files(cache)} == before


def test_another_selection_of_rows_is_copied_and_writes_nothing(paths, reader, cache):
    first = reader.transform(paths)
    before = files(cache)
    for rows in ([0, 2], [5, 4, 3], [1, 1], [0, 1, 2, 4, 5]):
        again = reader.transform([paths[row] for row in rows])
        assert not isinstance(again, np.memmap)
        np.testing.assert_array_equal(again, first[rows])
    assert files(cache) == before
    assert in_pool(cache) == len(paths)


def test_films_of_one_call_lie_in_one_file(paths, reader, cache, monkeypatch):
    monkeypatch.setattr(film_cache, "_FULL", 2 * PIXELS)
    monkeypatch.setattr(images, "_CHUNK", 1)
    for start, end, n_files in ((0, 1, 1), (1, 5, 1), (5, 6, 2)):
        read = reader.transform(paths[start:end])
        assert isinstance(read, np.memmap)
        np.testing.assert_array_equal(read, wanted(paths[start:end]))
        assert len(pool(cache)) == n_files
    every = reader.read(paths)
    np.testing.assert_array_equal(every[:], wanted(paths))
    np.testing.assert_array_equal(every.to_array(), wanted(paths))
    assert len(every.pools) == 2


def test_what_is_written_to_the_array_never_reaches_the_cache(paths, reader, cache):
    first = reader.transform(paths)
    before = {path: path.read_bytes() for path in files(cache)}
    first[:] = 7
    first.flush()
    del first
    assert {path: path.read_bytes() for path in files(cache)} == before
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))


def test_torch_takes_the_array_without_a_copy_or_a_warning(paths, reader):
    import torch

    read = reader.transform(paths)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = torch.from_numpy(read[:, None])
    tensor[0] = 3
    assert (read[0] == 3).all()


def test_workers_map_the_same_file(paths, reader, cache):
    read = reader.transform(paths)
    describe = joblib.delayed(lambda array: (array.filename, int(array.sum())))
    with joblib.Parallel(n_jobs=2) as parallel:
        seen = parallel(describe(read) for _ in range(3))
    assert seen == 3 * [(str(pool(cache)[0]), wanted(paths).sum())]
    assert len(pickle.dumps(reduce_array_memmap_backward(read))) < 1000 < read.nbytes


def test_rows_that_were_not_read_take_no_room(paths, reader, cache, decoded):
    X = [paths[0], None, paths[1], "nowhere"]
    reader.set_params(errors="report")
    for _ in range(2):
        read = reader.transform(X)
        np.testing.assert_array_equal(read[[0, 2]], wanted(paths[:2]))
        assert not read[[1, 3]].any()
    assert [source for source in decoded if isinstance(source, str)] == 2 * ["nowhere"]
    assert in_pool(cache) == 2


# ---------------------------------------------------------------- several processes

USER = """
import pickle
from pathlib import Path
import joblib
from skosteo.image import reader as images

def forbid():
    def refuse(*_, **__):
        raise AssertionError("decoded")
    images.read_radiograph = refuse

reader, paths = pickle.loads(Path(argv[0]).read_bytes())
forbid()
with joblib.parallel_config(backend="loky", initializer=forbid):
    read = reader.transform(paths)
Path(argv[1]).write_bytes(read.tobytes())
"""

TWO_USERS = """
import os, pickle
from pathlib import Path
reader, paths = pickle.loads(Path(argv[0]).read_bytes())
other = os.fork()
if other == 0:
    paths = paths[::-1]
Path(argv[1 if other else 2]).write_bytes(reader.transform(paths).tobytes())
if other:
    assert os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) == 0
"""


def work(folder, *what):
    (folder / "work").write_bytes(pickle.dumps(what))
    return folder / "work"


def films_in(path):
    return np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 16, 16)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_another_process_uses_the_same_entries(n_jobs, paths, reader, tmp_path, fresh):
    # in another process the set of these names has another order
    mine = reader.set_params(ignore_rules=["view", "blank", "modality", "color"]).transform(paths)
    fresh.run(USER, work(tmp_path, reader.set_params(n_jobs=n_jobs), paths[::-1]), tmp_path / "a")
    np.testing.assert_array_equal(films_in(tmp_path / "a"), mine[::-1])


def test_the_other_process_would_fail_if_it_decoded(paths, reader, tmp_path, fresh):
    fresh.start(USER, work(tmp_path, reader, paths), tmp_path / "a")
    assert fresh.wait() == 1
    assert "AssertionError: decoded" in fresh.said()[1]


def test_two_processes_fill_one_cache_at_the_same_time(tmp_path, reader, cache, decoded, fresh):
    paths = [write_film(tmp_path / f"film_{i}.png", i) for i in range(60)]
    fresh.run(TWO_USERS, work(tmp_path, reader, paths), tmp_path / "a", tmp_path / "b")
    one, two = (films_in(tmp_path / name) for name in "ab")
    for read in (one, two[::-1], reader.transform(paths)):
        np.testing.assert_array_equal(read, wanted(paths))
    assert len(films(cache)) == in_pool(cache) == len(paths)
    assert len(pool(cache)) == 1
    assert not decoded


DASK = """
import sys
import joblib, numpy as np
from distributed import Client, LocalCluster
from skosteo import RadiographReader

if __name__ == "__main__":
    *paths, folder = sys.argv[1:]
    X = [*paths, "nowhere.dcm", np.eye(200)]
    truth = RadiographReader(16, errors="report").fit_transform(X)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        for cache_dir in (None, folder, folder):
            reader = RadiographReader(16, cache_dir=cache_dir, errors="report")
            np.testing.assert_array_equal(reader.transform(X), truth)
            assert reader.report_["position"].tolist() == [len(paths)]
            assert reader.report_["reason"].tolist() == ["the file does not exist"]
    print("done")
"""


@pytest.mark.slow
def test_dask(paths, cache, tmp_path):
    pytest.importorskip("distributed")
    script = tmp_path / "use_dask.py"
    script.write_text(DASK)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_TEMPORARY_DIRECTORY": "scratch"}
    done = subprocess.run(
        [sys.executable, script, *paths, cache],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=environment,
    )
    assert done.stdout == "done\n", done.stderr


# ---------------------------------------------------------------- clearing


def test_clear_all(paths, reader, cache, settled):
    read = reader.transform(paths)
    size = sum(path.stat().st_size for path in files(cache))
    assert reader.clear_cache() == size
    assert not files(cache)
    assert {path.name for path in cache.iterdir()} <= {"pool", "pool.lock"}
    assert reader.clear_cache() == 0
    np.testing.assert_array_equal(read, wanted(paths))  # the mapped file lives on
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))


def test_the_oldest_go_first(paths, reader, cache):
    reader.transform(paths)
    kept = files(cache)
    np.random.default_rng(0).shuffle(kept)
    for age, path in enumerate(kept):
        os.utime(path, ns=(0, 10**18 - age))
    sizes = [path.stat().st_size for path in kept]
    for n in (5, 3, 2):
        before = sum(path.stat().st_size for path in files(cache))
        assert reader.clear_cache(sum(sizes[:n]) + 1) == before - sum(sizes[:n])
        assert files(cache) == sorted(kept[:n])
    assert reader.clear_cache(sum(sizes)) == 0
    np.testing.assert_array_equal(reader.transform(paths), wanted(paths))


def test_only_its_own_files_are_cleared(paths, reader, cache, tmp_path):
    name = "ab" + 38 * "0"
    foreign = [
        "notes.txt",
        name,
        f"ab/{name[2:]}",
        f"ab/{name}.txt",
        f"ab/{name}0",
        f"ab/{name.upper()}",
        f"cd/{name}",
        f"abc/{name}",
        f"AB/{name}",
        f"ab/ab/{name}",
        f"pool/{name}",
        f"pool/{name}.u8",
        f"pool/16-{name[:32]}.u8.bak",
        f"pool/ab/16-{name[:32]}.u8",
        f"deep/pool/16-{name[:32]}.u8",
        f"16-{name[:32]}.u8",
        ".writing-abcdefgh",
        "ab/.writing-abc",
        "ab/x.writing-abcdefgh",
        "films/.writing-abcdefgh",
    ]
    for path in foreign:
        (cache / path).parent.mkdir(parents=True, exist_ok=True)
        (cache / path).write_bytes(b"mine")
        os.utime(cache / path, (0, 0))
    (cache / "empty").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"ef{name[2:]}").write_bytes(b"mine")
    (cache / "ef").symlink_to(elsewhere)
    (cache / "ab" / f"{name[:-1]}1").symlink_to(paths[0])
    (cache / "pool" / f"16-{name[:32]}.u8").symlink_to(paths[0])
    before = files(tmp_path)
    reader.transform(paths)
    assert reader.clear_cache() > 0
    assert files(tmp_path) == before
    assert (cache / "empty").is_dir()


def test_what_killed_processes_left_goes_after_a_day(paths, reader, cache):
    reader.transform(paths)
    one, *_, two = films(cache)
    old, young = one.parent / ".writing-abcdefg_", two.parent / ".writing-hijklmn0"
    for path in (old, young):
        path.write_bytes(bytes(1000))
    os.utime(old, (time.time() - 90_000,) * 2)
    total = sum(path.stat().st_size for path in files(cache))
    assert reader.clear_cache(total) == 1000
    assert young.exists()
    assert not old.exists()
    assert reader.clear_cache() == total - 2000
    assert files(cache) == [young]


def test_a_file_that_another_process_removes_first(paths, reader, cache, monkeypatch):
    reader.transform(paths)
    unlink = os.unlink
    gone = []

    def late(path):
        if len(gone) < 3:
            gone.append(os.stat(path).st_size)
            unlink(path)
        unlink(path)

    total = sum(path.stat().st_size for path in files(cache))
    monkeypatch.setattr(film_cache.os, "unlink", late)
    assert reader.clear_cache() == total - sum(gone)
    assert not files(cache)


def test_there_must_be_a_folder_to_clear(cache, tmp_path):
    with pytest.raises(InputError, match="cache_dir is None"):
        RadiographReader().clear_cache()
    assert RadiographReader(cache_dir=cache).clear_cache() == 0
    assert not cache.exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cache folder cannot be used"):
        RadiographReader(cache_dir=tmp_path / "file").clear_cache()


@pytest.mark.parametrize("max_bytes", [-1, 1.5, None, True, "1"])
def test_max_bytes_is_checked(max_bytes, reader, paths, cache):
    reader.transform(paths)
    with pytest.raises(InputError, match="give an integer from 0"):
        reader.clear_cache(max_bytes)
    assert files(cache)
