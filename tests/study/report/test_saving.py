"""The folder of a study: files whole, inert and the same each time; a full disk breaks none."""

import errno
import json
import os
import re
import shutil
import stat
from base64 import b64decode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skosteo import _files as files
from skosteo.exceptions import InputError
from skosteo.study import run_study
from tests.study.cohorts import Says, files_in, filmed_patients, patients
from tests.study.report.pages import Reader, changed

LIMITED = """
import resource, sys
from skosteo.commands import main
sys.stderr = sys.stdout
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
print(main(argv))
"""
FORMULA, SCRIPT = "=1+1", "<script>alert(1)</script>"


def csv(out, name, **params):
    return pd.read_csv(out / "tables" / f"{name}.csv", **params)


def test_the_files(of_values):
    found = {name for name in files_in(of_values.out) if not name.startswith("work")}
    tables = [
        "table_1", "table_2", "flow", "parts", "leakage", "figures", "scores", "discrimination",
        "calibration", "decision_curve", "per_thousand", "operating_points", "sample_size",
        "failures", "fold_scores", "stability", "checklists", "probabilities",
        "probabilities_repeats", "comparison", "differences", "subgroups",
    ]  # fmt: skip
    figures = [2, 5, "calibration", "decision_curve", "differences", "subgroups", "stability"]
    assert found == {
        "report.html", "settings.json", "model.skops", "model_card.md",
        *(f"tables/{name}.csv" for name in tables),
        *(f"figures/figure_{which}.{kind}" for which in figures for kind in ("png", "svg")),
    }  # fmt: skip


def test_the_files_of_a_study_of_films(of_films):
    found = set(files_in(of_films.out))
    figures = [2, 3, 4, 5, 6, 7, "calibration", "decision_curve", "differences", "fusion"]
    assert {f"figures/figure_{which}.png" for which in figures} <= found
    assert {f"tables/table_{number}.csv" for number in (1, 2, 3)} <= found
    # of one row or none, so that there is nothing to compare
    assert not {"tables/table_4.csv", "tables/table_5.csv"} & found


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_files_that_the_page_names_are_there_and_each_figure_is_named(ran, request):
    out = request.getfixturevalue(ran).out
    html = (out / "report.html").read_text("utf-8")
    named = re.findall(r"(?:tables|figures)/[\w]+\.\w+", html)
    assert all((out / name).exists() for name in named)
    drawn = [name for name in files_in(out) if name.endswith(".svg")]
    assert sorted(name for name in named if name.startswith("figures")) == sorted(drawn)
    assert {"tables/discrimination.csv", "tables/table_1.csv", "tables/fold_scores.csv"} < {*named}


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_every_file_is_what_its_name_says(ran, request):
    signatures = {
        ".png": b"\x89PNG\r\n", ".svg": b"<?xml", ".html": b"<!DOCTYPE html>",
        ".skops": b"PK\x03\x04", ".md": b"# ",
    }  # fmt: skip
    for name, data in files_in(request.getfixturevalue(ran).out).items():
        kind = Path(name).suffix
        if kind == ".csv":
            frame = pd.read_csv(request.getfixturevalue(ran).out / name)
            assert frame.shape[1] > 0
        elif kind == ".json":
            json.loads(data)
        elif kind != ".npz":
            assert data.startswith(signatures[kind]), name


@pytest.mark.parametrize("name", ["probabilities", "probabilities_repeats"])
def test_rates_of_the_report_are_those_of_its_probabilities(name, of_values):
    """Recomputed from the risks and thresholds beside, by whoever holds the folder."""
    study = of_values.study
    said = csv(of_values.out, name)
    table = csv(of_values.out, "discrimination", index_col=0)
    y = said["target"].to_numpy()
    folds = [said["fold"].to_numpy() == number for number in said["fold"].unique()]
    np.testing.assert_array_equal(y, np.asarray(of_values.y)[said["row"]])
    shown = study.family if name == "probabilities_repeats" else set(study.models) - {*study.family}
    for model in shown:
        risk = said[f"{model}: risk"].to_numpy()
        positive = risk >= said[f"{model}: threshold"].to_numpy()
        row = table.loc[study.titles[model]]
        areas = [roc_auc_score(y[fold], risk[fold]) for fold in folds]
        for metric, rate in (
            ("AUC", np.mean(areas)),
            ("accuracy", (positive == y).mean()),
            ("sensitivity", positive[y == 1].mean()),
            ("specificity", (~positive)[y == 0].mean()),
        ):
            assert float(row[metric].split(" ")[0]) == pytest.approx(rate, abs=0.0006)


