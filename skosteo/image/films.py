"""Decoded films of many rows: pixels that stay where they are until somebody takes them."""

import json
import sys
from collections.abc import Mapping
from copy import copy
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.dicom.radiograph import FACTS


class Film(NamedTuple):
    """One decoded film."""

    pixels: NDArray[np.uint8]  # (size, size), bone bright
    digest: str  # `film_digest` of the pixels
    facts: str  # JSON of what the file states: the facts of `Radiograph` but for its digest
    key: str = ""  # its name in a cache folder; empty without one
    place: tuple[str, int] | None = None  # file and slot of the pool where the pixels lie already


def film_digest(pixels: NDArray) -> str:
    """Return 40 hexadecimal digits that stand for the pixels, their type and their shape."""
    digest = blake2b(f"{pixels.dtype} {pixels.shape}".encode(), digest_size=20)
    digest.update(pixels.tobytes())
    return digest.hexdigest()


class Films:
    """The films of n rows, like an array (n, size, size) of which rows are taken by index.

    ``films[index]``, with a slice or an array of positions, copies these rows into memory;
    `select` takes them without touching a pixel. A row that was not read is black, and its digest
    in ``digests`` empty; equal pixels have equal digests.
    """

    def __init__(self, n: int, size: int) -> None:
        self.size = size
        self.pools: list[NDArray[np.uint8]] = []  # (slots, size, size) each
        self.pool, self.slot = np.full(n, -1, np.int32), np.zeros(n, np.int64)
        self.digests = np.zeros(n, "S40")
        self._facts = np.full(n, "{}", dtype=object)

    def __len__(self) -> int:
        return len(self.slot)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        self.check_whole()
        pools = [np.asarray(pool) for pool in self.pools]  # no memmap: its indexing is slow
        pool, slot = self.pool[index], self.slot[index]
        pixels = np.zeros((len(slot), self.size, self.size), np.uint8)
        for row in np.flatnonzero(pool >= 0):
            pixels[row] = pools[pool[row]][slot[row]]
        return pixels

    def select(self, index: Any) -> Self:
        """Return the films of some rows, their pixels where they were."""
        selected = copy(self)
        for name in ("pool", "slot", "digests", "_facts"):
            setattr(selected, name, getattr(self, name)[index])
        return selected

    def to_array(self) -> NDArray[np.uint8]:
        """All films as one array; without a copy where they lie one behind the other."""
        self.check_whole()
        pool, slot = self.pool, self.slot
        if pool[0] >= 0 and (pool == pool[0]).all() and (np.diff(slot) == 1).all():
            return self.pools[pool[0]][slot[0] : slot[0] + len(slot)]
        return self[:]

    def check_whole(self) -> None:
        """Refuse pixels that can no longer be taken from where they are."""

    @property
    def facts(self) -> pd.DataFrame:
        """What each file states: the facts of `Radiograph` but for its digest, or None."""
        read = {text: json.loads(text) for text in set(self._facts)}
        rows = [[read[text].get(name) for name in FACTS] for text in self._facts]
        frame = pd.DataFrame(rows, columns=list(FACTS), dtype=object)
        frame["spacing_mm"] = frame["spacing_mm"].map(tuple, na_action="ignore")
        return frame

    def keep(self, read: Mapping[int, Film]) -> None:
        """Keep the films that were read, by their rows."""
        for row, film in read.items():
            self.digests[row] = film.digest
            self._facts[row] = sys.intern(film.facts)  # many films state the same


class MemoryFilms(Films):
    """Films that are in memory, one behind the other."""

    def __init__(self, n: int, size: int) -> None:
        super().__init__(n, size)
        self.pools = [np.zeros((n, size, size), np.uint8)]
        self.pool, self.slot = np.zeros(n, np.int32), np.arange(n)

    def keep(self, read: Mapping[int, Film]) -> None:
        """Keep the films that were read, by their rows."""
        super().keep(read)
        for row, film in read.items():
            self.pools[0][row] = film.pixels
