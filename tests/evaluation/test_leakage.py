"""Planted leaks are all found; clean tables have none."""

import os

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedGroupKFold

from skosteo.datasets import fetch_hannover_cxr, fetch_nhanes, make_cohort
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.evaluation.leakage import check_leakage
from skosteo.exceptions import InputError

needs_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")


def table(n=150, seed=0):
    patients = draw_patients(n, random_state=seed)
    return patients[CLINICAL], patients["osteoporosis"], patients["patient_id"]


def kinds(report, severity=None):
    frame = report.frame()
    if severity:
        frame = frame[frame["severity"] == severity]
    return set(zip(frame["kind"], frame["column"], strict=True))


@pytest.mark.parametrize(
    "seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 20))]
)
def test_clean_cohorts_have_none(seed):
    X, y, patient = table(400, seed)
    report = check_leakage(X, y, patient, splits=StratifiedGroupKFold(5))
    assert report.ok
    assert report.frame().empty
    assert repr(report) == "No leakage found."


@needs_data
def test_real_tables_have_none():
    nhanes = fetch_nhanes()
    assert check_leakage(nhanes.data, nhanes.target, nhanes.groups).frame().empty
    hannover = fetch_hannover_cxr()
    folds = StratifiedGroupKFold(5)
    report = check_leakage(hannover.data, hannover.target, hannover.groups, splits=folds)
    assert report.frame().empty


@needs_data
def test_columns_of_the_survey_that_give_the_answer_away():
    nhanes = fetch_nhanes()
    found = kinds(check_leakage(nhanes.frame, nhanes.target, nhanes.groups))
    assert {("column's values", "t_score"), ("column's values", "bmd_g_cm2")} <= found
    assert ("column's name", "told_osteoporosis") in found
    assert ("column's name", "spine_bmd_g_cm2") in found


def test_patients_on_both_sides():
    cohort = draw_patients(60, random_state=0)
    twice = pd.concat([cohort, cohort], ignore_index=True)
    X, y, patient = twice[CLINICAL], twice["osteoporosis"], twice["patient_id"]
    assert check_leakage(X, y, patient, splits=StratifiedGroupKFold(5)).ok
    report = check_leakage(X, y, patient, splits=KFold(2))
    row = report.frame().iloc[0]
    assert (row["kind"], row["severity"], row["n_rows"]) == ("patient on both sides", "leak", 120)
    assert "60 patients on both sides of a split, in 2 of 2 splits" in row["finding"]
    with pytest.raises(InputError, match="Split by patient"):
        report.raise_if_leaking()


@pytest.mark.parametrize(
    "splits",
    [([0, 1, 2, 3], [3, 4, 5]), [([0, 1, 2, 3], [3, 4, 5])], (np.arange(4), np.array([3, 4])),
     [(np.arange(2), np.arange(2, 4)), (np.arange(4), np.arange(3, 6))],
     (np.arange(150) < 4, np.arange(150) > 2)],
    ids=["pair", "list", "arrays", "two", "masks"],
)  # fmt: skip
def test_splits_in_every_form(splits):
    X, y, patient = table()
    frame = check_leakage(X, y, patient, splits=splits).frame()
    row = frame[frame["kind"] == "row on both sides"].iloc[0]
    assert 3 in row["rows"]


def test_without_groups_it_says_what_it_cannot_see():
    X, y, _ = table()
    report = check_leakage(X, y)
    assert report.ok
    assert kinds(report, "note") == {("patient ids", "")}


@pytest.fixture(scope="module")
def films():
    cohort = make_cohort(6, random_state=0)
    from skosteo.image.reader import RadiographReader

    return RadiographReader(size=224).transform(cohort.data["image"])


