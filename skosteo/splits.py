"""Splits that keep every patient on one side."""

from collections.abc import Iterable
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from skosteo.exceptions import InputError


def fold_splitter(
    cv: int | BaseCrossValidator | Iterable, groups: NDArray | None, seed: int
) -> BaseCrossValidator:
    """Stratified, shuffled and seeded folds, grouped by patient when patients are known."""
    if not isinstance(cv, Integral):
        return check_cv(cv)
    cv = int(cv)
    if groups is None:
        return StratifiedKFold(cv, shuffle=True, random_state=seed)
    return StratifiedGroupKFold(cv, shuffle=True, random_state=seed)


def check_folds(folds: list[tuple[NDArray, NDArray]], y: NDArray, groups: NDArray | None) -> None:
    """Refuse folds that let a patient through, or that leave one class to learn from."""
    for train, test in folds:
        if groups is not None and np.isin(groups[test], groups[train]).any():
            raise InputError(
                "cv puts films of one patient on both sides of a fold. Use a number of folds, or "
                "a cross-validator that knows groups, such as StratifiedGroupKFold."
            )
        if len(np.unique(y[train])) < 2:
            raise InputError(
                "cv leaves 1 class to learn from in a fold. Use fewer folds, or more patients."
            )


def member_folds(
    y: NDArray, groups: NDArray | None, n_members: int, seed: int
) -> NDArray[np.intp] | None:
    """Fold of each row: stratified, shuffled, seeded, and grouped by patient.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Codes 0 and 1.
    groups : ndarray of shape (n,) or None
        Patient codes; None makes every row a patient of its own.
    n_members : int
        Number of folds; fewer where a class has fewer rows, or there are fewer patients.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    ndarray of shape (n,) or None
        None where the rows are too few: without some fold, a class would be missing.

    Examples
    --------
    >>> import numpy as np
    >>> member_folds(np.array([0, 0, 0, 1, 1, 1]), None, 10, seed=0)
    array([2, 1, 0, 2, 0, 1])
    """
    n_patients = len(y) if groups is None else len(np.unique(groups))
    n_folds = min(n_members, int(np.bincount(y, minlength=2).min()), n_patients)
    if n_folds < 2:
        return None
    folds = np.empty(len(y), dtype=np.intp)
    for fold, (train, test) in enumerate(fold_splitter(n_folds, groups, seed).split(y, y, groups)):
        if len(np.unique(y[train])) < 2:
            return None
        folds[test] = fold
    return folds


def validation_split(
    y: NDArray, groups: NDArray | None, fraction: float, seed: int
) -> tuple[NDArray, NDArray] | None:
    """Training and validation rows: stratified, shuffled, seeded, and grouped by patient.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Two classes.
    groups : ndarray of shape (n,) or None
        Patient codes; None makes every row a patient of its own.
    fraction : float
        Proportion of rows to validate on, in (0, 0.5]. With groups it is reached as closely as
        whole patients allow, in steps of one fold of ``round(1 / fraction)``.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    train, valid : ndarray
        Row positions, sorted. None where the rows are too few: one side would miss a class.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([0, 0, 1, 1] * 5)
    >>> train, valid = validation_split(y, groups=np.arange(20) // 2, fraction=0.2, seed=0)
    >>> len(train), len(valid)
    (16, 4)
    """
    if len(y) * fraction < 2 or np.unique(y, return_counts=True)[1].min() < 2:
        return None
    if groups is None:
        splitter = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
        candidates = splitter.split(y, y)
    else:
        n_folds = min(round(1 / fraction), np.unique(y, return_counts=True)[1].min())
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        if len(np.unique(groups)) < n_folds:
            return None
        candidates = folds.split(y, y, groups)
    for train, valid in candidates:
        if all(len(np.unique(y[side])) == 2 for side in (train, valid)):
            return np.sort(train), np.sort(valid)
    return None
