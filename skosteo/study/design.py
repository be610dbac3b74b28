"""The design of a study: its settings, its test part and folds, and the rules for thresholds."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from skosteo.exceptions import InputError
from skosteo.study.inputs import Inputs

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]

PARTS = ("test", "validation")
# by name, what `operating_point` is asked for
RULES: dict[str, dict[str, float]] = {
    "Youden's index": {},
    "sensitivity .90": {"sensitivity": 0.9},
    "specificity .90": {"specificity": 0.9},
}

_LIBRARIES = ("skosteo", "scikit-learn", "torch", "skorch", "timm", "numpy", "pandas", "scipy")


@dataclass(frozen=True)
class Settings:
    """What was asked for, in words and numbers."""

    title: str  # heading of the report
    outcome: str  # name of what is predicted
    limits: tuple[str, ...]  # what a reader must know first, as whoever ran the study says it
    preset: str  # "quick" or "paper"
    seed: int  # of every draw
    n_folds: int
    drawn_test: bool  # whether the test part was drawn from the same rows
    image_column: str | None
    clinical_columns: tuple[str, ...]
    prevalence: float | None  # for which predictive values are stated too
    published: bool  # whether the paper's figures stand beside


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide the result."""
    found = {name: version(name) for name in _LIBRARIES}
    return {"Python": platform.python_version()} | found


@dataclass(frozen=True)
class Design:
    """Rows of a study and what each is for; positions count the rows of `X` from 0."""

    X: pd.DataFrame  # with a fresh index
    y: NDArray[np.intp]  # 0 and 1
    classes: NDArray  # what 0 and 1 stood for in the y that came
    patient: NDArray[np.intp]  # code of the patient of each row
    test: NDArray[np.intp]  # rows that no model learns from
    folds: tuple[Fold, ...]  # train and validation; each other row is in one validation fold

    @property
    def development(self) -> NDArray[np.intp]:
        """Rows that are not for the test, sorted."""
        return np.setdiff1d(np.arange(len(self.y)), self.test)

    def counts(self) -> pd.DataFrame:
        """Rows, patients and positive rows of each part, with the first fold's split."""
        train, validation = self.folds[0]
        parts = {"training (fold 1)": train, "validation (fold 1)": validation, "test": self.test}
        parts["all"] = np.arange(len(self.y))
        return pd.DataFrame(
            {
                "rows": [len(rows) for rows in parts.values()],
                "patients": [len(np.unique(self.patient[rows])) for rows in parts.values()],
                "positive rows": [int(self.y[rows].sum()) for rows in parts.values()],
            },
            index=list(parts),
        )


def make_design(given: Inputs, n_folds: int, seed: int) -> Design:
    """Split the rows by patient: a fixed test part, as given or drawn, and folds of all others."""
    y, patient = given.y, given.patient
    _check_enough(y, patient, n_folds, drawn=given.test is None)
    rows = np.arange(len(y))
    if given.test is None:
        parts = StratifiedGroupKFold(n_folds + 1, shuffle=True, random_state=seed)
        tested = next(parts.split(rows, y, patient))[1]
    else:
        tested = _given_test(given.test, y, patient)
    others = np.setdiff1d(rows, tested)
    _check_enough(y[others], patient[others], n_folds, drawn=False)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = tuple(
        (others[train], others[validation])
        for train, validation in splitter.split(others, y[others], patient[others])
    )
    _check_both_classes(y, [tested, *(part for fold in folds for part in fold)])
    return Design(given.X, y, given.classes, patient, np.sort(tested), folds)


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
            f"{n_folds} folds{' and a test part' if drawn else ''} need {parts} patients of each "
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
