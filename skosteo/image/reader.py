"""`RadiographReader`: a column of paths -> pixels, decoded once and kept in a cache."""

import json
import os
from collections.abc import Iterable
from numbers import Integral
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from tqdm.auto import tqdm

from skosteo._validation import is_missing, to_pandas
from skosteo.dicom import Radiograph, check_ignore_rules, read_radiograph
from skosteo.dicom.rules import MAX_SIDE
from skosteo.dicom.sources import content_of, is_path, is_source
from skosteo.exceptions import DicomError, InputError
from skosteo.image.film_cache import CacheError, FilmCache, PooledFilms, content_digest, hashed_key
from skosteo.image.films import Film, Films, MemoryFilms, film_digest

NO_IMAGE = "the image is missing"
_CHUNK = 256  # rows whose results are under way at a time


class RadiographReader(
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Turn a column of image references into one array of square grey images.

    It learns nothing, so the same instance may read training and test films alike.

    Parameters
    ----------
    size : int, default=224
        Rows and columns of each image; see `Radiograph.to_uint8`.
    cache_dir : str or path-like, default=None
        Folder for the finished images, created if needed, which any number of processes may share:
        a film is decoded once for all of them, and found by its content, `size` and `ignore_rules`.
        It holds patients' images: protect it as the films themselves. Users who share a folder
        have one below it each. None decodes each time.
    n_jobs : int, default=None
        Number of films decoded at a time, as in joblib.
    errors : {"raise", "report"}, default="raise"
        What to do about an image that is missing, refused or cannot be read: raise an error, or
        leave it black and list it in ``report_``.
    ignore_rules : iterable of str, default=()
        Rules of `skosteo.dicom.RULES` by which no file is refused; see `read_radiograph`.
    verbose : int, default=0
        1 shows a progress bar over films.

    Attributes
    ----------
    report_ : DataFrame
        One row per image of the last `transform` that was not read, in the order of X; only with
        ``errors="report"``. ``position`` counts the rows of X from 0, as `iloc` does; ``rule`` is
        the rule that refused the film, or None; ``reason`` and ``remedy`` say why and what to do.
    n_features_in_ : int
        1, the column of images; after `fit`.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column; only when `fit` was given a table.

    Notes
    -----
    Leave images that were not read out, of the table and of the images alike::

        read = X.drop(index=X.index[reader.report_["position"]])
        images = np.delete(images, reader.report_["position"], axis=0)

    A stack of images is no table: `set_output` and ``transform_output`` of `sklearn.set_config`
    leave it an array. `get_feature_names_out` has the names of its pixels, once it is flattened.

    With `cache_dir`, a file is read again only when its path, size, times or inode are others than
    before, or when it changed in the two seconds before it was read. Bytes and open files are
    found by their content.

    Examples
    --------
    >>> import numpy as np
    >>> reader = RadiographReader(size=64, errors="report")
    >>> images = reader.transform([np.eye(300), "nowhere.dcm"])
    >>> images.shape, images.any(axis=(1, 2)).tolist()
    ((2, 64, 64), [True, False])
    >>> reader.report_["position"].tolist()
    [1]
    """

    def __init__(
        self,
        size: int = 224,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        errors: str = "raise",
        ignore_rules: Iterable[str] = (),
        verbose: int = 0,
    ) -> None:
        self.size = size
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.errors = errors
        self.ignore_rules = ignore_rules
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the form of X, and note the name of the column.

        Parameters
        ----------
        X : column of n items
            As in `transform`; no image is opened.
        y : ignored
            Here because scikit-learn's pipelines pass it.

        Returns
        -------
        RadiographReader
            This instance.
        """
        self.check_parameters()
        film_items(X)
        self.n_features_in_ = 1
        self.__dict__.pop("feature_names_in_", None)
        if isinstance(table := to_pandas(X), pd.DataFrame):
            self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        return self

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing, so that the other steps of a pipeline can be told: images stay an array."""
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names "pixel_<row>_<column>" of the pixels, in the order of ``images.reshape(n, -1)``."""
        side = range(self.size)
        return np.array([f"pixel_{row}_{column}" for row in side for column in side], dtype=object)

    def transform(self, X: Any) -> NDArray[np.uint8]:
        """Read every image.

        Parameters
        ----------
        X : Series or table of one column (pandas, polars, pyarrow), list or ndarray of n items
            An item is a film (DICOM, PNG, JPEG or TIFF) as `read_radiograph` takes it, a path or
            bytes or an open file, or an array (rows, columns) of pixels as displayed, bone bright:
            uint8 from 0 to 255 or float from 0 to 1.

        Returns
        -------
        ndarray of uint8, shape (n, size, size)
            0 is black, 255 is white; with ``errors="report"``, an image that was not read is 0
            throughout, and no other is. With `cache_dir`, images that were first read in one call,
            by one process, are a `numpy.memmap` of a file there, which joblib's workers share;
            other selections are copied. What is written to it stays in this process. No other
            program may shorten the files of the folder meanwhile: it would end the process.

        Raises
        ------
        DicomError
            A file cannot be read; a `MissingFileError` where there is none. The message begins
            with the row, counted from 1.
        InputError
            X is no column of films, or the cache folder cannot be used.
        """
        return self.read(X).to_array()

    def read(self, X: Any) -> Films:
        """Read every image as `transform` does, and leave the pixels where they are.

        They are taken by row, with a digest and the facts of each film.
        """
        ignore_rules = self.check_parameters()
        items = film_items(X)
        if self.errors == "raise":
            check_none_missing(items)
        n, unread = len(items), {}
        cache = None if self.cache_dir is None else FilmCache.prepared(self.cache_dir)
        films = PooledFilms(cache, n, self.size) if cache else MemoryFilms(n, self.size)
        name, hidden, read_row = type(self).__name__, not self.verbose, joblib.delayed(_read_row)
        bar = tqdm(total=n, desc=name, unit="film", disable=hidden, leave=False)
        with bar, joblib.Parallel(n_jobs=self.n_jobs) as parallel:
            for start in range(0, n, _CHUNK):
                chunk = items[start : start + _CHUNK]
                carried = map(_carried, chunk)
                results = parallel(read_row(x, self.size, ignore_rules, cache) for x in carried)
                read = {}
                for row, result in enumerate(results, start):
                    if isinstance(result, Film):
                        read[row] = result
                    elif self.errors == "raise":
                        raise result.at_rows([row], n)
                    else:
                        unread[row] = result
                films.keep(read)
                bar.update(len(chunk))
        if self.errors == "report":
            self.report_ = _report(unread)
        return films

    def clear_cache(self, max_bytes: int = 0) -> int:
        """Remove the files longest in `cache_dir` until at most `max_bytes` remain.

        Only files that are named as the cache names them are touched, so that a folder given by
        mistake keeps its own. What a killed process left half written goes after a day. An array
        that `transform` returned before stays whole, but workers can no longer share it.

        Parameters
        ----------
        max_bytes : int, default=0
            Bytes that may remain; 0 removes all.

        Returns
        -------
        int
            Bytes freed.
        """
        self.check_parameters()
        if self.cache_dir is None:
            raise InputError("cache_dir is None: there is no cache to clear; give its folder")
        if not _is_integer(max_bytes) or max_bytes < 0:
            raise InputError(f"max_bytes={max_bytes!r} is not allowed; give an integer from 0")
        return FilmCache.of(self.cache_dir).clear(max_bytes)

    def check_parameters(self) -> frozenset[str]:
        """Refuse wrong parameters; return the rules that are lifted."""
        if not _is_integer(self.size) or not 1 <= self.size <= MAX_SIDE:
            raise InputError(
                f"size={self.size!r} is not allowed; give an integer of at least 1 and at most "
                f"{MAX_SIDE}, the longest side of a film"
            )
        if self.cache_dir is not None and not isinstance(self.cache_dir, str | os.PathLike):
            came = type(self.cache_dir).__name__
            raise InputError(f"cache_dir is a {came}; give the path of a folder, or None")
        if self.n_jobs is not None and (not _is_integer(self.n_jobs) or self.n_jobs == 0):
            raise InputError(f"n_jobs={self.n_jobs!r} is refused; give None or an integer, not 0")
        if self.errors not in ("raise", "report"):
            raise InputError(f"errors={self.errors!r} is not allowed; give 'raise' or 'report'")
        return check_ignore_rules(self.ignore_rules)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _carried(item: Any) -> Any:
    """Item as another process can take it: of an open file its content, or why it has none."""
    if is_missing(item) or is_path(item) or not is_source(item):
        return item
    try:
        return content_of(item)
    except (DicomError, InputError) as error:
        return type(error)(*error.args)


def _read_row(
    item: Any, size: int, ignore_rules: frozenset[str], cache: FilmCache | None
) -> Film | DicomError | InputError:
    """Film of a row, or why it cannot be read."""
    key = ""
    found: Film | bytes | None = None
    try:
        if is_missing(item):
            raise InputError(f"{NO_IMAGE}; leave the row out, or fill in its path")
        if isinstance(item, DicomError | InputError):
            return item
        if not is_source(item):
            radiograph = Radiograph(checked_pixels(item))
        else:
            if cache is not None and isinstance(item, bytes):
                key, found = cache.find_digest(content_digest(item), size, ignore_rules)
            elif cache is not None:
                key, found = cache.find(item, size, ignore_rules)
            if isinstance(found, Film):
                return found
            given = item if found is None else found
            radiograph = read_radiograph(given, ignore_rules=ignore_rules)
        pixels = radiograph.to_uint8(size)
        if not pixels.any():  # which says that an image was not read
            raise DicomError("the image is black throughout", "check its window and its bits")
        digest = film_digest(pixels)
        facts = {name: fact for name, fact in radiograph.stated.items() if fact is not None}
        return Film(pixels, digest, json.dumps(facts), key or hashed_key("pixels", digest))
    except CacheError:
        raise
    except (DicomError, InputError) as error:
        return type(error)(*error.args)  # without the traceback, which would hold the file


def _report(unread: dict[int, DicomError | InputError]) -> pd.DataFrame:
    rows = [
        (position, error.rule, error.reason, error.remedy)
        if isinstance(error, DicomError)
        else (position, None, *str(error).split("; ", 1))
        for position, error in unread.items()
    ]
    report = pd.DataFrame(rows, columns=["position", "rule", "reason", "remedy"], dtype=object)
    return report.astype({"position": int, "reason": str, "remedy": str})


def film_items(X: Any) -> list[Any]:
    """Take the images out of a column in any of its forms."""
    if isinstance(X, str | os.PathLike):
        raise InputError("X is one path; put it in a list: [path]")
    X = to_pandas(X)
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
    if isinstance(X, np.ndarray) and X.dtype.kind == "S":
        raise InputError("X is an array of bytes, which loses zeros at their ends; give a list")
    if not isinstance(X, list | tuple | np.ndarray | pd.Series) or getattr(X, "ndim", 1) == 0:
        raise InputError(
            f"X is a {type(X).__name__}; give a column of paths or of 2-D arrays: a Series, a "
            "DataFrame of one column, a list or an array"
        )
    if len(X) == 0:
        raise InputError("X has no rows; give at least one image")
    return list(X)


def check_none_missing(items: list[Any]) -> None:
    """Refuse items that are None, NaN or empty, by their rows."""
    if missing := [row for row, item in enumerate(items) if is_missing(item)]:
        error = InputError(f"{NO_IMAGE}; leave these rows out, or fill in their paths")
        raise error.at_rows(missing, len(items))


def checked_pixels(item: Any) -> NDArray[np.float32]:
    """Brightness in [0, 1] of an array of pixels as displayed; shape (rows, columns)."""
    allowed = "give a path, or a 2-D array of uint8 from 0 to 255 or of float from 0 to 1"
    if not isinstance(item, np.ndarray):
        raise InputError(f"the image is a {type(item).__name__}; {allowed}")
    if item.ndim != 2 or item.size == 0:
        raise InputError(f"the image is an array of shape {item.shape}; {allowed}")
    largest = 255 if item.dtype == np.uint8 else 1
    if largest == 1 and item.dtype.kind != "f":
        raise InputError(f"the image is an array of {item.dtype}; {allowed}")
    if not (item.min() >= 0 and item.max() <= largest):  # written so that NaN fails it
        raise InputError(f"the image has float pixels outside 0 to 1 or not finite; {allowed}")
    if item.min() == item.max():
        raise InputError("the image is blank: all its pixels are alike; give the film itself")
    return item.astype(np.float32) / np.float32(largest)
