"""Columns that decide or restate the label: told by whole names, and by their values."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, rankdata

from skosteo._validation import missing_cells, plain_name, split_numbers
from skosteo.clinical.columns import MAX_CATEGORIES
from skosteo.clinical.report_text import is_label_leaking_name

Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]

# Whole names of outcomes, beside those that `is_label_leaking_name` finds within a name
_OUTCOMES = {
    "diagnosis", "finaldiagnosis", "dx", "diagnose", "diagnostico", "diagnosiscode",
    "icd", "icdcode", "icd10", "icd10code", "label", "outcome", "target", "casecontrol",
    "诊断", "最终诊断", "出院诊断", "診斷", "结局", "標籤", "标签",
}  # fmt: skip

# No clinical value separates cases and controls like this by itself: age and weight reach .8
_SEPARATES = 0.95
# nor by chance: three standard errors (Mann and Whitney) from .5
_ERRORS = 3
# No risk factor multiplies the odds like this. A value restates the label where one that did would
# be seen with as few exceptions in one cohort of a hundred; of a usual risk factor, in none.
_ODDS_RATIO = 10
_CHANCE = 0.01


# A disease of the patient's parents is a risk factor (FRAX asks for it), and no label
_RELATIVES = re.compile(
    r"\b(family|familial|familiar(es)?|famil\w*anamnes[ei]|parents?|parental|mothers?|fathers?"
    r"|maternal|paternal|relatives|siblings?|madre|padres?|mutter|vater|eltern)\b"
    r"|家族|父母|父亲|母亲",
    re.IGNORECASE,
)
# what a measurement, or a doctor of the family, says is of the patient
_OWN = re.compile(
    r"\b(bmd|dxa|density|t ?scores?|(doctor|physician|practitioner|arzt|médico)s?)\b|骨密度",
    re.IGNORECASE,
)


def is_of_relatives(column: object) -> bool:
    """Whether a column's name speaks of the patient's family, as "Family history of ..." does."""
    words = re.sub(r"[\W_]+", " ", str(column))
    return _RELATIVES.search(words) is not None and _OWN.search(words) is None


def name_gives_away(column: object) -> str | None:
    """Say that a column's name promises the label; None where it does not."""
    leaks = is_label_leaking_name(column) or plain_name(column) in _OUTCOMES
    return "its name promises the label" if leaks else None


def values_give_away(values: pd.Series, positive: Flags, patient: Codes) -> str | None:
    """Say how a column's values give the label away; None where they do not.

    Parameters
    ----------
    values : Series of shape (n,)
        The column.
    positive : ndarray of bool, shape (n,)
        The label.
    patient : ndarray of int, shape (n,)
        Code of the patient of each row; chance is judged by patients.
    """
    missing = missing_cells(values)
    known = ~missing
    if not known.any():
        return None
    if why := _known_values_give_away(values[known], positive[known], patient[known]):
        return why
    auc = _auc(missing.astype(np.float64), positive, patient)
    if max(auc, 1 - auc) >= _SEPARATES or _restates(missing.astype(np.intp), positive, patient):
        return "whether it is known tells cases from controls"
    return None


def _known_values_give_away(values: pd.Series, positive: Flags, patient: Codes) -> str | None:
    scores = []
    numbers = _as_numbers(values)
    readable = ~np.isnan(numbers)
    # a few numbers in a column of words say nothing of it
    if readable.sum() > len(values) / 2:
        auc = _auc(numbers[readable], positive[readable], patient[readable])
        scores.append(max(auc, 1 - auc))
    codes = _levels(values)
    if codes is not None:
        scores.append(_auc(proportion_of_others(codes, positive, patient), positive, patient))
    if max(scores, default=0.5) >= _SEPARATES:
        return f"its values tell cases from controls (AUC {max(scores):.3f})"
    if codes is not None and _restates(codes, positive, patient):
        return "one of its values goes with cases alone or with controls alone, or nearly so"
    return None


def _as_numbers(values: pd.Series) -> NDArray[np.float64]:
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        values = values.astype("int64")
    return split_numbers(values)[0]


def _levels(values: pd.Series) -> Codes | None:
    """Codes of the values of a column that has few different ones."""
    try:
        codes, levels = pd.factorize(values.astype(object))
    except TypeError:  # arrays and lists
        return None
    return codes if len(levels) <= MAX_CATEGORIES else None


def _auc(score: NDArray[np.float64], positive: Flags, patient: Codes) -> float:
    """Area under the ROC curve; .5 where as few patients could reach it by chance."""
    m, n = (len(np.unique(patient[side])) for side in (positive, ~positive))
    if min(m, n) == 0:
        return 0.5
    ranks, cases = rankdata(score), positive.sum()
    wins = ranks[positive].sum() - cases * (cases + 1) / 2
    auc = float(wins / (cases * (len(score) - cases)))
    error = np.sqrt((m + n + 1) / (12 * m * n))
    return auc if abs(auc - 0.5) > _ERRORS * error else 0.5


def proportion_of_others(codes: Codes, positive: Flags, patient: Codes) -> NDArray[np.float64]:
    """Proportion of positive rows among other patients of a row's level; without any, the mean."""
    table = pd.DataFrame({"level": codes, "patient": patient, "y": positive.astype(float)})
    level = table.groupby("level")["y"].agg(["sum", "size"]).loc[table["level"]].to_numpy()
    own = table.groupby(["level", "patient"])["y"].agg(["sum", "size"])
    own_rows = own.loc[list(zip(table["level"], table["patient"], strict=True))].to_numpy()
    cases, rows = (level - own_rows).T
    proportion: NDArray[np.float64] = cases / np.maximum(rows, 1)
    proportion[rows == 0] = positive.mean()
    return proportion


def _restates(codes: Codes, positive: Flags, patient: Codes) -> bool:
    """Whether a value multiplies or divides the odds of the label tenfold, beyond chance."""
    rows = pd.DataFrame({"code": codes, "patient": patient, "case": positive})
    people = rows.groupby(["code", "patient"])["case"].max()
    n_cases, n = people.sum(), len(people)
    if n_cases in (0, n):
        return False
    counts = people.groupby("code").agg(["sum", "size"]).to_numpy()
    size, odds = counts[:, 1], n_cases / (n - n_cases)
    for side, base in ((counts[:, 0], odds), (size - counts[:, 0], 1 / odds)):
        at_most = _ODDS_RATIO * base / (1 + _ODDS_RATIO * base)
        if (binom.sf(side - 1, size, at_most) < _CHANCE).any():
            return True
    return False