def test_rows_of_the_parts_add_up(of_values):
    parts = csv(of_values.out, "parts", index_col=0)
    assert parts.loc["all", "rows"] == len(of_values.X)
    assert len(csv(of_values.out, "probabilities")) == len(of_values.X)
    repeats = csv(of_values.out, "probabilities_repeats")
    assert repeats.groupby("repeat")["row"].nunique().tolist() == [len(of_values.X)] * 2
    assert csv(of_values.out, "flow")["remaining"].iloc[-1] == len(of_values.X)


def test_a_test_set_has_its_rows_alone(of_split, tmp_path, same_picture):
    of_split.study.save(tmp_path)
    said = csv(tmp_path, "probabilities")
    assert sorted(said["row"]) == sorted(of_split.study.design.test)
    assert not (tmp_path / "tables" / "probabilities_repeats.csv").exists()


def test_settings_say_what_was_asked(of_values):
    said = json.loads((of_values.out / "settings.json").read_text())
    assert said["study"]["seed"] == 0
    assert said["study"]["n_folds"] == 3
    assert said["study"]["limits"] == ["SYNTHETIC patients."]
    study = of_values.study
    assert said["study"]["models"] == study.titles
    assert (said["study"]["primary"], said["study"]["comparator"]) == study.family[:2]
    assert said["study"]["internal_validation"] in ("split", "repeated_cv")
    assert {"Python", "skosteo", "scikit-learn"} <= set(said["versions"])


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_the_page_is_one_file_without_a_script(ran, request):
    out = request.getfixturevalue(ran).out
    page = Reader((out / "report.html").read_text("utf-8"))
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert re.match(r"#|data:", attributes.get(name, "#"))
    images = page.all("img")
    n_figures = len(list((out / "figures").glob("*.png")))
    assert len(images) == n_figures
    kept = {path.read_bytes() for path in (out / "figures").iterdir()}
    assert all(b64decode(image["src"].split(",")[1]) in kept for image in images)


def test_the_limits_come_before_any_figure(of_values):
    html = (of_values.out / "report.html").read_text("utf-8")
    first = html.index("SYNTHETIC patients.")
    assert html.index("<h1>") < first < html.index("<dl") < html.index("<table")
    assert first < html.index("<img")
    assert first < html.index("The study is small") < html.index("<table")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """Formulas and HTML wherever a user may put a word."""
    X, y, groups = patients(150)
    X[f"{FORMULA}{SCRIPT}"] = X["bmi"] + 1
    X["device"] = np.where(np.arange(150) % 2, f"@{SCRIPT}", f"+{SCRIPT}")
    out = tmp_path_factory.mktemp("attacked")
    run_study(
        X.assign(p=X["age"] / 100, q=X["bmi"] / 60), y, groups=groups, out=out,
        image_column=None, n_folds=2, n_repeats=1, verbose=0, subgroups=["device"],
        title=f"T {SCRIPT}",
        outcome=f"{FORMULA} {SCRIPT}", limits=[f"L {SCRIPT}"],
        models=["age_sex_bmi", (FORMULA, Says("p")), (f"m {SCRIPT}", Says("q"))],
    )  # fmt: skip
    return out


def test_no_word_becomes_html(attacked):
    html = (attacked / "report.html").read_text("utf-8")
    page = Reader(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in html.lower()
    text = " ".join(page.words)
    for word in (f"T {SCRIPT}", f"L {SCRIPT}", f"m {SCRIPT}", f"{FORMULA}{SCRIPT}", f"@{SCRIPT}"):
        assert word in text
    for svg in (attacked / "figures").glob("*.svg"):
        assert "<script" not in svg.read_text("utf-8").lower()


def test_no_cell_is_a_formula(attacked):
    seen = 0
    for path in (attacked / "tables").iterdir():
        frame = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
        for cell in frame.to_numpy().ravel():
            number = re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?%?", cell.strip())
            assert number or not re.match(r"\s*[=+@\t\r-]", cell), (path.name, cell)
            seen += cell.startswith("'=")
    assert seen > 5


# ---------------------------------------------------------------- again, and elsewhere


def test_the_same_study_twice_is_the_same_files(of_values, tmp_path):
    of_values.study.save(tmp_path)
    # a model that was pickled between is the same in other words: see test_final
    kept = re.compile(r"(work/.*\.npz|.*\.skops)")
    first, second = (
        {name: data for name, data in files_in(out).items() if not kept.fullmatch(name)}
        for out in (of_values.out, tmp_path)
    )
    assert first == second


def test_files_of_models_that_are_gone_vanish(of_values, tmp_path, same_picture):
    out = shutil.copytree(of_values.out, tmp_path / "out")
    assert (out / "tables" / "comparison.csv").exists()
    assert "Logistic: all" in (out / "report.html").read_text("utf-8")
    study = of_values.study
    one = {"age_sex_bmi": study.models["age_sex_bmi"]}
    changed(study, fields={"models": one, "family": ("age_sex_bmi",)}).save(out)
    assert not (out / "tables" / "comparison.csv").exists()
    assert not list((out / "figures").glob("figure_differences.*"))
    assert "Logistic: all" not in (out / "report.html").read_text("utf-8")


def test_nothing_else_is_written(tmp_path, monkeypatch, one_png):
    X, y, groups = patients(60)
    home, work = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, work):
        folder.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    out = tmp_path / "out"
    run_study(
        X, y, groups=groups, out=out, image_column=None, n_folds=2, n_repeats=1, verbose=0,
        models=["age_sex_bmi"],
    )  # fmt: skip
    assert files_in(work) == {}
    assert files_in(home) == {}


