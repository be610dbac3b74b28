"""Columns that decide or restate the label leave the cohort; what only predicts it stays."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import ClinicalPreprocessor
from skosteo.clinical import select_cohort
from skosteo.datasets import fetch_hannover_cxr
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import LeakageWarning

real_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")


def people(n=300, seed=0):
    """Clinical values, and T-scores that they know a little of."""
    return draw_patients(n, random_state=seed)[[*CLINICAL[:9], "t_score"]]


def removed(table, **options):
    return select_cohort(table, t_score="t_score", max_missing=None, **options).removed


def who(t):
    """0, 1 and 2 of normal bone, osteopenia and osteoporosis."""
    return np.select([t <= -2.5, t < -1], [2, 1], 0)


RESTATED = {
    "coded": lambda t, rng: who(t),
    "coded the other way": lambda t, rng: 2 - who(t),
    "coded out of order": lambda t, rng: np.array([5, 9, 7])[who(t)],
    "coded as text": lambda t, rng: who(t).astype(str),
    "in words": lambda t, rng: np.array(["A", "B", "C"])[who(t)],
    "yes and no": lambda t, rng: np.where(t <= -2.5, "yes", "no"),
    "with gaps": lambda t, rng: np.where(rng.random(len(t)) < 0.4, np.nan, who(t)),
    "a word among codes": lambda t, rng: np.where(
        rng.random(len(t)) < 0.1, "pending", who(t).astype(str)
    ),
    "categorical": lambda t, rng: pd.Categorical(who(t)),
    "one reader in fifty errs": lambda t, rng: np.where(
        rng.random(len(t)) < 0.02, 2 - who(t), who(t)
    ),
    "the score itself": lambda t, rng: t * 10 + 50,
    "the score, remeasured": lambda t, rng: t + rng.normal(0, 0.2, len(t)),
    "filled for cases alone": lambda t, rng: np.where(
        (t <= -2.5) & (rng.random(len(t)) < 0.8), "M81", None
    ),
    "a day for cases alone": lambda t, rng: pd.Series(
        pd.date_range("2024-01-01", periods=len(t))
    ).where(t <= -2.5),
    "most of the cases": lambda t, rng: ((t <= -2.5) & (rng.random(len(t)) < 0.7)).astype(int),
    "osteopenia, none of them a case": lambda t, rng: ((t > -2.5) & (t < -1)).astype(int),
}


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
@pytest.mark.parametrize("column", RESTATED)
def test_what_restates_the_label_leaves_under_any_name(column, seed):
    table = people(600, seed)
    table["V17"] = RESTATED[column](table["t_score"].to_numpy(), np.random.default_rng(seed))
    out = removed(table)
    assert list(out) == ["V17"]
    assert "cases" in out["V17"]


def test_the_readmes_next_line_is_no_better_than_its_clinical_values():
    table = people(400)
    table["Status"] = who(table["t_score"])
    cohort = select_cohort(table, t_score="t_score")
    model = make_pipeline(ClinicalPreprocessor(), StandardScaler(), LogisticRegression())
    score = cross_val_predict(model, cohort.data, cohort.target, method="predict_proba")[:, 1]
    assert roc_auc_score(cohort.target, score) < 0.9
    assert "Status" not in cohort.data
    assert "'Status' (its values tell cases from controls (AUC 1.000))" in repr(cohort)


@pytest.mark.parametrize("column", ["coded", "yes and no", "a day for cases alone"])
def test_so_it_does_in_small_cohorts(column):
    for seed in range(5):
        table = people(40, seed)
        table["V17"] = RESTATED[column](table["t_score"].to_numpy(), np.random.default_rng(seed))
        assert list(removed(table)) == ["V17"]


@pytest.mark.parametrize("label", ["osteoporosis", "low_bone_mass"])
def test_a_diagnosis_of_both_stages_restates_either_label(label):
    table = people(300)
    table["V17"] = who(table["t_score"])
    assert list(removed(table, label=label)) == ["V17"]


@pytest.mark.parametrize(
    "name",
    ["Diagnosis", "Final diagnosis", "Dx", "ICD-10", "label", "诊断", "Outcome"],
)
def test_names_of_outcomes_leave_even_a_handful_of_rows(name):
    table = people(12).assign(**{name: [0, 1, 2] * 4})
    assert removed(table) == {name: "its name promises the label"}


@pytest.mark.parametrize("seed", range(10))
def test_what_only_predicts_the_label_stays(seed):
    rng, table = np.random.default_rng(seed), people(300, seed)
    t = table["t_score"].to_numpy()
    case = t <= -2.5
    table["other_site"] = t + rng.normal(0, 1.2, len(t))
    table["ward"] = rng.choice(list("abcdefghij"), len(t))
    table["visits"] = rng.integers(0, 400, len(t))
    table["fell"] = (rng.random(len(t)) < np.where(case, 0.5, 0.2)).astype(float)
    table["woman"] = rng.random(len(t)) < np.where(case, 0.9, 0.6)
    table.loc[rng.random(len(t)) < np.where(case, 0.5, 0.3), "fell"] = np.nan
    assert removed(table) == {}


def test_a_few_people_show_nothing():
    for seed in range(8):
        table = people(9, seed).assign(v=np.random.default_rng(seed).normal(size=9))
        table.loc[:3, "t_score"], table.loc[4:, "t_score"] = -3.0, 0.0
        assert removed(table.assign(w=[0] * 4 + [1] * 5)) == {}


def test_rows_of_one_patient_are_no_proof():
    table = people(60).assign(patient=np.repeat([1, 2, 3, 4, 5, 6], 10))
    table["t_score"] = np.where(table["patient"] <= 3, -3.0, 0.0)
    table["V17"] = np.where(table["patient"] <= 3, 1, 0)
    assert list(removed(table.drop(columns="patient"))) == ["V17"]
    assert removed(table, patient="patient") == {}


def test_a_named_column_stays_and_its_values_are_told():
    table = people(300)
    table["V17"] = who(table["t_score"])
    table["Family history of osteoporosis"] = np.tile([0, 1, 0], 100)
    named = ["age", "sex", "V17", "Family history of osteoporosis"]
    assert set(removed(table)) == {"V17", "Family history of osteoporosis"}
    with pytest.warns(LeakageWarning, match=r"'V17' is kept.*AUC 1\.000") as caught:
        cohort = select_cohort(table, t_score="t_score", clinical_columns=named)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert set(named) <= set(cohort.data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        select_cohort(table, t_score="t_score", clinical_columns=["age", "sex", named[3]])


@pytest.mark.slow
@real_data
def test_of_200_columns_of_a_survey_only_densities_leave():
    folder = Path(os.environ["SKOSTEO_DATA"]) / "nhanes" / "2013-2014"
    table = pd.read_sas(folder / "DXXFEM_H.XPT")
    for file in sorted(folder.glob("*.XPT")):
        more = pd.read_sas(file).drop_duplicates("SEQN")
        new = ["SEQN", *more.columns.difference(table.columns)]
        table = table.merge(more[new], on="SEQN", how="left")
    # the density of the whole hip under a name that says nothing
    table = table.rename(columns={"DXXOFBMD": "V17"})
    options = {"bmd": "DXXNKBMD", "patient": "SEQN", "max_missing": None}
    out = select_cohort(table, **options).removed
    by_value = {name for name, why in out.items() if "name" not in why}
    assert by_value == {"V17"}
    low = select_cohort(table.drop(columns="V17"), label="low_bone_mass", **options)
    assert not [name for name, why in low.removed.items() if "name" not in why]
    assert low.data.shape[1] > 200


@real_data
def test_laboratory_values_of_real_patients_stay():
    frame = fetch_hannover_cxr().frame
    rng = np.random.default_rng(0)
    table = frame.assign(age=60.0, t_score=rng.normal(-2.3, 1, len(frame)))
    assert removed(table, patient="patient_id") == {}
