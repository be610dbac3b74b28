"""On-disk cache of decoded radiographs, shared between processes.

Below the folder are files of two kinds, whose names say nothing of the films:

* ``pool/<size>-<32 hex>.u8``, the pixels of films of one size, one film behind the other. A film
  is added at the end, under a lock, and never changed. A file that has 64 MB takes no further
  films but those of the call that it was opened for, which so lie side by side.
* ``ab/<40 hex>.entry``, small and written in one step, each with a check of its name and content:

  - from the path, size, times and inode of a file to the digest of its content, so that a file
    that has not changed is not read again;
  - from that digest, the size and the rules ignored to the film: its place in the pool, the digest
    of its pixels and what the file states;
  - from the digest of the pixels and a net to what the net makes of them.

A film is there once its entry is: who is killed before that leaves some bytes in the pool that
nobody looks at. What is damaged, is no regular file of this user, or names pixels of another
digest, counts as absent. In a folder of another user each has a folder of his own: no one can read
another's films, nor plant any.
"""

import json
import os
import re
import secrets
import stat
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from mmap import mmap
from pathlib import Path
from typing import BinaryIO, Self, cast

import numpy as np
from filelock import FileLock

from skosteo._files import UNFINISHED, write_atomic
from skosteo.exceptions import InputError
from skosteo.image.films import Film, Films, film_digest

# Part of the key of every film: raise it when a file would give other pixels or be refused.
_FORMAT = 3
_CHECK_BYTES, _DIGEST_BYTES = 16, 32
_FULL = 2**26  # bytes of a pool file
# A file that changed so recently may change again within one tick of its file system's clock (2 s
# on FAT), with nothing to show for it: it is not entered by name.
_SETTLED_NS = 2 * 10**9
_LARGEST_FILE = 2**27  # bytes; none that is larger is a film, and it is left to the reader
_POOL_FILE = re.compile(r"\d+-[0-9a-f]{32}\.u8")
_OWN = re.compile(
    rf"([0-9a-f]{{2}})/(\1[0-9a-f]{{38}}\.entry|{re.escape(UNFINISHED)}[a-z0-9_]{{8}})"
    r"|pool/\d+-[0-9a-f]{32}\.u8"
)


class CacheError(InputError):
    """A cache folder that cannot be used."""


def go_on_without(error: CacheError) -> None:
    """Warn that a call goes on without a folder that cannot be used."""
    warnings.warn(f"{error}. This call goes on without it.", UserWarning, stacklevel=2)


