"""Columns by which scores are split: sex and age where a table has them, and those named."""

import warnings
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical.columns import is_in_words
from skosteo.clinical.small_levels import with_printable_levels
from skosteo.clinical.variables import find_column
from skosteo.evaluation.subgroups import age_band, level_codes
from skosteo.exceptions import InputError


def sex_and_age(table: pd.DataFrame) -> dict[str, Any]:
    """Sex, and ages in bands, of a table that has their columns.

    Ages in words, such as bands already, are levels as they stand. Those of which no bands can be
    made are left out with a `UserWarning`: nobody has asked for them.
    """
    found: dict[str, Any] = {}
    sex, age = (find_column(table, name) for name in ("sex", "age"))
    if sex is not None:
        found["sex"] = table[sex]
    if age is not None:
        try:
            found["age"] = _age_levels(table[age])
        except InputError as error:
            warnings.warn(f"Scores are not split by age: {error}", UserWarning, stacklevel=2)
    return found


def _age_levels(age: pd.Series) -> pd.Series:
    if not is_in_words(age):
        return age_band(age)
    words = age.astype(object)
    level_codes(words, "age")
    return words


def printable_groupings(
    stated: pd.DataFrame, named: pd.DataFrame, patient: NDArray
) -> pd.DataFrame:
    """Join groupings that are there by themselves, as far as patients differ, and those named.

    Levels of few patients, or that look like an identity, are put together.
    """
    new = [n for n in stated if n not in named and len(stated[n].unique()) > 1]
    found = dict(pd.concat([stated[new], named], axis=1))
    in_bands = "age" in new and isinstance(stated["age"].dtype, pd.CategoricalDtype)
    own_bands = "age" if in_bands else None
    return pd.DataFrame(
        {
            name: values if name == own_bands else with_printable_levels(values, patient)
            for name, values in found.items()
        },
        index=stated.index,
    )
