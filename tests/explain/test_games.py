import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skosteo import ClinicalPreprocessor
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.explain.games import make_game, thinned
from skosteo.presets import clinical_baseline


@pytest.fixture(scope="module")
def cohort():
    frame = draw_patients(120, random_state=0)
    return frame[CLINICAL], frame["osteoporosis"]


def test_report_text_and_categories_are_one_feature_each(cohort):
    X, y = cohort
    model = clinical_baseline("logistic").fit(X, y)
    game = make_game(model, X[:5], X)
    assert game.names == CLINICAL
    assert np.bincount(game.groups)[CLINICAL.index("xray_description")] == 8
    assert np.bincount(game.groups)[CLINICAL.index("sex")] == 2
    np.testing.assert_array_equal(game.ask(game.rows), model.predict_proba(X[:5])[:, 1])


def test_words_of_a_report_are_not_kept(cohort):
    X, y = cohort
    X = X.assign(xray_description=[f"Patient Canary {i}, lungs clear" for i in range(len(X))])
    game = make_game(clinical_baseline("logistic").fit(X, y), X, X)
    assert "Canary" not in str(game.data.tolist())
    assert set(game.data[:, CLINICAL.index("sex")]) == {"F", "M"}


def test_a_body_mass_index_that_was_computed_is_shown(cohort):
    X, y = cohort
    X = X[["age", "height_cm", "weight_kg"]].fillna(70.0)
    model = make_pipeline(ClinicalPreprocessor(), LogisticRegression(max_iter=1000)).fit(X, y)
    game = make_game(model, X, X)
    assert game.names == ["age", "height_cm", "weight_kg", "bmi"]
    expected = X["weight_kg"] / (X["height_cm"] / 100) ** 2
    np.testing.assert_allclose(game.data[:, 3].astype(float), expected)


def columns(step):
    numbers = make_pipeline(SimpleImputer(), step)
    words = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("w", words, ["sex"]), ("n", numbers, ["age", "weight_kg"])])


def test_outputs_of_any_transformer_are_traced_to_their_columns(cohort):
    X, y = cohort
    X = X[["age", "weight_kg", "sex"]]
    game = make_game(make_pipeline(columns(StandardScaler()), LogisticRegression()).fit(X, y), X, X)
    assert game.groups.tolist() == [2, 2, 0, 1]
    assert game.last is not None


def test_where_outputs_mix_columns_the_table_itself_is_mixed(cohort):
    X, y = cohort
    X = X[["age", "weight_kg", "sex"]]
    model = make_pipeline(columns(PCA(2)), LogisticRegression()).fit(X, y)
    game = make_game(model, X[:9], X)
    assert game.last is None
    assert game.groups.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(game.ask(game.rows), model.predict_proba(X[:9])[:, 1])
    mixed = game.rows.copy()
    mixed[:, 0] = game.background[0, 0]
    as_table = X[:9].assign(age=X["age"].iloc[0])
    np.testing.assert_array_equal(game.ask(mixed), model.predict_proba(as_table)[:, 1])


@pytest.mark.parametrize(("n", "left"), [(7, 7), (100, 100), (250, 100)])
def test_rows_are_thinned_evenly(n, left):
    kept = thinned(pd.DataFrame({"row": range(n)}), 100)["row"]
    assert len(kept) == left
    assert kept.iloc[[0, -1]].tolist() == [0, n - 1]
