"""``skosteo validate``: a report at another hospital, whose rows without an answer are counted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from skosteo import load_model, save_model, validate
from skosteo.commands import main, tables
from skosteo.image.reader import RadiographReader
from skosteo.validation import external
from tests.study.cohorts import filmed_patients


@pytest.fixture(scope="module")
def home(tmp_path_factory, of_films):
    """The report of a study, and the table and films of another hospital."""
    home = tmp_path_factory.mktemp("home")
    (home / "report").symlink_to(of_films.out)
    (home / "there").mkdir()
    X, y, patient = filmed_patients(home / "there", 80, seed=1)
    seen = ["age", "sex", "bmi", "weight_kg"]
    X["image"] = X["image"].map(lambda path: Path(path).name)
    (home / "there" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    X.loc[[1, 2], "image"] = ["damaged.png", "gone.dcm"]
    X.loc[2, seen] = None  # nothing is left to see
    frail = pd.Series(y).astype(object)
    frail[[5, 6, 7]] = None
    X.assign(frail=frail, mrn=[f"M{p:04}" for p in patient], ward="east").to_csv(
        home / "there.csv", index=False
    )
    return home


def given(home, out, *more):
    call = ["validate", home / "report" / "model.skops", home / "there.csv", "--target", "frail",
            "--patient", "mrn", "--images", home / "there", "--out", out]  # fmt: skip
    return list(map(str, [*call, *more]))


def test_the_page_says_what_validate_says_of_the_rows_that_are_answered(home, tmp_path, capsys):
    assert main(given(home, tmp_path / "external")) == 0
    said = capsys.readouterr().out
    X = pd.read_csv(home / "there.csv").drop(index=[2, 5, 6, 7])
    X["image"] = [str(home / "there" / name) for name in X["image"]]
    X.loc[1, "image"] = None
    model = load_model(home / "report" / "model.skops")
    with pytest.warns(UserWarning, match="hold nothing for the branch 'image'"):
        expected = validate(model, X.drop(columns=["frail", "mrn", "ward"]), X["frail"], X["mrn"])
    figures = pd.read_csv(tmp_path / "external" / "figures.csv")
    np.testing.assert_allclose(figures["estimate"], expected.figures["estimate"], atol=1e-6)
    np.testing.assert_allclose(figures["low"], expected.figures["low"], atol=1e-6)
    assert "the model's own" in said
    assert "not all branches answer: 1 of 76" in said
    flow = pd.read_csv(tmp_path / "external" / "flow.csv")
    assert flow["excluded"].sum() == 4
    assert "outcome not known" in flow.to_csv()
    assert "radiograph missing or cannot be read" in flow.to_csv()


def test_the_development_cohort_stands_beside(home, tmp_path):
    assert main(given(home, tmp_path / "external")) == 0
    mix = pd.read_csv(tmp_path / "external" / "case_mix.csv")
    assert {"development", "this site"} <= set(mix)
    assert mix["development"].notna().sum() > 2
    page = (tmp_path / "external" / "validation.html").read_text("utf-8")
    assert "M00" not in page
    assert str(home) not in page


def test_few_films_are_in_memory_at_a_time(home, tmp_path, monkeypatch):
    assert main(given(home, tmp_path / "at_once")) == 0
    monkeypatch.setattr(tables, "ROWS", 16)
    read, sizes = RadiographReader.transform, []
    monkeypatch.setattr(
        RadiographReader, "transform", lambda self, X: (sizes.append(len(X)), read(self, X))[1]
    )
    assert main(given(home, tmp_path / "in_parts")) == 0
    assert sizes == [16, 16, 16, 16, 13]
    at_once, in_parts = (
        pd.read_csv(tmp_path / name / "figures.csv")["estimate"] for name in ("at_once", "in_parts")
    )
    np.testing.assert_allclose(in_parts, at_once, atol=1e-6)


def test_a_fault_of_the_validation_is_not_told_as_a_refusal_of_the_model(
    home, tmp_path, monkeypatch
):
    def fails(*_):
        raise ValueError("a fault of ours")

    monkeypatch.setattr(external, "figures_of", fails)
    with pytest.raises(ValueError, match="a fault of ours"):
        main(given(home, tmp_path / "external"))


def test_slips_are_told_before_a_film_is_read(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(RadiographReader, "transform", None)
    for more in (["--threshold", "2"], ["--subgroups", "age"]):
        assert main(given(home, tmp_path / "external", *more)) == 2
        assert more[0].strip("-") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--target", "frial"], "'frial'"), (["--threshold", "2"], "threshold"),
     (["--image-column", "film"], "'film'"), (["--subgroups", "sector"], "'sector'")],
)  # fmt: skip
def test_slips_are_named_and_nothing_is_written(home, more, said, tmp_path, capsys):
    assert main(given(home, tmp_path / "external", *more)) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "external").exists()


def test_a_site_with_one_class_and_a_folder_of_others_files(home, tmp_path, capsys):
    table = pd.read_csv(home / "there.csv")
    table[table["frail"] != 0].to_csv(tmp_path / "one.csv", index=False)
    call = given(home, tmp_path / "external")
    call[2] = str(tmp_path / "one.csv")
    assert main(call) == 2
    assert "1 value" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    assert main(given(home, tmp_path / "mine")) == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    call[1] = str(tmp_path / "no.skops")
    assert main([*call[:-1], str(tmp_path / "new")]) == 2
    assert f"no model file '{tmp_path / 'no.skops'}'. Check its name" in capsys.readouterr().err


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A model of words whose second one means well, and its table."""
    folder = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"bmi": rng.normal(24, 3, 300)})
    ill = rng.random(300) < expit((24 - table["bmi"]) / 2)
    table["dx"] = np.where(ill, "case", "control")
    save_model(LogisticRegression().fit(table[["bmi"]], table["dx"]), folder / "model.skops")
    recoded = {"zero": ill.map({True: 0, False: 1}), "fall": np.where(ill, "Case", "none")}
    table.assign(**recoded).to_csv(folder / "table.csv", index=False)
    return folder, ill


