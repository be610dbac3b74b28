"""The folder of a study: nothing of another's is replaced, removed, or written through."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from skosteo.commands import main
from skosteo.exceptions import InputError
from skosteo.study import run_study
from skosteo.study.folder import FOLDER, StudyFolder
from tests.study.cohorts import files_in, patients


@pytest.fixture
def claimed(tmp_path):
    StudyFolder(tmp_path / "out", "digest").claim()
    return tmp_path / "out"


def study_of(out, **changes):
    X, y, groups = patients(60)
    params = {"image_column": None, "n_folds": 2, "n_repeats": 1, "verbose": 0}
    params["models"] = ["age_sex_bmi"]
    return run_study(X, y, groups=groups, out=out, **params | changes)


FOREIGN = [
    "notes.txt", "tables/salaries.csv", "tables/table_2.csv", "figures/figure_1.png",
    "figures/figure_of_my_own.svg", "work/thesis.tex", "report.html", "films/a.dcm", "tables.csv",
]  # fmt: skip


def put(out, name, content="mine"):
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("earlier", [False, True])
def test_a_folder_that_holds_anything_else_is_refused_before_any_work(
    name, earlier, tmp_path, of_values, monkeypatch
):
    out = tmp_path / "out"
    if earlier:
        StudyFolder(out, "digest").claim()
    put(out, name)
    before = files_in(out)
    monkeypatch.setattr("skosteo.study.run.fit_models", lambda *_, **__: pytest.fail("work"))
    monkeypatch.setattr("skosteo.study.run.validate_inputs", lambda *_, **__: pytest.fail("work"))
    for write in (lambda: study_of(out), lambda: of_values.study.save(out)):
        with pytest.raises(InputError, match=r"Give (a folder that is empty|another folder)"):
            write()
    assert files_in(out) == before


def test_the_table_in_the_folder_itself_stays(tmp_path, monkeypatch, capsys):
    X, y, groups = patients(60)
    X.assign(y=y, id=groups).to_csv(tmp_path / "cohort.csv", index=False)
    monkeypatch.chdir(tmp_path)
    for out in (".", "tables/.."):
        (tmp_path / "tables").mkdir(exist_ok=True)
        given = ["study", "cohort.csv", "--target", "y", "--no-images", "--out", out, "--quiet"]
        assert main([*given, "--models", "age_sex_bmi", "--folds", "2", "--patient", "id"]) == 2
        said = capsys.readouterr().err
        assert "out holds 1 file, folder or link that this study did not write" in said
        assert "cohort" not in said
    assert set(files_in(tmp_path)) == {"cohort.csv"}


def test_an_earlier_report_is_replaced_and_what_is_put_beside_it_is_not(tmp_path, same_picture):
    out = tmp_path / "out"
    study_of(out, models=["age_sex_bmi", "logistic"])
    assert (out / "tables" / "comparison.csv").exists()
    study_of(out)
    assert not (out / "tables" / "comparison.csv").exists()
    put(out, "tables/comparison.csv")
    before = files_in(out)
    with pytest.raises(InputError, match=r"1 file, .*some of them in 'tables'"):
        study_of(out, models=["age_sex_bmi", "logistic"])
    assert files_in(out) == before


def test_what_the_system_puts_there_does_not_count(tmp_path, same_picture):
    out = tmp_path / "out"
    for name in (".DS_Store", "tables/.DS_Store", ".writing-abc"):
        put(out, name)
    study_of(out)
    study_of(out)
    assert files_in(out)["tables/.DS_Store"] == b"mine"


@pytest.mark.parametrize(
    "name", ["../cohort.csv", "/etc/passwd", "tables/../../cohort.csv", "work/study.json", "a.csv"]
)
def test_a_planted_manifest_removes_nothing(name, claimed):
    put(claimed, "../cohort.csv")
    manifest = claimed / FOLDER / "study.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"files": [name, 7]}))
    StudyFolder(claimed, "digest").drop_others(["report.html"])
    assert (claimed / "../cohort.csv").read_text() == "mine"
    assert manifest.exists()


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
@pytest.mark.parametrize("name", ["tables", "figures", "work/a.npz", "report.html", "x"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_links_and_pipes_are_refused_and_not_opened(name, kind, claimed, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    path = claimed / name
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="1 file, folder or link"):
        StudyFolder(claimed, "digest")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_cache_within_the_folder_is_refused(tmp_path):
    for cache in (tmp_path / "out", tmp_path / "out" / "cache"):
        with pytest.raises(InputError, match="cache_dir lies within out"):
            study_of(tmp_path / "out", cache_dir=cache)
    assert not (tmp_path / "out").exists()


def test_words_of_the_user_lead_nowhere(tmp_path, same_picture):
    """Headings and names like paths: nothing is written but in the folder."""
    X, y, groups = patients(60)
    X = X.assign(**{"../../x": X["bmi"] + 1, "/elsewhere/y": X["age"] + 1})
    put(tmp_path, "a/b/keep")
    run_study(
        X, y, groups=groups, out=tmp_path / "a" / "b" / "out", image_column=None, n_folds=2,
        n_repeats=2, verbose=0, title="../../t", outcome="../../o",
        models=["logistic", "age_sex_bmi"],
        subgroups=pd.DataFrame({"../../g": np.resize(["../m", "/n"], 60)}),
    )  # fmt: skip
    inside = [name for name in files_in(tmp_path) if not name.startswith("a/b/out/")]
    assert inside == ["a/b/keep"]


def test_another_study_is_refused_and_left_as_it_is(claimed, tmp_path):
    before = files_in(claimed)
    with pytest.raises(InputError, match=r"study of other rows.*another folder"):
        StudyFolder(tmp_path / "out", "other")
    assert files_in(claimed) == before


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"kind": "thesis"}', "no json", "\xff"])
def test_a_folder_work_of_somebody_else(content, tmp_path):
    work = tmp_path / FOLDER
    work.mkdir()
    (work / "study.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match="folder 'work' that is not of a study"):
        StudyFolder(tmp_path, "digest")
    assert (work / "study.json").read_bytes() == content.encode("latin-1")


def test_a_folder_work_with_other_files(tmp_path):
    work = tmp_path / FOLDER
    work.mkdir()
    (work / "thesis.tex").write_text("years of it")
    with pytest.raises(InputError, match="folder 'work' that is not of a study"):
        StudyFolder(tmp_path, "digest")
    assert [path.name for path in work.iterdir()] == ["thesis.tex"]


def test_a_file_work(tmp_path):
    (tmp_path / FOLDER).write_text("mine")
    with pytest.raises(InputError, match="not of a study"):
        StudyFolder(tmp_path, "digest")
    assert (tmp_path / FOLDER).read_text() == "mine"


def test_a_file_as_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="out is a file; give a folder"):
        StudyFolder(tmp_path / "out", "digest")
    assert (tmp_path / "out").read_text() == "mine"


def test_the_manifest_says_what_it_is(claimed):
    assert json.loads((claimed / FOLDER / "study.json").read_text())["kind"] == "skosteo study"
