"""The first page: its lights, by their rules, and its sentences, from the study's figures."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skosteo.study.report.abstract import (
    abstract,
    calibration_light,
    judged,
    leakage_light,
    light_rules,
    lights,
    limits,
    missing_light,
    moved_threshold,
    sample_size_light,
    warnings_first,
)
from skosteo.study.report.content import moved_text
from skosteo.validation.figures import OBSERVED_EXPECTED
from tests.study.report.pages import changed


def figures(observed_expected, slope):
    lines = [(OBSERVED_EXPECTED, *observed_expected), ("calibration slope", *slope)]
    frame = pd.DataFrame(lines, columns=["figure", "estimate", "low", "high"])
    return frame.assign(count=50, total=100, patients=100)


def of_judged(n_cases=50, n_controls=100, **methods):
    """What the lights look at, of a study without a test set."""
    y = np.repeat([1, 0], [n_cases, n_controls])
    design = SimpleNamespace(
        has_test=False, y=y, patient=np.arange(len(y)), repeats=((),),
        X=pd.DataFrame({"bmi": np.arange(len(y), dtype=float)}),
    )  # fmt: skip
    settings = SimpleNamespace(image_column=None, clinical_columns=("bmi", "age"))
    return SimpleNamespace(design=design, settings=settings, **methods)


# ---------------------------------------------------------------- sample size


def criteria(*met):
    return pd.DataFrame(
        {
            "patients needed": [100 * (i + 1) for i in range(len(met))],
            "patients here": 150,
            "met": met,
        },
        index=[f"criterion {i}" for i in range(len(met))],
    )


@pytest.mark.parametrize(
    ("met", "colour"),
    [(["yes", "yes"], "green"), (["yes", "no"], "amber"), (["yes", "no", "no"], "red")],
)
def test_sample_size_is_judged_by_the_criteria_that_are_met(met, colour):
    light = sample_size_light(of_judged(sample_size=lambda: criteria(*met)))
    assert light.colour == colour
    assert f"{met.count('yes')} of {len(met)} criteria" in light.reason


def test_the_most_demanding_criterion_is_named():
    light = sample_size_light(of_judged(sample_size=lambda: criteria("yes", "no", "no")))
    assert "criterion 2, asks for 300 patients; 150 are here" in light.reason


def test_fewer_than_ten_patients_of_a_class_are_too_few_whatever_is_met():
    light = sample_size_light(of_judged(9, 500, sample_size=lambda: criteria("yes", "yes")))
    assert light.colour == "red"


def test_a_size_that_cannot_be_reckoned_is_not_good():
    light = sample_size_light(of_judged(sample_size=criteria))
    assert (light.colour, light.word) == ("amber", "Caution")
    assert "Not estimable" in light.reason


# ---------------------------------------------------------------- leakage, missing values


@pytest.mark.parametrize(
    ("severities", "colour"),
    [([], "green"), (["note"], "green"), (["note", "suspect"], "amber"),
     (["suspect", "leak"], "red")],
)  # fmt: skip
def test_leakage_is_as_bad_as_its_worst_finding(severities, colour):
    found = SimpleNamespace(frame=lambda: pd.DataFrame({"severity": severities}, dtype=object))
    assert leakage_light(of_judged(leakage=found)).colour == colour


@pytest.mark.parametrize(
    ("missing", "columns", "colour"),
    [(7, ("bmi",), "green"), (8, ("bmi",), "amber"), (45, ("bmi",), "amber"),
     (46, ("bmi",), "red"), (46, (), "green")],
)  # fmt: skip
def test_missing_values_are_judged_by_the_worst_variable_of_the_model(missing, columns, colour):
    study = of_judged(models={"m": SimpleNamespace(columns=columns)}, primary="m")
    study.design.X.loc[: missing - 1, "bmi"] = np.nan
    assert missing_light(study).colour == colour


# ---------------------------------------------------------------- calibration


@pytest.mark.parametrize(
    ("ratio", "slope", "colour"),
    [
        ((1.0, 0.9, 1.1), (1.0, 0.8, 1.2), "green"),
        ((0.85, 0.75, 0.95), (1.0, 0.8, 1.2), "green"),  # surely off, and by little
        ((0.6, 0.5, 0.7), (1.0, 0.8, 1.2), "red"),
        ((1.0, 0.9, 1.1), (0.5, 0.3, 0.7), "red"),
        ((1.0, 0.9, 1.1), (0.7, 0.3, 1.1), "amber"),
        ((1.0, 0.9, 1.1), (1.0, 0.2, 1.8), "amber"),  # nothing is known
        ((1.0, np.nan, np.nan), (1.0, 0.8, 1.2), "amber"),
        ((1.0, 0.9, 1.1), (np.nan, np.nan, np.nan), "red"),
    ],
)
def test_calibration_is_good_where_it_is_near_and_known_to_be(ratio, slope, colour):
    study = of_judged(figures=lambda: figures(ratio, slope))
    assert calibration_light(study).colour == colour


def test_a_light_says_its_colour_in_a_word(of_values):
    words = {"green": "Good", "amber": "Caution", "red": "Problem"}
    for light in lights(of_values.study):
        assert light.word == words[light.colour]
        assert light.reason.endswith((".", "]."))


def test_the_limits_of_every_light_are_in_words(of_values):
    rules = light_rules()
    assert list(rules) == [light.topic for light in lights(of_values.study)]
    assert (
        "in more than 5 % of the rows; a problem where one is in more than 30 %"
        in (rules["Missing data"])
    )
    assert rules["Calibration"].startswith("of the recalibrated risks")
    assert "within 0.8 to 1.25, and their intervals within 0.5 to 2;" in rules["Calibration"]
    assert "fewer than 10 patients" in rules["Sample size"]


# ---------------------------------------------------------------- the threshold elsewhere


def of_threshold(threshold, n_cases, n_controls, prevalence):
    return SimpleNamespace(
        final_model_=SimpleNamespace(threshold=threshold),
        assessed=lambda: SimpleNamespace(y=np.repeat([1, 0], [n_cases, n_controls])),
        settings=SimpleNamespace(prevalence=prevalence),
    )


@pytest.mark.parametrize(
    ("threshold", "prevalence", "there"),
    [(0.27, 0.15, 0.0882),  # odds 27/73 * 15/85 / (81/120) = .0967
     (0.27, 81 / 201, 0.27),
     (0.5, 0.5, 0.5970)],  # odds 120/81
)  # fmt: skip
def test_the_threshold_is_moved_to_the_stated_prevalence(threshold, prevalence, there):
    assert moved_threshold(of_threshold(threshold, 81, 120, prevalence)) == pytest.approx(
        there, abs=5e-5
    )


def test_it_is_said_among_whom_a_threshold_is_a_risk():
    assert moved_text(of_threshold(0.27, 81, 120, 0.15)) == (
        "the model's threshold of .270, a risk among patients of whom 40.3 % have the outcome, is "
        ".088 where 15 % have it"
    )


# ---------------------------------------------------------------- the abstract


def test_the_abstract_of_repeated_cross_validation(of_values):
    study = of_values.study
    said = dict(abstract(study))
    assert "2 repeats of 3-fold cross-validation by patient" in said["Design"]
    assert said["Patients"] == "150 patients, 50 (33.3 %) with the outcome."
    assert said["Primary model"].startswith("Logistic: age, sex, BMI, specified before")
    assert "Comparator: OSTA." in said["Primary model"]
    assert study.table(2).loc["Logistic: age, sex, BMI", "AUC"] in said["Discrimination"]
    each = study.per_thousand().loc["Logistic: age, sex, BMI", "referrals per case found"]
    referrals = f"{each:.1f} referrals (such as for DXA) per case found"
    assert f"{referrals}, where 10 % have the outcome." in said["At the threshold"]
    assert "] (judged at the threshold of each fold)." in said["At the threshold"]


def test_the_difference_is_that_of_the_primary_model_from_its_comparator(of_values):
    study = of_values.study
    rows = study.assessed()
    areas = [
        [roc_auc_score(rows.y[here], rows.risk[name][here]) for name in study.family[:2]]
        for here in (rows.fold == fold for fold in range(6))
    ]
    one, other = np.mean(areas, axis=0)
    said = dict(abstract(study))["Discrimination"]
    number = re.search(r"Difference (\S+) \[", said)[1].replace("\N{MINUS SIGN}", "-")
    assert float(number) == pytest.approx(one - other, abs=0.0006)


def test_p_values_by_holm_are_told_from_intervals_that_are_not_adjusted(of_films, of_values):
    said = dict(abstract(of_films.study))["Discrimination"]
    assert re.search(r"\], P [=<] \S+ by Holm \(of 3 comparisons\), interval not adjusted\.", said)
    assert "Holm" not in dict(abstract(of_values.study))["Discrimination"]  # of one


@pytest.mark.parametrize(("p", "printed"), [(".041", "P = .041"), ("< .001", "P < .001")])
def test_what_the_radiograph_adds_is_said_and_called_exploratory(
    p, printed, of_films, of_values, monkeypatch
):
    assert "Exploratory" not in dict(abstract(of_values.study))["Discrimination"]
    line = {"odds ratio per SD": ["2.79 [1.84, 4.22]"], "P, one-sided": [p]}
    added = pd.DataFrame(line, index=["all patients"])
    monkeypatch.setattr("skosteo.study.results.film_beside", lambda *_: added)
    said = dict(abstract(changed(of_films.study)))["Discrimination"]
    assert said.endswith(
        " Exploratory: beside the comparator's risk, that from the radiograph has an odds ratio "
        f"per SD of 2.79 [1.84, 4.22], one-sided {printed}."
    )


def test_the_abstract_of_a_test_set(of_split):
    study = of_split.study
    said = dict(abstract(study))
    assert said["At the threshold"].endswith("per case found.")  # no prevalence is stated
    n, cases, _ = judged(study)
    assert "a test set drawn by patient from the same source" in said["Design"]
    assert f"test set: {n} patients, {cases} (" in said["Patients"]
    given = changed(study, drawn_test=False)
    assert "specified by the investigator" in dict(abstract(given))["Design"]
    assert "of each fold" not in said["At the threshold"]


def test_a_threshold_that_was_set_beforehand_is_not_said_to_be_chosen(of_values):
    said = dict(abstract(changed(of_values.study, operating_point=0.2)))
    assert "set beforehand" in said["At the threshold"]
    assert "chosen" not in said["At the threshold"]
    assert "of each fold" not in said["At the threshold"]


def test_a_study_of_one_model_has_no_comparator(of_values):
    study = changed(of_values.study, fields={"family": ("age_sex_bmi",)})
    said = dict(abstract(study))
    assert "Comparator" not in said["Primary model"]
    assert "Difference" not in said["Discrimination"]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("settings", "words", "stands"),
    [({}, "SYNTHETIC patients.", True),
     ({}, "The study is small: 50 patients with the outcome and 100 without", True),
     ({}, "no external validation", True),
     ({"preset": "quick"}, "small ones (preset 'quick')", False),  # there are no radiographs
     ({"image_column": "image"}, "small ones (preset 'quick')", True),
     ({"image_column": "image", "preset": "paper"}, "small ones (preset", False),
     ({}, "not a medical device", True)],
)  # fmt: skip
def test_what_a_reader_must_know(settings, words, stands, of_values):
    assert (words in " ".join(limits(changed(of_values.study, **settings)))) == stands


def test_the_investigators_own_limits_come_first(of_values):
    assert limits(of_values.study)[0] == "SYNTHETIC patients."


def test_a_test_set_that_was_given_may_be_external(of_split):
    assert "no external validation" in " ".join(limits(of_split.study))
    given = limits(changed(of_split.study, drawn_test=False))
    assert "no external validation" not in " ".join(given)
    assert "The test set is small" in " ".join(given)


def of_two_hospitals(study, **settings):
    hospital = np.where(np.arange(len(study.design.y)) % 3, "north", "south")
    design = replace(study.design, X=study.design.X.assign(ward=hospital))
    return changed(study, fields={"design": design}, site="ward", **settings)


def test_several_hospitals_are_not_called_one_source(of_values, of_split):
    said = " ".join(limits(of_two_hospitals(of_values.study)))
    assert "one source" not in said
    assert "The patients are of 2 hospitals, which the splits do not keep apart: this is no" in said
    assert "from the same 2 hospitals" in dict(abstract(of_two_hospitals(of_split.study)))["Design"]
    given = of_two_hospitals(of_split.study, drawn_test=False)
    assert "hospitals" not in " ".join(limits(given))


def test_values_that_look_wrong_are_said_first(of_values):
    study = changed(of_values.study)
    assert not [sentence for sentence in warnings_first(study) if "Column" in sentence]
    X = study.design.X.copy()
    X["bmi"] *= 10
    X.loc[:2, "age"] = 690
    said = warnings_first(changed(study, fields={"design": replace(study.design, X=X)}))
    [bmi] = [sentence for sentence in said if "'bmi'" in sentence]
    [age] = [sentence for sentence in said if "'age'" in sentence]
    assert "lie outside the plausible range in kg/m2" in bmi
    assert f"{len(X)} of {len(X)}" in bmi
    assert "some values" in age
    assert "3" not in age
