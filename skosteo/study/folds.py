"""Scores of each fold's models, and the paper's paired t test over the folds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, roc_auc_score

from skosteo.evaluation.paired_tests import paired_t_test
from skosteo.study.design import Design
from skosteo.study.models import StudyModel
from skosteo.study.store import FoldResult

Models = Mapping[str, StudyModel]
Results = Mapping[str, Sequence[FoldResult]]


def fold_scores(design: Design, models: Models, results: Results) -> pd.DataFrame:
    """AUC, accuracy (at .5) and seconds of every fold's model, on validation and test rows."""
    lines = []
    for name, model in models.items():
        for fold, result in enumerate(results[model.key]):
            parts = {
                "validation": (design.folds[fold][1], result.validation),
                "test": (design.test, result.test),
            }
            for part, (rows, y_prob) in parts.items():
                auc, accuracy = _auc(design.y[rows], y_prob), _accuracy(design.y[rows], y_prob)
                lines.append((name, fold + 1, part, auc, accuracy, result.seconds))
    columns = ["model", "fold", "part", "AUC", "accuracy", "seconds"]
    return pd.DataFrame(lines, columns=columns)


def fold_tests(
    design: Design, models: Models, results: Results, reference: str, others: Sequence[str]
) -> pd.DataFrame:
    """Paired t tests over the validation rows of the folds: reference less each other model.

    t and its p-value are as the paper computes them, and with the correction of Nadeau and Bengio
    for the training rows that folds share.
    """
    sizes = [(len(train), len(validation)) for train, validation in design.folds]
    n_train, n_validation = np.mean(sizes, axis=0).round().astype(int).tolist()
    lines = []
    for name in others:
        for metric, score in (("accuracy", _accuracy), ("AUC", _auc)):
            one, other = (
                [
                    score(design.y[rows], result.validation)
                    for (_, rows), result in zip(design.folds, results[models[of].key], strict=True)
                ]
                for of in (reference, name)
            )
            plain = paired_t_test(one, other)
            corrected = paired_t_test(one, other, n_train, n_validation)
            tests = (plain.statistic, plain.pvalue, corrected.statistic, corrected.pvalue)
            lines.append((models[name].title, metric, plain.difference, *tests))
    columns = ["model", "metric", "difference", "t", "P", "t corrected", "P corrected"]
    return pd.DataFrame(lines, columns=columns)


def _auc(y: NDArray[np.intp], y_prob: NDArray[np.float64]) -> float:
    return float(roc_auc_score(y, y_prob))


def _accuracy(y: NDArray[np.intp], y_prob: NDArray[np.float64]) -> float:
    return float(accuracy_score(y, y_prob >= 0.5))
