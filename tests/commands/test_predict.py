"""``skosteo predict``: a row of scores for every row of the table, whatever its film."""

import os
import signal
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skosteo import RiskIndexClassifier, Scorer, save_model
from skosteo.clinical.variables import CALCIUM_MMOL_L
from skosteo.commands import main, tables
from skosteo.exceptions import InputError
from skosteo.presets import clinical_baseline
from tests.small_models import lacking, small_clinical, small_fusion, write_films
from tests.study.test_fitting import wait_for


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with films, a table of theirs and a model that was fitted on it."""
    home = tmp_path_factory.mktemp("home")
    (home / "films").mkdir()
    X, y, _ = write_films(home / "films")
    quick = {"clinical": small_clinical(n_members=1), "final_estimator": "logistic"}
    save_model(small_fusion(**quick).fit(X, y), home / "model.skops")
    X = lacking(X, film=[3, 5], table=[4, 5])
    X["image"] = X["image"].map(lambda path: Path(path).name, na_action="ignore")
    (home / "films" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    X.loc[[1, 2], "image"] = ["damaged.png", "gone.dcm"]
    X.assign(probability=0.5, accession=[f"{i:04}" for i in range(len(X))], name="Jane Doe").to_csv(
        home / "new.csv", index=False
    )
    return home


def given(home, out, *more):
    call = ["predict", home / "model.skops", home / "new.csv", "--images", home / "films"]
    return list(map(str, [*call, "--out", out, "--quiet", *more]))


def expected(home):
    X = pd.read_csv(home / "new.csv")
    X["image"] = X["image"].map(lambda name: str(home / "films" / name), na_action="ignore")
    return Scorer(home / "model.skops")(X)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_row_is_there_in_order_with_its_identifier_alone(home, suffix, tmp_path, capsys):
    out = tmp_path / f"scores.{suffix}"
    assert main(given(home, out, "--id", "accession")) == 0
    assert "Rows: 48; not scored: 1; in part: 4" in capsys.readouterr().out
    scores = pd.read_parquet(out) if suffix == "parquet" else pd.read_csv(out, dtype={0: str})
    assert scores.columns.tolist() == [
        "accession", "probability", "predicted", "answered_by", "status", "rule", "reason",
    ]  # fmt: skip
    assert scores["accession"].tolist() == [f"{i:04}" for i in range(48)]
    wanted = expected(home)
    np.testing.assert_array_equal(scores["probability"], wanted["probability"])
    assert scores["status"].tolist() == wanted["status"].tolist()
    assert scores["predicted"].isna().tolist() == [row == 5 for row in range(48)]
    assert "Jane" not in scores.to_csv()
    assert os.listdir(tmp_path) == [out.name]


def test_after_a_kill_it_goes_on_with_what_is_left(home, tmp_path, monkeypatch, fresh):
    out, code = tmp_path / "scores.csv", "from skosteo.commands import main, tables\n"
    fresh.start(f"{code}tables.ROWS = 4; main(argv)", *given(home, out))
    parts = tmp_path / "scores.csv.parts"
    wait_for(lambda: (parts / "4.csv").exists(), fresh)
    os.kill(fresh.pid, signal.SIGKILL)
    assert fresh.wait() == -signal.SIGKILL
    assert not out.exists()
    done = {part.name: part.stat().st_mtime_ns for part in parts.iterdir()}
    monkeypatch.setattr(tables, "ROWS", 4)
    scored, called = Scorer.__call__, []
    monkeypatch.setattr(Scorer, "__call__", lambda *a: (called.append(a[1]), scored(*a))[1])
    assert main(given(home, out)) == 0
    assert sum(len(rows) > 0 for rows in called) <= 12 - (len(done) - 1)
    scores = pd.read_csv(out)
    assert scores["row"].tolist() == list(range(1, 49))
    wanted = expected(home)["probability"]  # of a batch of other films
    np.testing.assert_allclose(scores["probability"], wanted, atol=1e-6)


def test_an_error_about_a_row_counts_the_rows_of_the_table(tmp_path, monkeypatch, capsys):
    table = pd.DataFrame({"age": np.arange(60.0, 70), "weight_kg": np.arange(50.0, 60)})
    save_model(RiskIndexClassifier("osta").fit(table, [0, 1] * 5), tmp_path / "model.skops")
    table.loc[4] = np.nan  # nothing to see
    table.loc[6, "weight_kg"] = np.nan
    table.to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr(tables, "ROWS", 4)
    files = [str(tmp_path / name) for name in ("model.skops", "new.csv", "scores.csv")]
    assert main(["predict", *files[:2], "--out", files[2], "--quiet"]) == 2
    assert "row 7 of 10: " in capsys.readouterr().err


@pytest.fixture
def clinical(tmp_path, monkeypatch):
    """A model of values, in parts of 4 rows: what calls `predict` for a table."""
    table = pd.DataFrame({"age": np.arange(60.0, 100), "calcium": np.tile([2.2, 2.4], 20)})
    model = clinical_baseline("logistic").fit(table, [0, 1, 1, 0] * 10)
    save_model(model, tmp_path / "model.skops")
    monkeypatch.setattr(tables, "ROWS", 4)

    def predict(table, *more):
        table.to_csv(tmp_path / "new.csv", index=False)
        files = [str(tmp_path / name) for name in ("model.skops", "new.csv", "scores.csv")]
        return main(["predict", *files[:2], "--out", files[2], "--quiet", *more])

    return table, predict


def test_a_text_among_numbers_is_found_before_a_row_is_scored(clinical, tmp_path, capsys):
    table, predict = clinical
    table = table.astype(object)
    table.loc[[5, 9], "calcium"] = ["2,25", "n. d."]
    assert predict(table) == 2
    said = capsys.readouterr().err
    assert "rows 6, 10 of 40: Column 'calcium' holds 2 texts in 40 rows" in said
    assert "2,25" not in said
    assert not list(tmp_path.glob("scores*"))


@pytest.mark.filterwarnings("default")
def test_a_wrong_unit_is_one_line_that_says_what_can_be_done(clinical, tmp_path, capsys):
    table, predict = clinical
    assert predict(table) == 0
    assert capsys.readouterr().err == ""
    risks = pd.read_csv(tmp_path / "scores.csv")["probability"]
    os.remove(tmp_path / "scores.csv")
    table["calcium"] /= CALCIUM_MMOL_L
    assert predict(table) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: Column 'calcium': 40 of 40 values look like mg/dL")
    assert "'calcium (mg/dL)'" in line
    os.remove(tmp_path / "scores.csv")
    assert predict(table.rename(columns={"calcium": "calcium (mg/dL)"})) == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_allclose(pd.read_csv(tmp_path / "scores.csv")["probability"], risks)


@pytest.mark.filterwarnings("default")
def test_warnings_that_differ_in_numbers_alone_are_one_line(monkeypatch, capsys):
    def run(given):
        for column, rows in (("lab1", 3), ("lab1", 40), ("lab2", 3)):
            warnings.warn(f"Column {column!r} is odd in {rows} rows.", stacklevel=2)

    monkeypatch.setattr("skosteo.commands.predict.run", run)
    assert main(["predict", "model.skops", "table.csv", "--out", "scores.csv"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning: Column 'lab1' is odd in 3 rows.",
        "warning: Column 'lab2' is odd in 3 rows.",
    ]


@pytest.mark.filterwarnings("default")
def test_identifiers_that_tell_no_rows_apart_are_counted(clinical, capsys):
    table, predict = clinical
    table["accession"] = ["A1", "A2", "A2", *(f"B{i}" for i in range(37))]
    assert predict(table, "--id", "accession") == 0
    said = capsys.readouterr().err
    assert said.startswith("warning: --id 'accession' has the same value in 2 rows as in others")
    assert "A2" not in said


def test_scores_and_what_is_left_of_a_run_are_for_their_owner_alone(clinical, tmp_path):
    table, predict = clinical
    calls, scored = [], Scorer.__call__

    def broken(scorer, part):
        calls.append(part)
        if len(calls) == 4:
            raise InputError("of no row")
        return scored(scorer, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scorer, "__call__", broken)
        assert predict(table) == 2
    left = sorted((tmp_path / "scores.csv.parts").iterdir())
    assert [part.name for part in left] == ["0.csv", "4.csv", "run.json"]
    modes = {part.stat().st_mode & 0o777 for part in left}
    assert predict(table) == 0
    assert modes | {(tmp_path / "scores.csv").stat().st_mode & 0o777} == {0o600}
    assert not (tmp_path / "scores.csv.parts").exists()


@pytest.mark.parametrize("classes", [[False, True], [0.0, 1.0], ["NA", "ill"]])
def test_classes_keep_their_type(classes, tmp_path):
    table = pd.DataFrame({"age": np.arange(60.0, 70), "weight_kg": np.arange(50.0, 60)})
    model = make_pipeline(SimpleImputer(), LogisticRegression())
    save_model(model.fit(table, np.array(classes * 5)), tmp_path / "model.skops")
    table.loc[3] = np.nan
    table.to_csv(tmp_path / "new.csv", index=False)
    files = [str(tmp_path / name) for name in ("model.skops", "new.csv", "scores.parquet")]
    assert main(["predict", *files[:2], "--out", files[2], "--quiet"]) == 0
    scores = pd.read_parquet(files[2]).drop(columns="row")
    expected = Scorer(files[0])(table)
    assert scores["predicted"].dtype == expected["predicted"].dtype
    pd.testing.assert_frame_equal(scores, expected, check_exact=True)


@pytest.mark.filterwarnings("default")  # of two rows without a film
def test_names_of_films_stay_as_they_are_and_identifiers_are_words(home, tmp_path):
    assert main(given(home, tmp_path / "a.csv", "--id", "image")) == 0
    named = pd.read_csv(home / "new.csv")["image"]
    pd.testing.assert_series_equal(pd.read_csv(tmp_path / "a.csv")["image"], named)
    table = pd.read_csv(home / "new.csv", dtype=str)
    table["accession"] = ["NA", "None", *table["accession"][2:]]
    table.to_csv(tmp_path / "new.csv", index=False)
    call = given(home, tmp_path / "b.csv", "--id", "accession")
    call[2] = str(tmp_path / "new.csv")
    assert main(call) == 0
    scores = pd.read_csv(tmp_path / "b.csv", dtype=str, keep_default_na=False)
    assert scores["accession"].tolist()[:3] == ["NA", "None", "0002"]


def test_a_table_that_was_mended_is_taken(home, tmp_path, capsys):
    table = pd.read_csv(home / "new.csv")
    table.drop(columns="bmi").to_csv(tmp_path / "new.csv", index=False)
    call = given(home, tmp_path / "scores.csv")
    call[2] = str(tmp_path / "new.csv")
    assert main(call) == 2
    assert "bmi" in capsys.readouterr().err
    table.to_csv(tmp_path / "new.csv", index=False)
    assert main(call) == 0


def test_what_another_run_has_left_is_not_taken(home, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    (tmp_path / "scores.csv.parts").mkdir()
    (tmp_path / "scores.csv.parts" / "run.json").write_text("another")
    (tmp_path / "scores.csv.parts" / "0.csv").write_text("probability")
    assert main(given(home, out)) == 2
    assert "another run" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--id", "acession"], "'acession'"), (["--image-column", "film"], "'film'"),
     (["--encoding", "no"], "--encoding"), (["--id", "probability"], "'probability'")],
)  # fmt: skip
def test_wrong_columns_are_named_and_nothing_is_written(home, more, said, tmp_path, capsys):
    assert main(given(home, tmp_path / "scores.csv", *more)) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_replaced(home, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    out.write_text("mine")
    assert main(given(home, out)) == 2
    assert "already" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(given(home, tmp_path / "scores.txt")) == 2
    assert main(given(home, tmp_path / "no" / "scores.csv")) == 2


def test_a_model_that_is_none_is_refused(home, tmp_path, capsys):
    (tmp_path / "model.skops").write_bytes(b"\x80\x04N.")
    call = given(home, tmp_path / "scores.csv")
    call[1] = str(tmp_path / "model.skops")
    assert main(call) == 2
    assert "pickle" in capsys.readouterr().err
