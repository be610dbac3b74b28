"""`run_study`: the same call gives the same study, and leaves the world as it was."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest

import skosteo
from skosteo import evaluation
from skosteo.commands import main
from skosteo.datasets import make_cohort
from skosteo.exceptions import InputError
from skosteo.study import Study, run_study
from tests.study.cohorts import filmed_patients, patients
from tests.study.report.pages import page_of
from tests.study.studies import said_of


def study_of(**changes):
    X, y, groups = patients(90)
    params = {
        "image_column": None, "models": ["age_sex_bmi", "logistic"], "n_folds": 2, "n_repeats": 1,
        "verbose": 0,
    } | changes  # fmt: skip
    return run_study(X, y, groups=groups, **params)


def test_its_one_public_home():
    assert skosteo.study.run_study is run_study
    assert "study" in skosteo.__all__
    assert "run_study" not in dir(evaluation)
    with pytest.raises(AttributeError, match="run_study"):
        evaluation.run_study  # noqa: B018
    assert isinstance(study_of(), Study)


def test_the_arguments_are_not_changed():
    X, y, groups = patients(90)
    before = X.copy(), y.copy(), groups.copy()
    run_study(X, y, groups=groups, image_column=None, models=["logistic"], n_folds=2, verbose=0)
    pd.testing.assert_frame_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])
    np.testing.assert_array_equal(groups, before[2])


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_one(tmp_path, small_preset):
    X, y, groups = filmed_patients(tmp_path, 48)

    def said(seed):
        return said_of(run_study(
            X, y, groups=groups, models=["image", "clinical"], n_folds=2, n_repeats=1,
            random_state=seed, verbose=0,
        ))  # fmt: skip

    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same = said(1), said(1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    pd.testing.assert_frame_equal(one, same, check_exact=True)
    assert not one.equals(said(2))


def test_it_is_silent_if_asked(capfd):
    study_of()
    assert capfd.readouterr() == ("", "")
    study_of(verbose=1)
    assert "4/4" in capfd.readouterr().err


def test_two_folds_and_a_prevalence_in_the_report():
    study = study_of(prevalence=0.05)
    assert len(study.design.folds) == 2
    html = page_of(study)
    assert "PPV at 5 %" in html
    assert "2-fold cross-validation" in html


def test_a_family_history_may_be_named():
    X, y, groups = patients(90)
    X["Family history of osteoporosis"] = np.tile([0, 1, 1], 30)
    study = run_study(
        X, y, groups=groups, clinical_columns=["age", "sex", "Family history of osteoporosis"],
        image_column=None, models=["logistic"], n_folds=2, verbose=0,
    )  # fmt: skip
    assert "Family history of osteoporosis" in study.settings.clinical_columns
    with pytest.raises(InputError, match=r"\['Osteoporosis'\] promise the answer"):
        run_study(
            X.rename(columns={"Family history of osteoporosis": "Osteoporosis"}), y, groups=groups,
            image_column=None, models=["logistic"], n_folds=2, verbose=0,
        )  # fmt: skip


def test_findings_of_the_leakage_check_stand_in_the_report():
    X, y, _ = patients(90)
    groups = np.arange(90) % 45
    X["site"] = np.where(np.arange(90) < 45, "north", "south")
    X["sex"] = np.where(np.arange(90) < 45, "F", "M")
    study = run_study(
        X, y, groups=groups, image_column=None, models=["age_sex_bmi"], n_folds=2, verbose=0,
        site="site",
    )  # fmt: skip
    html = page_of(study)
    assert "45 patient ids at several sites" in html
    assert "join site and id into one" in html
    assert html.index("45 patient ids at several sites") < html.index("Discrimination</h2>")


def test_every_option_of_the_call_is_one_of_the_command(capsys):
    with pytest.raises(SystemExit):
        main(["study", "--help"])
    options = set(re.findall(r"--([a-z-]+)", capsys.readouterr().out))
    named = {
        "X": "", "y": "target", "groups": "patient", "n_folds": "folds", "limits": "limit",
        "clinical_columns": "clinical", "image_column": "image-column", "cache_dir": "cache",
        "n_repeats": "repeats", "n_jobs": "jobs", "random_state": "seed", "verbose": "quiet",
        "flow": "",
    }  # fmt: skip
    for parameter in inspect.signature(run_study).parameters:
        option = named.get(parameter, parameter.replace("_", "-"))
        assert not option or option in options, parameter


@pytest.mark.slow  # the preset as it is: minutes of nets on a CPU
def test_the_quick_preset_as_it_is_finds_the_signal(tmp_path):
    cohort = make_cohort(150, image_signal=0.95, clinical_signal=0.8, random_state=0)
    study = run_study(
        cohort.data, cohort.target, groups=cohort.groups, n_folds=2, out=tmp_path, verbose=0
    )
    figures = study.figures().set_index("figure")
    assert figures.loc["AUC", "low"] > 0.5
    assert (tmp_path / "figures" / "figure_7.png").exists()
