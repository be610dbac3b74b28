"""Sample size and missing values of a study, by hand."""

import numpy as np
import pandas as pd

from skosteo.evaluation import development_sample_size, validation_sample_size
from skosteo.study import run_study
from skosteo.study.adequacy import n_parameters_of, sample_size
from tests.study.cohorts import patients


def test_parameters_are_numbers_and_levels_less_one_and_the_film(of_films, of_values):
    films, values = of_films.study, of_values.study
    columns = ["age", "sex", "bmi", "weight_kg"]
    assert n_parameters_of(values.design, values.settings, columns) == 4
    assert n_parameters_of(films.design, films.settings, columns) == 5
    three = values.design.X.assign(ward=np.resize(["a", "b", "c"], 150))
    design = type("Design", (), {"X": three})
    assert n_parameters_of(design, values.settings, [*columns, "ward"]) == 6


def test_patients_wanted_are_those_of_the_criteria(of_values):
    study = of_values.study
    auc = study.figures().set_index("figure").loc["AUC", "estimate"]
    found = study.sample_size()
    developed = development_sample_size(4, 1 / 3, auc).set_index("criterion")["n"]
    validated = validation_sample_size(0.1, auc).set_index("criterion")["n"]  # as stated
    for name, n in [*developed.items(), *validated.items()]:
        if name == "all of these":
            continue
        line = found[found.index.str.endswith(f": {name}")].squeeze()
        assert line["patients needed"] == n
        assert (line["patients here"], line["events here"]) == (150, 50)
        assert line["met"] == ("yes" if n <= 150 else "no")
    assert found.index[0] == "development, 4 parameters: shrinkage"


def test_without_a_stated_prevalence_validation_is_reckoned_for_the_patients_judged(of_split):
    study = of_split.study
    counts = study.design.counts().loc["test"]
    auc = study.figures().set_index("figure").loc["AUC", "estimate"]
    cases = counts["positive patients"] / counts["patients"]
    expected = validation_sample_size(cases, auc).set_index("criterion").loc["slope", "n"]
    assert study.sample_size().loc["validation: slope", "patients needed"] == expected


def test_no_number_is_wanted_of_a_model_that_tells_nothing(of_values):
    study = of_values.study
    assert sample_size(study.design, study.settings, ["age"], 0.48).empty


def test_missing_values_are_counted_by_outcome():
    X, y, groups = patients(120)
    gone = np.flatnonzero(y == 1)[:12]
    X.loc[gone, "bmi"] = np.nan
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, n_repeats=1, verbose=0,
        models=["logistic"], outcome="osteoporosis",
    )  # fmt: skip
    found = study.missing_values()
    assert found.columns.tolist() == ["osteoporosis", "no osteoporosis"]
    assert found.index.str.startswith("BMI").tolist() == [True]
    assert found.iloc[0].tolist() == ["12/40 (30.0 %)", "0/80 (0.0 %)"]
    assert isinstance(found, pd.DataFrame)
