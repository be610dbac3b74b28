"""``skosteo study``: from a CSV to a report, and plain words for every slip."""

import os
import runpy
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skosteo
from skosteo.commands import main, study
from skosteo.exceptions import InputError
from tests.study.cohorts import filmed_patients, patients
from tests.study.test_fitting import wait_for

SMALL = ["--no-images", "--models", "age_sex_bmi", "logistic", "--folds", "2"]
SMALL += ["--repeats", "1", "--quiet"]


@pytest.fixture
def cohort():
    X, y, groups = patients(90)
    return X.assign(osteoporosis=y, patient_id=[f"{g:05}" for g in groups])


def table(folder, frame, **params):
    frame.to_csv(folder / "cohort.csv", index=False, **params)
    return folder / "cohort.csv"


def arguments(path, out, *more, target="osteoporosis", patient="patient_id"):
    return ["study", path, "--target", target, "--patient", patient, "--out", out, *more]


def call(*given):
    """Run the command in this process; return its status."""
    return main([str(argument) for argument in given])


# ``python -m skosteo`` in a process of its own
SHELL = """
import os, runpy, sys
sys.argv = ["skosteo", *argv]
try:
    runpy.run_module("skosteo", run_name="__main__")
except SystemExit as ended:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended.code)
"""


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as caught:
        call("study", "--help")
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for option in ("--target", "--out", "--patient", "--images", "--models", "--limit", "--seed"):
        assert option in said


def test_without_arguments_it_says_how(capsys):
    with pytest.raises(SystemExit) as caught:
        call("study")
    assert caught.value.code == 2
    assert "--target" in capsys.readouterr().err


def test_the_version_and_a_forgotten_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"skosteo {skosteo.__version__}\n"
    with pytest.raises(SystemExit):
        main([])
    said = capsys.readouterr().err
    assert said.splitlines()[0].endswith("command ...")
    assert "required: command" in said


SLIPS = {
    "target": ({"target": "osteoporois"}, [], "did you mean 'osteoporosis'"),
    "patient": ({"patient": "patient"}, [], "(--patient)"),
    "clinical": ({}, ["--clinical", "agee"], "did you mean 'age'"),
    "subgroups": ({}, ["--subgroups", "sexx"], "did you mean 'sex'"),
    "site": ({}, ["--site", "hospital"], "no column 'hospital' (--site)"),
    "test": ({}, ["--test", "year"], "no column 'year' (--test)"),
    "test of years": ({}, ["--test", "age"], "--test 'age' holds other than 0 and 1"),
    "T-scores": ({"target": "bmi"}, [], "--t-score COLUMN"),
    "a constant target": ({"target": "one"}, [], "has 1 value in all rows; 0 and 1 are needed"),
    "model": ({}, ["--models", "logistik"], "did you mean 'logistic'"),
    "folds": ({}, ["--folds", "60"], "Give --folds 30, or more patients"),
    "encoding": ({}, ["--encoding", "gbkk"], "--encoding 'gbkk' is not known"),
    "prevalence": ({}, ["--prevalence", "20"], "Is it in per cent?"),
    "a column that answers": ({}, ["--clinical", "age", "osteoporosis"], "osteoporosis"),
    "a column named twice": ({}, ["--clinical", "age", "age"], "age"),
}


@pytest.mark.parametrize("case", SLIPS)
def test_a_slip_is_named_in_one_line_and_nothing_is_written(case, cohort, tmp_path, capsys):
    changes, more, message = SLIPS[case]
    cohort["one"] = 1
    out = tmp_path / "out"
    status = call(*arguments(table(tmp_path, cohort), out, *SMALL, *more, **changes))
    said = capsys.readouterr().err
    assert status == 2
    assert said.startswith("skosteo: ")
    assert message in said
    assert "Traceback" not in said
    assert not out.exists()


