"""What all estimators of films share, those without a net too: how their films are read."""

from collections.abc import Iterable
from os import PathLike
from os.path import abspath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skosteo.exceptions import InputError
from skosteo.image.film_cache import CacheError, go_on_without
from skosteo.image.films import Films
from skosteo.image.reader import RadiographReader


class FilmEstimator:
    """Part of an estimator whose X holds films, by which scoring and saving know it.

    It comes before scikit-learn's `BaseEstimator` among the bases.
    """

    cache_dir: str | PathLike | None
    ignore_rules: Iterable[str]
    n_jobs: int | None

    # learnt in `fit`
    reader_: RadiographReader
    _column: str | None  # of the table; None where X is films or pixels by themselves
    _film_shape: tuple[int, ...] | None  # of pixels; None where X refers to films

    def _reader_of(self, size: int) -> RadiographReader:
        folder = self.cache_dir
        if isinstance(folder, str | PathLike):  # it is not to follow the working folder
            folder = abspath(folder)
        return RadiographReader(
            size, cache_dir=folder, ignore_rules=self.ignore_rules, n_jobs=self.n_jobs
        )

    def _read_files(self, films: Any, *, reset: bool = False) -> Films:
        """Read films; a prediction goes on without a cache folder that is of no use where it is."""
        try:
            return self.reader_.read(films)
        except CacheError as error:
            if reset:
                raise
            go_on_without(error)
            return clone(self.reader_).set_params(cache_dir=None).read(films)


def check_all_read(pixels: NDArray) -> None:
    """Refuse films that are 0 throughout."""
    black = np.flatnonzero(~pixels.any(axis=tuple(range(1, pixels.ndim))))
    if len(black):
        raise InputError(
            "the film is black throughout, as RadiographReader(errors='report') leaves one that it "
            "could not read; leave out the rows of its report_"
        ).at_rows(black, len(pixels))
