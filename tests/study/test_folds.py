"""Scores by fold, and the t tests over them, against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import accuracy_score, roc_auc_score

from skosteo.study.folds import fold_tests

SCORES = {"AUC": roc_auc_score, "accuracy": lambda y, p: accuracy_score(y, p >= 0.5)}


def expected(study, name, metric):
    score, said = SCORES[metric], study.probability("validation")[name]
    return [score(study.design.y[v], said[v]) for _, v in study.design.folds]


@pytest.mark.parametrize("metric", SCORES)
def test_scores_of_the_folds(of_values, metric):
    study = of_values.study
    for name in study.models:
        found = study.fold_scores().query("model == @name and part == 'validation'")
        values = found[metric]
        assert found["fold"].tolist() == [1, 2, 3]
        np.testing.assert_allclose(values, expected(study, name, metric), rtol=1e-12)


def test_a_folds_model_is_scored_on_the_test_part_too(of_values):
    study = of_values.study
    found = study.fold_scores().query("model == 'logistic' and part == 'test'")["AUC"]
    results = study.results[study.models["logistic"].key]
    y = study.design.y[study.design.test]
    np.testing.assert_allclose(found, [roc_auc_score(y, result.test) for result in results])


def test_paired_t_tests_are_those_of_scipy(of_values):
    study = of_values.study
    others = ["logistic", "osta"]
    found = fold_tests(study.design, study.models, study.results, "age_sex_bmi", others)
    assert len(found) == 4
    for name in others:
        for metric in SCORES:
            title = study.models[name].title
            row = found[(found["model"] == title) & (found["metric"] == metric)].squeeze()
            one, other = (expected(study, n, metric) for n in ("age_sex_bmi", name))
            t, p = ttest_rel(one, other)
            assert row["t"] == pytest.approx(t, nan_ok=True)
            assert row["P"] == pytest.approx(p, nan_ok=True)
            assert row["difference"] == pytest.approx(np.mean(one) - np.mean(other))
            # Nadeau and Bengio: the variance of a mean of k is worth 1/k + n_test/n_train
            sizes = [(len(train), len(validation)) for train, validation in study.design.folds]
            n_train, n_validation = np.mean(sizes, axis=0).round()
            shrunk = np.sqrt((1 / 3) / (1 / 3 + n_validation / n_train))
            assert row["t corrected"] == pytest.approx(t * shrunk, nan_ok=True)
            assert row["P corrected"] >= row["P"] or np.isnan(t)


def test_fusions_are_compared_with_the_multimodal_model(of_films):
    tests = of_films.study.fold_tests()
    assert tests.empty  # there is one fusion only
    assert of_films.study.reference == "multimodal"
