"""The films of a study, read once before any fit: which can be used, and what they state."""

from collections.abc import Iterable
from os import PathLike
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.dicom import read_facts
from skosteo.image.reader import RadiographReader

FACTS = ("view_position", "manufacturer")


class Films(NamedTuple):
    """What `read_films` returns.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
        Black where a film was not read.
    unread : DataFrame
        As ``report_`` of `RadiographReader`: position, rule, reason, remedy.
    facts : DataFrame of shape (n, 2)
        "view_position" and "manufacturer", where the header of a DICOM file states them.
    """

    pixels: NDArray[np.uint8]
    unread: pd.DataFrame
    facts: pd.DataFrame


def read_films(
    column: pd.Series,
    *,
    size: int,
    cache_dir: Any,
    ignore_rules: Iterable[str],
    n_jobs: int | None,
    verbose: int,
) -> Films:
    """Read every film of a column, and list those that cannot be used.

    Parameters
    ----------
    column : Series
        Films, as `RadiographReader` takes them.
    size : int
        Rows and columns of the pixels.
    cache_dir, ignore_rules, n_jobs, verbose
        As in `RadiographReader`.

    Returns
    -------
    Films
    """
    reader = RadiographReader(
        size,
        cache_dir=cache_dir,
        n_jobs=n_jobs,
        errors="report",
        ignore_rules=ignore_rules,
        verbose=verbose,
    )
    pixels = reader.transform(column)
    usable = np.ones(len(column), dtype=bool)
    usable[reader.report_["position"]] = False
    stated = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_facts)(item if fit else None)
        for item, fit in zip(column, usable, strict=True)
    )
    facts = pd.DataFrame(stated, columns=list(FACTS), dtype=object)
    return Films(pixels, reader.report_, facts)


def _facts(item: Any) -> tuple[Any, ...]:
    stated = read_facts(item) if isinstance(item, str | PathLike) else {}
    return tuple(stated.get(name) for name in FACTS)
