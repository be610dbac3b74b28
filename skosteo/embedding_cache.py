"""What a frozen backbone makes of each film, computed once for all fits that share a folder."""

import os
from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from skosteo.film_cache import FilmCache, hashed_key

_LOCK = "embeddings.lock"


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
    keys = [hashed_key("embedding", net_digest, _digest(film)) for film in films]
    found = _found(cache, keys)
    if len(found) < len(set(keys)):
        with FileLock(cache.folder / _LOCK):
            found |= _found(cache, [key for key in keys if key not in found])
            absent = {key: row for row, key in enumerate(keys) if key not in found}
            if absent:
                for key, embedding in zip(absent, compute(films[[*absent.values()]]), strict=True):
                    cache.enter(key, _packed(embedding))
                    found[key] = embedding
    return np.stack([found[key] for key in keys])


def _found(cache: FilmCache, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    entries = {key: cache.content(key) for key in set(keys)}
    return {key: _unpacked(entry) for key, entry in entries.items() if entry is not None}


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
