"""`RadiographReader`: a column of paths -> pixels, decoded once and kept in a cache."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from skosteo.dicom import Radiograph, read_radiograph
from skosteo.exceptions import DicomError, InputError
from skosteo.files import write_atomic

# Part of every cache key: raise it when the same file would give other pixels.
_FORMAT = 1
_CHECK_BYTES = 16


class RadiographReader(TransformerMixin, BaseEstimator):
    """Turn a column of image references into one array of square grey images.

    It learns nothing, so the same instance may read training and test films alike.

    Parameters
    ----------
    size : int, default=224
        Rows and columns of each image; see `Radiograph.to_uint8`.
    cache_dir : str or path-like, default=None
        Folder for the finished images, created if needed. A film is found there by the content
        of its file and `size`, so that it is decoded once for all folds, searches and processes.
        The folder holds patients' images: protect it as the films themselves. None decodes anew
        each time.
    n_jobs : int, default=None
        Number of films decoded at a time, as in joblib.
    errors : {"raise"}, default="raise"
        What to do about an image that cannot be read.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns; only when `fit` was given a table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only when `fit` was given a table.

    Notes
    -----
    A file is hashed once per process for a given path, size and time of change. A file that is
    overwritten with as many bytes within the clock tick of the file system is not noticed.

    Examples
    --------
    >>> import numpy as np
    >>> from pydicom.data import get_testdata_file
    >>> films = [get_testdata_file("MR_small.dcm"), np.eye(300)]
    >>> RadiographReader(size=64).transform(films).shape
    (2, 64, 64)
    """

    def __init__(
        self,
        size: int = 224,
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        errors: str = "raise",
    ) -> None:
        self.size = size
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.errors = errors

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and note the name of the column.

        Parameters
        ----------
        X : Series, DataFrame, list or ndarray
            As in `transform`; no image is opened.
        y : ignored

        Returns
        -------
        RadiographReader
            This instance.

        Raises
        ------
        InputError
            A parameter has a value that is not allowed.
        """
        self._check_parameters()
        if hasattr(X, "columns"):
            self.n_features_in_ = len(X.columns)
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: Any) -> NDArray[np.uint8]:
        """Read every image.

        Parameters
        ----------
        X : Series, DataFrame of one column, list or ndarray of n items
            An item is a path (DICOM, PNG, JPEG or TIFF) or an array (rows, columns) of pixels as
            displayed, bone bright: uint8 from 0 to 255 or float from 0 to 1.

        Returns
        -------
        ndarray of uint8, shape (n, size, size)
            0 is black, 255 is white.

        Raises
        ------
        InputError
            A parameter or the form of `X` is not allowed, or images are missing.
        DicomError
            A file cannot be read. The message begins with the position of the row, counted from
            1. It is a `MissingFileError` where there is no such file.
        """
        self._check_parameters()
        items = _items(X)
        _check_none_missing(items)
        cache = None if self.cache_dir is None else _prepared(self.cache_dir)
        images = np.empty((len(items), self.size, self.size), dtype=np.uint8)
        # a generator, so that no second copy of the images is held while they arrive
        for row, image in enumerate(self._read(items, cache)):
            images[row] = image
        return images

    def _read(self, items: Sequence[Any], cache: Path | None) -> Iterator[NDArray[np.uint8]]:
        parallel = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")
        tasks = (
            joblib.delayed(_read_row)(item, row, len(items), self.size, cache)
            for row, item in enumerate(items, start=1)
        )
        return parallel(tasks)

    def _check_parameters(self) -> None:
        if not _is_integer(self.size) or self.size < 1:
            raise InputError(f"size={self.size!r} is not allowed; give an integer of at least 1")
        if self.cache_dir is not None and not isinstance(self.cache_dir, str | os.PathLike):
            came = type(self.cache_dir).__name__
            raise InputError(f"cache_dir is a {came}; give the path of a folder, or None")
        if self.n_jobs is not None and (not _is_integer(self.n_jobs) or self.n_jobs == 0):
            raise InputError(
                f"n_jobs={self.n_jobs!r} is not allowed; give None or an integer, not 0"
            )
        if self.errors != "raise":
            raise InputError(f"errors={self.errors!r} is not allowed; allowed is 'raise'")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _items(X: Any) -> list[Any]:
    """Take the images out of a column in any of its forms."""
    if isinstance(X, str | os.PathLike):
        raise InputError("X is one path; put it in a list: [path]")
    if hasattr(X, "columns"):
        X = X.to_numpy()
        if X.shape[1] != 1:
            raise InputError(f"X has {X.shape[1]} columns; pick the one of the images: X['image']")
    if isinstance(X, np.ndarray) and X.ndim == 2:
        if X.dtype.kind in "biuf" or X.shape[1] != 1:
            raise InputError(
                f"X is an array of shape {X.shape}; give the column of the images, X[:, j], or put "
                "a single image in a list: [pixels]"
            )
        X = X[:, 0]
    if not isinstance(X, list | tuple | np.ndarray | pd.Series) or getattr(X, "ndim", 1) == 0:
        raise InputError(
            f"X is a {type(X).__name__}; give a column of paths or of 2-D arrays: a Series, a "
            "DataFrame of one column, a list or an array"
        )
    if len(X) == 0:
        raise InputError("X has no rows; give at least one image")
    return list(X)


