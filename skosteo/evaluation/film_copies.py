"""Near copies of radiographs: the same pixels, or saved anew, brighter, or trimmed a little.

A film is framed (plain margins go) and averaged to few pixels, and its broad shades are taken away:
what is left are ribs and edges, which differ from person to person as exposure does not. Films
whose coarse thumbnails correlate are cut to the part of the body that both show, and copies are
those whose details correlate: two films of one body never fit as a copy does.
"""

from functools import cache
from hashlib import blake2b
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Images = NDArray[np.float32]

_FRAMED, _DETAIL, _COARSE = 96, 64, 16  # pixels a side
_CROPS = (0.0, 0.015, 0.03)  # proportion of each side, of coarse thumbnails
_CUTS = np.linspace(-0.03, 0.03, 9)  # what is cut off the second film's side, below 0 the first's
_NEIGHBOURS = 5
_ALIKE = 0.85  # correlation of coarse thumbnails, for films to be compared in detail
_SAME = 0.945  # correlation of the details of copies
_PLAIN = 4  # grey levels within a row or column of a margin; compression makes a few
_CHUNK = 1024  # films compared with all others at a time
_PAIRS = 64  # compared in detail at a time


class Copies(NamedTuple):
    """Codes of films: equal where all pixels are, and where two are copies, near ones included."""

    identical: NDArray[np.intp]
    same: NDArray[np.intp]


def find_copies(films: NDArray[np.uint8]) -> Copies:
    """Find films, uint8 (n, height, width) of 64 x 64 pixels or more, that are in more than once.

    Black ones are no films and equal none. Found are copies in other file formats, compressed,
    brightened, of other contrast, and with up to 3 % cut off each side; not mirrored, turned or
    inverted ones, nor those whose lungs or bones were brightened to white. Of the films that look
    most like a film, the nearest five are compared in detail.

    Details have to correlate by .945. Copies of the real films of `fetch_hannover_cxr`, with up to
    3 % off each side, reach .96 or more, films of different people .50 at most. Films of
    `make_cohort`, drawn on one body plan, reach .94 between patients; they look so alike that five
    nearer ones may hide a copy.
    """
    identical = _identical(films)
    codes, first = np.unique(identical, return_index=True)
    real = films[first].any(axis=(1, 2))
    codes, first = codes[real], first[real]
    a, b = _near(films[first]) if len(first) > 1 else np.empty((2, 0), dtype=np.intp)
    n_codes = int(identical.max()) + 1 if len(identical) else 0
    links = csr_array((np.ones(len(a)), (codes[a], codes[b])), shape=(n_codes, n_codes))
    return Copies(identical, connected_components(links, directed=False)[1][identical])


