"""What a study is given, checked: rows, columns, groupings, and which films can be used."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._validation import check_groups, encode_target
from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.clinical.variables import find_column, recognise
from skosteo.evaluation._scored import as_proportion
from skosteo.evaluation.leakage import LeakageReport
from skosteo.evaluation.subgroups import age_band, subgroups
from skosteo.exceptions import InputError
from skosteo.study.films import Films


def check_said(title: Any, limits: Any, prevalence: float | None) -> None:
    """Refuse at once what would be seen when all is fitted."""
    if not isinstance(title, str) or not title.strip():
        raise InputError(f"title={title!r}: give the heading of the report as a text.")
    given = isinstance(limits, list | tuple) and all(isinstance(limit, str) for limit in limits)
    if not given:
        raise InputError(f"limits={limits!r}: give a list of sentences.")
    if prevalence is not None:
        as_proportion(prevalence, "prevalence", inside=True)


def check_numbers(random_state: Any, n_jobs: Any) -> None:
    """Refuse a seed that repeats nothing, and a number of jobs that joblib would."""
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if not whole or not 0 <= random_state < 2**32:
        raise InputError(
            f"random_state={random_state!r}: a study takes a whole number from 0, so that it can "
            "be repeated and goes on after a crash."
        )
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise InputError(f"n_jobs={n_jobs!r}: allowed are None and whole numbers but 0.")


def checked(
    X: Any, y: ArrayLike, groups: ArrayLike | None
) -> tuple[pd.DataFrame, NDArray, NDArray, bool]:
    """Table, labels and patients, and whether patients were given."""
    if not isinstance(X, pd.DataFrame):
        raise InputError(f"X is a {type(X).__name__}; a study takes a DataFrame, one row per film.")
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise InputError(f"X has several columns of the name {twice}; give each its own.")
    check_rows(X, y, "y")
    missing = np.asarray(pd.isna(np.asarray(y)))
    if missing.any():
        raise InputError(
            f"y has no label in {missing.sum()} of {len(X)} rows, the first in row "
            f"{missing.argmax() + 1} of X, from 1. Leave out rows whose outcome is not known."
        )
    encode_target(y)
    codes = check_groups(groups, len(X))
    patient = np.arange(len(X)) if codes is None else codes
    return X.reset_index(drop=True), np.asarray(y), patient, codes is not None


def check_rows(X: pd.DataFrame, given: Any, name: str) -> None:
    """Refuse what has not one value per row of the table."""
    sized = hasattr(given, "__len__") and not isinstance(given, str) and np.shape(given) != ()
    if not sized or len(given) != len(X):
        n = f"{len(given)} rows" if sized else f"no rows but is {given!r}"
        raise InputError(
            f"{name} has {n}, and X has {len(X)}. Give one value per row of X, in the same order."
        )


def clinical_of(
    X: pd.DataFrame,
    image_column: str | None,
    site: str | None,
    clinical_columns: Sequence[str] | None,
) -> list[str]:
    """Columns of the clinical models: those named, or all but those of films and site."""
    every = X.columns.tolist()
    if image_column is not None and image_column not in every:
        raise InputError(
            f"X has no column {image_column!r} (image_column); its columns are {every}. Name the "
            "column that holds the films, or give image_column=None for a study without films."
        )
    if clinical_columns is None:
        return [column for column in every if column not in (image_column, site)]
    if isinstance(clinical_columns, str):
        raise InputError(f"clinical_columns={clinical_columns!r} is one text; give a list.")
    absent = [column for column in clinical_columns if column not in every]
    if absent:
        raise InputError(f"X has no columns {absent} (clinical_columns); its columns are {every}.")
    return list(clinical_columns)


def given_groupings(
    X: pd.DataFrame,
    columns: Sequence[str],
    subgroups: Sequence[str] | pd.DataFrame,
    site: str | None,
) -> pd.DataFrame:
    """Columns by which scores are split, as whoever runs the study names them."""
    if isinstance(subgroups, str):
        raise InputError(f"subgroups={subgroups!r} is one text; give a list of columns.")
    if site is not None and site not in X:
        raise InputError(f"X has no column {site!r} (site); its columns are {X.columns.tolist()}.")
    if isinstance(subgroups, pd.DataFrame):
        check_rows(X, subgroups, "subgroups")
        given = subgroups.reset_index(drop=True)
    else:
        absent = [column for column in subgroups if column not in X]
        if absent:
            raise InputError(
                f"X has no columns {absent} (subgroups); its columns are {X.columns.tolist()}."
            )
        # sex and age that are clinical columns are there already, age in bands
        wanted = dict.fromkeys(subgroups)
        given = X[[c for c in wanted if not (c in columns and is_sex_or_age(c))]]
    if site is not None and site not in given:
        given = given.assign(**{site: X[site]})
    return given


def is_sex_or_age(column: Any) -> bool:
    """Whether a column of this name is what `stated_groupings` makes groupings of."""
    known = recognise(column)
    return known is not None and known.variable.name in ("sex", "age")


def leave_out_films(films: Films, rows: ExclusionLog) -> None:
    """Count the films that cannot be used, by the rule that they break."""
    unread = films.unread
    rule = unread["rule"].map("breaks the rule {!r}".format, na_action="ignore")
    reason = rule.fillna("missing or cannot be read")
    for why, some in unread.groupby(reason, sort=False):
        out = np.zeros(len(rows.kept), dtype=bool)
        out[some["position"].to_numpy(dtype=int)] = True
        rows.exclude(f"film {why}", out)
    if not rows.kept.any():
        raise InputError(
            f"None of {len(rows.kept)} films can be used. The first: {unread['reason'].iloc[0]}; "
            f"{unread['remedy'].iloc[0]}."
        )


def stated_groupings(
    X: pd.DataFrame, columns: list[str], facts: pd.DataFrame | None
) -> pd.DataFrame:
    """Sex, age band and what the headers of the films state, as far as patients differ."""
    found: dict[str, Any] = {}
    sex, age = (find_column(X[columns], name) for name in ("sex", "age"))
    if sex is not None:
        found["sex"] = X[sex]
    if age is not None:
        found["age"] = age_band(X[age])
    if facts is not None:
        found["projection"], found["manufacturer"] = (facts[name].to_numpy() for name in facts)
    stated = pd.DataFrame(found, index=X.index)
    differ = [name for name in stated if len(stated[name].unique()) > 1]
    return stated[differ]


def check_flow(before: Flow | None, n_rows: int) -> None:
    """Refuse the flow of another cohort."""
    if before is None:
        return
    remaining = int(before.frame()["remaining"].iloc[-1])
    if remaining != n_rows:
        raise InputError(
            f"flow leaves {remaining} rows and X has {n_rows}. Give the flow of the cohort whose "
            "data X is."
        )


def joined_flow(before: Flow | None, rows: ExclusionLog, labels: NDArray, outcome: str) -> Flow:
    """Continue the flow of a cohort by what the study left out."""
    positive = pd.Series(encode_target(labels)[1])[rows.kept]
    frame = rows.frame()
    meanings = (outcome, f"no {outcome}")
    counts = rows.outcome(positive, meanings)
    if before is not None:
        earlier = before.frame()
        frame = pd.concat([earlier, frame.iloc[1:]], ignore_index=True)
        counts = counts[[name for name in before.outcome if name in counts]]
        if frame.isna().any(axis=None):  # one of both knows the patients
            frame = frame.drop(columns=[name for name in frame if "patients" in str(name)])
    return Flow(frame, counts)


def check_no_leak(leakage: LeakageReport, kept: NDArray[np.intp]) -> None:
    """Refuse rows that leak, and columns whose names alone promise the answer."""
    found = leakage.frame()
    try:
        leakage.raise_if_leaking()
    except InputError as error:
        both = found.loc[found["kind"].str.endswith("on both sides"), "rows"]
        rows = [int(kept[row]) for some in both for row in some][:10]
        where = f" Rows of X, from 0, the first ten: {rows}." if rows else ""
        raise InputError(f"{error}{where}") from None
    named = found.loc[found["kind"] == "column's name", "column"].tolist()
    if named:
        raise InputError(
            f"The names of the columns {named} promise the answer itself: a density, a "
            "T-score, a diagnosis or its drug. Leave them out of clinical_columns (with a model of "
            "your own, which sees all columns, out of X), or rename what is none of these."
        )


def check_no_ids(X: pd.DataFrame, columns: Sequence[str], groups: ArrayLike | None) -> None:
    """Refuse the patient's identifier as a clinical column."""
    if groups is None:
        return
    ids = pd.Series(np.asarray(groups)).astype(str).to_numpy()
    same = [column for column in columns if (X[column].astype(str).to_numpy() == ids).all()]
    if same:
        raise InputError(
            f"The clinical columns {same} are the patient's identifier, which says nothing of bone "
            "and would be shown in the report. Leave them out of clinical_columns."
        )


def check_groupings(groupings: pd.DataFrame, y: NDArray[np.intp]) -> None:
    """Refuse before any fit what `subgroups` would refuse after all of them."""
    if groupings.shape[1]:
        subgroups(y, np.full(len(y), 0.5), groupings)
