"""Names that promise the answer: refused by the preprocessor, removed from a cohort."""

import os

import pandas as pd
import pytest

from skosteo import ClinicalPreprocessor
from skosteo.clinical.answers import names_answer
from skosteo.clinical.cohort import select_cohort
from skosteo.datasets import fetch_hannover_cxr, fetch_nhanes
from skosteo.datasets.cohort import CLINICAL, TRUTH
from skosteo.exceptions import InputError

needs_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")

ANSWERS = [
    "alendronate", "zoledronic_acid", "denosumab", "bisphosphonate", "bone_drugs", "lumbar_T",
    "FN_T", "T_FN", "frax_major", "compression_fracture", "阿仑膦酸钠", "density_hip", "BMC",
    "T-score hip", "t_total", "t_total_hip", "T_L1-L4", "L1-L4_T", "hip (g/cm²)", "dxa_report",
    "BMD_hip", "family_osteoporosis", "T值", "lumbar.T", "z_spine", "tscore",
]  # fmt: skip
OTHERS = [
    "t_total_protein", "total_protein", "T4", "bone_pain", "weight_total", "dexamethasone",
    "osteophytes", "high_density_lipoprotein", "urine_density", "lung_density", "procalcitonin",
    "vitamin_d", "neck_circumference", "hip_fracture", "femur_length", "troponin_t", "t_cells",
    "left_hip_pain", "steroids_daily", "patient_id", "temperature", 7, *CLINICAL,
]  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_go_from_a_cohort_and_are_refused_by_the_preprocessor(name):
    table = pd.DataFrame({"age": [61.0, 70.0], "main": [-3.0, 0.0], name: [1.0, 2.0]})
    cohort = select_cohort(table, t_score="main")
    assert cohort.data.columns.tolist() == ["age"]
    assert cohort.removed == (name,)
    with pytest.raises(InputError, match=r"gave the answer away.*columns=") as error:
        ClinicalPreprocessor().fit(table.drop(columns="main"))
    assert repr([name]) in str(error.value)
    # who names it means it
    assert ClinicalPreprocessor(columns=["age", name]).fit_transform(table).shape == (2, 2)


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_none(name):
    assert not names_answer(name)


def test_only_what_hides_the_truth_in_a_synthetic_cohort():
    assert [c for c in TRUTH if names_answer(c)] == ["bmd_g_cm2", "t_score"]


@needs_data
def test_the_tables_for_models_have_none():
    nhanes, hannover = fetch_nhanes(), fetch_hannover_cxr()
    assert not any(map(names_answer, [*nhanes.data, *hannover.data]))
    assert {"bmd_g_cm2", "told_osteoporosis"} <= set(filter(names_answer, nhanes.frame))