def test_only_the_owner_may_read_what_stands_row_by_row(of_values):
    for path in (*(of_values.out / "tables").iterdir(), *(of_values.out / "work").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


# ---------------------------------------------------------------- a disk that is full


def full_after(monkeypatch, n):
    """Let n files be written, and no more."""
    left, replace = [n], os.replace

    def refuse(source, target):
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", refuse)


@pytest.mark.parametrize("n", [0, 29])
def test_a_full_disk_leaves_the_earlier_report(n, of_values, tmp_path, monkeypatch):
    out = shutil.copytree(of_values.out, tmp_path / "out")
    (out / "report.html").write_text("the earlier one")
    before = files_in(out)
    full_after(monkeypatch, n)  # the last of 30 is the report
    with pytest.raises(OSError, match="No space left"):
        of_values.study.save(out)
    assert files_in(out) == before  # and nothing half-written beside


def test_a_full_disk_leaves_no_report_where_none_was(of_values, tmp_path, monkeypatch):
    full_after(monkeypatch, 10)  # the manifest is the first
    with pytest.raises(OSError, match="No space left"):
        of_values.study.save(tmp_path)
    assert len(files_in(tmp_path)) == 10
    assert not (tmp_path / "report.html").exists()


def test_a_disk_that_fills_up_in_the_fits(tmp_path, monkeypatch, same_picture):
    X, y, groups = patients(60)
    params = {
        "image_column": None,
        "n_folds": 2,
        "n_repeats": 1,
        "verbose": 0,
        "models": ["age_sex_bmi"],
    }
    with monkeypatch.context() as patch:
        full_after(patch, 2)  # the manifest and the first fold
        with pytest.raises(OSError, match="No space left"):
            run_study(X, y, groups=groups, out=tmp_path / "out", **params)
    assert len(list((tmp_path / "out" / "work").glob("*.npz"))) == 1
    study = run_study(X, y, groups=groups, out=tmp_path / "out", **params)
    assert np.isfinite(study.assessed().risk).all(axis=None)


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX")
def test_files_that_may_not_grow(tmp_path, fresh):
    """The kernel itself refuses: no file of this process may have more than 20 kB."""
    X, y, groups = patients(90)
    X.assign(y=y, id=groups).to_csv(tmp_path / "a.csv", index=False)
    given = ["--target", "y", "--patient", "id", "--no-images", "--models", "age_sex_bmi"]
    given += ["--folds", "2", "--repeats", "1", "--quiet", "--out", tmp_path / "out"]
    *said, status = fresh.run(LIMITED, "study", tmp_path / "a.csv", *given).splitlines()
    assert status == "2", said
    assert "File too large; what is finished stays" in said[-1]
    assert not any("Traceback" in line for line in said)
    assert not (tmp_path / "out" / "report.html").exists()
    assert not [name for name in files_in(tmp_path / "out") if files.UNFINISHED in name]
    assert len(list((tmp_path / "out" / "work").glob("*.npz"))) == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path):
    X, y, groups = patients(60)
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        run_study(
            X, y, groups=groups, out=tmp_path / "out", image_column=None, n_folds=2, n_repeats=1,
            verbose=0,
            models=["age_sex_bmi"],
        )  # fmt: skip


def test_a_folder_that_cannot_be_made(tmp_path):
    """Not for root either: there are no folders within a file."""
    X, y, groups = patients(60)
    (tmp_path / "file").write_text("mine")
    with pytest.raises((OSError, InputError)):
        run_study(
            X, y, groups=groups, out=tmp_path / "file" / "out", image_column=None, n_folds=2,
            verbose=0, models=["age_sex_bmi"],
        )  # fmt: skip
    assert (tmp_path / "file").read_text() == "mine"


def test_a_study_without_the_models_of_table_2(tmp_path, small_preset, same_picture):
    X, y, groups = filmed_patients(tmp_path, 24)
    run_study(
        X, y, groups=groups, out=tmp_path / "out", n_folds=2, n_repeats=1, verbose=0,
        models=["backbone", "backbone_wt"],
    )  # fmt: skip
    assert (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "tables" / "table_3.csv").exists()
    assert not (tmp_path / "out" / "tables" / "table_2.csv").exists()
