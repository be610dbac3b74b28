"""Films that are in a set twice: the same pixels, or saved anew, brighter, or trimmed a little.

A film is framed (plain margins go), averaged to a few pixels, and its broad shades are taken away:
what is left are ribs and edges, which differ from person to person as exposure does not. Films
whose nearest neighbours look alike are then laid over each other as exactly as they can be, by
shifts and stretches, and compared in detail: two films of one body never fit as a copy does.
"""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Images = NDArray[np.float32]

_COARSE = 16  # pixels a side
# Laid over each other at these sizes, by images blurred so (in pixels); how alike they must be
_STAGES = ((32, (1.0, 0.35), 0.85), (96, (1.05,), 0.93))
_CROPS = (0.0, 0.015, 0.03)  # of each side
_NEIGHBOURS = 5
_GATE = 0.85  # correlation of coarse thumbnails, before they are laid over each other
_PLAIN = 4  # grey levels within a row or column of a margin; compression makes a few
_CHUNK = 1024  # films compared with all others at a time
_PAIRS = 256  # laid over each other at a time


class Copies(NamedTuple):
    """Which films are the same.

    Attributes
    ----------
    identical : ndarray of shape (n,), int
        Codes, equal where all pixels are.
    same : ndarray of shape (n,), int
        Codes, equal where two films are copies of each other, near copies included.
    """

    identical: NDArray[np.intp]
    same: NDArray[np.intp]


def find_copies(films: NDArray[np.uint8]) -> Copies:
    """Find films that are in a set more than once.

    Parameters
    ----------
    films : ndarray of uint8, shape (n, height, width)
        As `RadiographReader` gives them, of 64 x 64 pixels or more. Black ones are no films and
        equal none.

    Returns
    -------
    Copies
        Codes of the films.

    Notes
    -----
    Found are copies in other file formats, compressed, brightened, of other contrast, and with up
    to 3 % cut off each side; not mirrored, turned or inverted ones. Of the films that look most
    like a film, the nearest five are compared in detail.

    Details have to correlate by .93. Copies of the real films of `fetch_hannover_cxr`, with up to
    3 % off each side, reach .93 to .99, films of different people .39 at most, films of one person
    .67. Films of `make_cohort`, drawn on one body plan, reach .90 between patients, and now and
    then more than .93 within a patient; they look so alike that five nearer ones may hide a copy.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> films = rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    >>> films[2] = films[0]
    >>> find_copies(films).identical.tolist()
    [0, 1, 0]
    """
    identical = _identical(films)
    codes, first = np.unique(identical, return_index=True)
    real = films[first].any(axis=(1, 2))
    codes, first = codes[real], first[real]
    a, b = _near(films[first]) if len(first) > 1 else (np.empty(0, int), np.empty(0, int))
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


def _near(films: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of pairs that are copies of each other, among films of different pixels."""
    sums = [_sums(film) for film in films]
    base, *cropped = (
        _normalised(np.stack([_averages(s, _COARSE, crop) for s in sums]), blur=2)
        for crop in _CROPS
    )
    a, b = _candidates(base, cropped)
    place = np.zeros((len(a), 4), dtype=np.float32)
    for size, blurs, bound in _STAGES:
        small = np.stack([_averages(s, size, 0.0) for s in sums])
        likeness = np.empty(len(a))
        for start in range(0, len(a), _PAIRS):
            part = slice(start, start + _PAIRS)
            first, second = small[a[part]], small[b[part]]
            for blur in blurs:
                place[part] = _lay_over(first, second, place[part], blur)
            likeness[part] = _likeness(first, second, place[part])
        kept = likeness >= bound
        a, b, place = a[kept], b[kept], place[kept]
    return a, b


def _candidates(base: Images, cropped: list[Images]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of nearest neighbours, in both orders, by coarse thumbnails (n, pixels)."""
    n, k = len(base), min(_NEIGHBOURS, len(base) - 1)
    pairs = []
    for start in range(0, n, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, n))
        likeness = base[rows] @ base.T
        for other in cropped:  # either film may be the trimmed one
            np.maximum(likeness, other[rows] @ base.T, out=likeness)
            np.maximum(likeness, base[rows] @ other.T, out=likeness)
        likeness[np.arange(len(rows)), rows] = -1
        nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        alike = np.take_along_axis(likeness, nearest, axis=1) >= _GATE
        pairs.append(np.column_stack([np.repeat(rows, alike.sum(axis=1)), nearest[alike]]))
    # both ways, because the one may find its place where the other does not
    found = np.concatenate([way for pair in pairs for way in (pair, pair[:, ::-1])])
    found = np.unique(found, axis=0)
    return found[:, 0], found[:, 1]


