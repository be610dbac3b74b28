"""What lies in a cache folder, so that no film is decoded twice.

Below the folder are files of four kinds, named by hashes only:

* name entries ``ab/<40 hex>.entry``, from the path, size, times and inode of a file to the digest
  of its content, so that a file that has not changed is not read again;
* film entries ``ab/<40 hex>.entry``, from that digest, the size and the rules lifted to the pixels;
* embeddings ``ab/<40 hex>.entry``, from pixels and a net to what it makes of them;
* ``stacks/<40 hex>.u8``, the films of one call one after the other, to be mapped into memory.

Each is written in one step and holds a check of its name and content; one that is damaged counts
as absent.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skosteo._files import UNFINISHED, atomic_writer, write_atomic
from skosteo.exceptions import InputError

# Part of the key of every film: raise it when a file would give other pixels or be refused.
_FORMAT = 1
_CHECK_BYTES, _DIGEST_BYTES = 16, 32
# A file that changed so recently may change again within one tick of its file system's clock (2 s
# on FAT), with nothing to show for it: it is not entered by name.
_SETTLED_NS = 2 * 10**9
_LARGEST_FILE = 2**27  # bytes; none that is larger is a film, and it is left to the reader
_DAY_NS = 24 * 60 * 60 * 10**9
_OWN = re.compile(
    rf"([0-9a-f]{{2}})/(\1[0-9a-f]{{38}}\.entry|{re.escape(UNFINISHED)}[a-z0-9_]{{8}})"
    rf"|stacks/([0-9a-f]{{40}}\.u8|{re.escape(UNFINISHED)}[a-z0-9_]{{8}})"
)


class CacheError(InputError):
    """A cache folder that cannot be used."""


@dataclass(frozen=True)
class FilmCache:
    """The films in one folder, for any number of processes at a time.

    Parameters
    ----------
    folder : Path
        Where everything lies.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = FilmCache.prepared(folder)
    ...     keys = [cache.put(None, np.full((2, 2), grey, np.uint8)) for grey in (7, 9)]
    ...     cache.assembled([*keys, None], 2, renew=print)[:, 0, 0].tolist()
    [7, 9, 0]
    """

    folder: Path

    @classmethod
    def prepared(cls, folder: str | os.PathLike[str]) -> Self:
        """Create the folder where needed; it must be usable."""
        cache = cls(Path(folder).absolute())
        try:
            cache.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(error) from None
        return cache

    def find(
        self, path: str | os.PathLike[str], size: int, ignore_rules: Set[str]
    ) -> tuple[str | None, bytes | None]:
        """Return the key of a file's film and, where the film is yet to be made, the file's bytes.

        The key belongs to these very bytes, whatever happens to the file meanwhile. Without a key
        there are no bytes either: the file cannot be read.
        """
        try:
            status = os.stat(path)
            digest = self.content(_name_key(path, status), _DIGEST_BYTES)
            if digest is not None and self._has(key := _film_key(digest, size, ignore_rules), size):
                return key, None
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_FILE:
                return None, None
            with open(path, "rb") as stream:
                before = os.fstat(stream.fileno())
                content = stream.read()
                after = os.fstat(stream.fileno())
        except (OSError, ValueError):
            return None, None
        digest = blake2b(content, digest_size=_DIGEST_BYTES).digest()
        if _stamp(before) == _stamp(after) and _is_settled(after):
            self.enter(_name_key(path, after), digest)
        key = _film_key(digest, size, ignore_rules)
        return key, None if self._has(key, size) else content

    def put(self, key: str | None, film: NDArray[np.uint8]) -> str:
        """Keep a film (size, size) and return its key; without one it is known by its pixels."""
        pixels = film.tobytes()
        if key is None:
            key = hashed_key("pixels", len(film), blake2b(pixels).hexdigest())
        if not self._has(key, len(film)):
            self.enter(key, pixels)
        return key

    def assembled(
        self, keys: Sequence[str | None], size: int, renew: Callable[[int], object]
    ) -> NDArray[np.uint8]:
        """Map the films of these keys, (n, size, size); black where the key is None.

        The array can be written to, and what is written stays in this process. Where an entry
        has vanished since its key was made, ``renew(position)`` is to make it again.
        """
        key = hashed_key("stack", size, *keys)
        path, shape = self.folder / "stacks" / f"{key}.u8", (len(keys), size, size)
        films = _mapped(path, key, shape)
        if films is None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_writer(path) as stream:
                    check = _check(key)
                    for film in self._films(keys, size, renew):
                        check.update(film)
                        stream.write(film)
                    stream.write(check.digest())
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise unusable(error) from None
            films = _mapped(path, key, shape)
        if films is None:
            raise CacheError(
                "the films in the cache folder vanished or cannot be mapped; call again, or give "
                "cache_dir another folder"
            )
        return films

    def clear(self, max_bytes: int) -> int:
        """Remove what killed processes left, then the oldest files until `max_bytes` remain.

        Returns
        -------
        int
            Bytes freed.
        """
        freed, long_ago = 0, time.time_ns() - _DAY_NS
        try:
            files = sorted(self._own_files())
            remaining = sum(size for *_, size, _ in files)
            for whole, changed, size, path in files:
                if remaining <= max_bytes if whole else changed > long_ago:
                    continue
                remaining -= size
                with suppress(FileNotFoundError):  # another process was faster
                    os.unlink(path)
                    freed += size
            for folder in self._folders():
                with suppress(OSError):  # not empty
                    if os.path.basename(folder) != "stacks":
                        os.rmdir(folder)
        except OSError as error:
            raise unusable(error) from None
        return freed

    def _folders(self) -> list[str]:
        """Folders that are named as the cache names them."""
        with suppress(FileNotFoundError), os.scandir(self.folder) as found:
            return [
                entry.path
                for entry in found
                if re.fullmatch("[0-9a-f]{2}|stacks", entry.name)
                and entry.is_dir(follow_symlinks=False)
            ]
        return []

    def _own_files(self) -> Iterator[tuple[bool, int, int, str]]:
        """Files that are named as the cache names them: (is whole, changed in ns, bytes, path)."""
        for folder in self._folders():
            with suppress(FileNotFoundError), os.scandir(folder) as found:
                for entry in found:
                    name = f"{os.path.basename(folder)}/{entry.name}"
                    if _OWN.fullmatch(name) and entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):
                            status = entry.stat(follow_symlinks=False)
                            whole = not entry.name.startswith(UNFINISHED)
                            yield whole, status.st_mtime_ns, status.st_size, entry.path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.entry"

    def _has(self, key: str, size: int) -> bool:
        try:
            return os.stat(self._path(key)).st_size == _CHECK_BYTES + size * size
        except OSError:
            return False

    def content(self, key: str, length: int | None = None) -> bytes | None:
        """Content of an entry, None where there is none; one that is damaged is removed."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        content = data[_CHECK_BYTES:]
        if length in (None, len(content)) and data[:_CHECK_BYTES] == _check(key, content).digest():
            return content
        with suppress(OSError):
            path.unlink()
        return None

    def enter(self, key: str, content: bytes) -> None:
        """Keep an entry under its key."""
        path, data = self._path(key), _check(key, content).digest() + content
        try:
            try:
                write_atomic(path, data)
            except FileNotFoundError:  # its folder is yet to be made, or was just cleared away
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, data)
        except OSError as error:
            raise unusable(error) from None

    def _films(
        self, keys: Sequence[str | None], size: int, renew: Callable[[int], object]
    ) -> Iterator[bytes]:
        for position, key in enumerate(keys):
            film = bytes(size * size) if key is None else self.content(key, size * size)
            if key is not None and film is None:
                renew(position)
                film = self.content(key, size * size)
            if film is None:
                raise CacheError(
                    f"row {position + 1} of {len(keys)}: the film changed, or left the cache "
                    "folder, while the films were read; call again"
                )
            yield film


def _mapped(path: Path, key: str, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """Map a stack, or return None where it is absent or damaged."""
    left = shape[0] * shape[1] * shape[2]
    try:
        with open(path, "rb") as stream:
            if os.fstat(stream.fileno()).st_size != left + _CHECK_BYTES:
                return None
            check = _check(key)
            while block := stream.read(min(left, 2**20)):
                check.update(block)
                left -= len(block)
            if stream.read() != check.digest():
                return None
            # the file that was checked, even if another has taken its name by now
            return np.memmap(stream, dtype=np.uint8, mode="c", shape=shape)
    except OSError:
        return None


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


def _is_settled(status: os.stat_result) -> bool:
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS


def _check(key: str, content: bytes = b"") -> Any:
    return blake2b(content, digest_size=_CHECK_BYTES, key=key.encode())


def unusable(error: Exception) -> CacheError:
    """Return the error to raise where the folder cannot be used."""
    return CacheError(
        f"the cache folder cannot be used ({type(error).__name__}); give cache_dir a folder that "
        "can be written to, or None"
    )
