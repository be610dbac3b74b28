"""Every figure in a study's folder, recomputed by other code; and that a wrong one is found."""

import shutil

import numpy as np
import pandas as pd
import pytest

from skosteo.study import run_study
from tests.study.cohorts import patients
from tests.study.recompute import FILES, main, recompute

DIGIT = "last digit"
# of each file a cell, and by what it is multiplied
PLANTED = {
    "probabilities": (3, "logistic: risk", 1.0001),
    "figures": (4, "high", 1.00001),
    "scores": (12, "low", 1.00001),
    "comparison": (2, "pvalue", 1.00001),
    "differences": (5, "pvalue_holm", 1.00001),
    "calibration": (150, "high", 1.00001),
    "decision_curve": (20, "low", 1.00001),
    "subgroups": (1, "low", 1.00001),
    "operating_points": (1, "PPV", DIGIT),
    "per_thousand": (0, "referred", 1.00001),
    "stability": (1, "calibration slope", 1.00001),
    "fold_scores": (4, "AUC", 1.00001),
    "discrimination": (2, "specificity", DIGIT),
    "failures": (3, "OSTA", DIGIT),
    "parts": (0, "positive rows", 2),
    "sample_size": (4, "patients needed", 2),
}


def test_patients_in_repeated_cross_validation(of_values):
    found = recompute(of_values.out, groupings=of_values.study.groupings)
    assert found.differ == []
    assert not found.skipped
    files = {path.stem for path in (of_values.out / "tables").glob("*.csv")}
    assert set(found.compared) - {"thresholds"} == files & set(FILES)
    assert found.compared["probabilities"] == 150 * (4 + 2 * 2)  # a risk per row, model and repeat
    assert found.compared.total() - found.compared["probabilities"] > 1_750


def test_a_test_set(of_split, tmp_path, same_picture):
    of_split.study.save(tmp_path)
    found = recompute(tmp_path, of_split.study.design.patient, of_split.study.groupings)
    assert found.differ == []
    assert found.compared.total() > 1_500
    assert not found.skipped
    assert found.compared["probabilities"] == 2 * len(of_split.study.design.test)


def test_films_text_and_fusions(of_films):
    found = recompute(of_films.out, of_films.study.design.patient, of_films.study.groupings)
    assert found.differ == []
    assert {"table_2", "table_3"} <= set(found.compared)


def test_patients_of_many_rows_some_with_either_outcome(tmp_path, same_picture):
    X, y, _ = patients(80, seed=3)
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(80), rng.choice([1, 1, 2, 5], 80))
    labels = np.where(rng.random(len(patient)) < 0.05, 1 - y[patient], y[patient])
    study = run_study(
        X.iloc[patient].reset_index(drop=True), labels, groups=patient, out=tmp_path / "report",
        image_column=None, models=["age_sex_bmi", "logistic"], n_folds=3, n_repeats=2, verbose=0,
        operating_point="Youden's index", prevalence=0.2,
    )  # fmt: skip
    found = recompute(tmp_path / "report", patient, study.groupings)
    assert found.differ == []
    assert found.compared.total() > 1_700
    wrong = recompute(tmp_path / "report", groupings=study.groupings)  # rows taken as patients
    assert {"figures", "scores", "calibration"} <= {line.partition(":")[0] for line in wrong.differ}


@pytest.fixture
def copied(of_values, tmp_path):
    shutil.copytree(
        of_values.out, tmp_path / "copy", ignore=shutil.ignore_patterns("work", "*.png")
    )
    return tmp_path / "copy"


def plant(folder, file):
    line, column, change = PLANTED[file]
    path = folder / "tables" / f"{file}.csv"
    table = pd.read_csv(path, dtype=str)
    cell = table.loc[line, column]
    if change is DIGIT:
        at = cell.index(".") + 3  # the third decimal of the first figure
        table.loc[line, column] = f"{cell[:at]}{(int(cell[at]) + 1) % 10}{cell[at + 1 :]}"
    else:
        table.loc[line, column] = str(float(cell) * change)
    table.to_csv(path, index=False)


def test_one_wrong_figure_in_every_file_is_found(of_values, copied):
    tables = [file for file in PLANTED if file != "probabilities"]
    for file in tables:
        plant(copied, file)
    found = recompute(copied, groupings=of_values.study.groupings)
    assert sorted(line.partition(":")[0] for line in found.differ) == sorted(tables)


def test_a_wrong_risk_is_found(copied):
    plant(copied, "probabilities")
    assert recompute(copied).differ[0].startswith("probabilities: logistic")


def test_the_script_says_how_many_and_fails_where_one_differs(copied, monkeypatch, capsys):
    plant(copied, "per_thousand")
    monkeypatch.setattr("sys.argv", ["recompute", str(copied)])
    assert main() == 1
    *_, line, total = capsys.readouterr().out.strip().split("\n")
    assert line.startswith("per_thousand: ")
    assert total.endswith("; 1 differ.")
