"""Columns that give the label away: by name, text, values, missing values or numbering."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import (
    is_bool_dtype,
    is_datetime64_any_dtype,
    is_numeric_dtype,
    is_timedelta64_dtype,
)

from skosteo._validation import split_numbers
from skosteo.clinical.columns import MAX_CATEGORIES
from skosteo.clinical.giveaways import is_of_relatives, proportion_of_others
from skosteo.clinical.report_text import (
    GIVEAWAY_TERMS,
    compile_terms,
    is_label_leaking_name,
    rows_with_terms,
)
from skosteo.clinical.variables import is_report_text
from skosteo.evaluation._format import proportion_text
from skosteo.evaluation.metrics import auc_influence

# A column separates the classes if its AUC is this; no clinical value does so by itself
_SEPARATES = 0.99
# Patients of each class that a column has to know: with ten, chance does it once in 90,000 columns
_ENOUGH = 10
# Proportions of patients of the two classes whose text names the diagnosis that differ by this (an
# AUC of .6), and by more than chance, make the text a leak: what was removed may still be guessed
_DIFFERS = 0.2
# Rows from which on an order that goes with the classes is told from chance
_MANY = 50


class Finding(NamedTuple):
    """One thing found; the columns of `LeakageReport.frame`, with all rows or None."""

    kind: str
    severity: str
    column: str
    rows: NDArray[np.intp] | None
    finding: str
    remedy: str


def column_findings(
    values: pd.Series, positive: NDArray[np.bool_], patient: NDArray[np.intp]
) -> list[Finding]:
    """Find what one column gives away; nothing for a column that is well."""
    name = str(values.name)
    remedy = f"Leave {name!r} out, unless it was known before the outcome was."
    known = values.notna().to_numpy(dtype=bool)
    findings = []
    if is_label_leaking_name(values.name) and not is_of_relatives(values.name):
        words = f"The name {name!r} promises the answer."
        findings.append(Finding("column's name", "suspect", name, None, words, remedy))
    if not known.any() or (_n_different(values) == 1 and known.all()):
        words = f"Column {name!r} {'holds no value' if not known.any() else 'is constant'}."
        note = Finding("no information", "note", name, None, words, "Leave it out.")
        return [*findings, note]
    text = _is_text(values)
    if text:
        findings += _of_text(values, name, positive, patient)
    missing = _auc(known.astype(float), positive, patient)
    if max(missing, 1 - missing) >= _SEPARATES:
        words = f"Whether {name!r} is missing tells the classes apart (AUC {_figure(missing)})."
        findings.append(Finding("column's missing values", "leak", name, None, words, remedy))
    rows = np.flatnonzero(known)
    auc = _best_auc(values.iloc[rows], text, positive[rows], patient[rows])
    if auc >= _SEPARATES:
        words = f"Column {name!r} alone tells the classes apart (AUC {_figure(auc)})."
        findings.append(Finding("column's values", "leak", name, rows, words, remedy))
    elif _numbers_rows(values) and _beyond_chance(auc, positive):
        words = f"Column {name!r} numbers the rows, and its order tells the classes apart (AUC "
        words += f"{_figure(auc)})."
        findings.append(Finding("column's order", "suspect", name, rows, words, remedy))
    return findings


def _of_text(
    values: pd.Series, name: str, positive: NDArray[np.bool_], patient: NDArray[np.intp]
) -> list[Finding]:
    telling = rows_with_terms(values, compile_terms(GIVEAWAY_TERMS))
    rows = np.flatnonzero(telling)
    if not len(rows):
        return []
    words = f"Column {name!r} names the diagnosis, its test or its drugs in "
    words += f"{count_of(len(rows), 'row')}"
    cases, controls = (_by_patient(telling[side], patient[side]) for side in (positive, ~positive))
    if _differs(cases, controls):
        words += f", of {cases.mean():.0%} of the cases and {controls.mean():.0%} of the controls."
        remedy = (
            f"Leave {name!r} out. ClinicalPreprocessor removes the clauses with such terms, but "
        )
        remedy += "not what else they go with: compare models with and without it."
        return [Finding("column's text", "leak", name, rows, words, remedy)]
    severity, remedy = "suspect", "Name it in text_columns of ClinicalPreprocessor, which removes "
    remedy += "such terms, or leave it out."
    if is_report_text(name):
        severity = "note"
        remedy = "ClinicalPreprocessor removes such terms from it; other models see them."
    return [Finding("column's text", severity, name, rows, words + ".", remedy)]


def _by_patient(telling: NDArray[np.bool_], patient: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether any text of each patient tells."""
    return pd.Series(telling).groupby(patient).any().to_numpy()