@dataclass(frozen=True)
class FilmCache:
    """The films in one folder, for any number of processes at a time."""

    folder: Path

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> Self:
        """Cache of this user in the folder, which need not be there."""
        path = Path(folder).absolute()
        with _usable():
            if path.exists() and not _is_own(path.stat()):
                path /= f"user-{os.geteuid()}"
                if path.is_symlink() or (path.exists() and not _is_own(path.stat())):
                    raise PermissionError
        return cls(path)

    @classmethod
    def prepared(cls, folder: str | os.PathLike[str]) -> Self:
        """Create the folder where needed; it must be usable."""
        cache = cls.of(folder)
        with _usable():
            cache.folder.mkdir(0o700, parents=True, exist_ok=True)
            cache._pool.mkdir(0o700, exist_ok=True)
        return cache

    @property
    def _pool(self) -> Path:
        return self.folder / "pool"

    def find(
        self, path: str | os.PathLike[str], size: int, ignore_rules: Set[str]
    ) -> tuple[str, Film | bytes | None]:
        """Return the key of a file's film, and the film or, where there is none, the file's bytes.

        The key is of these very bytes, whatever befalls the file meanwhile; empty: cannot be read.
        """
        try:
            status = os.stat(path)
            if digest := self.content(_name_key(path, status), _DIGEST_BYTES):
                key, film = self.find_digest(digest, size, ignore_rules)
                if film:
                    return key, film
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_FILE:
                return "", None
            with open(path, "rb") as stream:
                before = os.fstat(stream.fileno())
                content = stream.read()
                after = os.fstat(stream.fileno())
        except (OSError, ValueError):
            return "", None
        digest = content_digest(content)
        settled = time.time_ns() - max(after.st_mtime_ns, after.st_ctime_ns) > _SETTLED_NS
        if settled and _stamp(before) == _stamp(after):
            self.enter(_name_key(path, after), digest)
        key, film = self.find_digest(digest, size, ignore_rules)
        return key, film or content

    def find_digest(
        self, digest: bytes, size: int, ignore_rules: Set[str]
    ) -> tuple[str, Film | None]:
        """Return the key of the film whose content has the digest, and the film if it is there."""
        key = _film_key(digest, size, ignore_rules)
        return key, self.film(key, size)

    def film(self, key: str, size: int) -> Film | None:
        """Return the film of a key, None where it is not there or damaged."""
        if (entry := self.content(key)) is None:
            return None
        try:
            name, slot, digest, facts = json.loads(entry)
            json.loads(facts)
            if not _POOL_FILE.fullmatch(name):
                return None
            with _open_own(self._pool / name) as stream:
                stream.seek(slot * size * size)
                pixels = np.frombuffer(stream.read(size * size), np.uint8).reshape(size, size)
        except (OSError, ValueError, TypeError):
            return None
        if film_digest(pixels) != digest:
            return None
        return Film(pixels, digest, facts, key, (name, slot))

    def add(
        self, films: Mapping[str, Film], size: int, name: str | None
    ) -> tuple[dict[str, Film], str]:
        """Add films, by their keys, to the pool; return them with their places, and the pool file.

        That is the one that is named, if it is still there.
        """
        with _usable(), self.locked("pool"):
            name = self._pool_file(size, name)
            path = self._pool / name
            with _open_own(path, "r+b", os.O_CREAT) as stream:
                placed = {}
                for key, film in films.items():
                    known = self.film(key, size)  # another process may have been faster
                    if known is None:
                        place = name, _append(stream, film.pixels.tobytes())
                        self.enter(key, json.dumps([*place, film.digest, film.facts]).encode())
                        known = film._replace(place=place)
                    placed[key] = known
        return placed, name

    def _pool_file(self, size: int, name: str | None) -> str:
        """Return a pool file to add to: the one that is named, one with room, or a new one."""
        self._pool.mkdir(0o700, exist_ok=True)
        for file in _entries(self._pool):
            status = file.stat(follow_symlinks=False)
            if not (_POOL_FILE.fullmatch(file.name) and _is_own(status, stat.S_ISREG)):
                continue
            has_room = file.name.startswith(f"{size}-") and status.st_size < _FULL
            if file.name == name or (name is None and has_room):
                return file.name
        return f"{size}-{secrets.token_hex(16)}.u8"

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Let one process at a time do what has this name."""
        with ExitStack() as stack:
            with _usable():
                stack.enter_context(FileLock(self.folder / f"{name}.lock", mode=0o600))
            yield

    def clear(self, max_bytes: int) -> int:
        """Remove what killed processes left, then the oldest files; return the bytes freed."""
        freed, long_ago = 0, time.time_ns() - 24 * 60 * 60 * 10**9
        with _usable():
            folders = [f for f in _entries(self.folder) if re.fullmatch("[0-9a-f]{2}|pool", f.name)]
            folders = [f for f in folders if f.is_dir(follow_symlinks=False)]
            files = sorted(file for folder in folders for file in _own_files(folder))
            remaining = sum(size for *_, size, _ in files)
            for whole, changed, size, path in files:
                if remaining <= max_bytes if whole else changed > long_ago:
                    continue
                remaining -= size
                with suppress(FileNotFoundError):  # another process was faster
                    os.unlink(path)
                    freed += size
            for folder in folders:
                with suppress(OSError):  # not empty
                    if folder.name != "pool":
                        os.rmdir(folder.path)
        return freed

    def _path(self, key: str) -> str:
        return os.path.join(self.folder, key[:2], f"{key}.entry")

    def content(self, key: str, length: int | None = None) -> bytes | None:
        """Content of an entry, None where there is none; one that is damaged is removed."""
        path = self._path(key)
        try:
            with _open_own(path) as stream:
                data = stream.read(_LARGEST_FILE)
        except OSError:
            return None
        content = data[_CHECK_BYTES:]
        if length in (None, len(content)) and data[:_CHECK_BYTES] == _check(key, content):
            return content
        with suppress(OSError):
            os.unlink(path)
        return None

    def enter(self, key: str, content: bytes) -> None:
        """Keep an entry under its key."""
        path, data = self._path(key), _check(key, content) + content
        with _usable():
            try:
                write_atomic(path, data)
            except FileNotFoundError:  # its folder is yet to be made, or was just cleared away
                os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
                write_atomic(path, data)


class PooledFilms(Films):
    """Films in the pool of a cache folder, mapped: a change of their arrays stays in the process.

    Films that are cleared away after they were kept here stay readable.
    """

    def __init__(self, cache: FilmCache, n: int, size: int) -> None:
        super().__init__(n, size)
        self._cache = cache
        self._file: str | None = None  # that takes what is added
        self._numbers: dict[str, int] = {}  # of the files in `pools`

    def keep(self, read: Mapping[int, Film]) -> None:
        """Keep the films that were read, by their rows; those that the pool lacks are added."""
        super().keep(read)
        absent = {row: film for row, film in read.items() if not self._found(row, film.place)}
        if not absent:
            return
        new = {film.key: film for film in absent.values()}
        placed, self._file = self._cache.add(new, self.size, self._file)
        for row, film in absent.items():
            if not self._found(row, placed[film.key].place):
                raise CacheError(
                    "the films in the cache folder vanished or cannot be mapped; call again, or "
                    "give cache_dir another folder"
                )

    def _found(self, row: int, place: tuple[str, int] | None) -> bool:
        """Note where the film of a row lies, if it can be mapped from there."""
        if place is None:
            return False
        name, slot = place
        number = self._numbers.setdefault(name, len(self.pools))
        if number == len(self.pools):
            self.pools.append(np.empty((0, self.size, self.size), np.uint8))
        if slot >= len(self.pools[number]):  # the file was shorter when it was mapped
            try:
                with _open_own(self._cache.folder / "pool" / name) as stream:
                    slots = os.fstat(stream.fileno()).st_size // self.size**2
                    shape = slots, self.size, self.size
                    self.pools[number] = np.memmap(stream, np.uint8, "c", shape=shape)
            except (OSError, ValueError):  # it was cleared away
                return False
        self.pool[row], self.slot[row] = number, slot
        return slot < len(self.pools[number])

    def check_whole(self) -> None:
        """Refuse a file that is shorter than when it was mapped: to touch it ends the process."""
        for pool in self.pools:
            file = pool.base
            if isinstance(file, mmap) and file.size() < pool.nbytes:
                raise CacheError(
                    "a file in the cache folder was cut short while it was in use; call again"
                )


def _append(stream: BinaryIO, pixels: bytes) -> int:
    """Write a film behind all others, and return its slot."""
    # behind what a killed process may have left of one, too
    slot = -(-stream.seek(0, os.SEEK_END) // len(pixels))
    stream.seek(slot * len(pixels))
    stream.write(pixels)
    stream.flush()
    return slot


def content_digest(content: bytes) -> bytes:
    """Return what stands for the bytes of a film."""
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()


def hashed_key(kind: str, *parts: object) -> str:
    """Key of an entry of some kind, from all that decides its content."""
    digest = blake2b(digest_size=20, person=kind.encode())
    for part in parts:
        digest.update(f"{part}\0".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _name_key(path: str | os.PathLike[str], status: os.stat_result) -> str:
    return hashed_key("name", os.path.abspath(path), *_stamp(status))


def _film_key(digest: bytes, size: int, ignore_rules: Set[str]) -> str:
    return hashed_key("film", digest.hex(), size, _FORMAT, *sorted(ignore_rules))


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _check(key: str, content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECK_BYTES, key=key.encode()).digest()


def _is_own(status: os.stat_result, kind: Callable[[int], bool] = stat.S_ISDIR) -> bool:
    """Whether this is a folder, or of another kind, of this user; Windows knows no owners."""
    return kind(status.st_mode) and (os.name != "posix" or status.st_uid == os.geteuid())


def _open_own(path: str | os.PathLike[str], mode: str = "rb", flags: int = 0) -> BinaryIO:
    """Open a regular file of this user; an OSError for links, pipes and files of others."""
    # what Windows lacks is 0; without waiting for whoever writes to a pipe
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    stream = open(path, mode, opener=lambda p, own: os.open(p, own | flags, 0o600))  # noqa: SIM115
    if not _is_own(os.fstat(stream.fileno()), stat.S_ISREG):
        stream.close()
        raise PermissionError
    return cast(BinaryIO, stream)


def _entries(folder: str | os.PathLike[str]) -> list[os.DirEntry]:
    """Entries of a folder; none where it is not there."""
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        return list(found)
    return []


def _own_files(folder: os.DirEntry) -> Iterator[tuple[bool, int, int, str]]:
    """Files that are named as the cache names them: (is whole, changed in ns, bytes, path)."""
    for file in _entries(folder.path):
        if _OWN.fullmatch(f"{folder.name}/{file.name}") and file.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                status = file.stat(follow_symlinks=False)
                whole = not file.name.startswith(UNFINISHED)
                yield whole, status.st_mtime_ns, status.st_size, file.path


@contextmanager
def _usable() -> Iterator[None]:
    """Say in a `CacheError` that the folder cannot be used, without its path."""
    try:
        yield
    except (OSError, NotImplementedError) as error:  # the latter of file systems without locks
        raise CacheError(
            f"the cache folder cannot be used ({type(error).__name__}); give cache_dir a folder "
            "that can be written to, or None"
        ) from None