def test_a_text_among_numbers_is_told_by_its_row_in_the_table(cohort, tmp_path, capsys):
    cohort[["bmi", "osteoporosis"]] = cohort[["bmi", "osteoporosis"]].astype(object)
    cohort.loc[[3, 20], "osteoporosis"] = None
    cohort.loc[[3, 40], "bmi"] = "24,5"
    path = table(tmp_path, cohort)
    assert call(*arguments(path, tmp_path / "out", *SMALL)) == 2
    assert "row 41 of 90: Column 'bmi' holds 1 texts in 88 rows" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("default")
def test_a_wrong_unit_is_one_line_about_the_whole_table(cohort, tmp_path, monkeypatch, capsys):
    ran(monkeypatch)
    path = table(tmp_path, cohort.assign(calcium=np.tile([9.1, 9.6], 45)))
    assert call(*arguments(path, tmp_path / "out", *SMALL)) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: Column 'calcium': 90 of 90 values look like mg/dL")


def test_films_that_are_not_there(cohort, tmp_path, capsys):
    path = table(tmp_path, cohort)
    assert call(*arguments(path, tmp_path / "out")) == 2
    assert "no column 'image' (--image-column)" in (said := capsys.readouterr().err)
    assert "--no-images" in said
    path = table(tmp_path, cohort.assign(image="a.png"))
    assert call(*arguments(path, tmp_path / "out", "--images", tmp_path / "gone")) == 2
    assert "--images is no folder" in capsys.readouterr().err


def test_no_table_and_no_csv(cohort, tmp_path, capsys):
    assert call(*arguments(tmp_path / "cohrt.csv", tmp_path / "out")) == 2
    assert "no such table" in (said := capsys.readouterr().err)
    assert "cohrt" not in said
    for content in (
        b"",
        b"\xff\xfe\x00\x01\x80",
        b'a,b\n"1,2\n3',
        b"PK\x03\x04" + bytes(range(256)),
    ):
        (tmp_path / "a.csv").write_bytes(content)
        assert call(*arguments(tmp_path / "a.csv", tmp_path / "out")) == 2
        assert capsys.readouterr().err.startswith("skosteo: The table ")
    assert call(*arguments(tmp_path, tmp_path / "out")) == 2
    assert not (tmp_path / "out").exists()


def ran(monkeypatch):
    """Take what the command gives to run_study, and what that returns."""
    taken = []

    def run(X, y, **params):
        taken.append((X, y, params, skosteo.study.run_study(X, y, **params)))
        return taken[-1][-1]

    monkeypatch.setattr(study, "run_study", run)
    monkeypatch.setattr("skosteo.study.Study.save", lambda study, out: None)
    return taken


