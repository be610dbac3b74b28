"""The rows that models are judged on, with the risks and thresholds that each row was given.

Risks are recalibrated alike for all models, and thresholds chosen by one rule, from predictions for
rows that are not judged by them. With a test set, both are learned from the out-of-fold predictions
of all other rows. In cross-validation, what a fold's rows are given is learned from the out-of-fold
predictions of the other folds, and the rows of several repeats follow one another: clustered by
patient, each patient counts once.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from skosteo.evaluation import operating_point
from skosteo.recalibration import RecalibratedClassifier
from skosteo.study.design import Design
from skosteo.study.fitting import ModelResult
from skosteo.study.inputs import RULES

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Assessed:
    """Rows that models are judged on; every frame has a column per model, by name."""

    row: NDArray[np.intp]  # positions; those of several repeats follow one another
    repeat: NDArray[np.intp]  # of the cross-validation, from 0
    fold: NDArray[np.intp] | None  # numbered through all repeats; None with a test set
    y: NDArray[np.intp]
    patient: NDArray[np.intp]
    probability: pd.DataFrame  # as the models give it
    risk: pd.DataFrame  # recalibrated
    threshold: pd.DataFrame  # a risk of at least this is positive

    @property
    def names(self) -> list[str]:
        """Names of the models."""
        return [str(name) for name in self.risk]

    @property
    def positive(self) -> pd.DataFrame:
        """Whether each row is positive at its threshold."""
        return self.risk >= self.threshold

    @property
    def n_repeats(self) -> int:
        """Number of repeats."""
        return int(self.repeat.max()) + 1

    def at(self, inside: NDArray[np.bool_]) -> "Assessed":
        """Return some of the rows."""
        frames = self.probability, self.risk, self.threshold
        return Assessed(
            self.row[inside],
            self.repeat[inside],
            None if self.fold is None else self.fold[inside],
            self.y[inside],
            self.patient[inside],
            *(frame[inside].reset_index(drop=True) for frame in frames),
        )

    @property
    def can_be_judged(self) -> bool:
        """Whether there are two rows of either outcome, and one of each in every fold."""
        fold = (
            np.zeros_like(self.y)
            if self.fold is None
            else np.unique(self.fold, return_inverse=True)[1]
        )
        counts = np.bincount(2 * fold + self.y, minlength=2 * (int(fold.max(initial=0)) + 1))
        return bool(counts.min() >= (2 if self.fold is None else 1))

    def by_patient(self, name: str) -> pd.DataFrame:
        """Return a row for the films of a patient: repeat, fold, patient, y, risk, threshold.

        Risk and threshold are means. Films of one patient whose outcomes differ are a row each
        outcome.
        """
        films = pd.DataFrame(
            {
                "repeat": self.repeat,
                "fold": 0 if self.fold is None else self.fold,
                "patient": self.patient,
                "y": self.y,
                "risk": self.risk[name].to_numpy(),
                "threshold": self.threshold[name].to_numpy(),
            }
        )
        return films.groupby(["repeat", "fold", "patient", "y"], as_index=False).mean()

    def risks(self, names: Sequence[str], titles: dict[str, str]) -> dict[str, Any]:
        """Return what the functions of `skosteo.evaluation` take, models by their titles."""
        return {
            "y_true": self.y,
            "y_prob": self.risk[list(names)].rename(columns=titles),
            "groups": self.patient,
        }

    def called(self, names: Sequence[str], titles: dict[str, str]) -> dict[str, Any]:
        """Return the same with the threshold of each row."""
        at = {titles[name]: self.threshold[name].to_numpy() for name in names}
        return self.risks(names, titles) | {"threshold": at}

    def judged(self, names: Sequence[str], titles: dict[str, str]) -> dict[str, Any]:
        """Return the same with the fold of each row, for the AUC."""
        return self.called(names, titles) | {"folds": self.fold}


def assess(
    design: Design, results: dict[str, ModelResult], rule: str | float, n_repeats: int
) -> Assessed:
    """Recalibrate what models say of the rows they are judged on, and choose thresholds.

    `results` are by the name of the model; `rule` is one of `RULES`, or a risk.
    """
    rows = design.test
    if not design.has_test:
        rows = np.concatenate([np.arange(len(design.y))] * n_repeats)
    repeat = np.arange(len(rows)) // (len(design.y) if not design.has_test else len(rows))
    fold = None if design.has_test else _folds_of_rows(design)[:n_repeats].ravel()
    columns: dict[str, list[Scores]] = {
        name: list(_assessed(design, result, rule, n_repeats)) for name, result in results.items()
    }
    frames = (
        pd.DataFrame({name: three[part] for name, three in columns.items()}) for part in range(3)
    )
    return Assessed(rows, repeat, fold, design.y[rows], design.patient[rows], *frames)


def _folds_of_rows(design: Design) -> NDArray[np.intp]:
    """Fold of each row in each repeat, numbered through all repeats."""
    found = np.empty((len(design.repeats), len(design.y)), dtype=np.intp)
    for repeat, folds in enumerate(design.repeats):
        for number, (_, fold) in enumerate(folds):
            found[repeat, fold] = repeat * len(folds) + number
    return found


def _assessed(
    design: Design, result: ModelResult, rule: str | float, n_repeats: int
) -> tuple[Scores, Scores, Scores]:
    """Probability, risk and threshold of each row."""
    if result.test is not None:
        learned, at, _ = learn(design, result, rule)
        return result.test, learned.put_right(result.test), np.full(len(result.test), at)
    said = result.out_of_fold[:n_repeats].astype(np.float64)
    risk, threshold = np.empty_like(said), np.empty_like(said)
    for repeat, folds in enumerate(design.repeats[:n_repeats]):
        for others, fold in folds:
            learned, at, _ = _learned(said[repeat][others], design.y[others], rule)
            risk[repeat, fold] = learned.put_right(said[repeat][fold])
            threshold[repeat, fold] = at
    return said.ravel(), risk.ravel(), threshold.ravel()


def learn(
    design: Design, result: ModelResult, rule: str | float
) -> tuple[RecalibratedClassifier, float, tuple[str, ...]]:
    """Learn from all out-of-fold predictions: what recalibrates, a threshold, and notes."""
    rows = design.development
    said = result.out_of_fold[:, rows]
    return _learned(said.ravel(), np.tile(design.y[rows], len(said)), rule)


def _learned(
    said: Scores, y: NDArray[np.intp], rule: str | float
) -> tuple[RecalibratedClassifier, float, tuple[str, ...]]:
    learned = RecalibratedClassifier(FrozenEstimator(None))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        learned.learn(None, np.array([0, 1]), said, y == 1, np.ones(len(y)))
    notes = tuple(dict.fromkeys(str(one.message) for one in caught))
    if not isinstance(rule, str):
        return learned, rule, notes
    risk = learned.put_right(said)
    return learned, operating_point(y, risk, **RULES[rule]).threshold, notes