def _differs(cases: NDArray[np.bool_], controls: NDArray[np.bool_]) -> bool:
    """Whether proportions differ strongly, and by three standard errors or more."""
    if min(len(cases), len(controls)) < _ENOUGH:
        return False
    difference = abs(cases.mean() - controls.mean())
    both = np.concatenate([cases, controls]).mean()
    error = np.sqrt(both * (1 - both) * (1 / len(cases) + 1 / len(controls)))
    return bool(difference >= _DIFFERS and difference > 3 * error)


def _is_text(values: pd.Series) -> bool:
    if is_numeric_dtype(values) or is_bool_dtype(values):
        return False
    return bool(values.dropna().map(lambda value: isinstance(value, str)).all())


def _is_time(values: pd.Series) -> bool:
    return is_datetime64_any_dtype(values) or is_timedelta64_dtype(values)


def _n_different(values: pd.Series) -> int:
    try:
        return int(values.nunique())
    except TypeError:  # arrays and lists
        return len(values)


def _best_auc(
    values: pd.Series, text: bool, positive: NDArray[np.bool_], patient: NDArray[np.intp]
) -> float:
    """Area under the ROC curve of a column's values, as numbers or as categories, at least .5."""
    best = 0.5
    numbers = _as_numbers(values, text)
    if numbers is not None:
        auc = _auc(numbers, positive, patient)
        best = max(auc, 1 - auc)
    if _n_different(values) <= MAX_CATEGORIES:
        codes = pd.factorize(values)[0]
        best = max(best, _auc(proportion_of_others(codes, positive, patient), positive, patient))
    return best


def _as_numbers(values: pd.Series, text: bool) -> NDArray[np.float64] | None:
    """Values as they order rows: numbers, times, or the numbers at the end of ids."""
    if _is_time(values):
        values = values.astype("int64")
    numbers, _ = split_numbers(values)
    if not np.isnan(numbers).any():
        return numbers
    if not text:
        return None
    ends = values.map(lambda word: (re.findall(r"\d+(?:\.\d+)?", word) or [""])[-1])
    return None if (ends == "").any() else ends.to_numpy(np.float64)


def _auc(score: NDArray[np.float64], positive: NDArray[np.bool_], patient: NDArray) -> float:
    """Area under the ROC curve; .5 where a class has too few patients to judge."""
    if min(len(np.unique(patient[side])) for side in (positive, ~positive)) < _ENOUGH:
        return 0.5
    finite = np.nan_to_num(score, posinf=np.finfo(float).max, neginf=np.finfo(float).min)
    return auc_influence(positive, finite, np.ones(len(score)))[0]


def _numbers_rows(values: pd.Series) -> bool:
    """Whether a column is an id: whole numbers, or words with a number, each once."""
    if _is_time(values) or values.isna().any():  # a birthday goes with the disease as age does
        return False
    numbers = _as_numbers(values, _is_text(values))
    if numbers is None or len(np.unique(numbers)) < len(numbers) or len(numbers) < _MANY:
        return False
    return bool((numbers == np.rint(numbers)).all())


def _beyond_chance(auc: float, positive: NDArray[np.bool_]) -> bool:
    """Whether an area is five standard errors or more from .5 (Mann and Whitney)."""
    m, n = positive.sum(), (~positive).sum()
    return bool(auc - 0.5 > 5 * np.sqrt((m + n + 1) / (12 * m * n)))


def count_of(n: int, what: str) -> str:
    """Say how many: "1 film", "2 films"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _figure(auc: float) -> str:
    return proportion_text(max(auc, 1 - auc))
