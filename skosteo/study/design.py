"""Who is in a study, who is kept for the test, and who is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import check_consistent_length

from skosteo._validation import check_groups, encode_target
from skosteo.exceptions import InputError

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Design:
    """Rows of a study and what each is for; positions count the rows of `X` from 0.

    Attributes
    ----------
    X : DataFrame of shape (n, n_columns)
        The table, with a fresh index.
    y : ndarray of shape (n,), int
        0 and 1.
    classes : ndarray of shape (2,)
        What 0 and 1 stood for in the y that came.
    patient : ndarray of shape (n,), int
        Code of the patient of each row.
    test : ndarray of int
        Rows that no model learns from.
    folds : tuple of (train, validation)
        The other rows; each is in one validation fold.
    """

    X: pd.DataFrame
    y: NDArray[np.intp]
    classes: NDArray
    patient: NDArray[np.intp]
    test: NDArray[np.intp]
    folds: tuple[Fold, ...]

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


def make_design(
    X: pd.DataFrame,
    y: ArrayLike,
    groups: ArrayLike | None,
    *,
    test: ArrayLike | None,
    n_folds: int,
    seed: int,
) -> Design:
    """Split the rows by patient: a fixed test part, and folds of all others.

    Parameters
    ----------
    X : DataFrame of shape (n, n_columns)
        One row per study.
    y : array-like of shape (n,)
        Two classes.
    groups : array-like of shape (n,) or None
        Patient of each row; None takes every row as a patient of its own.
    test : array-like of bool, shape (n,), or None
        Rows to test on; None draws one part in ``n_folds + 1``, stratified.
    n_folds : int
        Folds of the other rows.
    seed : int
        Seed of both draws.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        The rows cannot be split so that each part has both classes, or a patient would be on both
        sides.
    """
    if not isinstance(X, pd.DataFrame):
        raise InputError(f"X is a {type(X).__name__}; a study takes a DataFrame, one row per film.")
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise InputError(f"X has several columns of the name {twice}; give each its own.")
    classes, labels = encode_target(y)
    check_consistent_length(X, labels)
    codes = check_groups(groups, len(labels))
    patient = np.arange(len(labels)) if codes is None else codes
    _check_enough(labels, patient, n_folds, drawn=test is None)
    rows = np.arange(len(labels))
    if test is None:
        parts = StratifiedGroupKFold(n_folds + 1, shuffle=True, random_state=seed)
        tested = next(parts.split(rows, labels, patient))[1]
    else:
        tested = _given_test(test, labels, patient)
    others = np.setdiff1d(rows, tested)
    _check_enough(labels[others], patient[others], n_folds, drawn=False)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = tuple(
        (others[train], others[validation])
        for train, validation in splitter.split(others, labels[others], patient[others])
    )
    _check_both_classes(labels, [tested, *(part for fold in folds for part in fold)])
    return Design(X.reset_index(drop=True), labels, classes, patient, np.sort(tested), folds)


def _given_test(
    test: ArrayLike, labels: NDArray[np.intp], patient: NDArray[np.intp]
) -> NDArray[np.intp]:
    mask = np.asarray(test)
    if mask.shape != labels.shape or mask.dtype != bool:
        raise InputError(
            f"test has shape {mask.shape} and type {mask.dtype} for {len(labels)} rows; it is True "
            "or False for each row, such as test=(X['year'] == 2024)."
        )
    both = np.intersect1d(patient[mask], patient[~mask])
    if len(both):
        raise InputError(
            f"test puts films of {len(both)} patients on both sides. Give all films of a patient "
            "to one side."
        )
    tested = np.flatnonzero(mask)
    if len(np.unique(labels[tested])) < 2:
        raise InputError(
            f"test holds {len(tested)} rows of {len(np.unique(labels[tested]))} class; AUC, "
            "sensitivity and specificity need both. Choose other test rows, or test=None."
        )
    return tested


def _check_enough(
    labels: NDArray[np.intp], patient: NDArray[np.intp], n_folds: int, *, drawn: bool
) -> None:
    if isinstance(n_folds, bool) or not isinstance(n_folds, Integral) or n_folds < 2:
        raise InputError(f"n_folds={n_folds!r}: allowed is a whole number from 2; the paper has 5.")
    parts = n_folds + drawn
    of_class = [len(np.unique(patient[labels == code])) for code in (0, 1)]
    if min(of_class) < parts:
        least = min(of_class) - drawn
        remedy = f"n_folds={least}, or more patients" if least >= 2 else "more patients"
        raise InputError(
            f"{n_folds} folds{' and a test part' if drawn else ''} need {parts} patients of each "
            f"class; there are {of_class[1]} positive and {of_class[0]} negative ones. Give "
            f"{remedy}."
        )


def _check_both_classes(labels: NDArray[np.intp], parts: Sequence[Any]) -> None:
    if any(len(np.unique(labels[part])) < 2 for part in parts):
        raise InputError(
            "The patients could not be split so that every part has both classes: some have many "
            "rows, or few are of one class. Give fewer folds, another random_state, or more "
            "patients."
        )