def _identical(films: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Code of the pixels of each film; a black one has its own."""
    known: dict[bytes, int] = {}
    codes = np.empty(len(films), dtype=np.intp)
    for row, film in enumerate(films):
        key = blake2b(film.tobytes(), digest_size=16).digest() if film.any() else b"%d" % row
        codes[row] = known.setdefault(key, len(known))
    return codes


def _near(films: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Positions (2, pairs) of films of different pixels that are copies of each other."""
    framed = np.stack([_frame(film) for film in films])
    pairs = _candidates(framed)
    parts = (pairs[:, start : start + _PAIRS] for start in range(0, pairs.shape[1], _PAIRS))
    return np.concatenate(
        [np.empty((2, 0), np.intp), *(part[:, _likeness(framed[part]) >= _SAME] for part in parts)],
        axis=1,
    )


def _frame(film: NDArray[np.uint8]) -> Images:
    """Average a film without its plain margins to 96 x 96 pixels."""
    rows, columns = (np.flatnonzero(np.ptp(film, axis=axis) > _PLAIN) for axis in (1, 0))
    if len(rows) and len(columns):
        film = film[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    down, across = (_cells(length, _FRAMED) for length in film.shape)
    return down @ film.astype(np.float32) @ across.T


@cache
def _cells(length: int, size: int, start: float = 0.0, end: float = 0.0) -> Images:
    """Matrix (size, length) of averages over equal cells, with proportions cut off at the ends."""
    edges = np.linspace(length * start, length * (1 - end), size + 1)
    pixel = np.arange(length)
    inside = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (inside.clip(0) / np.diff(edges)[:, None]).astype(np.float32)


def _candidates(framed: Images) -> NDArray[np.intp]:
    """Positions (2, pairs) of nearest neighbours by coarse thumbnails, either of them trimmed."""
    cells = [_cells(_FRAMED, _COARSE, crop, crop) for crop in _CROPS]
    base, *cropped = (_edges(down @ framed @ down.T, (0, 2)) for down in cells)
    n, k = len(base), min(_NEIGHBOURS, len(base) - 1)
    pairs = []
    for start in range(0, n, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, n))
        likeness = base[rows] @ base.T
        for other in cropped:
            np.maximum(likeness, other[rows] @ base.T, out=likeness)
            np.maximum(likeness, base[rows] @ other.T, out=likeness)
        likeness[np.arange(len(rows)), rows] = -1
        nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        alike = np.take_along_axis(likeness, nearest, axis=1) >= _ALIKE
        pairs.append(np.column_stack([np.repeat(rows, alike.sum(axis=1)), nearest[alike]]))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).T


def _edges(images: NDArray[np.floating], blurs: tuple[float, float]) -> Images:
    """Vectors (..., pixels) of length 1, whose products are correlations of details.

    Details are what a Gaussian of the lesser width leaves and one of the greater takes away.
    """
    fine, broad = (gaussian_filter(images, blur, axes=(-2, -1), mode="nearest") for blur in blurs)
    size = images.shape[-1]
    rim = size // 20  # where the blur has but one side to take from
    return _of_length_1((fine - broad)[..., rim : size - rim, rim : size - rim])


def _of_length_1(images: NDArray[np.floating]) -> Images:
    flat = images.reshape(*images.shape[:-2], -1)
    flat = flat - flat.mean(axis=-1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-6)


@cache
def _cut_cells() -> tuple[Images, Images]:
    """Averages (2, cuts, 64, 96) over what each cut leaves of first and second; their edges."""
    cuts = list(product(_CUTS, _CUTS))
    cells = np.stack(
        [
            [_cells(_FRAMED, _DETAIL, max(sign * a, 0), max(sign * b, 0)) for a, b in cuts]
            for sign in (-1, 1)
        ]
    )
    fine, broad = (
        gaussian_filter1d(np.eye(_DETAIL, dtype=np.float32), blur, axis=0, mode="nearest")
        for blur in (0.7, 1.4)
    )
    return cells, (fine - broad)[2:-2] @ cells


def _likeness(framed: Images) -> NDArray[np.float32]:
    """Correlation (pairs,) of the details of framed films (2, pairs, 96, 96).

    A film trimmed at one side is shifted and stretched against the other. Rows and columns do so
    apart: the cut of rows that fits best is sought in strips of few columns, then that of columns
    in strips of few rows, and both once more on what the other has left.
    """
    cells, edges = _cut_cells()
    strip = _cells(_DETAIL, _COARSE)
    cut = np.full((2, framed.shape[1]), cells.shape[1] // 2)  # of rows and of columns: none
    for axis in (0, 1, 0, 1):
        images = framed if axis == 0 else framed.swapaxes(2, 3)
        strips = images @ (strip @ cells[:, cut[1 - axis]]).swapaxes(2, 3)
        first, second = _of_length_1(edges[:, :, None] @ strips[:, None])
        cut[axis] = (first * second).sum(axis=-1).argmax(axis=0)
    down, across = cells[:, cut[0]], cells[:, cut[1]]
    first, second = _edges(down @ framed @ across.swapaxes(2, 3), (0.7, 1.4))
    return (first * second).sum(axis=-1)
