"""A scorer says what the model says, and a row that cannot be scored says why."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline

from skosteo import RecalibratedClassifier, Scorer, load_model, save_model, validate
from skosteo.exceptions import InputError, MissingModalityWarning, ModelFileError
from tests.films import bytes_of, dataset
from tests.small_models import (
    lacking,
    small_clinical_regressor,
    still_fusion,
    still_image,
    still_pf,
    write_films,
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    X, y, _ = write_films(folder)
    return X, y, folder


@pytest.fixture(scope="module")
def fusion(cohort):
    X, y, _ = cohort
    return still_pf().fit(X, y)


@pytest.fixture(scope="module")
def image(cohort):
    X, y, _ = cohort
    return still_image().fit(X[["image"]], y)


@pytest.fixture
def mixed(cohort):
    """Six rows: whole, damaged film, no such file, no film, no clinical values, nothing at all."""
    X, _, folder = cohort
    X = lacking(X[:6].copy(), film=[3, 5], table=[4, 5])
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nDoe^Jane")
    X.loc[1, "image"], X.loc[2, "image"] = str(folder / "damaged.png"), str(folder / "gone.dcm")
    return X


def test_whole_rows_are_scored_as_the_model_scores_them(cohort, image, fusion):
    X, y, _ = cohort
    attention = still_fusion(strategy="attention").fit(X, y)
    for model in (image, fusion, attention):
        scores = Scorer(model)(X)
        np.testing.assert_array_equal(scores["probability"], model.predict_proba(X)[:, 1])
        np.testing.assert_array_equal(scores["predicted"].astype(int), model.predict(X))
        assert set(scores["status"]) == {"scored"}
        assert set(scores["rule"]) == set(scores["reason"]) == {""}


def test_a_film_that_cannot_be_read_is_a_row_that_the_other_branch_answers(fusion, mixed):
    scores = Scorer(fusion)(mixed)
    assert scores["answered_by"].tolist() == [
        "image + clinical", "clinical", "clinical", "clinical", "image", "",
    ]  # fmt: skip
    assert scores["status"].tolist() == ["scored", *["scored in part"] * 4, "not scored"]
    known = mixed[:5].copy()
    known.loc[[1, 2], "image"] = None
    with pytest.warns(MissingModalityWarning):
        expected = fusion.predict_proba(known)[:, 1]
    np.testing.assert_array_equal(scores["probability"][:5], expected)
    assert np.isnan(scores["probability"][5])
    assert scores["predicted"].isna().tolist() == [False] * 5 + [True]
    assert (scores["reason"] != "").tolist() == [False, True, True, True, False, True]
    assert "Jane" not in scores.to_csv()
    assert "gone" not in scores.to_csv()


def test_a_model_that_needs_the_film_scores_no_row_without_one(cohort, image, mixed):
    X, y, _ = cohort
    concat = still_fusion(strategy="concat").fit(X, y)
    for model, scored in ((image, [0, 4]), (concat, [0])):
        scores = Scorer(model)(mixed)
        assert np.flatnonzero(scores["status"] == "scored").tolist() == scored
        assert scores["probability"].notna().sum() == len(scored)


def test_a_film_that_is_no_frontal_chest_film_is_named_by_its_rule(fusion, mixed, tmp_path):
    odd = dataset(np.zeros((300, 300), np.uint16), 12, 16, Modality="CT")
    mixed.loc[1, "image"] = str(tmp_path / "ct.dcm")
    (tmp_path / "ct.dcm").write_bytes(bytes_of(odd))
    scores = Scorer(fusion)(mixed)
    assert scores["rule"][1] == "modality"


def test_columns_of_another_order_and_name_of_films(fusion, cohort):
    X, _, _ = cohort
    other = X[["bmi", "image", "age"]].rename(columns={"image": "film"}).assign(ward="a")
    scores = Scorer(fusion, image_column="film")(other)
    np.testing.assert_array_equal(scores["probability"], Scorer(fusion)(X)["probability"])
    with pytest.raises(InputError, match=r"'image'.*image_column"):
        Scorer(fusion)(other)
    with pytest.raises(InputError, match="'folm'"):
        Scorer(fusion, image_column="folm")(other)


def test_the_threshold_of_a_wrapped_model_and_its_branches(fusion, cohort, mixed):
    X, y, _ = cohort
    risk = RecalibratedClassifier(FrozenEstimator(fusion), method="intercept").fit(X, y)
    model = FixedThresholdClassifier(FrozenEstimator(risk), threshold=0.97).fit(X, y)
    scores = Scorer(model)(X)
    np.testing.assert_array_equal(scores["predicted"].astype(int), model.predict(X))
    assert (scores["predicted"] != (scores["probability"] >= 0.5)).any()
    assert Scorer(model)(mixed)["answered_by"][1] == "clinical"


@pytest.mark.parametrize(
    "by",
    [{"threshold": -0.5, "response_method": "decision_function"},
     {"threshold": 0.4, "response_method": "predict_proba", "pos_label": "healthy"}],
)  # fmt: skip
def test_a_threshold_of_another_figure_than_the_risk_is_the_models_own(by, cohort):
    X, y, _ = cohort
    words = np.array(["healthy", "ill"])[y]
    table = X[["age", "bmi"]]
    model = FixedThresholdClassifier(LogisticRegression(), **by).fit(table, words)
    table = pd.concat([table, table[:1] * np.nan], ignore_index=True)
    scores = Scorer(model)(table)
    assert scores["predicted"][:-1].tolist() == model.predict(table[:-1]).tolist()
    assert (scores["predicted"][:-1] != np.where(scores["probability"][:-1] < 0.5, *model.classes_)
            ).any()  # fmt: skip
    assert scores["predicted"].isna().tolist() == [False] * len(X) + [True]


def test_a_file_is_loaded_where_it_is_needed_and_a_scorer_travels(fusion, cohort, tmp_path):
    X, _, _ = cohort
    save_model(fusion, tmp_path / "model.skops")
    scorer = Scorer(tmp_path / "model.skops")
    scores = scorer(X)
    assert len(pickle.dumps(scorer)) < 1000
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(scorer))(X), scores)
    np.testing.assert_allclose(scores["probability"], fusion.predict_proba(X)[:, 1], atol=1e-6)


def test_a_row_without_any_value_and_cells_that_are_no_numbers(cohort):
    X, y, _ = cohort
    table = X[["age", "bmi"]].copy()
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(table, y)
    table.loc[3] = np.nan
    assert np.flatnonzero(Scorer(model)(table)["status"] == "not scored").tolist() == [3]
    odd = table.astype(object)
    odd.loc[0, "age"] = "Jane Doe"
    with pytest.raises(InputError, match="takes numbers without") as caught:
        Scorer(model)(odd)
    assert "Jane" not in str(caught.value)


def test_several_fusions_in_one_model_and_films_by_themselves(cohort, mixed):
    X, y, _ = cohort
    model = CalibratedClassifierCV(still_pf(), cv=2).fit(X, y)
    scores = Scorer(model)(mixed)
    assert scores["answered_by"][1] == "clinical"
    alone = still_image().fit(X["image"].to_numpy(), y)
    with pytest.raises(InputError, match="not on a table"):
        Scorer(alone)(X)


def test_a_table_without_films_and_labels_in_words(cohort):
    X, y, _ = cohort
    words = np.array(["healthy", "ill"])[y]
    model = LogisticRegression().fit(X[["age", "bmi"]], words)
    scores = Scorer(model)(X.set_axis(X.index + 7))
    assert scores.index[0] == 7
    assert set(scores["predicted"]) == {"healthy", "ill"}
    assert Scorer(model)(X[:0]).empty
    with pytest.raises(InputError, match="no column of films"):
        Scorer(model, image_column="image")(X)
    with pytest.raises(InputError, match="bmi"):
        Scorer(model)(X[["age"]])


@pytest.fixture
def file(fusion, tmp_path):
    save_model(fusion, tmp_path / "model.skops")
    return tmp_path / "model.skops"


@pytest.fixture
def loads(monkeypatch):
    """Files that were loaded, in their order."""
    loaded = []
    monkeypatch.setattr(
        "skosteo.scoring.load_model", lambda path: (loaded.append(path), load_model(path))[1]
    )
    return loaded


def test_columns_that_are_kept_name_the_rows(fusion, mixed):
    mixed.insert(0, "study", [f"s{i}" for i in range(6)])
    mixed.index = [4] * 6
    scores = Scorer(fusion, keep=["study", "age"])(mixed)
    assert scores.columns[:3].tolist() == ["study", "age", "probability"]
    pd.testing.assert_frame_equal(scores[["study", "age"]], mixed[["study", "age"]])
    plain = Scorer(fusion)(mixed)
    pd.testing.assert_frame_equal(scores.drop(columns=["study", "age"]), plain)


@pytest.mark.parametrize(
    ("keep", "said"),
    [(["stduy"], r"no columns \['stduy'\] \(keep\)"), ("age", "one text"),
     (["age", "rule"], r"keep names \['rule'\]"), (pd.Series(["Jane Doe"]), "a column itself")],
)  # fmt: skip
def test_columns_that_cannot_be_kept(keep, said, fusion, mixed):
    with pytest.raises(InputError, match=said) as caught:
        Scorer(fusion, keep=keep)(mixed.assign(rule=1))
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "kind"), [([0, 1], "Int64"), (["healthy", "ill"], "string"),
                          ([False, True], "boolean"), ([0.0, 1.0], "Float64")],
)  # fmt: skip
def test_types_are_the_same_with_all_some_and_no_rows_scored(classes, kind, cohort):
    X, y, _ = cohort
    table = X[["age", "bmi"]]
    scorer = Scorer(LogisticRegression().fit(table, np.array(classes)[y]), keep=["age"])
    lost = table * np.nan
    expected = ["float64", "float64", kind, "str", "str", "str", "str"]
    for some in (table, pd.concat([table, lost]), lost, table[:0]):
        assert scorer(some).dtypes.astype(str).tolist() == expected
    assert scorer(table)["predicted"].tolist() == scorer.model.predict(table).tolist()


def test_a_process_loads_a_file_once_however_often_the_scorer_travels(file, cohort, loads):
    X, _, _ = cohort
    travelled = pickle.dumps(Scorer(file))
    first = pickle.loads(travelled)(X)
    file.unlink()  # a process that has loaded it needs it no more
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda _: pickle.loads(travelled)(X), range(8)))
    assert len(loads) == 1
    for scores in others:
        pd.testing.assert_frame_equal(scores, first)


def test_threads_score_tables_with_gaps_without_a_warning(file, mixed):
    scorer = Scorer(file)
    with ThreadPoolExecutor(8) as pool:
        for scores in pool.map(scorer, [mixed] * 24):
            assert scores["status"].tolist()[-1] == "not scored"


def test_a_file_that_is_gone_or_another_is_never_scored_by(file, cohort, tmp_path, monkeypatch):
    X, y, _ = cohort
    old, other = Scorer(file), LogisticRegression().fit(X[["age", "bmi"]], y)
    save_model(other, file)
    with pytest.raises(ModelFileError, match="not the one that the scorer was made for"):
        old(X)
    new = Scorer(file)
    np.testing.assert_array_equal(
        new(X)["probability"], other.predict_proba(X[["age", "bmi"]])[:, 1]
    )
    monkeypatch.chdir(tmp_path)
    relative = pickle.dumps(Scorer("model.skops"))
    monkeypatch.chdir("/")
    assert len(pickle.loads(relative)(X)) == len(X)
    file.unlink()
    for make in (lambda: old(X), lambda: Scorer(file)):
        with pytest.raises(FileNotFoundError, match="no model file"):  # as load_model says it
            make()


def test_a_file_that_is_replaced_while_it_is_loaded_is_noticed(file, cohort, monkeypatch):
    X, _, _ = cohort

    def replaced(path):
        model = load_model(path)
        with open(path, "ab") as stream:
            stream.write(b"another")
        return model

    monkeypatch.setattr("skosteo.scoring.load_model", replaced)
    with pytest.raises(ModelFileError, match="not the one"):
        Scorer(file)(X)


def test_a_regressor_is_refused_by_a_scorer_and_a_validation(tmp_path):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    density = small_clinical_regressor(max_epochs=1).fit(X, X["a"])
    save_model(density, tmp_path / "density.skops")
    for model in (density, tmp_path / "density.skops"):
        with pytest.raises(InputError, match=r"ClinicalOsteoRegressor is no classifier.*predict"):
            Scorer(model)(X)
    with pytest.raises(InputError, match="not a classifier with predict_proba"):
        validate(density, X, (X["a"] < 0).astype(int))
