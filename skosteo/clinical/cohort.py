"""Select a study's cohort from a hospital's table by the paper's criteria, and count each step."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import check_table, guess, missing_cells
from skosteo.clinical import labels
from skosteo.clinical.days import calendar_days
from skosteo.clinical.flow import ExclusionLog, Flow, in_words
from skosteo.clinical.giveaways import name_gives_away, values_give_away
from skosteo.clinical.summary import table_one
from skosteo.clinical.variables import find_column, recognise
from skosteo.exceptions import InputError, LeakageWarning

_YES = {"true", "yes", "y", "1", "1.0", "sí", "si", "是", "有"}
_NO = {"false", "no", "n", "0", "0.0", "否", "无", "無"}


def select_cohort(
    table: pd.DataFrame,
    *,
    t_score: str | Sequence[str] | None = None,
    bmd: str | None = None,
    reference: str | tuple[float, float] = "nhanes_iii_women_20_29",
    label: labels.Kind = "osteoporosis",
    same_day: Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    patient: str | None = None,
    age: str | None = None,
    min_age: float = 50,
    clinical_columns: Sequence[str] | None = None,
    max_missing: float | None = 0.3,
) -> "Cohort":
    """Apply the paper's criteria to a table, one after the other, and count what each leaves.

    In this order: age, film and DXA on the same day, each column of `exclude`, clinical values
    missing, no DXA result.

    Parameters
    ----------
    table : DataFrame of shape (n, n_columns)
        One row per study; of pandas, polars or pyarrow. It is not changed.
    t_score : str or sequence of str, default=None
        Columns of T-scores; of several sites the lowest counts, as WHO and ISCD have it.
    bmd : str, default=None
        Column of femoral-neck density in g/cm2, instead of T-scores.
    reference : str or tuple of (mean, SD), default="nhanes_iii_women_20_29"
        What `bmd` is compared with, see `t_score`.
    label : {"osteoporosis", "low_bone_mass"}, default="osteoporosis"
        What is 1: T <= -2.5, or T < -1.
    same_day : sequence of two str, default=None
        Columns with the dates of film and DXA: timestamps, or text like 2024-03-05 or 20240305.
        Rows without one of them are left out. None does not compare.
    exclude : str or sequence of str, default=()
        Columns that say yes (true, yes, 1) where a row has to go: malignant tumours, hormone
        drugs, films that show no bone. A row where they say nothing stays, and is counted.
    patient : str, default=None
        Column of patient ids, to count patients beside rows and for ``groups``.
    age : str, default=None
        Column of age in years; None finds it by its name.
    min_age : float, default=50
        Youngest age, years. Rows without an age are left out.
    clinical_columns : sequence of str, default=None
        Columns whose missing values count for `max_missing`. None takes those that
        `skosteo.clinical.recognise` knows.
    max_missing : float or None, default=0.3
        Rows that miss this proportion of their clinical values, or more, are left out. None keeps
        them.

    Returns
    -------
    Cohort
        With ``data``, ``target``, ``groups``, ``flow``, ``removed`` and ``table_one``.

    Notes
    -----
    A column leaves ``data`` by its values where, judged by patients and beyond chance, it separates
    cases and controls with an AUC of .95 or more (either way), or one of its values, or its being
    known, multiplies the odds of the label tenfold or divides them by ten. Columns that decide the
    label together only, free text, and densities that separate less than that (of the spine, .86 on
    NHANES) are found by name only.

    For `max_missing` two columns of one variable (serum and fasting glucose) count once, and so
    does body size, which is known where the BMI is, or height and weight. The paper does not say
    which of its variables count for the 30 %; its other cases are left out by a person who looks
    at films and records, where here a column has to say it.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "age": [71, 66, 59, 80, 48], "sex": list("FFMFM"), "bmi": [21.3, 27.0, 24.8, 19.9, 31],
    ...     "film": "2024-03-05 09:12", "dxa": ["20240305"] * 3 + ["20240307"] * 2,
    ...     "t_spine": [-2.9, -0.4, 0.1, -3.0, 0.9], "t_hip": [-2.4, None, -0.7, -2.6, 1.2]})
    >>> cohort = select_cohort(table, t_score=["t_spine", "t_hip"], same_day=["film", "dxa"])
    >>> cohort.flow.frame()
                                        step  excluded  remaining  unknown
    0                          rows in the table         0          5        0
    1                         age below 50 years         1          4        0
    2             film and dxa on different days         1          3        0
    3  30 % or more of 3 clinical values missing         0          3        0
    4                              no DXA result         0          3        0
    >>> cohort.target
    0    1
    1    0
    2    0
    Name: osteoporosis (T <= -2.5), dtype: int64
    """
    table = check_table(table, "table")
    labels.check_kind(label)
    days, reasons, sites = _names(same_day), _names(exclude), _names(t_score)
    values = _names(clinical_columns)
    used = [*sites, *_names(bmd), *days, *reasons, *_names(patient)]
    _check_limits(min_age, max_missing)
    named = [*used, *_names(age), *values]
    for name in named:
        if name not in table.columns:
            raise InputError(f"The table has no column {name!r}{guess(name, table.columns)}")
    log = ExclusionLog(table, patient)
    ages = _ages(table, age)
    scores = _scores(table, sites, bmd, reference)
    log.exclude(f"age below {min_age:g} years", ~(ages >= min_age), np.isnan(ages))
    if same_day is not None:
        log.exclude(*_different_days(table, days))
    for column in reasons:
        log.exclude(column, *_yes(table[column]), kept=True)
    if max_missing is not None:
        log.exclude(*_too_many_missing(table, values, max_missing))
    log.exclude("no DXA result", np.isnan(scores))

    target = _target(pd.Series(scores, index=table.index)[log.kept], label, log)
    data = table.loc[log.kept].drop(columns=used)
    groups = None if patient is None else table.loc[log.kept, patient].copy()
    removed = _give_label_away(data, target, groups, named)
    return Cohort(
        data=data.drop(columns=list(removed)),
        target=target,
        groups=groups,
        flow=Flow(log.frame(), log.outcome(target, labels.MEANINGS[label])),
        removed=removed,
    )


@dataclass(frozen=True, eq=False)
class Cohort:
    """The rows that a study may use; made by `select_cohort`.

    Attributes
    ----------
    data : DataFrame of shape (n_kept, n_columns)
        The kept rows with the user's index, without the columns that gave label, dates, exclusions
        and patient, and without `removed`.
    target : Series of shape (n_kept,), int
        1 where the T-score means what the name says, such as "osteoporosis (T <= -2.5)".
    groups : Series of shape (n_kept,) or None
        The patient of each row.
    flow : Flow
        What each criterion left.
    removed : dict of str to str
        Other columns left out of ``data``, and why: those whose names promise the label ("bmd_hip",
        "Diagnosis"), and those whose values decide or restate it. Name one in ``clinical_columns``
        to keep it; a `LeakageWarning` says what its values give away.
    """

    data: pd.DataFrame
    target: pd.Series
    groups: pd.Series | None
    flow: Flow
    removed: Mapping[str, str] = field(default_factory=dict)

    def table_one(self, by: Any = None, *, median: Sequence[str] = ()) -> pd.DataFrame:
        """Describe the cohort like the paper's Table 1.

        Parameters
        ----------
        by : Series or array-like of shape (n,), or str, default=None
            As in `skosteo.clinical.table_one`; ``by=cohort.target`` compares the two groups.
        median : sequence of str, default=()
            Columns of numbers to describe by median [quartiles] instead of mean (SD).

        Returns
        -------
        DataFrame
            Text ready for print, the label last, as yes and no.
        """
        name = str(self.target.name)
        if isinstance(by, pd.Series) and by.name == name:
            positive, negative = self.flow.outcome.index
            groups = by.map({1: positive, 0: negative})
            by = groups.astype(pd.CategoricalDtype([positive, negative]))
        answer = self.target.map({1: "yes", 0: "no"}).astype(pd.CategoricalDtype(["yes", "no"]))
        return table_one(self.data.assign(**{name: answer}), by, median=median)

    def __repr__(self) -> str:
        people = "" if self.groups is None else f" of {self.groups.nunique()} patients"
        groups = ", ".join(f"{n} {name}" for name, n in self.flow.outcome["rows"].items())
        reasons = "; ".join(f"{name!r} ({why})" for name, why in self.removed.items())
        removed = f"; removed {reasons}" if reasons else ""
        return f"Cohort({len(self.data)} rows{people}: {groups}{removed})"


def _names(names: str | Sequence[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _check_limits(min_age: float, max_missing: float | None) -> None:
    if not isinstance(min_age, Real):
        raise InputError(f"min_age is {min_age!r}; give a number of years.")
    if max_missing is None or (isinstance(max_missing, Real) and 0 < max_missing <= 1):
        return
    percent = isinstance(max_missing, Real) and 1 < max_missing <= 100
    hint = f" Is {max_missing / 100:g} meant?" if percent else ""
    raise InputError(
        f"max_missing is {max_missing!r}; it takes a proportion above 0, up to 1, or None.{hint}"
    )


def _ages(table: pd.DataFrame, column: str | None) -> NDArray[np.float64]:
    column = find_column(table, "age") if column is None else column
    if column is None:
        raise InputError(
            "The table has no column that is known as age. Name the one in years: age='...'."
        )
    ages = labels.as_numbers(table[column], f"Column {column!r}")
    outside = ages[(ages < 0) | (ages > 122)]
    if len(outside):
        hint = "Is it the year of birth?" if (outside > 1850).all() else "Is it in months or days?"
        raise InputError(
            f"Column {column!r} lies outside of 0 to 122 years in {len(outside)} of {len(ages)} "
            f"rows. {hint} Give the age in years when the film was taken."
        )
    return ages


def _scores(
    table: pd.DataFrame, sites: list[str], bmd: str | None, reference: str | tuple[float, float]
) -> NDArray[np.float64]:
    """T-score of each row, NaN without a DXA result."""
    if bool(sites) == (bmd is not None):
        raise InputError(
            f"{'Both' if sites else 'Neither of'} t_score and bmd are given. Name the columns of "
            "T-scores as t_score, or the one of femoral-neck density in g/cm2 as bmd."
        )
    if sites and reference != "nhanes_iii_women_20_29":
        raise InputError("reference is given with T-scores, which have one. It belongs to bmd.")
    if bmd is not None:
        return labels.t_score(table[bmd], reference).to_numpy()
    return np.fmin.reduce([labels.read_t_scores(table[c], f"Column {c!r}") for c in sites])


def _different_days(table: pd.DataFrame, columns: list[str]) -> tuple[str, NDArray, NDArray]:
    if len(set(columns)) != 2:
        raise InputError(
            f"same_day names the columns {columns}; it takes two, the dates of film and DXA."
        )
    first, second = (calendar_days(table[c], c).to_numpy() for c in columns)
    unknown = np.isnat(first) | np.isnat(second)
    # a missing date equals nothing, not even another one
    return f"{columns[0]} and {columns[1]} on different days", ~(first == second), unknown


def _yes(column: pd.Series) -> tuple[NDArray, NDArray]:
    """Where a column says yes, and where it says nothing."""
    unknown = missing_cells(column)
    said = column.astype(object).map(lambda value: str(value).strip().lower())
    yes = ~unknown & said.isin(_YES).to_numpy()
    other = ~(unknown | yes | said.isin(_NO).to_numpy())
    if other.any():
        hint = "Where any entry means yes, use table[column].notna()."
        if set(said[~unknown]) <= {"1", "2", "1.0", "2.0"}:
            hint = "If 2 means no, replace it by 0."
        raise InputError(
            f"Column {column.name!r} of exclude says neither yes nor no (true/false, yes/no, 1/0) "
            f"in {other.sum()} of {len(other)} rows, the first is row "
            f"{np.flatnonzero(other)[0] + 1}. {hint}"
        )
    return yes, unknown


def _too_many_missing(
    table: pd.DataFrame, columns: list[str], limit: float
) -> tuple[str, NDArray[np.bool_]]:
    """Which rows miss too many clinical values."""
    columns = columns or [c for c in table.columns if recognise(c)]
    if not columns:
        raise InputError(
            "The table has no column that is known as a clinical value, so max_missing has nothing "
            "to count. Name them as clinical_columns, or give max_missing=None."
        )
    known: dict[str, NDArray[np.bool_]] = {}
    for column in columns:
        hit = recognise(column)
        name = hit.variable.name if hit else column
        known[name] = known.get(name, False) | ~missing_cells(table[column])
    if "bmi" in known or {"height_cm", "weight_kg"} <= set(known):
        # one measurement: whoever was not weighed has no BMI either
        none = np.zeros(len(table), dtype=bool)
        both = known.pop("height_cm", none) & known.pop("weight_kg", none)
        known["bmi"] = known.get("bmi", none) | both
    missing = len(known) - np.sum(list(known.values()), axis=0)
    step = f"{100 * limit:.3g} % or more of {len(known)} clinical values missing"
    return step, missing / len(known) >= limit


def _give_label_away(
    data: pd.DataFrame, target: pd.Series, groups: pd.Series | None, named: Sequence[str]
) -> dict[str, str]:
    """Columns that give the label away, and why; a warning for those that the user has named."""
    patient = np.arange(len(data)) if groups is None else pd.factorize(groups)[0]
    positive = target.to_numpy() == 1
    removed = {}
    for column in data.columns:
        if column not in named:
            why = name_gives_away(column) or values_give_away(data[column], positive, patient)
            if why:
                removed[column] = why
        elif why := values_give_away(data[column], positive, patient):
            warnings.warn(
                f"Column {column!r} is kept as it was named, although {why}: a model would repeat "
                "the label. Leave it out, unless it was known before the DXA.",
                LeakageWarning,
                stacklevel=3,
            )
    return removed


def _target(scores: pd.Series, kind: labels.Kind, log: ExclusionLog) -> pd.Series:
    if scores.empty:
        raise InputError(f"No row is left: {in_words(log.frame())}.")
    target = labels.label(scores, kind)
    if (target == target.iloc[0]).all():
        densities = scores.between(0.1, 2).all()
        hint = " Are the T-scores densities? Name their column as bmd." if densities else ""
        raise InputError(
            f"All {len(target)} rows left are {labels.MEANINGS[kind][1 - target.iloc[0]]!r}: "
            f"{in_words(log.frame())}. A study needs both groups.{hint}"
        )
    return target