# two classes, several of each
Y = [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("near", [False, True])
def test_a_film_that_is_in_twice(near, films):
    copy = np.clip(films[:1] * 1.1 + 8, 0, 255).astype(np.uint8) if near else films[:1]
    pixels = np.concatenate([films, copy])
    X, what = pd.DataFrame({"age": range(60, 67)}), f"{'near-' if near else ''}identical film"

    def found(y, patient, **options):
        frame = check_leakage(X, [*Y, y], patient, films=pixels, **options).frame()
        return frame[frame["column"] == ""].set_index("kind")

    own = found(0, [0, 1, 2, 3, 4, 5, 0])
    assert own.loc[what, ["severity", "rows"]].tolist() == ["note", [0, 6]]
    other = found(0, range(7))
    assert other.loc[what, "severity"] == "suspect"
    assert "1 under several patients, 0 with both labels" in other.loc[what, "finding"]
    label = found(1, [0, 1, 2, 3, 4, 5, 0])
    assert label.loc[what, "severity"] == "suspect"
    assert "0 under several patients, 1 with both labels" in label.loc[what, "finding"]
    split = found(0, range(7), splits=([0, 1, 2, 3], [4, 5, 6]))
    assert split.loc[f"{what} on both sides", ["severity", "rows"]].tolist() == ["leak", [0, 6]]
    assert list(split.index) == [f"{what} on both sides", what]


def test_films_are_read_from_the_table_and_unread_ones_counted(films):
    images = [*films, "no_such_name.png", None]
    X = pd.DataFrame({"image": pd.Series(images, dtype=object), "age": range(60, 68)})
    report = check_leakage(X, [*Y, 0, 1], range(8))
    assert report.ok
    row = report.frame().set_index("kind").loc["films unread"]
    assert (row["severity"], row["rows"]) == ("note", [6, 7])
    assert "no_such_name" not in repr(report)


def test_ids_that_several_sites_use():
    X, y, patient = table(100)
    X = X.assign(hospital=["north", "south"] * 50)
    ids = np.arange(100) // 2  # each site numbers its own
    report = check_leakage(X, y, ids, site="hospital")
    row = report.frame().set_index("kind").loc["ids across sites"]
    assert (row["severity"], row["n_rows"]) == ("suspect", 100)
    assert "50 patient ids at several sites" in row["finding"]
    moved = pd.concat([X[["age", "sex"]].iloc[::2]] * 2, ignore_index=True)
    moved["hospital"] = ["north"] * 50 + ["south"] * 50
    report = check_leakage(moved, [*y[::2], *y[::2]], [*range(50)] * 2, site="hospital")
    assert report.frame().set_index("kind").loc["ids across sites", "severity"] == "note"
    assert check_leakage(X, y, patient, site="hospital").frame().empty


def test_no_value_of_a_patient_in_a_message():
    canary = "Canary Person 1931"
    X, y, patient = table()
    X = X.assign(notes=[f"{canary} osteoporosis"] * 150, name=canary, t_score=-y)
    report = check_leakage(X, y, [f"{canary}{p}" for p in patient], splits=KFold(2))
    assert len(report.frame()) > 2
    assert canary not in repr(report) + report.frame().to_csv()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"X": np.zeros((4, 2))}, "X has to be a DataFrame"),
     ({"y": [0, 1]}, "y has 2 labels for 4 rows"),
     ({"y": [0, 0, 0, 0]}, "class"),
     ({"groups": [1, 2]}, "groups has shape"),
     ({"site": "hospital"}, r"no column 'hospital' \(site\)"),
     ({"splits": ([0, 1], [2, 9])}, "positions from 0 to 3"),
     ({"splits": ([0.5, 1], [2, 3])}, "positions from 0 to 3"),
     ({"splits": [([0], [1], [2])]}, "has 3 parts"),
     ({"splits": 5}, "splits is of type int, but no cross-validator"),
     ({"splits": "abc"}, "splits is of type str, but no cross-validator"),
     ({"splits": [1, 2]}, "splits is of type list, but no cross-validator"),
     ({"site": ["a"]}, r"no column \['a'\] \(site\)"),
     ({"films": [[0]] * 4}, "films is a list"),
     ({"films": np.zeros((3, 8, 8), np.uint8)}, r"films has shape \(3, 8, 8\) and type uint8"),
     ({"films": np.zeros((4, 8, 8))}, "uint8")],
)  # fmt: skip
def test_bad_input(change, message):
    given = {"X": pd.DataFrame({"a": [1, 2, 3, 4]}), "y": [0, 1, 0, 1], **change}
    with pytest.raises(InputError, match=message):
        check_leakage(given.pop("X"), given.pop("y"), **given)
