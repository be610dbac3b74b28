"""Validation of what a study is given: table, labels, patients, columns, groupings and texts."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._extras import is_installed, require
from skosteo._validation import (
    check_groups,
    check_image_column,
    check_table,
    encode_target,
    named_columns,
    to_pandas,
)
from skosteo.clinical.columns import check_categories, read_words
from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.clinical.identifiers import names_patient
from skosteo.clinical.reading import REPORT_TEXTS, kind_of
from skosteo.clinical.report_text import GIVEAWAY_TERMS, compile_terms
from skosteo.clinical.variables import recognise
from skosteo.evaluation._scored import as_proportion
from skosteo.evaluation.groupings import printable_groupings, sex_and_age
from skosteo.evaluation.leakage import LeakageReport
from skosteo.evaluation.subgroups import level_codes
from skosteo.exceptions import InputError

VALIDATIONS = ("auto", "repeated_cv", "split")
# by name, what `skosteo.evaluation.operating_point` is asked for
RULES: dict[str, dict[str, float]] = {
    "sensitivity .90": {"sensitivity": 0.9},
    "specificity .90": {"specificity": 0.9},
    "Youden's index": {},
}
DEFAULT_RULE = "sensitivity .90"
FEWEST_IMPUTATIONS = 5
_MANY = 50  # rows from which on numbers that follow each other are no measurement


class Inputs(NamedTuple):
    """Rows of a study, validated."""

    X: pd.DataFrame  # with a fresh index
    y: NDArray[np.intp]  # 0 and 1
    classes: NDArray  # what 0 and 1 stood for
    patient: NDArray[np.intp]  # code of the patient of each row
    grouped: bool  # whether patients were given, rather than each row taken as one
    test: NDArray | None  # rows to test on, as they were given
    clinical: list[str]  # columns of the clinical models
    groupings: pd.DataFrame  # columns by which scores are split, as they were named

    def take(self, rows: NDArray[np.intp]) -> "Inputs":
        """Return some of the rows, renumbered."""
        return self._replace(
            X=self.X.iloc[rows].reset_index(drop=True),
            y=self.y[rows],
            patient=np.unique(self.patient[rows], return_inverse=True)[1],
            test=None if self.test is None else self.test[rows],
            groupings=self.groupings.iloc[rows].reset_index(drop=True),
        )


def validate_texts(title: Any, limits: Any) -> None:
    """Refuse a heading and first sentences of the report that are no texts."""
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise InputError(f"title={title!r}: give the heading of the report as a text.")
    if title is not None and not _is_unicode(title):
        raise InputError("title holds letters that are no Unicode (lone surrogates).")
    given = isinstance(limits, list | tuple) and all(isinstance(limit, str) for limit in limits)
    if not given:
        raise InputError(f"limits={limits!r}: give a list of sentences.")


def validate_numbers(
    n_folds: Any, n_repeats: Any, imputations: Any, prevalence: Any, random_state: Any, n_jobs: Any
) -> None:
    """Refuse folds and proportions that are none, and a seed that repeats nothing."""
    if not _is_whole(imputations) or (imputations != 0 and imputations < FEWEST_IMPUTATIONS):
        raise InputError(
            f"imputations={imputations!r}: allowed are 0, for none, and whole numbers from "
            f"{FEWEST_IMPUTATIONS}, since fewer have intervals of no use; 20 are usual."
        )
    if not _is_whole(n_folds) or n_folds < 2:
        raise InputError(f"n_folds={n_folds!r}: allowed is a whole number from 2; the paper has 5.")
    if not _is_whole(n_repeats) or n_repeats < 1:
        raise InputError(f"n_repeats={n_repeats!r}: allowed is a whole number from 1.")
    if prevalence is not None:
        as_proportion(prevalence, "prevalence", inside=True)
    if not _is_whole(random_state) or not 0 <= random_state < 2**32:
        raise InputError(
            f"random_state={random_state!r}: a study takes a whole number from 0, so that it can "
            "be repeated and goes on after a crash."
        )
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise InputError(f"n_jobs={n_jobs!r}: allowed are None and whole numbers but 0.")


def validate_device(device: str) -> None:
    """Refuse a device that is not there; where no nets are, those of torch are not either."""
    if device not in ("auto", "cpu"):
        require("nets", f"device={device!r}")
    if is_installed("nets"):
        from skosteo.training.fit import resolve_device

        resolve_device(device)


def validate_rule(operating_point: Any, internal_validation: Any) -> str | float:
    """Refuse a rule for thresholds, or a validation, that is not known; return the rule."""
    if internal_validation not in VALIDATIONS:
        raise InputError(
            f"internal_validation={internal_validation!r}: allowed are "
            f"{', '.join(map(repr, VALIDATIONS))}."
        )
    if isinstance(operating_point, str):
        if operating_point not in RULES:
            raise InputError(
                f"operating_point={operating_point!r}: allowed are {', '.join(map(repr, RULES))}, "
                "or a risk, such as .1."
            )
        return operating_point
    return as_proportion(operating_point, "operating_point", inside=True)


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def validate_inputs(
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    test: ArrayLike | None = None,
    image_column: str | None = None,
    clinical_columns: Sequence[str] | None = None,
    site: str | None = None,
    subgroups: Any = (),
) -> Inputs:
    """Refuse what of table, labels, patients and columns cannot be worked with; see `run_study`."""
    X = check_table(X).reset_index(drop=True)
    _check_names(X)
    y, groups, test, subgroups = map(to_pandas, (y, groups, test, subgroups))
    _check_rows(X, y, "y")
    missing = np.asarray(pd.isna(np.asarray(y)))
    if missing.any():
        raise InputError(
            f"y has no label in {missing.sum()} of {len(X)} rows, the first in row "
            f"{missing.argmax() + 1} of X, from 1. Leave out rows whose outcome is not known."
        )
    classes, codes = encode_target(y)
    patient = check_groups(groups, len(X))
    clinical = _clinical_columns(X, image_column, site, clinical_columns)
    _check_words(X[clinical])
    _check_no_ids(X[clinical], groups)
    groupings = _given_groupings(X, clinical, subgroups, site)
    _check_names(groupings)
    _check_words(groupings)
    if test is not None:
        _check_rows(X, test, "test")
        test = np.asarray(test)
    grouped, patient = patient is not None, np.arange(len(X)) if patient is None else patient
    return Inputs(X, codes, classes, patient, grouped, test, clinical, groupings)


def _check_names(table: pd.DataFrame) -> None:
    """Refuse names of columns that a report cannot show."""
    wrong = [name for name in table if not isinstance(name, str) or not _is_unicode(name)]
    if wrong:
        raise InputError(
            f"{len(wrong)} of {table.shape[1]} columns have names that are no texts, or no Unicode "
            f"(lone surrogates); the first is {wrong[0]!a}. Rename them: X.columns = [...]."
        )


def _check_words(table: pd.DataFrame) -> None:
    """Refuse texts that a report cannot show."""
    for name, values in table.items():
        if not all(_is_unicode(word) for word in values if isinstance(word, str)):
            raise InputError(
                f"Column {name!r} holds text that is no Unicode (lone surrogates) and cannot be "
                "written. Read the file anew, by its own encoding."
            )


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _check_rows(X: pd.DataFrame, given: Any, name: str) -> None:
    """Refuse what has not one value per row of the table."""
    sized = hasattr(given, "__len__") and not isinstance(given, str) and np.shape(given) != ()
    if not sized or len(given) != len(X):
        n = f"{len(given)} rows" if sized else f"no rows but is {given!r}"
        raise InputError(
            f"{name} has {n}, and X has {len(X)}. Give one value per row of X, in the same order."
        )


def _clinical_columns(
    X: pd.DataFrame,
    image_column: str | None,
    site: str | None,
    clinical_columns: Sequence[str] | None,
) -> list[str]:
    """Columns of the clinical models: those named, or all but those of radiographs and site."""
    every = X.columns.tolist()
    if image_column is not None:
        remedy = "Name the column of the radiographs, or give None for a study without them."
        check_image_column(X, image_column, remedy)
    if site is not None and site not in every:
        raise InputError(f"X has no column {site!r} (site); its columns are {every}.")
    if clinical_columns is None:
        return [column for column in every if column not in (image_column, site)]
    named = named_columns(X, clinical_columns, "clinical_columns")
    if len(set(named)) < len(named):
        raise InputError(f"clinical_columns names a column twice: {named}. Name each once.")
    return named


def check_free_text(X: pd.DataFrame, clinical: Sequence[str]) -> None:
    """Refuse clinical columns that the package's models could not take, all of them at once."""
    kinds = {name: kind_of(X, name, REPORT_TEXTS) for name in clinical}
    categories = {name: read_words(X[name]) for name in clinical if kinds[name] == "category"}
    check_categories(categories, compile_terms(GIVEAWAY_TERMS))


