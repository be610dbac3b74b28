"""Scores by fold and by repeat, and the t tests over folds, against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score

from skosteo.study.folds import fold_tests


def expected(study, name, repeat=0):
    rows = study.assessed_once() if repeat == 0 else study.assessed()
    said = rows.probability[name].to_numpy()
    y = study.design.y
    scores = []
    for _, fold in study.design.repeats[repeat]:
        here = (rows.repeat == repeat) & np.isin(rows.row, fold)
        scores.append(roc_auc_score(y[rows.row[here]], said[here]))
    return scores


def test_scores_of_the_folds(of_values):
    study = of_values.study
    scores = study.fold_scores()
    for name in study.models:
        for repeat in (0, 1) if name in study.family else (0,):
            found = scores[(scores["model"] == name) & (scores["repeat"] == repeat + 1)]
            assert found["fold"].tolist() == [1, 2, 3]
            np.testing.assert_allclose(found["AUC"], expected(study, name, repeat), rtol=1e-12)
        assert scores["model"].eq(name).sum() == (6 if name in study.family else 3)


def test_paired_t_tests_are_those_of_scipy(of_values):
    study = of_values.study
    others = ["logistic", "osta"]
    found = fold_tests(study.design, study.models, study.results, "age_sex_bmi", others)
    assert len(found) == 2
    for name in others:
        row = found[found["model"] == study.models[name].title].squeeze()
        one, other = (expected(study, n) for n in ("age_sex_bmi", name))
        t, p = ttest_rel(one, other)
        assert row["t"] == pytest.approx(t)
        assert row["P"] == pytest.approx(p)
        assert row["difference"] == pytest.approx(np.mean(one) - np.mean(other))
        # Nadeau and Bengio: the variance of a mean of k is worth 1/k + n_test/n_train
        sizes = [(len(train), len(validation)) for train, validation in study.design.folds]
        n_train, n_validation = np.mean(sizes, axis=0).round()
        shrunk = np.sqrt((1 / 3) / (1 / 3 + n_validation / n_train))
        assert row["t corrected"] == pytest.approx(t * shrunk)
        assert row["P corrected"] >= row["P"]


def test_fusions_alone_are_compared_over_folds(of_films, of_values):
    assert of_films.study.fold_tests().empty  # there is one fusion only
    assert of_values.study.fold_tests().empty


def test_each_repeat_has_figures_of_its_own(of_values):
    study = of_values.study
    rows, found = study.assessed(), study.stability()
    assert found["repeat"].tolist() == [1, 2]
    for repeat, line in enumerate(found.itertuples()):
        here = rows.repeat == repeat
        risk, folds = rows.risk[study.primary].to_numpy(), np.unique(rows.fold[here])
        areas = [roc_auc_score(rows.y[rows.fold == f], risk[rows.fold == f]) for f in folds]
        assert len(areas) == 3
        assert pytest.approx(np.mean(areas)) == line.AUC
        positive = rows.positive[study.primary].to_numpy()[here]
        assert line.sensitivity == pytest.approx(positive[rows.y[here] == 1].mean())
    assert found["AUC"].nunique() == 2
