"""Splits of a study: whole patients, each row once, both classes on every side."""

from dataclasses import fields
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

from skosteo.exceptions import InputError
from skosteo.study.design import Settings, make_design, versions
from skosteo.study.inputs import validate_inputs


def cohort(rng, least=20, most=40):
    """Patients of one to three films; the label is the patient's, or that of each film."""
    n = int(rng.integers(least, most))
    films = rng.integers(1, 4, n)
    patient = rng.permutation(np.repeat(rng.permutation(1000)[:n], films))
    share = rng.uniform(0.35, 0.6)
    if rng.random() < 0.5:
        y = (rng.random(1000) < share)[patient].astype(int)
    else:
        y = (rng.random(len(patient)) < share).astype(int)
    return y, patient


def design_of(y, patient, *, test=None, n_folds=5, seed=0, validation="split", n_repeats=2):
    given = validate_inputs(pd.DataFrame({"x": np.arange(len(y)) / 7}), y, patient, test=test)
    how = {"n_repeats": n_repeats, "validation": validation, "seed": seed}
    return make_design(given, n_folds=n_folds, **how)


GIVEN = validate_inputs(pd.DataFrame({"x": [1, 2]}), [0, 1])


def check(design, patient):
    everything = np.arange(len(patient))
    for folds in design.repeats:
        validated = np.concatenate([validation for _, validation in folds])
        # every row is tested on, or validated on once
        np.testing.assert_array_equal(np.sort([*design.test, *validated]), everything)
        for train, validation in folds:
            np.testing.assert_array_equal(np.sort([*train, *validation, *design.test]), everything)
            for one, other in (
                (train, validation), (train, design.test), (validation, design.test)
            ):  # fmt: skip
                assert not set(patient[one]) & set(patient[other])
            for part in (train, validation, design.test):
                assert not len(part) or set(design.y[part]) == {0, 1}


def test_400_cohorts_without_a_patient_on_both_sides():
    rng = np.random.default_rng(0)
    made = 0
    for seed in range(400):
        y, patient = cohort(rng, 18, 28)
        codes = np.unique(patient, return_inverse=True)[1]
        table = pd.DataFrame({"x": np.arange(len(y)) / 7})
        given = GIVEN._replace(X=table, y=y, patient=codes)
        validation = "split" if seed % 2 else "repeated_cv"
        n_folds = int(rng.integers(2, 5))
        how = {"n_folds": n_folds, "n_repeats": 2, "validation": validation, "seed": seed}
        try:
            design = make_design(given, **how)
        except InputError:  # too few of a class, said so
            continue
        check(design, patient)
        made += 1
    assert made >= 380


