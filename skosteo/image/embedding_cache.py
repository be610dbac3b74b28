"""Cache of backbone embeddings (frozen features), each computed once for all fits of a folder."""

import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from skosteo.image.film_cache import CacheError, FilmCache, hashed_key

_AT_A_TIME = 256  # films, whose embeddings are entered before the next are computed


def embeddings(
    film_digests: Sequence[str],
    net_digest: str,
    compute: Callable[[list[int]], NDArray[np.float32]],
    folder: str | os.PathLike[str],
) -> NDArray[np.float32]:
    """Return the embedding (n, ...) of every film, from the folder where it is there already.

    `film_digest` stands for a film, ``net_digest`` for everything else that decides the result.
    ``compute`` maps positions of m films to their embeddings (m, ...). Any number of processes may
    share the folder: while one computes what is absent, others wait instead of computing it too.
    """
    cache = FilmCache.prepared(folder)
    rows: dict[str, list[int]] = {}
    for row, digest in enumerate(film_digests):
        rows.setdefault(hashed_key("embedding", net_digest, digest), []).append(row)
    gathered = _Gathered(len(film_digests))
    absent = gathered.take(cache, rows)
    if absent:
        with cache.locked("embeddings"):
            absent = gathered.take(cache, absent)  # what another has computed meanwhile
            keys = list(absent)
            for start in range(0, len(keys), _AT_A_TIME):
                some = keys[start : start + _AT_A_TIME]
                computed = compute([absent[key][0] for key in some])
                for key, embedding in zip(some, computed, strict=True):
                    cache.enter(key, _packed(embedding))
                    gathered.put(absent[key], embedding)
    return gathered.whole


def other_shapes() -> CacheError:
    """Error of a folder that holds embeddings that are not of this net."""
    return CacheError(
        "the cache folder holds embeddings of other shapes than those of the net, which skosteo "
        "has not written; clear it with RadiographReader.clear_cache, or give another cache_dir"
    )


class _Gathered:
    """An array of n embeddings, made as soon as the shape of the first is known."""

    whole: NDArray[np.float32]

    def __init__(self, n: int) -> None:
        self.n, self.made = n, False

    def put(self, rows: list[int], embedding: NDArray[np.float32]) -> None:
        if self.made and embedding.shape != self.whole.shape[1:]:
            raise other_shapes()
        if not self.made:
            self.whole, self.made = np.empty((self.n, *embedding.shape), np.float32), True
        self.whole[rows] = embedding

    def take(self, cache: FilmCache, rows: dict[str, list[int]]) -> dict[str, list[int]]:
        """Put what the folder holds, and return the rest."""
        absent = {}
        for key, positions in rows.items():
            entry = cache.content(key)
            embedding = None if entry is None else _unpacked(entry)
            if embedding is None:
                absent[key] = positions
            else:
                self.put(positions, embedding)
        return absent


def _packed(embedding: NDArray[np.float32]) -> bytes:
    shape = np.array([embedding.ndim, *embedding.shape], "<u4")
    return shape.tobytes() + embedding.astype("<f4").tobytes()


def _unpacked(entry: bytes) -> NDArray[np.float32] | None:
    """Embedding of an entry; None where it is none of finite numbers."""
    try:
        shape = np.frombuffer(entry, "<u4", int.from_bytes(entry[:4], "little"), offset=4)
        values = np.frombuffer(entry, "<f4", offset=4 * (len(shape) + 1)).reshape(shape)
    except ValueError:
        return None
    return values.astype(np.float32, copy=False) if np.isfinite(values).all() else None