def _check_no_ids(clinical: pd.DataFrame, groups: ArrayLike | None) -> None:
    """Refuse an identifier as a clinical column: the patient's own, a named one, a row counter."""
    named = [name for name in clinical if names_patient(name)]
    counters = [name for name in clinical if _counts_rows(clinical[name])]
    same = []
    if groups is not None:
        ids = pd.Series(np.asarray(groups)).astype(str).to_numpy()
        same = [name for name in clinical if (clinical[name].astype(str).to_numpy() == ids).all()]
    found = [*dict.fromkeys([*same, *named, *counters])]
    if found:
        raise InputError(
            f"The clinical columns {found} are the patient's identifier by name, or number "
            "patients or rows, which says nothing of bone and would be shown in the report. Leave "
            "them out of clinical_columns, or rename what is none of these."
        )


def _counts_rows(values: pd.Series) -> bool:
    """Whether the values of many rows are whole numbers that follow each other, each once."""
    if len(values) < _MANY or not pd.api.types.is_integer_dtype(values) or values.isna().any():
        return False
    return bool((np.diff(np.sort(values.to_numpy(np.int64))) == 1).all())


def _given_groupings(
    X: pd.DataFrame,
    clinical: Sequence[str],
    subgroups: Sequence[str] | pd.DataFrame,
    site: str | None,
) -> pd.DataFrame:
    """Columns by which scores are split, as whoever runs the study names them."""
    if isinstance(subgroups, pd.DataFrame):
        _check_rows(X, subgroups, "subgroups")
        given = subgroups.reset_index(drop=True)
    else:
        # sex and age that are clinical columns are there already, age in bands
        names = dict.fromkeys(named_columns(X, subgroups, "subgroups"))
        given = X[[name for name in names if not (name in clinical and is_sex_or_age(name))]]
    if site is not None and site not in given:
        given = given.assign(**{site: X[site]})
    for name in given:
        level_codes(given[name], f"The grouping {name!r}")  # before any fit, not after all
    return given