@pytest.mark.parametrize("how", ["drawn", "given"])
def test_same_seed_same_split(how):
    y, patient = cohort(np.random.default_rng(1))
    test = None if how == "drawn" else np.isin(patient, np.unique(patient)[::4])
    one, same, other = (design_of(y, patient, test=test, n_folds=3, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.test, same.test)
    for fold, again in zip(one.folds, same.folds, strict=True):
        np.testing.assert_array_equal(fold[1], again[1])
    assert any(
        not np.array_equal(fold[1], again[1])
        for fold, again in zip(one.folds, other.folds, strict=True)
    )


def test_given_test_rows_are_the_test_rows():
    y = np.resize([0, 1, 0], 90)
    test = np.arange(90) >= 70
    design = design_of(y, None, test=test)
    np.testing.assert_array_equal(design.test, np.flatnonzero(test))
    check(design, np.arange(90))


def test_the_test_part_is_as_large_as_a_fold_and_as_ill_as_the_others():
    y = np.resize([0, 0, 0, 1], 600)
    design = design_of(y, np.arange(600))
    assert len(design.test) == 100  # one part of six
    assert {len(validation) for _, validation in design.folds} == {100}
    assert y[design.test].sum() == 25


def test_repeats_have_other_folds_and_no_test_set():
    y = np.resize([0, 1, 0], 90)
    design = design_of(y, None, validation="repeated_cv", n_repeats=3)
    check(design, np.arange(90))
    assert not design.has_test
    assert len(design.development) == 90
    firsts = [set(folds[0][1]) for folds in design.repeats]
    assert len(firsts) == 3
    assert firsts[0] != firsts[1] != firsts[2] != firsts[0]


@pytest.mark.parametrize(("n", "has_test"), [(1190, False), (1200, True)])
def test_a_test_set_is_drawn_where_it_has_100_patients_of_either_outcome(n, has_test):
    y = np.resize([0, 1], n)  # six parts of 100 cases each, or one too few
    design = design_of(y, None, validation="auto")
    assert design.has_test == has_test
    assert len(design.repeats) == (1 if has_test else 2)


def test_repeated_cross_validation_has_no_test_rows():
    y = np.resize([0, 1, 0], 90)
    with pytest.raises(InputError, match="judges models on all rows, and test names some"):
        design_of(y, None, test=np.arange(90) >= 70, validation="repeated_cv")


def test_folds_balance_patients_of_either_outcome_and_sex_whatever_their_films():
    """One case has 60 films: by rows, its fold would get no other case."""
    rng = np.random.default_rng(0)
    n = 120
    ill, sex = np.resize([0, 0, 1], n), rng.permutation(np.resize(["F", "F", "M"], n))
    films = np.where(np.arange(n) == 2, 60, 1)
    patient = np.repeat(np.arange(n), films)
    table = pd.DataFrame({"sex": sex[patient], "bmi": rng.normal(26, 3, len(patient))})
    given = validate_inputs(table, ill[patient], patient)
    design = make_design(given, n_folds=5, n_repeats=2, validation="repeated_cv")
    strata = pd.Series(list(zip(ill, sex, strict=True)))
    for folds in design.repeats:
        for _, validation in folds:
            counts = strata[np.unique(patient[validation])].value_counts()
            wanted = strata.value_counts() / 5
            assert (counts - wanted).abs().max() < 1


def test_counts_add_up():
    y, patient = np.resize([0, 1, 0], 120), np.arange(120) // 2
    counts = design_of(y, patient, n_folds=3).counts()
    parts = counts.drop(index="all").sum()
    assert parts.tolist() == counts.loc["all"].tolist()
    assert counts.loc["all"].tolist() == [120, 60, 40, len(np.unique(patient[y == 1]))]


def test_labels_of_words_are_coded_in_their_order():
    design = design_of(np.resize(["yes", "no"], 60), None)
    assert design.classes.tolist() == ["no", "yes"]
    assert design.y.tolist() == [1, 0] * 30


Y = np.resize([0, 1], 60)
FROM_30 = np.arange(60) >= 30
BAD = {
    "one patient of a class": (np.arange(60) == 3, None, {}, "5 folds and a test set need 6"),
    "three patients": (Y, np.arange(60) % 3, {}, "there are 3 positive and 3 negative"),
    "one class": (np.zeros(60, int), None, {}, "1 class"),
    "T-scores": (np.linspace(-4, 1, 60), None, {}, r"y = t_score <= -2\.5"),
    "three classes": (np.resize([0, 1, 2], 60), None, {}, "binary"),
    "a patient missing": (Y, [None, *range(59)], {}, "patient id of 1 of 60 rows"),
    "groups too short": (Y, np.arange(9), {}, r"shape \(9,\)"),
    "test of one class": (Y, None, {"test": (Y == 1) & FROM_30}, "15 rows of 1 class"),
    "no test rows": (Y, None, {"test": np.zeros(60, bool)}, "0 rows of 0 class"),
    "test as numbers": (Y, None, {"test": np.flatnonzero(FROM_30)}, "test has 30 rows"),
    "test of 0 and 1": (Y, None, {"test": FROM_30.astype(int)}, "True or False"),
    "all for the test": (Y, None, {"test": np.ones(60, bool)}, "0 positive and 0 negative"),
    "test within a patient": (Y, np.arange(60) // 4, {"test": np.arange(60) >= 30}, "1 patients"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_split_is_refused_with_a_remedy(case):
    y, groups, changes, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        design_of(y, groups, **changes)
    assert len(str(caught.value)) > 40


def test_the_remedy_for_too_many_folds_works():
    y = np.repeat([0, 1], [50, 4])
    with pytest.raises(InputError, match="n_folds=3, or more"):
        design_of(y, None)
    check(design_of(y, None, n_folds=3), np.arange(54))


def test_a_patient_of_many_rows_of_one_class_is_not_split_up():
    y = np.repeat([0, 1, 0, 1], [100, 100, 1, 1])
    with pytest.raises(InputError, match="need 3 patients of each"):
        design_of(y, np.repeat([0, 1, 2, 3], [100, 100, 1, 1]), n_folds=2)


def test_versions_are_those_installed():
    found = versions()
    assert found["numpy"] == np.__version__
    assert found["torch"] == version("torch")


def test_settings_hold_no_data_of_a_patient():
    assert {field.name for field in fields(Settings)} == {
        "title", "outcome", "limits", "preset", "seed", "n_folds", "drawn_test", "image_column",
        "clinical_columns", "prevalence", "published", "n_repeats", "operating_point",
        "imputations", "site",
    }  # fmt: skip