def test_patients_keep_their_leading_zeros(cohort, tmp_path, monkeypatch):
    cohort["patient_id"] = ["0" * (1 + i % 3) + str(i // 3) for i in range(90)]
    taken = ran(monkeypatch)
    assert call(*arguments(table(tmp_path, cohort), tmp_path / "out", *SMALL)) == 0
    study = taken[0][-1]
    assert len(np.unique(study.design.patient)) == cohort["patient_id"].nunique() == 90


def test_rows_whose_outcome_is_not_known_are_counted(cohort, tmp_path, monkeypatch):
    cohort["osteoporosis"] = cohort["osteoporosis"].astype(object)
    cohort.loc[[1, 5, 7], "osteoporosis"] = None
    taken = ran(monkeypatch)
    assert call(*arguments(table(tmp_path, cohort), tmp_path / "out", *SMALL)) == 0
    flow = taken[0][-1].flow.frame().set_index("step")
    assert flow.loc["rows in the table", "remaining"] == 90
    assert flow.loc["outcome not known", ["excluded", "remaining"]].tolist() == [3, 87]
    assert len(taken[0][-1].design.y) == 87


@pytest.mark.parametrize("words", [("False", "True"), ("0", "1"), ("0.0", "1.0")])
def test_a_target_of_two_values(words, cohort, tmp_path, monkeypatch):
    y = cohort["osteoporosis"].to_numpy()
    cohort["osteoporosis"] = np.where(y == 1, words[1], words[0])
    taken = ran(monkeypatch)
    assert call(*arguments(table(tmp_path, cohort), tmp_path / "out", *SMALL)) == 0
    np.testing.assert_array_equal(taken[0][-1].design.y, y)


@pytest.mark.parametrize("words", [("no", "yes"), ("1", "2")])
def test_which_of_two_words_is_ill_is_not_guessed(words, cohort, tmp_path, capsys):
    cohort["osteoporosis"] = np.where(cohort["osteoporosis"] == 1, words[1], words[0])
    assert call(*arguments(table(tmp_path, cohort), tmp_path / "out", *SMALL)) == 2
    assert "it takes two, 0 and 1. Say who is ill by --positive VALUE." in capsys.readouterr().err


ANSWERS = {
    "是": (["--positive", "是"], ["否", "是", None, " "]),
    "1 of 1 and 2": (["--positive", "1"], ["2", "1", None, ""]),
    "none and unknown": (["--positive", "是"], ["None", "是", None, "NA"]),
    "named both": (["--positive", "是", "疑似", "--negative", "否"], ["否", "是", "不详", "?"]),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_unknown_outcomes_are_counted_and_no_one_is_made_healthy(
    case, cohort, tmp_path, monkeypatch
):
    more, (no, yes, *unknown) = ANSWERS[case]
    y = cohort["osteoporosis"].to_numpy()
    cohort["诊断"] = np.where(y == 1, yes, no).astype(object)
    cohort.loc[[1, 5], "诊断"] = unknown
    if "疑似" in more:
        cohort.loc[np.flatnonzero(y == 1)[-1], "诊断"] = "疑似"
    cohort = cohort.drop(columns="osteoporosis")
    taken = ran(monkeypatch)
    path = table(tmp_path, cohort)
    assert call(*arguments(path, tmp_path / "out", *SMALL, *more, target="诊断")) == 0
    study = taken[0][-1]
    np.testing.assert_array_equal(study.design.y, np.delete(y, [1, 5]))
    flow = study.flow.frame().set_index("step")
    assert flow.loc["outcome not known", ["excluded", "remaining"]].tolist() == [2, 88]
    assert "诊断" not in taken[0][0]


OUTCOME_SLIPS = {
    "a third word": ("answer", ["--positive", "yes"], "Name the former by --negative"),
    "no such word": ("answer", ["--positive", "ja"], "--positive names ['ja']"),
    "a negative alone": ("answer", ["--negative", "no"], "say who is ill by --positive"),
    "both": ("answer", ["--positive", "yes", "--negative", "yes"], "both name ['yes']"),
    "a label": ("answer", ["--positive", "yes", "--label", "osteoporosis"], "--target has its own"),
    "no help": ("answer", [], "--positive VALUE, and who is not by --negative VALUE"),
}


@pytest.mark.parametrize("case", OUTCOME_SLIPS)
def test_an_outcome_is_not_guessed(case, cohort, tmp_path, capsys):
    target, more, message = OUTCOME_SLIPS[case]
    cohort["answer"] = np.resize(["yes", "no", "Jane Doe"], 90)
    path = table(tmp_path, cohort)
    assert call(*arguments(path, tmp_path / "out", *SMALL, *more, target=target)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Jane" not in said


@pytest.mark.parametrize("kind", ["osteoporosis", "low_bone_mass"])
def test_t_scores_are_labelled_and_missing_ones_counted(kind, cohort, tmp_path, monkeypatch):
    y = cohort.pop("osteoporosis").to_numpy()
    limit = -2.5 if kind == "osteoporosis" else -1.1  # the latter is below -1, as asked
    cohort["T"] = np.where(y == 1, limit, -0.9)
    cohort.loc[[1, 5], "T"] = None
    taken = ran(monkeypatch)
    given = ["study", table(tmp_path, cohort), "--t-score", "T", "--patient", "patient_id"]
    assert call(*given, "--out", tmp_path / "out", *SMALL, "--label", kind) == 0
    study = taken[0][-1]
    np.testing.assert_array_equal(study.design.y, np.delete(y, [1, 5]))
    flow = study.flow.frame().set_index("step")
    assert flow.loc["outcome not known", ["excluded", "remaining"]].tolist() == [2, 88]
    words = {"osteoporosis": "osteoporosis (T <= -2.5)", "low_bone_mass": "low bone mass (T < -1)"}
    assert study.settings.outcome == words[kind]
    assert "T" not in taken[0][0]


def test_a_column_that_holds_no_t_scores(cohort, tmp_path, capsys):
    given = ["study", table(tmp_path, cohort), "--patient", "patient_id", "--out", tmp_path / "out"]
    for column, message in {"bmi": "where T-scores are", "sex": "holds no number"}.items():
        assert call(*given, *SMALL, "--t-score", column) == 2
        assert message in capsys.readouterr().err
    assert call(*given, *SMALL, "--t-score", "bmi", "--positive", "1") == 2
    assert "--t-score takes --label" in capsys.readouterr().err


def test_options_reach_the_study(cohort, tmp_path, monkeypatch, capsys):
    cohort["later"] = (np.arange(90) > 60).astype(int)
    cohort["ward"] = np.resize(["a", "b"], 90)
    cohort["remark"] = "Jane Doe"
    cohort = cohort.assign(t_score=-1.0, bmd_hip=0.7, family_history_of_osteoporosis=0)
    taken = ran(monkeypatch)
    more = [
        "--test", "later", "--subgroups", "ward", "--prevalence", "0.2", "--seed", "3", "--title",
        "My study", "--outcome", "low density", "--limit", "One.", "--limit", "Two.", "--published",
        "--device", "cpu",
    ]  # fmt: skip
    assert call(*arguments(table(tmp_path, cohort), tmp_path / "out", *SMALL, *more)) == 0
    X, _, _, study = taken[0]
    assert list(X) == ["age", "sex", "bmi", "weight_kg"]
    np.testing.assert_array_equal(study.design.test, np.arange(61, 90))
    about = study.settings
    assert (about.title, about.outcome, about.limits) == (
        "My study",
        "low density",
        ("One.", "Two."),
    )
    assert (about.prevalence, about.seed, about.published, about.n_folds) == (0.2, 3, True, 2)
    assert "ward" in study.groupings
    said = capsys.readouterr().out
    assert "Columns left out, since their names promise the outcome: t_score, bmd_hip\n" in said
    others = "remark, family_history_of_osteoporosis\n"
    assert f"Columns that are not used (name them by --clinical): {others}" in said
    assert "rows (" not in said  # all rows were studied
    assert "Jane" not in said


def test_what_follows_the_bar_is_said_where_there_is_a_bar(cohort, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, "run_study", lambda *_, **__: pytest.fail("called"))
    given = arguments(table(tmp_path, cohort), tmp_path / "out", *SMALL)
    for quiet in (True, False):
        with pytest.raises(pytest.fail.Exception, match="called"):
            call(*(given if quiet else given[:-1]))
        assert ("the final model, figures and tables follow" in capsys.readouterr().out) != quiet


def test_film_names_are_relative_to_the_folder(tmp_path, monkeypatch, small_preset, capsys):
    films = tmp_path / "films"
    films.mkdir()
    X, y, groups = filmed_patients(films, 48)
    X["image"] = [Path(path).name for path in X["image"]]
    X.loc[5, "image"] = None
    X.loc[[6, 7], "image"] = "gone.png"
    taken = ran(monkeypatch)
    path = table(tmp_path, X.assign(osteoporosis=y, patient_id=groups))
    more = ["--images", films, "--models", "age_sex_bmi", "--folds", "2", "--quiet"]
    assert call(*arguments(path, tmp_path / "out", *more)) == 0
    study = taken[0][-1]
    assert len(study.design.y) == 45
    assert study.flow.frame()["excluded"].tolist() == [0, 1, 2]
    why = "radiograph not given: 1; radiograph file not found: 2"
    assert f"Left out: 3 of 48 rows ({why})\n" in capsys.readouterr().out


def test_a_model_that_is_not_known_is_told_before_any_film_is_read(tmp_path, monkeypatch, capsys):
    cohort, films = films_alone(tmp_path, 24)
    monkeypatch.setattr("skosteo.study.run.read_films", lambda *_, **__: pytest.fail("read"))
    given = arguments(table(tmp_path, cohort), tmp_path / "out", "--images", films)
    for more, message in {
        ("--models", "imagee"): "did you mean 'image'",
        ("--models", "image", "--folds", "20"): "Give --folds 8, or more patients",
    }.items():
        assert call(*given, *more) == 2
        assert message in capsys.readouterr().err


def test_a_table_in_the_encoding_of_chinese_windows(cohort, tmp_path, monkeypatch, capsys):
    cohort = cohort.rename(columns={"osteoporosis": "诊断"})
    path = table(tmp_path, cohort, encoding="gb18030")
    given = arguments(path, tmp_path / "out", *SMALL, target="诊断")
    assert call(*given) == 2
    assert "not written in utf-8. Give its --encoding: gb18030" in capsys.readouterr().err
    taken = ran(monkeypatch)
    assert call(*given, "--encoding", "gb18030") == 0
    assert len(taken[0][-1].design.y) == 90


def test_a_forgotten_patient_is_asked_for(cohort, tmp_path, monkeypatch, capsys):
    cohort["patient_id"] = [f"Jane{i // 3}" for i in range(90)]
    path, out = table(tmp_path, cohort), tmp_path / "out"
    given = ["study", path, "--target", "osteoporosis", "--out", out, *SMALL]
    assert call(*given) == 2
    said = capsys.readouterr().err
    assert "'patient_id' has 30 different values in 90 rows" in said
    assert "Give --patient 'patient_id'" in said
    assert "--no-patient" in said
    assert "Jane" not in said
    cohort = cohort.rename(columns={"patient_id": "hospital_id"})  # which is no patient
    taken = ran(monkeypatch)
    assert call(*given[:1], table(tmp_path, cohort), *given[2:]) == 0
    table(tmp_path, cohort.rename(columns={"hospital_id": "patient_id"}))
    taken.clear()
    assert call(*given, "--no-patient") == 0
    assert len(np.unique(taken[0][-1].design.patient)) == 90
    assert taken[0][-1].settings.title == "Screening for osteoporosis from clinical values"


@pytest.mark.parametrize("row", ["Jane Doe,1947-02-13,F,0", "Jane Doe,67,F,no", "Jane Doe,,F,no"])
def test_a_table_without_headings_names_nobody(row, tmp_path, capsys):
    (tmp_path / "a.csv").write_text(f"{row}\n" + "John Roe,50,M,0\n" * 9)
    assert call(*arguments(tmp_path / "a.csv", tmp_path / "out", *SMALL)) == 2
    said = capsys.readouterr().err
    assert "put a line of headings first" in said
    assert "Jane" not in said
    assert "1947" not in said


def films_alone(tmp_path, n=48):
    """A CSV of names and outcomes, and the folder of films."""
    films = tmp_path / "films"
    films.mkdir()
    X, y, _ = filmed_patients(films, n)
    names = [Path(path).name for path in X["image"]]
    return pd.DataFrame({"image": names, "osteoporosis": y, "patient_id": range(n)}), films


def test_a_study_of_films_alone(tmp_path, small_preset, same_picture, capsys):
    cohort, films = films_alone(tmp_path)
    out = tmp_path / "out"
    more = ["--images", films, "--models", "image", "--folds", "2"]
    more += ["--repeats", "1", "--quiet"]
    assert call(*arguments(table(tmp_path, cohort), out, *more)) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert said.startswith("Screening for osteoporosis from chest X-rays\n")
    assert len(pd.read_csv(out / "tables" / "table_2.csv")) == 1
    assert "<h1>Screening for osteoporosis from chest X-rays</h1>" in (
        (out / "report.html").read_text("utf-8")
    )


ESCAPES = {
    "up": lambda films, secret: "../secret/film_0.png",
    "up and down": lambda films, secret: "sub/../../secret/film_0.png",
    "absolute": lambda films, secret: str(secret / "film_0.png"),
    "link": lambda films, secret: (
        (films / "link.png").symlink_to(secret / "film_0.png") or "link.png"
    ),
    "linked folder": lambda films, secret: (films / "more").symlink_to(secret) or "more/film_0.png",
}


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("case", ESCAPES)
def test_no_image_name_leads_out_of_the_folder(case, tmp_path, monkeypatch, capsys):
    cohort, films = films_alone(tmp_path, 24)
    (films / "sub").mkdir()
    secret = tmp_path / "secret"
    secret.mkdir()
    (films / "film_0.png").rename(secret / "film_0.png")
    cohort.loc[0, "image"] = ESCAPES[case](films, secret)
    unknown = pd.DataFrame({"image": ["x.png"] * 3, "patient_id": ["u", "v", "w"]})
    cohort = pd.concat([unknown, cohort], ignore_index=True)  # rows of the user's table count
    given = arguments(table(tmp_path, cohort), tmp_path / "out", "--images", films)
    monkeypatch.setattr(study, "run_study", lambda *_, **__: pytest.fail("a film was read"))
    assert call(*given) == 2
    said = capsys.readouterr().err
    assert "1 of 27 image names lead out of --images" in said
    assert "the first is in row 4" in said
    assert "secret" not in said
    taken = []

    def run(X, y, **params):
        taken.extend(X["image"])
        raise InputError("enough")

    monkeypatch.setattr(study, "run_study", run)
    assert call(*given, "--outside-images") == 2
    assert Path(taken[0]).resolve() == (secret / "film_0.png").resolve()


def test_names_within_the_folder_are_well(tmp_path, monkeypatch, capsys):
    cohort, films = films_alone(tmp_path, 24)
    (films / "sub").mkdir()
    cohort["image"] = ["sub/../film_0.png", str(films / "film_1.png"), "a\0b", *cohort["image"][3:]]
    (tmp_path / "linked").symlink_to(films)
    taken = []

    def run(X, y, **params):
        taken.extend(X["image"])
        raise InputError("enough")

    monkeypatch.setattr(study, "run_study", run)
    path = table(tmp_path, cohort)
    assert call(*arguments(path, tmp_path / "out", "--images", tmp_path / "linked")) == 2
    assert capsys.readouterr().err.endswith("skosteo: enough\n")
    assert len(taken) == 24


def test_another_report_is_not_touched(cohort, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    assert call(*arguments(table(tmp_path, cohort), out, *SMALL)) == 2
    assert "that this study did not write" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["report.html"]


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_and_again(cohort, tmp_path, monkeypatch, capsys, fresh, same_picture):
    out = tmp_path / "new" / "report"
    more = [
        "--no-images",
        "--models",
        "hist_gradient_boosting",
        "age_sex_bmi",
        "--folds",
        "2",
        "--repeats",
        "1",
        "--quiet",
    ]
    given = arguments(table(tmp_path, cohort), out, *more)
    fresh.start(SHELL, *given)
    wait_for(lambda: list((out / "work").glob("*.npz")), fresh)
    os.kill(fresh.pid, signal.SIGINT)
    status, (_, complained) = fresh.wait(), fresh.said()
    assert status == 130, complained
    assert complained == "skosteo: interrupted; the same command goes on from what is finished\n"
    kept = {path: path.stat().st_mtime_ns for path in (out / "work").glob("*.npz")}
    assert 1 <= len(kept) < 4
    assert not (out / "report.html").exists()
    monkeypatch.setattr(sys, "argv", ["skosteo", *map(str, given)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("skosteo", run_name="__main__")
    assert ended.value.code == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert "Logistic: age, sex, BMI" in said
    assert (out / "report.html").exists()
    assert len(pd.read_csv(out / "tables" / "table_2.csv")) == 2
    assert len(list((out / "work").glob("*.npz"))) == 5  # explanations of the final model too
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