def _check_none_missing(items: list[Any]) -> None:
    missing = [row for row, item in enumerate(items, start=1) if _is_missing(item)]
    if not missing:
        return
    rows = ", ".join(map(str, missing[:5]))
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    raise InputError(
        f"the image is missing in row{'s' if len(missing) > 1 else ''} {rows}{more} of "
        f"{len(items)}; leave these rows out, or fill in their paths"
    )


def _is_missing(item: Any) -> bool:
    if isinstance(item, str):
        return not item.strip()
    return bool(pd.api.types.is_scalar(item) and pd.isna(item))


def _read_row(item: Any, row: int, rows: int, size: int, cache: Path | None) -> NDArray[np.uint8]:
    try:
        if not isinstance(item, str | os.PathLike):
            return Radiograph(_checked_pixels(item)).to_uint8(size)
        if cache is None:
            return read_radiograph(item).to_uint8(size)
        return _read_cached(Path(item), size, cache)
    except (DicomError, InputError) as error:
        raise type(error)(f"row {row} of {rows}: {error}") from None


def _checked_pixels(item: Any) -> NDArray[np.float32]:
    """Brightness in [0, 1] of an array of pixels as displayed; shape (rows, columns)."""
    allowed = "give a path, or a 2-D array of uint8 from 0 to 255 or of float from 0 to 1"
    if not isinstance(item, np.ndarray):
        raise InputError(f"the image is a {type(item).__name__}; {allowed}")
    if item.ndim != 2 or item.size == 0:
        raise InputError(f"the image is an array of shape {item.shape}; {allowed}")
    if item.dtype == np.uint8:
        return item.astype(np.float32) / np.float32(255)
    if item.dtype.kind != "f":
        raise InputError(f"the image is an array of {item.dtype}; {allowed}")
    # written so that NaN fails it
    if not (item.min() >= 0 and item.max() <= 1):
        raise InputError(f"the image has float pixels outside 0 to 1 or not finite; {allowed}")
    return item.astype(np.float32)


def _prepared(cache_dir: str | os.PathLike[str]) -> Path:
    cache = Path(cache_dir)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(_unusable(error)) from None
    return cache


def _unusable(error: OSError) -> str:
    return (
        f"the cache folder cannot be used ({type(error).__name__}); give cache_dir a folder that "
        "can be written to, or None"
    )


def _read_cached(path: Path, size: int, cache: Path) -> NDArray[np.uint8]:
    try:
        status = path.stat()
        content = _content_digest(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError):
        return read_radiograph(path).to_uint8(size)  # says what is wrong with the file
    key = blake2b(content + f"{size} {_FORMAT}".encode(), digest_size=20).hexdigest()
    entry = cache / key[:2] / key
    image = _load(entry, size)
    if image is None:
        image = read_radiograph(path).to_uint8(size)
        try:
            entry.parent.mkdir(exist_ok=True)
            write_atomic(entry, _check(image.tobytes()) + image.tobytes())
        except OSError as error:
            raise InputError(_unusable(error)) from None
    return image


@lru_cache(maxsize=1_000_000)
def _content_digest(path: Path, size: int, mtime_ns: int) -> bytes:
    with path.open("rb") as stream:
        digest = blake2b(digest_size=32)
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _load(entry: Path, size: int) -> NDArray[np.uint8] | None:
    """Return the image of a cache entry, or None where it is absent or damaged."""
    try:
        data = entry.read_bytes()
    except OSError:
        return None
    pixels = data[_CHECK_BYTES:]
    if len(pixels) != size * size or data[:_CHECK_BYTES] != _check(pixels):
        return None
    return np.frombuffer(pixels, dtype=np.uint8).reshape(size, size)


def _check(pixels: bytes) -> bytes:
    return blake2b(pixels, digest_size=_CHECK_BYTES).digest()
