"""Columns by which scores are split: sex and age where a table has them, and those named."""

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical.small_levels import with_printable_levels
from skosteo.clinical.variables import find_column
from skosteo.evaluation.subgroups import age_band


def sex_and_age(table: pd.DataFrame) -> dict[str, Any]:
    """Sex, and ages in bands, of a table that has their columns."""
    found: dict[str, Any] = {}
    sex, age = (find_column(table, name) for name in ("sex", "age"))
    if sex is not None:
        found["sex"] = table[sex]
    if age is not None:
        found["age"] = age_band(table[age])
    return found


def printable_groupings(
    stated: pd.DataFrame, named: pd.DataFrame, patient: NDArray
) -> pd.DataFrame:
    """Join groupings that are there by themselves, as far as patients differ, and those named.

    Levels of few patients, or that look like an identity, are put together.
    """
    new = [n for n in stated if n not in named and len(stated[n].unique()) > 1]
    found = dict(pd.concat([stated[new], named], axis=1))
    own_bands = "age" if "age" in new else None
    return pd.DataFrame(
        {
            name: values if name == own_bands else with_printable_levels(values, patient)
            for name, values in found.items()
        },
        index=stated.index,
    )