def _sums(film: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Add up all pixels above and left of each corner, of the film without plain margins."""
    rows, columns = (np.flatnonzero(np.ptp(film, axis=axis) > _PLAIN) for axis in (1, 0))
    inside = film
    if len(rows) and len(columns):
        inside = film[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sums = np.zeros((inside.shape[0] + 1, inside.shape[1] + 1))
    np.cumsum(np.cumsum(inside, axis=0, dtype=float), axis=1, out=sums[1:, 1:])
    return sums


def _averages(sums: NDArray[np.float64], size: int, crop: float) -> Images:
    """Averages over size x size equal cells of the film, with a share cut off each side."""
    for _ in range(2):
        length = len(sums) - 1
        edges = np.linspace(length * crop, length * (1 - crop), size + 1)
        below = np.minimum(edges.astype(int), length - 1)
        weight = (edges - below)[:, None]
        at_edges = sums[below] * (1 - weight) + sums[below + 1] * weight
        sums = (np.diff(at_edges, axis=0) / np.diff(edges)[:, None]).T
    return sums.astype(np.float32)


def _normalised(images: Images, blur: float) -> Images:
    """Rows of length 1 (n, pixels), their products correlations of all but the broad shades."""
    flat = (images - _smooth(images, blur)).reshape(len(images), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _smooth(images: Images, blur: float) -> Images:
    return gaussian_filter(images, (0, blur, blur), mode="nearest")


def _lay_over(first: Images, second: Images, place: Images, blur: float) -> Images:
    """Improve the places (p, 4) that take second images (p, size, size) to first ones.

    Gauss and Newton's method, in six steps, finds stretch and shift, across and down, with contrast
    and brightness left free.
    """
    size = first.shape[1]
    x, y, inside = _grid(size)
    target, source = (_smooth(v, blur) - _smooth(v, size / 10) for v in (first, second))
    for _ in range(6):
        image = _moved(source, place)
        down, across = np.gradient(image, 2 / size, axis=(1, 2))
        parts = [across * x, across, down * y, down, image, np.ones_like(image)]
        design = np.stack(parts, axis=-1)[:, inside]  # (p, pixels, 6)
        normal = design.transpose(0, 2, 1) @ design
        ridge = 1e-3 * np.diagonal(normal, axis1=1, axis2=2) + 1e-6
        normal += np.eye(6, dtype=np.float32) * ridge[:, None]
        right = design.transpose(0, 2, 1) @ target[:, inside, None]
        step = np.linalg.solve(normal, right)[..., 0]
        step = np.clip(step[:, :4] / np.maximum(step[:, 4:5], 0.2), -0.05, 0.05)
        place = np.clip(place + step, -0.12, 0.12)
    return place


def _likeness(first: Images, second: Images, place: Images) -> NDArray[np.float64]:
    """Correlation (p,) of the details of images laid over each other."""
    x, y, inside = _grid(first.shape[1])
    there_x, there_y = _there(x, y, place)
    known = inside & (np.abs(there_x) < 0.9) & (np.abs(there_y) < 0.9)
    weight = known / known.sum(axis=(1, 2), keepdims=True)
    a, b = (_smooth(v, 0.7) - _smooth(v, 1.4) for v in (first, second))
    a, b = (v - (v * weight).sum((1, 2), keepdims=True) for v in (a, _moved(b, place)))
    covariance, of_a, of_b = ((u * v * weight).sum((1, 2)) for u, v in ((a, b), (a, a), (b, b)))
    return covariance / np.sqrt(np.maximum(of_a * of_b, 1e-12))


def _grid(size: int) -> tuple[Images, Images, NDArray[np.bool_]]:
    """Places of pixels from -1 to 1, across and down, and the pixels that are compared."""
    x = ((np.arange(size) - (size - 1) / 2) * 2 / size).astype(np.float32)
    central = np.abs(x) < 0.86
    return x[None, :], x[:, None], central[:, None] & central[None, :]


def _there(x: Images, y: Images, place: Images) -> tuple[Images, Images]:
    across, right, down, below = place.T[:, :, None, None]
    return (1 + across) * x + right, (1 + down) * y + below


def _moved(images: Images, place: Images) -> Images:
    """Images (p, size, size) stretched and shifted, linear between pixels."""
    size = images.shape[1]
    x, y = (
        (v * size / 2 + (size - 1) / 2).clip(0, size - 1.001)
        for v in _there(*_grid(size)[:2], place)
    )
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, down = x - left, y - top
    image = np.arange(len(images))[:, None, None]
    upper = images[image, top, left] * (1 - right) + images[image, top, left + 1] * right
    lower = images[image, top + 1, left] * (1 - right) + images[image, top + 1, left + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)
