"""The radiographs of a study, read once before any fit: which can be used, and what they state."""

from typing import Any

import numpy as np
import pandas as pd

from skosteo.clinical.flow import ExclusionLog
from skosteo.dicom.sources import NO_FILE
from skosteo.exceptions import InputError
from skosteo.image.films import Films
from skosteo.image.reader import NO_IMAGE, RadiographReader

_SIZE = 224  # pixels of the images that are looked at before any model is
_NOT_THERE = {NO_IMAGE: "not given", NO_FILE: "file not found"}


def read_films(column: pd.Series, rows: ExclusionLog, **reading: Any) -> Films:
    """Read a column of radiographs, and leave out the rows whose radiograph cannot be used.

    `reading` are parameters of `RadiographReader`. Rows that are left out are counted: by the
    rule that their radiograph breaks, or as not given, not found and not readable. The films that
    are returned are those of the rows that stay.
    """
    reader = RadiographReader(_SIZE, errors="report", **reading)
    films = reader.read(column)
    unread = reader.report_
    rule = unread["rule"].map("breaks the rule {!r}".format, na_action="ignore")
    reason = rule.fillna(unread["reason"].map(_NOT_THERE)).fillna("cannot be read")
    for why, some in unread.groupby(reason, sort=False):
        out = np.zeros(len(column), dtype=bool)
        out[some["position"].to_numpy(dtype=int)] = True
        rows.exclude(f"radiograph {why}", out)
    if not rows.kept.any():
        raise InputError(
            f"None of {len(column)} radiographs can be used. The first: "
            f"{unread['reason'].iloc[0]}; {unread['remedy'].iloc[0]}."
        )
    return films.select(np.flatnonzero(rows.kept))