@pytest.mark.parametrize(
    "words_are",
    [
        ("dx", "--positive", "case"),
        ("dx", "--positive", "case", "--negative", "control"),
        ("fall", "--positive", "Case"),
    ],
)
def test_words_turned_round_are_refused(words_are, words, tmp_path, capsys):
    folder, _ = words
    call = ["validate", folder / "model.skops", folder / "table.csv", "--no-patient"]
    more = ["--out", tmp_path / "out", "--target", *words_are]
    assert main(list(map(str, [*call, *more]))) == 2
    said = capsys.readouterr().err
    assert "gives the probability of 'control'" in said
    assert "Give --positive control" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words_are", [("dx", "--positive", "control"), ("zero",)])
def test_words_of_the_model_are_its_words(words_are, words, tmp_path):
    folder, ill = words
    call = ["validate", folder / "model.skops", folder / "table.csv", "--no-patient"]
    assert main(list(map(str, [*call, "--out", tmp_path, "--target", *words_are]))) == 0
    figures = pd.read_csv(tmp_path / "figures.csv").set_index("figure")
    assert figures["count"]["prevalence"] == (~ill).sum()
    table = pd.read_csv(folder / "table.csv")
    control = load_model(folder / "model.skops").predict_proba(table[["bmi"]])[:, 1]
    assert figures["estimate"]["AUC"] == pytest.approx(roc_auc_score(~ill, control))
    assert roc_auc_score(~ill, control) > 0.6


def test_a_text_among_numbers_is_told_by_its_row_in_the_table(home, tmp_path, capsys):
    there = pd.read_csv(home / "there.csv", dtype=str)
    there.loc[9, "bmi"] = "24,5"
    there.to_csv(tmp_path / "there.csv", index=False)
    call = given(home, tmp_path / "external")
    call[2] = str(tmp_path / "there.csv")
    assert main(call) == 2
    assert "row 10 of 80: Column 'bmi' holds 1 texts in 77 rows" in capsys.readouterr().err
