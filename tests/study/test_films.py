"""Films of a study: what cannot be used is counted by reason, and no film is on both sides."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom import dcmread

from skosteo.dicom import read_radiograph
from skosteo.exceptions import InputError
from skosteo.study import run_study
from tests.films import dataset, save
from tests.study.cohorts import Says, filmed_patients
from tests.study.studies import said_of

OWN = [("age", Says("share"))]


@pytest.fixture
def cohort(tmp_path):
    X, y, groups = filmed_patients(tmp_path, 48)
    return X.assign(share=X["age"] / 100), y, groups


def study_of(X, y, groups, **changes):
    params = {"models": OWN, "n_folds": 2, "n_repeats": 1, "verbose": 0} | changes
    return run_study(X, y, groups=groups, **params)


def dicom(path, **elements):
    stored = np.random.default_rng(len(str(elements))).integers(0, 4000, (80, 72))
    return str(save(dataset(stored, Modality="DX", **elements), path))


def test_what_cannot_be_used_is_counted_by_reason(cohort, tmp_path):
    X, y, groups = cohort
    X.loc[3, "image"] = None
    X.loc[4, "image"] = str(tmp_path / "nowhere.png")
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG")
    X.loc[5, "image"] = str(tmp_path / "damaged.png")
    Image.fromarray(np.full((70, 64), 9, np.uint8)).save(tmp_path / "blank.png")
    X.loc[6, "image"] = str(tmp_path / "blank.png")
    X.loc[7, "image"] = dicom(tmp_path / "side.dcm", ViewPosition="LL")
    X.loc[8, "image"] = dicom(tmp_path / "knee.dcm", BodyPartExamined="KNEE")
    study = study_of(X, y, groups)
    steps = study.flow.frame().set_index("step")
    assert int(steps["excluded"].sum()) == 6
    assert steps["excluded"].iloc[1:].to_dict() == {
        "radiograph not given": 1,
        "radiograph file not found": 1,
        "radiograph cannot be read": 1,
        "radiograph breaks the rule 'blank'": 1,
        "radiograph breaks the rule 'view'": 1,
        "radiograph breaks the rule 'body_part'": 1,
    }
    assert steps["remaining"].iloc[-1] == 42 == len(study.design.y)
    assert int(study.flow.outcome["rows"].sum()) == 42
    # rows that are left are those that were there, in their order
    left = X.drop(index=[3, 4, 5, 6, 7, 8])
    np.testing.assert_array_equal(study.design.X["age"], left["age"])
    said = said_of(study)["age"]
    np.testing.assert_allclose(said, left["share"].to_numpy()[said.index])


def test_a_rule_that_is_lifted_leaves_no_film_out(cohort, tmp_path):
    X, y, groups = cohort
    X.loc[7, "image"] = dicom(tmp_path / "side.dcm", ViewPosition="LL")
    assert len(study_of(X, y, groups).design.y) == 47
    rule = study_of(X, y, groups).flow.frame()["step"].iloc[-1].split("'")[1]
    assert len(study_of(X, y, groups, ignore_rules=[rule]).design.y) == 48


def test_patients_without_a_film_leave_with_the_test_rows_that_were_given(cohort):
    X, y, groups = cohort
    test = np.arange(48) < 16
    X.loc[[0, 20], "image"] = None
    study = study_of(X, y, groups, test=test)
    np.testing.assert_array_equal(study.design.test, np.arange(15))
    np.testing.assert_array_equal(study.design.X["age"].iloc[:15], X["age"].iloc[1:16])


def test_no_film_at_all(cohort, tmp_path):
    X, y, groups = cohort
    X["image"] = [str(tmp_path / "gone" / f"{i}.png") for i in range(48)]
    said = "None of 48 radiographs can be used. The first"
    with pytest.raises(InputError, match=said) as caught:
        study_of(X, y, groups, out=tmp_path / "out")
    assert "gone" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"models": ["imgae"]}, {"preset": "slow"}, {"n_folds": 1}, {"device": "abacus"},
     {"ignore_rules": ["colour"]}, {"subgroups": ["weight_kg"]}, {"clinical_columns": ["agee"]}],
)  # fmt: skip
def test_a_wrong_argument_is_refused_before_the_first_film_is_opened(wrong, cohort, monkeypatch):
    X, y, groups = cohort
    opened = []
    monkeypatch.setattr("skosteo.study.run.read_films", lambda *_, **__: opened.append(1))
    with pytest.raises(InputError):
        study_of(X, y, groups, **wrong)
    assert not opened


def test_too_few_patients_are_left(cohort, tmp_path):
    X, y, groups = cohort
    X.loc[y == 1, "image"] = None
    X.loc[np.flatnonzero(y == 1)[0], "image"] = X["image"].iloc[np.flatnonzero(y == 0)[0]]
    with pytest.raises(InputError, match="there are 1 positive"):
        study_of(X, y, groups, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("copy", ["file", "pixels", "DICOM"])
def test_a_film_under_two_patients_on_both_sides_is_refused_by_position(copy, cohort, tmp_path):
    X, y, groups = cohort
    test = np.arange(48) < 16
    if copy == "file":
        X.loc[2, "image"] = X.loc[40, "image"]
    elif copy == "pixels":
        Image.open(X.loc[40, "image"]).save(tmp_path / "again.tiff")
        X.loc[2, "image"] = str(tmp_path / "again.tiff")
    else:
        X.loc[40, "image"] = dicom(tmp_path / "one.dcm")
        header = dcmread(tmp_path / "one.dcm")
        header.PatientID = "another"
        header.save_as(tmp_path / "other.dcm")
        X.loc[2, "image"] = str(tmp_path / "other.dcm")
    with pytest.raises(InputError, match="1 identical film on both sides of a split") as caught:
        study_of(X, y, groups, test=test, out=tmp_path / "out")
    assert "Rows of X, from 1, the first ten: [3, 41]" in str(caught.value)
    assert "image" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_same_film_twice_of_one_patient_is_a_note(cohort):
    X, y, groups = cohort
    X.loc[47, "image"] = X.loc[46, "image"]
    y[47], groups[47] = y[46], groups[46]
    study = study_of(X, y, groups)
    found = study.leakage.frame()
    assert found.loc[found["kind"] == "identical film", "severity"].tolist() == ["note"]


def test_what_headers_state_becomes_subgroups(cohort, tmp_path):
    X, y, groups = cohort
    makers = ["GE Healthcare", "SIEMENS", "Jane Doe's own X-ray"]
    for i in range(48):
        X.loc[i, "image"] = dicom(
            tmp_path / f"{i}.dcm", Manufacturer=makers[i % 3], ViewPosition=["PA", "AP"][i % 2],
            SeriesNumber=i,
        )  # fmt: skip
        stored = np.random.default_rng(i).integers(0, 4000, (80, 72))
        header = dcmread(X.loc[i, "image"])
        header.PixelData = stored.astype("<u2").tobytes()
        header.save_as(X.loc[i, "image"])
    groupings = study_of(X, y, groups).groupings
    assert groupings["projection"].tolist() == ["PA", "AP"] * 24
    assert set(groupings["manufacturer"]) == {"GE", "Siemens", "other"}


def test_each_radiograph_is_decoded_once(cohort, monkeypatch, small_preset):
    opened = []

    def counted(item, **params):
        opened.append(item)
        return read_radiograph(item, **params)

    monkeypatch.setattr("skosteo.image.reader.read_radiograph", counted)
    monkeypatch.setattr("skosteo.study.films._SIZE", 24)  # that of the small model
    study = study_of(*cohort, models=["image"])
    assert len(study.results) == 1
    assert len(opened) == 48


def test_films_in_memory(cohort, tmp_path, same_picture):
    X, y, groups = cohort
    from_files = study_of(X, y, groups)
    X["image"] = [np.asarray(Image.open(path)) for path in X["image"]]
    in_memory = study_of(X, y, groups, out=tmp_path / "out")
    np.testing.assert_array_equal(said_of(from_files), said_of(in_memory))
    assert (tmp_path / "out" / "report.html").exists()


def test_a_study_of_films_alone(cohort, tmp_path, small_preset, same_picture):
    X, y, groups = cohort
    study = study_of(X[["image"]], y, groups, models=["image"], out=tmp_path / "out")
    assert study.settings.title == "Screening for osteoporosis from chest X-rays"
    assert study.leakage.ok
    assert said_of(study).notna().all(axis=None)
    with_age = study_of(X[["image", "age"]], y, groups, models=["image"], clinical_columns=["age"])
    pd.testing.assert_series_equal(said_of(study)["image"], said_of(with_age)["image"])


def test_films_alone_that_are_in_twice_are_found(cohort):
    X, y, groups = cohort
    X.loc[40, "image"] = X.loc[0, "image"]
    test = np.arange(48) >= 36
    with pytest.raises(InputError, match="identical film on both sides"):
        study_of(X[["image"]], y, groups, models=["image"], test=test)
