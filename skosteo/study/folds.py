"""Scores of the single folds' models, and the paper's paired t test over them."""

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
    """Score every fold's model on its validation rows, and on the test part.

    Parameters
    ----------
    design, models, results
        Of a `Study`.

    Returns
    -------
    DataFrame
        Columns model, fold, part, AUC, accuracy (at .5), seconds (of the fit).
    """
    lines = []
    for name, model in models.items():
        for fold, result in enumerate(results[model.key]):
            parts = {
                "validation": (design.folds[fold][1], result.validation),
                "test": (design.test, result.test),
            }
            for part, (rows, said) in parts.items():
                auc, accuracy = _auc(design.y[rows], said), _accuracy(design.y[rows], said)
                lines.append((name, fold + 1, part, auc, accuracy, result.seconds))
    columns = ["model", "fold", "part", "AUC", "accuracy", "seconds"]
    return pd.DataFrame(lines, columns=columns)


def fold_tests(
    design: Design, models: Models, results: Results, reference: str, others: Sequence[str]
) -> pd.DataFrame:
    """Compare models by paired t tests over the validation rows of the folds.

    Parameters
    ----------
    design, models, results
        Of a `Study`.
    reference : str
        Model that the others are taken from.
    others : sequence of str
        Models to compare with it.

    Returns
    -------
    DataFrame
        A row per other model and metric: difference (reference less model), t and its p-value as
        the paper computes them, and with the correction of Nadeau and Bengio for the training
        rows that folds share.
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
            lines.append(
                {
                    "model": models[name].title,
                    "metric": metric,
                    "difference": plain.difference,
                    "t": plain.statistic,
                    "P": plain.pvalue,
                    "t corrected": corrected.statistic,
                    "P corrected": corrected.pvalue,
                }
            )
    return pd.DataFrame(lines)


def _auc(y: NDArray[np.intp], said: NDArray[np.float64]) -> float:
    return float(roc_auc_score(y, said))


def _accuracy(y: NDArray[np.intp], said: NDArray[np.float64]) -> float:
    return float(accuracy_score(y, said >= 0.5))