def is_sex_or_age(column: Any) -> bool:
    """Whether a column of this name is what `all_groupings` makes groupings of."""
    known = recognise(column)
    return known is not None and known.variable.name in ("sex", "age")


def all_groupings(used: Inputs, facts: pd.DataFrame | None) -> pd.DataFrame:
    """Sex, age band and what headers state, as far as patients differ; then those named."""
    found = sex_and_age(used.X[used.clinical])
    if facts is not None:
        found["projection"], found["manufacturer"] = facts["view_position"], facts["manufacturer"]
    stated = pd.DataFrame(found, index=used.X.index)
    return printable_groupings(stated, used.groupings, used.patient)


def joined_flow(before: Flow | None, rows: ExclusionLog, y: NDArray[np.intp], outcome: str) -> Flow:
    """Continue the flow of a cohort by what the study left out; y is that of the rows kept."""
    frame = rows.frame()
    counts = rows.outcome(pd.Series(y), (outcome, f"no {outcome}"))
    if before is not None:
        earlier = before.frame()
        frame = pd.concat([earlier, frame.iloc[1:]], ignore_index=True)
        counts = counts[[name for name in before.outcome if name in counts]]
        if frame.isna().any(axis=None):  # one of both knows the patients
            frame = frame.drop(columns=[name for name in frame if "patients" in str(name)])
    return Flow(frame, counts)


def check_no_leak(leakage: LeakageReport, kept: NDArray[np.intp], *, text_is_masked: bool) -> None:
    """Refuse rows that leak, and columns whose names alone promise the answer.

    Text that names the diagnosis is refused where a model sees it as it is.
    """
    found = leakage.frame()
    try:
        leakage.raise_if_leaking(aside=["column's text"] if text_is_masked else [])
    except InputError as error:
        both = found.loc[found["kind"].str.endswith("on both sides"), "rows"]
        rows = [int(kept[row]) + 1 for some in both for row in some][:10]
        where = f" Rows of X, from 1, the first ten: {rows}." if rows else ""
        raise InputError(f"{error}{where}") from None
    named = found.loc[found["kind"] == "column's name", "column"].tolist()
    if named:
        raise InputError(
            f"The names of the columns {named} promise the answer itself: a density, a "
            "T-score, a diagnosis or its drug. Leave them out of clinical_columns (with a model of "
            "your own, which sees all columns, out of X), or rename what is none of these."
        )
