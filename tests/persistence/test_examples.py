"""The synthetic inputs by which a model knows that it has changed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

from skosteo.exceptions import InputError
from skosteo.persistence.examples import answer, as_examples, make_examples
from skosteo.presets import clinical_baseline, paper_clinical_classifier
from tests.small_models import small_clinical, still_fusion, still_pf, write_films


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.normal(65, 8, 60),
            "creatinine": rng.normal(0.9, 0.1, 60),
            "sex": np.resize(["F", "M"], 60),
            "ward": np.resize(["east", "west/3"], 60),
            "xray_description": np.resize(["heart enlarged", "lungs clear"], 60),
        }
    )
    return X, (X["age"] > 65).astype(int)


def test_columns_hold_what_such_columns_hold(cohort):
    examples = make_examples(clinical_baseline("logistic").fit(*cohort))
    assert list(examples) == list(cohort[0])
    assert 30 < np.nanmin(examples["age"]) <= np.nanmax(examples["age"]) < 110
    assert 0.5 < np.nanmin(examples["creatinine"]) <= np.nanmax(examples["creatinine"]) < 1.5
    assert set(examples["sex"]) == {"F", "M", None}
    assert set(examples["ward"]) == {"east", None}  # the other might be a path
    assert all(isinstance(text, str) for text in examples["xray_description"][:5])


def test_no_row_is_a_patients(cohort):
    X, y = cohort
    examples = make_examples(paper_clinical_classifier(max_epochs=2, random_state=0).fit(X, y))
    assert not np.isin(examples["age"], X["age"]).any()


def test_the_answers_tell_patients_apart(cohort):
    model = clinical_baseline("logistic").fit(*cohort)
    assert np.ptp(answer(model, make_examples(model))) > 0.1


@pytest.mark.filterwarnings("ignore")
def test_rows_without_a_film_and_without_values_are_among_them(tmp_path):
    X, y, _ = write_films(tmp_path)
    X.loc[:3, "image"] = None
    model = still_pf(final_estimator="mean").fit(X, y)
    examples = make_examples(model)
    answers = answer(model, examples)
    table = pd.DataFrame({name: examples[name] for name in ("age", "bmi")})
    assert table[:5].notna().all(axis=None)
    assert not examples["image"][4].any()
    assert len(answers) == 5 + (len(examples["image"]) == 6)


def test_arrays_have_the_spread_of_the_scaler():
    X = np.random.default_rng(0).normal(1000, 5, (60, 3))
    model = small_clinical().fit(X, X[:, 0] > 1000)
    array = make_examples(model)["array"]
    assert array.shape == (6, 3)
    assert np.abs(array - 1000).max() < 25


def test_words_that_may_be_paths_are_refused():
    for word in ("/ward/jane", r"c:\jane", "http://jane", "jane\n"):
        with pytest.raises(InputError, match="such as paths"):
            as_examples(pd.DataFrame({"film": [word]}))


def test_numbers_of_a_frozen_fusion_do_not_replace_its_films(tmp_path):
    X, y, _ = write_films(tmp_path)
    X["sex"] = np.resize(["F", "M", "F"], len(X))  # two columns of the net, one of the table
    for strategy in ("attention", "learned", "concat"):
        model = FrozenEstimator(still_fusion(strategy=strategy, max_epochs=1).fit(X, y))
        assert make_examples(model)["image"].ndim == 3
