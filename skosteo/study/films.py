"""The radiographs of a study, read once before any fit: which can be used, and what they state."""

from collections.abc import Iterable
from os import PathLike
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical.flow import Rows
from skosteo.dicom import read_facts
from skosteo.exceptions import InputError
from skosteo.image.reader import RadiographReader

FACTS = ("view_position", "manufacturer")
_SIZE = 224  # pixels of the images that are looked at before any model is


class Films(NamedTuple):
    """Radiographs of a study."""

    pixels: NDArray[np.uint8]  # (n, 224, 224), black where one was not read
    unread: pd.DataFrame  # as `report_` of `RadiographReader`
    facts: pd.DataFrame  # FACTS, where the header of a DICOM file states them

    def take(self, rows: NDArray[np.intp]) -> "Films":
        """Return the radiographs of some rows, all of which were read."""
        # of all, without a copy: they may be mapped from a file
        pixels = self.pixels if len(rows) == len(self.pixels) else self.pixels[rows]
        return Films(pixels, self.unread.iloc[:0], self.facts.iloc[rows].reset_index(drop=True))


def read_films(
    column: pd.Series,
    *,
    cache_dir: Any,
    accept: Iterable[str],
    n_jobs: int | None,
    verbose: int,
) -> Films:
    """Read every radiograph of a column, as `RadiographReader` does, and list the unusable ones."""
    reader = RadiographReader(
        _SIZE, cache_dir=cache_dir, n_jobs=n_jobs, errors="report", accept=accept, verbose=verbose
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


def exclude_unread(films: Films, rows: Rows) -> None:
    """Leave out the rows whose radiograph cannot be used, counted by the rule that it breaks."""
    unread = films.unread
    rule = unread["rule"].map("breaks the rule {!r}".format, na_action="ignore")
    reason = rule.fillna("missing or cannot be read")
    for why, some in unread.groupby(reason, sort=False):
        out = np.zeros(len(rows.kept), dtype=bool)
        out[some["position"].to_numpy(dtype=int)] = True
        rows.leave_out(f"radiograph {why}", out)
    if not rows.kept.any():
        raise InputError(
            f"None of {len(rows.kept)} radiographs can be used. The first: "
            f"{unread['reason'].iloc[0]}; {unread['remedy'].iloc[0]}."
        )
