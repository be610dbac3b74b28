"""Nobody is named in anything that a study writes or says; see `tests.hostile.test_canaries`."""

import io
import warnings
import zipfile

import numpy as np
import pytest
from pydicom import dcmread

from skosteo.exceptions import SkosteoError
from skosteo.study import run_study
from skosteo.study.report.figures import explanations
from tests.films import bytes_of, dataset
from tests.hostile.test_canaries import (
    CANARIES,
    PLACES,
    everything_logged,
    heard,
    planted,
    told_by,
)
from tests.study.cohorts import Says, patients

N = 48
# what a table may name somebody by, in the words of some of the places
PATIENT, TEXT, INDEX = CANARIES["PatientID"], CANARIES["PatientComments"], CANARIES["StudyID"]


def film(seed):
    """A DICOM film of noise with a canary in every place of its header."""
    stored = np.random.default_rng(seed).integers(0, 4000, (80, 72))
    data = planted(bytes_of(dataset(stored, Modality="DX")))
    header = dcmread(io.BytesIO(data))
    del header.BodyPartExamined, header.PresentationIntentType  # by which it would be refused
    buffer = io.BytesIO()
    header.save_as(buffer)
    return CANARIES["preamble"].encode().ljust(128, b"\0") + buffer.getvalue()[128:]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / CANARIES["folder"]
    folder.mkdir()
    X, y, _ = patients(N)
    rng = np.random.default_rng(0)
    X["image"] = [str(folder / f"{CANARIES['file']}_{i}.dcm") for i in range(N)]
    for i, path in enumerate(X["image"]):
        (folder / path).write_bytes(film(i))
    words = rng.choice(["clear lungs", "heart enlarged", "old fracture", "scoliosis"], (N, 2))
    X["xray_description"] = [f"{a}, {b}, {TEXT} {i}" for i, (a, b) in enumerate(words)]
    X["share"] = X["age"] / 100
    return X.set_axis([f"{INDEX} {i}" for i in range(N)]), y, [f"{PATIENT} {i}" for i in range(N)]


def told_by_folder(out):
    """Yield every name and every byte under a folder, archives unpacked."""
    for path in sorted(out.rglob("*")):
        yield str(path.relative_to(out))
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield name
                    yield archive.read(name)
                    array = np.load(io.BytesIO(archive.read(name)))
                    if array.dtype.kind == "U":
                        yield " ".join(array.ravel().tolist())


def run(cohort, out, **changes):
    X, y, groups = cohort
    params = {
        "n_folds": 2, "n_repeats": 1, "verbose": 1, "models": [("own", Says("share"))],
    } | changes  # fmt: skip
    return run_study(X, y, groups=groups, out=out, **params)


def test_the_canaries_are_there(cohort):
    X, _, groups = cohort
    with open(X["image"].iloc[0], "rb") as stream:
        planted_in_film = set(heard(stream.read()))
    assert len(planted_in_film) >= 40
    everywhere = heard(*X["image"], *X["xray_description"], *groups, *X.index)
    assert {"folder", "file", "PatientID", "PatientComments", "StudyID"} <= set(everywhere)


def test_of_a_study_nothing_is_told(cohort, tmp_path, caplog, capfd, small_preset, one_png):
    names = ["multimodal", ("own", Says("share"))]
    with everything_logged(caplog), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        study = run(
            cohort, tmp_path / "out", models=names,
            clinical_columns=["age", "sex", "bmi", "xray_description"],
        )  # fmt: skip
        said = [repr(study), study.leakage, study.flow, *map(study.table, (1, 2))]
    assert len(list((tmp_path / "out").rglob("*.csv"))) > 10
    assert set(explanations(study)) == {"shap", "grad_cam", "fusion"}
    told = [*told_by_folder(tmp_path / "out"), *said]
    told += [vars(warning) for warning in warned]
    told += [vars(record) | {"message": record.getMessage()} for record in caplog.records]
    assert heard(*told, *capfd.readouterr()) == []


def failing(cohort):
    """Yield what goes wrong, with arguments that name somebody."""
    X, y, groups = cohort
    yield "a film twice", (X.assign(image=X["image"].iloc[0]), y, groups), {}
    yield "no film", (X.assign(image=X["image"] + ".gone"), y, groups), {}
    yield "a patient on both sides", (X, y, [PATIENT] * N), {"test": np.arange(N) < 20}
    yield "a column that tells", (X.assign(code=np.where(y, TEXT, "b")), y, groups), {}
    yield "labels that are no two", (X, X["xray_description"], groups), {}
    yield "a patient missing", (X, y, [None, *groups[1:]]), {}
    yield "rows too few", (X, y, groups[1:]), {}
    yield "a model that fails", (X, y, groups), {"models": [("own", Says("image"))]}


@pytest.mark.parametrize("number", range(8))
def test_of_an_error_nothing_is_told(number, cohort, tmp_path, caplog, capfd):
    _, changed, params = list(failing(cohort))[number]
    with everything_logged(caplog), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises((SkosteoError, ValueError)) as caught:
            run(changed, tmp_path / "out", **params)
    told = [vars(record) | {"message": record.getMessage()} for record in caplog.records]
    told += [vars(warning) for warning in warned]
    if isinstance(caught.value, SkosteoError):  # of other people's models we promise nothing
        told += told_by(caught.value)
    if (tmp_path / "out").exists():
        told += told_by_folder(tmp_path / "out")
    assert heard(*told, *capfd.readouterr()) == []
    assert len(PLACES) > 40
