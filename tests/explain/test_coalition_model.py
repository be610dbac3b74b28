import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skosteo import ClinicalPreprocessor, ProbabilityFusionClassifier
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.explain.coalition_model import make_coalition_model
from skosteo.presets import clinical_baseline


@pytest.fixture(scope="module")
def cohort():
    frame = draw_patients(120, random_state=0)
    return frame[CLINICAL], frame["osteoporosis"]


def test_report_text_and_categories_are_one_feature_each(cohort):
    X, y = cohort
    model = clinical_baseline("logistic").fit(X, y)
    found = make_coalition_model(model, X[:5], X)
    assert found.names == CLINICAL
    assert np.bincount(found.groups)[CLINICAL.index("xray_description")] == 8
    assert np.bincount(found.groups)[CLINICAL.index("sex")] == 2
    np.testing.assert_array_equal(found.value(found.rows), model.predict_proba(X[:5])[:, 1])


def test_words_of_a_report_are_not_kept(cohort):
    X, y = cohort
    X = X.assign(xray_description=[f"Patient Canary {i}, lungs clear" for i in range(len(X))])
    found = make_coalition_model(clinical_baseline("logistic").fit(X, y), X, X)
    assert "Canary" not in str(found.data.tolist())
    assert set(found.data[:, CLINICAL.index("sex")]) == {"F", "M"}


def test_a_body_mass_index_that_was_computed_is_shown(cohort):
    X, y = cohort
    X = X[["age", "height_cm", "weight_kg"]].fillna(70.0)
    model = make_pipeline(ClinicalPreprocessor(), LogisticRegression(max_iter=1000)).fit(X, y)
    found = make_coalition_model(model, X, X)
    assert found.names == ["age", "height_cm", "weight_kg", "bmi"]
    expected = X["weight_kg"] / (X["height_cm"] / 100) ** 2
    np.testing.assert_allclose(found.data[:, 3].astype(float), expected)


def foreign(step):
    """A pipeline that skosteo knows nothing of; PCA mixes columns, a scaler keeps them apart."""
    numbers = make_pipeline(SimpleImputer(), step)
    words = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("w", words, ["sex"]), ("n", numbers, ["age", "weight_kg"])])
    return make_pipeline(columns, LogisticRegression())


@pytest.mark.parametrize("step", [StandardScaler(), PCA(2)], ids=["apart", "mixed"])
def test_a_foreign_pipeline_is_asked_for_tables_with_mixed_columns(cohort, step):
    X, y = cohort
    X = X[["age", "weight_kg", "sex"]].astype({"sex": "category"})
    model = foreign(step).fit(X, y)
    found = make_coalition_model(model, X[:9], X)
    assert found.last is None
    assert found.names == ["age", "weight_kg", "sex"]
    assert found.groups.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.value(found.rows), model.predict_proba(X[:9])[:, 1])
    mixed = found.rows.copy()
    mixed[:, [0, 2]] = found.background[7, [0, 2]]
    as_table = X[:9].assign(age=X["age"].iloc[7], sex=X["sex"].iloc[[7] * 9].array)
    np.testing.assert_array_equal(found.value(mixed), model.predict_proba(as_table)[:, 1])


def test_an_array_is_mixed_as_it_is(cohort):
    X = cohort[0][["age", "weight_kg", "sex"]].fillna({"age": 60, "weight_kg": 60}).to_numpy(object)
    words = ColumnTransformer([("w", OneHotEncoder(), [2])], remainder="passthrough")
    model = make_pipeline(words, LogisticRegression()).fit(X, cohort[1])
    found = make_coalition_model(model, X[:9], X)
    assert found.names == ["x0", "x1", "x2"]
    assert set(found.data[:, 2]) <= {"F", "M", "missing"}
    assert found.data[:, 0].tolist() == X[:9, 0].tolist()
    np.testing.assert_array_equal(found.value(found.rows), model.predict_proba(X[:9])[:, 1])


def test_of_a_fusion_the_branches_probabilities_are_columns(cohort):
    X, y = cohort
    X = X[["age", "weight_kg", "sex"]]
    model = ProbabilityFusionClassifier(
        foreign(StandardScaler()),
        foreign(PCA(2)),
        image_column=None,
        final_estimator="mean",
        cv=2,
        random_state=0,
    ).fit(X, y)
    found = make_coalition_model(model, X[:9], X)
    assert found.names == ["age", "weight_kg", "sex", "image"]
    np.testing.assert_allclose(found.value(found.rows), model.predict_proba(X[:9])[:, 1])
    mixed = np.column_stack([found.background[[3] * 9, :3], found.rows[:, 3]])
    said = logit(model.branch_probabilities(X))
    expected = expit((said[:9, 0] + said[3, 1]) / 2)
    np.testing.assert_allclose(found.value(mixed), expected)
