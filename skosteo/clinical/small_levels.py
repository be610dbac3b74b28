"""Which levels of a category may be printed: no identity, and none that few patients have."""

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Patients of a level that is printed, as in `skosteo.evaluation.subgroups`, and rows of one that a
# fitted model keeps by name
FEWEST = 10
OTHERS, SUPPRESSED = "other levels", "suppressed"

# A date with its year, an address, a number as of a record, a name as DICOM or a list writes it, a
# title before a name
_IDENTITY = re.compile(
    r"\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}|\b\d{1,2}[-/.]\d{1,2}[-/.](\d\d)?\d\d\b|\w@\w|\d{5}|\w\^\w"
    r"|^[A-Z][\w'-]+, ?[A-Z]\w+|\b(Dr|Prof|Mrs?|Ms|Herr|Frau|Sra?|Dra)\b\.?\s+[A-Z]|医[生师]|大夫"
)
_PERSON = re.compile(
    r"(patient|doctor|physician|operator|radiologist|nurse|sur|last|first|family|full)[\W_]?name"
    r"|^(name|nombre|apellidos?|vorname|nachname)$|姓名|医[生师]|(?<![a-z])(operator|physician|doctor"
    r"|surgeon|radiologist|reader|reporter|technician|technologist|befunder|m[eé]dico)(?![a-z])",
    re.IGNORECASE,
)


def with_printable_levels(values: pd.Series, patient: NDArray[np.intp]) -> pd.Series:
    """Put levels that may not be printed together as "other levels"; missing cells stay missing.

    Parameters
    ----------
    values : Series of shape (n,)
        A category.
    patient : ndarray of int, shape (n,)
        Patient of each row.

    Returns
    -------
    Series of shape (n,)
        Without levels that fewer than `FEWEST` patients have, and without those that look like a
        person's name, number, address or date. A name of two plain words that many patients share,
        such as their doctor's, is known by the column's heading only.
    """
    hidden = [level for level in values.dropna().unique() if not _is_printable(level, values)]
    rare = [level for level, n in patients_of_levels(values, patient).items() if n < FEWEST]
    away = values.isin([*hidden, *rare])
    if not away.any():
        return values
    if isinstance(values.dtype, pd.CategoricalDtype):  # which has its order
        kept = [level for level in values.cat.categories if level not in {*hidden, *rare}]
        return values.cat.set_categories([*kept, OTHERS]).mask(away, OTHERS)
    return values.astype(object).mask(away, OTHERS)


def _is_printable(level: object, values: pd.Series) -> bool:
    return not (_IDENTITY.search(str(level)) or _PERSON.search(str(values.name)))


def patients_of_levels(values: pd.Series, patient: NDArray[np.intp]) -> dict[Any, int]:
    """Return how many patients have each level."""
    table = pd.DataFrame({"level": values.to_numpy(), "patient": patient})
    return dict(table.groupby("level", observed=True)["patient"].nunique())


def suppressed_levels(n_patients: list[int]) -> list[bool]:
    """Say of which levels the count is not printed, by how many patients each has.

    Those that fewer than `FEWEST` have; where there is only one, or all of them together are as
    few, the next smallest goes with it, since the total is known. None says nothing of anybody.
    """
    hidden = [0 < n < FEWEST for n in n_patients]
    while any(hidden):
        away = [n for n, is_hidden in zip(n_patients, hidden, strict=True) if is_hidden]
        left = [i for i, n in enumerate(n_patients) if n and not hidden[i]]
        if not left or (len(away) > 1 and sum(away) >= FEWEST):
            break
        hidden[min(left, key=lambda i: n_patients[i])] = True
    return hidden
