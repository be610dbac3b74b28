"""The design of a study: its settings, whom models are judged on, and the rules for thresholds."""

import platform
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from skosteo.clinical.variables import find_column
from skosteo.exceptions import InputError
from skosteo.study.inputs import Inputs

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]

ENOUGH_EVENTS = 100  # in a test set, of either class: Collins et al. 2016, doi:10.1002/sim.6787

_LIBRARIES = ("skosteo", "scikit-learn", "torch", "skorch", "timm", "numpy", "pandas", "scipy")


@dataclass(frozen=True)
class Settings:
    """What was asked for, in words and numbers."""

    title: str  # heading of the report
    outcome: str  # name of what is predicted
    limits: tuple[str, ...]  # what a reader must know first, as the investigator says it
    preset: str  # "quick" or "paper"
    seed: int  # of every draw
    n_folds: int
    n_repeats: int  # of the cross-validation, where it is what models are judged by
    operating_point: str | float  # rule of `RULES` that thresholds are chosen by, or a risk
    imputations: int  # of missing numbers, in a sensitivity analysis
    drawn_test: bool  # whether the test set, if there is one, was drawn from the same rows
    image_column: str | None
    clinical_columns: tuple[str, ...]
    site: str | None  # column that says the hospital
    prevalence: float | None  # where the model is to be used
    published: bool  # whether the paper's figures stand beside


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide the result."""
    found = {"Python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):  # those of nets may not be there
            found[name] = version(name)
    return found


@dataclass(frozen=True)
class Design:
    """Rows of a study and what each is for; positions count the rows of `X` from 0."""

    X: pd.DataFrame  # with a fresh index
    y: NDArray[np.intp]  # 0 and 1
    classes: NDArray  # what 0 and 1 stood for in the y that came
    patient: NDArray[np.intp]  # code of the patient of each row
    test: NDArray[np.intp]  # rows that no model learns from; none where all are cross-validated
    # of each repeat its folds: train and validation; each other row is in one validation fold
    repeats: tuple[tuple[Fold, ...], ...]

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Folds of the first repeat, which all models are fitted on."""
        return self.repeats[0]

    @property
    def development(self) -> NDArray[np.intp]:
        """Rows that the final model learns from, sorted: all but those of the test set."""
        return np.setdiff1d(np.arange(len(self.y)), self.test)

    @property
    def has_test(self) -> bool:
        """Whether models are judged on a test set, rather than by cross-validation."""
        return len(self.test) > 0

    def counts(self) -> pd.DataFrame:
        """Rows, patients and positive rows of each part."""
        parts = {"all": np.arange(len(self.y))}
        if self.has_test:
            parts = {"development": self.development, "test": self.test} | parts
        return pd.DataFrame(
            {
                "rows": [len(rows) for rows in parts.values()],
                "patients": [len(np.unique(self.patient[rows])) for rows in parts.values()],
                "positive rows": [int(self.y[rows].sum()) for rows in parts.values()],
                "positive patients": [
                    len(np.unique(self.patient[rows][self.y[rows] == 1])) for rows in parts.values()
                ],
            },
            index=list(parts),
        )


def make_design(
    given: Inputs,
    *,
    n_folds: int,
    n_repeats: int,
    validation: str = "auto",
    seed: int = 0,
) -> Design:
    """Decide whom models are judged on, and split the rows by patient, balancing outcome and sex.

    "split" takes a test set, as given or drawn, one part in ``n_folds + 1``, and folds of all
    others; "repeated_cv" folds of all rows, drawn anew in each repeat. "auto" splits where the test
    set is given, or would have 100 patients with the outcome and 100 without.
    """
    y, patient = given.y, given.patient
    split = given.test is not None
    if not split:
        _check_enough(y, patient, n_folds, drawn=validation == "split")
        split = validation == "split" or (validation == "auto" and _fills_test(given, n_folds))
    strata, tested = _strata(given), np.array([], dtype=np.intp)
    if given.test is not None:
        if validation == "repeated_cv":
            raise InputError(
                "internal_validation='repeated_cv' judges models on all rows, and test names some. "
                "Leave one of them out."
            )
        tested = _given_test(given.test, y, patient)
    elif split:
        tested = next(_folds(np.arange(len(y)), patient, strata, n_folds + 1, seed))[1]
    others = np.setdiff1d(np.arange(len(y)), tested)
    _check_enough(y[others], patient[others], n_folds, drawn=False)
    repeats = tuple(
        tuple(_folds(others, patient, strata, n_folds, seed + repeat))
        for repeat in range(1 if split else n_repeats)
    )
    every = [part for folds in repeats for fold in folds for part in fold]
    _check_both_classes(y, [*every, tested] if split else every)
    return Design(given.X, y, given.classes, patient, np.sort(tested), repeats)


