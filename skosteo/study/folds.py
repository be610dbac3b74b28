"""Scores by fold and by repeat, and the paper's paired t test over the folds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import calibration_line
from skosteo.evaluation._scored import Scored
from skosteo.evaluation.fold_auc import fold_aucs
from skosteo.evaluation.paired_tests import paired_t_test
from skosteo.exceptions import InputError
from skosteo.study.assessed import Assessed
from skosteo.study.design import Design
from skosteo.study.fitting import ModelResult
from skosteo.study.models import StudyModel

Models = Mapping[str, StudyModel]
Results = Mapping[str, ModelResult]


def fold_scores(design: Design, models: Models, results: Results) -> pd.DataFrame:
    """AUC and seconds of every fold's model, on the rows of the fold."""
    lines = []
    for name, model in models.items():
        result = results[model.key]
        for number, fit in enumerate(result.folds):
            repeat, fold = divmod(number, len(design.folds))
            rows = design.repeats[repeat][fold][1]
            auc = float(roc_auc_score(design.y[rows], fit.probability))
            lines.append((name, repeat + 1, fold + 1, auc, fit.seconds))
    return pd.DataFrame(lines, columns=["model", "repeat", "fold", "AUC", "seconds"])


def fold_tests(
    design: Design, models: Models, results: Results, reference: str, others: Sequence[str]
) -> pd.DataFrame:
    """Paired t tests of the AUC over the folds of the first repeat: reference less other models.

    t and its p-value are as the paper computes them, and with the correction of Nadeau and Bengio
    for the training rows that folds share.
    """
    sizes = [(len(train), len(validation)) for train, validation in design.folds]
    n_train, n_validation = np.mean(sizes, axis=0).round().astype(int).tolist()
    scores = fold_scores(design, models, results).query("repeat == 1").groupby("model")["AUC"]
    lines = []
    for name in others:
        one, other = scores.get_group(reference), scores.get_group(name)
        plain = paired_t_test(one, other)
        corrected = paired_t_test(one, other, n_train, n_validation)
        tests = (plain.statistic, plain.pvalue, corrected.statistic, corrected.pvalue)
        lines.append((models[name].title, plain.difference, *tests))
    columns = ["model", "difference", "t", "P", "t corrected", "P corrected"]
    return pd.DataFrame(lines, columns=columns)


def stability(rows: Assessed, name: str) -> pd.DataFrame:
    """Figures of one model by repeat of the cross-validation: what other folds would have given.

    AUC (mean of the folds), calibration slope, sensitivity, specificity and mean risk.
    """
    scored = Scored.of_models(rows.y, rows.risk[name], rows.patient, rows.fold)
    areas = fold_aucs(scored, scored.score).reshape(rows.n_repeats, -1).mean(axis=1)
    lines = []
    for repeat, area in enumerate(areas):
        here = rows.repeat == repeat
        y, risk = rows.y[here], rows.risk[name].to_numpy()[here]
        positive = rows.positive[name].to_numpy()[here]
        try:
            slope = calibration_line(y, risk).slope
        except InputError:
            slope = np.nan
        rates = float(positive[y == 1].mean()), float((~positive)[y == 0].mean())
        lines.append((repeat + 1, float(area), slope, *rates, risk.mean()))
    columns = ["repeat", "AUC", "calibration slope", "sensitivity", "specificity", "mean risk"]
    return pd.DataFrame(lines, columns=columns)
