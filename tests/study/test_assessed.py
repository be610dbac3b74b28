"""Risks and thresholds that are not learned from the outcomes of the rows they are for."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import auc_interval, calibration_line
from skosteo.study.assessed import Assessed, assess
from skosteo.study.fitting import ModelResult
from skosteo.study.inputs import RULES
from tests.study.cohorts import patients

RULE = "sensitivity .90"


def result_of(study):
    return {study.primary: study.results[study.models[study.primary].key]}


def test_risks_and_thresholds_of_a_fold_are_not_learned_from_its_outcomes(of_values):
    study = of_values.study
    before = study.assessed()
    for repeat, folds in enumerate(study.design.repeats):
        for _, fold in folds:
            y = study.design.y.copy()
            y[fold] = 1 - y[fold]
            turned = assess(replace(study.design, y=y), result_of(study), RULE, 2)
            here = (before.repeat == repeat) & np.isin(before.row, fold)
            for now, then in ((turned.risk, before.risk), (turned.threshold, before.threshold)):
                now, then = (frame[study.primary].to_numpy() for frame in (now, then))
                np.testing.assert_array_equal(now[here], then[here])
                assert (now != then).any()


def test_no_row_of_the_test_set_is_looked_at(of_split):
    study = of_split.study
    y = study.design.y.copy()
    y[study.design.test] = 1 - y[study.design.test]
    turned = assess(replace(study.design, y=y), result_of(study), RULE, 1)
    for part in ("risk", "threshold", "probability"):
        now, then = (getattr(rows, part)[study.primary] for rows in (turned, study.assessed()))
        np.testing.assert_array_equal(now, then)
    assert study.final_model_.threshold == study.assessed().threshold[study.primary].unique()


@pytest.mark.parametrize("rule", RULES)
def test_a_threshold_does_what_its_rule_asks_where_it_was_chosen(rule, of_split):
    study = of_split.study
    rows = study.design.development
    learned, y = study.final.recalibrated, study.design.y[rows]
    risk = learned.put_right(result_of(study)[study.primary].out_of_fold[0, rows])
    at = study.assessed(rule).threshold[study.primary].iloc[0]
    if rule == "sensitivity .90":
        assert (risk >= at)[y == 1].mean() >= 0.9
    elif rule == "specificity .90":
        assert (risk < at)[y == 0].mean() >= 0.9
    else:
        youden = [(risk >= t)[y == 1].mean() + (risk < t)[y == 0].mean() for t in [at, *risk]]
        assert youden[0] == pytest.approx(max(youden))


def test_a_stated_risk_is_the_threshold_of_all(of_values):
    rows = of_values.study.assessed_once(0.2)
    assert (rows.threshold == 0.2).all(axis=None)
    assert (rows.positive == (rows.risk >= 0.2)).all(axis=None)


def planted(n, n_repeats, seed):
    """Labels, folds, and log odds that are twice too large and 2 too high."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.5, 1.2, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    folds = []
    for _ in range(n_repeats):
        part = rng.permutation(np.arange(n) % 5)
        folds.append(
            tuple((np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(5))
        )
    out_of_fold = [1 / (1 + np.exp(-(2 * z + 2 + rng.normal(0, 0.1, n)))) for _ in folds]
    return y, tuple(folds), ModelResult(np.array(out_of_fold), None, ())


def test_planted_errors_of_calibration_are_put_right(of_values):
    y, repeats, result = planted(4000, 2, 0)
    design = replace(
        of_values.study.design, X=None, y=y, patient=np.arange(len(y)), test=np.array([], int),
        repeats=repeats,
    )  # fmt: skip
    rows = assess(design, {"m": result}, RULE, 2)
    wrong = calibration_line(rows.y, rows.probability["m"])
    right = calibration_line(rows.y, rows.risk["m"])
    assert wrong.slope == pytest.approx(0.5, abs=0.06)
    assert right.slope == pytest.approx(1, abs=0.06)
    assert rows.risk["m"].mean() == pytest.approx(y.mean(), abs=0.005)
    assert rows.probability["m"].mean() > y.mean() + 0.05
    found = rows.positive["m"].to_numpy()
    assert found[rows.y == 1].mean() == pytest.approx(0.9, abs=0.02)


def test_several_repeats_count_each_patient_once(of_values):
    """Repeats that say the same give the interval of one."""
    y, repeats, result = planted(300, 1, 1)
    same = ModelResult(np.repeat(result.out_of_fold, 4, axis=0), None, ())
    design = replace(
        of_values.study.design, X=None, y=y, patient=np.arange(len(y)), test=np.array([], int),
        repeats=repeats * 4,
    )  # fmt: skip
    once, four = (assess(design, {"m": r}, RULE, k) for r, k in ((result, 1), (same, 4)))
    intervals = [auc_interval(rows.y, rows.risk["m"], groups=rows.patient) for rows in (once, four)]
    assert intervals[0][0] == pytest.approx(roc_auc_score(once.y, once.risk["m"]))
    np.testing.assert_allclose(intervals[0], intervals[1], atol=0.003)


def test_one_risk_per_patient_is_the_mean_of_the_films():
    frame = pd.DataFrame({"m": [0.1, 0.3, 0.8, 0.6, 0.4]})
    at = pd.DataFrame({"m": [0.2, 0.2, 0.5, 0.5, 0.5]})
    rows = Assessed(
        np.arange(5), np.zeros(5, int), None, np.array([0, 0, 1, 1, 0]), np.array([0, 0, 1, 1, 1]),
        frame, frame, at,
    )  # fmt: skip
    found = rows.by_patient("m")
    assert found["patient"].tolist() == [0, 1, 1]
    assert found["y"].tolist() == [0, 0, 1]  # outcomes of one patient that differ stay apart
    assert found["risk"].tolist() == pytest.approx([0.2, 0.4, 0.7])
    assert found["threshold"].tolist() == pytest.approx([0.2, 0.5, 0.5])


def test_a_patient_of_many_films_counts_once_by_patient():
    """The one case with 40 films is missed in all of them; the 12 others are found."""
    X, y, groups = patients(60)
    X["p"] = np.where(y == 1, 0.8, 0.2) + X["age"] / 1000
    one = int(np.flatnonzero(y == 1)[0])
    X.loc[one, "p"] = 0.21
    many = np.repeat(np.arange(60), np.where(np.arange(60) == one, 40, 1))
    rows = Assessed(
        np.arange(len(many)), np.zeros(len(many), int), None, y[many], groups[many],
        *(X[["p"]].iloc[many].reset_index(drop=True) for _ in range(2)),
        pd.DataFrame({"p": np.full(len(many), 0.5)}),
    )  # fmt: skip
    by = rows.by_patient("p")
    found = (by["risk"] >= by["threshold"])[by["y"] == 1].mean()
    assert found == pytest.approx(19 / 20)
    assert rows.positive["p"][rows.y == 1].mean() == pytest.approx(19 / 59)