def _fills_test(given: Inputs, n_folds: int) -> bool:
    """Whether a test set that is drawn would have enough patients of either class."""
    fewest = min(len(np.unique(given.patient[given.y == code])) for code in (0, 1))
    return fewest >= ENOUGH_EVENTS * (n_folds + 1)


def _strata(given: Inputs) -> NDArray:
    """Outcome and sex of each patient: positive where any row is."""
    positive = np.zeros(given.patient.max() + 1, dtype=bool)
    np.logical_or.at(positive, given.patient, given.y == 1)
    one_sex = np.zeros(len(positive), dtype=bool)
    column = find_column(given.X[given.clinical], "sex")
    if column is not None and given.X[column].notna().any():
        sex = given.X[column]
        np.logical_or.at(one_sex, given.patient, (sex == sex.mode()[0]).to_numpy(bool))
    return 2 * positive + one_sex


def _folds(
    rows: NDArray[np.intp], patient: NDArray[np.intp], strata: NDArray, n_folds: int, seed: int
) -> Iterator[Fold]:
    """Folds of whole patients, with as many of each stratum, from some of the rows."""
    patients = np.unique(patient[rows])
    stratum = strata[patients]
    sizes = np.bincount(stratum, minlength=4)
    for outcome in (0, 2):  # a sex with too few patients is not balanced
        if sizes[outcome : outcome + 2].min() < n_folds:
            stratum[stratum == outcome + 1] = outcome
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # patients whose rows differ may leave few of one outcome: every part is checked after
        warnings.filterwarnings("ignore", "The least populated class")
        splits = list(splitter.split(patients, stratum))
    for train, validation in splits:
        one, other = (rows[np.isin(patient[rows], patients[part])] for part in (train, validation))
        yield one, other


def _given_test(test: NDArray, y: NDArray[np.intp], patient: NDArray[np.intp]) -> NDArray[np.intp]:
    if test.shape != y.shape or test.dtype != bool:
        raise InputError(
            f"test has shape {test.shape} and type {test.dtype} for {len(y)} rows; it is True "
            "or False for each row, such as test=(X['year'] == 2024)."
        )
    both = np.intersect1d(patient[test], patient[~test])
    if len(both):
        raise InputError(
            f"test puts rows of {len(both)} patients on both sides. Give all rows of a patient to "
            "one side."
        )
    tested = np.flatnonzero(test)
    if len(np.unique(y[tested])) < 2:
        raise InputError(
            f"test holds {len(tested)} rows of {len(np.unique(y[tested]))} class; AUC, "
            "sensitivity and specificity need both. Choose other test rows, or test=None."
        )
    return tested


def _check_enough(
    y: NDArray[np.intp], patient: NDArray[np.intp], n_folds: int, *, drawn: bool
) -> None:
    parts = n_folds + drawn
    of_class = [len(np.unique(patient[y == code])) for code in (0, 1)]
    if min(of_class) < parts:
        least = min(of_class) - drawn
        remedy = f"n_folds={least}, or more patients" if least >= 2 else "more patients"
        raise InputError(
            f"{n_folds} folds{' and a test set' if drawn else ''} need {parts} patients of each "
            f"class; there are {of_class[1]} positive and {of_class[0]} negative ones. Give "
            f"{remedy}."
        )


def check_out_of_fold(design: Design) -> None:
    """Refuse folds in which a fusion of probabilities cannot learn from out-of-fold ones."""
    fewest = min(
        len(np.unique(design.patient[train][design.y[train] == code]))
        for train, _ in design.folds
        for code in (0, 1)
    )
    if fewest < 2:
        raise InputError(
            f"The fusion 'multimodal' needs 2 patients of each class in the training rows of every "
            f"fold, and one fold has {fewest}. Give more folds or more patients, or name the "
            "models without it."
        )


def _check_both_classes(y: NDArray[np.intp], parts: Sequence[Any]) -> None:
    if any(len(np.unique(y[part])) < 2 for part in parts):
        raise InputError(
            "The patients could not be split so that every part has both classes: some have many "
            "rows, or few are of one class. Give fewer folds, another random_state, or more "
            "patients."
        )
