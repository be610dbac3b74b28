"""What a frozen backbone makes of each film, computed once for all fits that share a folder."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from skosteo.image.film_cache import FilmCache, hashed_key, unusable

_LOCK = "embeddings.lock"
_AT_A_TIME = 256  # films, whose embeddings are entered before the next are computed


def embeddings(
    films: NDArray,
    net_digest: str,
    compute: Callable[[NDArray], NDArray[np.float32]],
    folder: str | os.PathLike[str],
) -> NDArray[np.float32]:
    """Return the embedding of every film, from the folder where it is there already.

    Parameters
    ----------
    films : ndarray of shape (n, c, h, w)
        As the net takes them. Alike films have one embedding.
    net_digest : str
        Stands for everything that decides what `compute` returns for a film.
    compute : callable
        Maps films (m, c, h, w) to embeddings (m, ...).
    folder : path
        A folder of `FilmCache`, which any number of processes may share: while one computes what
        is absent, others wait instead of computing it too.

    Returns
    -------
    ndarray of float32, shape (n, ...)

    Raises
    ------
    InputError
        The folder cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> films = np.array([3, 4, 3], np.uint8).reshape(3, 1, 1, 1)
    >>> def double(films):
    ...     print(len(films), "computed")
    ...     return 2.0 * films.reshape(-1, 1).astype(np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(2):
    ...         embeddings(films, "double", double, folder).ravel().tolist()
    2 computed
    [6.0, 8.0, 6.0]
    [6.0, 8.0, 6.0]
    """
    cache = FilmCache.prepared(folder)
    rows: dict[str, list[int]] = {}
    for row, film in enumerate(films):
        rows.setdefault(hashed_key("embedding", net_digest, _digest(film)), []).append(row)
    gathered = _Gathered(len(films))
    absent = gathered.take(cache, rows)
    if absent:
        with _locked(cache):
            absent = gathered.take(cache, absent)  # what another has computed meanwhile
            keys = list(absent)
            for start in range(0, len(keys), _AT_A_TIME):
                some = keys[start : start + _AT_A_TIME]
                computed = compute(films[[absent[key][0] for key in some]])
                for key, embedding in zip(some, computed, strict=True):
                    cache.enter(key, _packed(embedding))
                    gathered.put(absent[key], embedding)
    return gathered.whole


@contextmanager
def _locked(cache: FilmCache) -> Iterator[None]:
    lock = FileLock(cache.folder / _LOCK)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:  # the latter of file systems without locks
        raise unusable(error) from None
    try:
        yield
    finally:
        lock.release()


class _Gathered:
    """An array of n embeddings, made as soon as the shape of the first is known."""

    whole: NDArray[np.float32]

    def __init__(self, n: int) -> None:
        self.n, self.made = n, False

    def put(self, rows: list[int], embedding: NDArray[np.float32]) -> None:
        if not self.made:
            self.whole, self.made = np.empty((self.n, *embedding.shape), np.float32), True
        self.whole[rows] = embedding

    def take(self, cache: FilmCache, rows: dict[str, list[int]]) -> dict[str, list[int]]:
        """Put what the folder holds, and return the rest."""
        absent = {}
        for key, positions in rows.items():
            if (entry := cache.content(key)) is None:
                absent[key] = positions
            else:
                self.put(positions, _unpacked(entry))
        return absent


def _digest(film: NDArray) -> str:
    digest = blake2b(f"{film.dtype} {film.shape}".encode(), digest_size=20)
    digest.update(film.tobytes())
    return digest.hexdigest()


def _packed(embedding: NDArray[np.float32]) -> bytes:
    shape = np.array([embedding.ndim, *embedding.shape], "<u4")
    return shape.tobytes() + embedding.astype("<f4").tobytes()


def _unpacked(entry: bytes) -> NDArray[np.float32]:
    ndim = int.from_bytes(entry[:4], "little")
    shape = np.frombuffer(entry, "<u4", ndim, offset=4)
    values = np.frombuffer(entry, "<f4", offset=4 * (ndim + 1))
    return values.reshape(shape).astype(np.float32, copy=False)
