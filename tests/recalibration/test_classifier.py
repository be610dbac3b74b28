"""Recalibration: planted lines undone, Bayes by counting, scikit-learn and scipy, odd models."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skosteo import ClinicalPreprocessor, RecalibratedClassifier
from skosteo.evaluation import calibration_line
from skosteo.exceptions import InputError
from tests.recalibration.planted import Says, patients
from tests.small_models import small_clinical, still_image, still_pf, write_films


def two_columns(rng, n, prevalence=0.3):
    """Two columns that know something, labels, and patients of two rows."""
    y = (rng.random(n) < prevalence).astype(int)
    return rng.normal(size=(n, 2)) + y[:, None], y, np.arange(n) // 2


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_a_planted_line_is_undone(method):
    rng = np.random.default_rng(0)
    X, y, risk, _ = patients(rng, 60_000, slope=0.5, intercept=-1)
    model = RecalibratedClassifier(Says(), method).fit(X, y)
    new, y_new, risk, _ = patients(rng, 20_000, slope=0.5, intercept=-1)
    p = model.predict_proba(new)[:, 1]
    assert np.abs(p - risk).mean() < 0.01
    assert np.abs(new[:, 0] - risk).mean() > 0.1
    if method == "logistic":
        assert model.slope_ == pytest.approx(0.5, abs=0.03)
        assert model.intercept_ == pytest.approx(-1, abs=0.04)
        assert roc_auc_score(y_new, p) == roc_auc_score(y_new, new[:, 0])


def test_an_intercept_alone_makes_the_mean_right():
    X, y, _, _ = patients(np.random.default_rng(0), 500, intercept=-1)
    model = RecalibratedClassifier(Says(), "intercept").fit(X, y)
    assert model.slope_ == 1
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean())


@pytest.mark.parametrize("weighted", [False, True])
def test_slope_and_intercept_equal_independent_ones(weighted):
    rng = np.random.default_rng(1)
    X, y, groups = two_columns(rng, 400)
    weight = rng.lognormal(size=400) if weighted else None
    estimator = LogisticRegression(class_weight="balanced")
    folds = list(StratifiedGroupKFold(4).split(X, y, groups))
    p = np.empty(400)
    for train, test in folds:
        known = None if weight is None else weight[train]
        p[test] = clone(estimator).fit(X[train], y[train], known).predict_proba(X[test])[:, 1]
    line = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    line.fit(logit(p)[:, None], y, sample_weight=weight)
    model = RecalibratedClassifier(estimator, cv=folds).fit(X, y, weight, groups)
    assert model.slope_ == pytest.approx(line.coef_[0, 0], rel=1e-5)
    assert model.intercept_ == pytest.approx(line.intercept_[0], rel=1e-5)
    model.set_params(method="intercept").fit(X, y, weight, groups)
    w = np.ones(400) if weight is None else weight
    expected = brentq(lambda c: w @ (expit(c + logit(p)) - y), -50, 50)
    assert model.intercept_ == pytest.approx(expected, rel=1e-9)
    model.set_params(method="isotonic").fit(X, y, weight, groups)
    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, y, weight)
    alone = clone(estimator).fit(X, y, weight)
    expected = curve.predict(alone.predict_proba(X)[:, 1])
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected)
    assert np.isnan(model.slope_)


class Witness(LogisticRegression):
    """Logistic regression that notes the patients, in the first column, it has seen and answers."""

    log: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None):
        self.seen_ = set(np.asarray(X)[:, 0])
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        Witness.log.append((self.seen_, set(np.asarray(X)[:, 0])))
        return super().predict_proba(X)


def test_no_patient_is_on_both_sides_and_one_model_sees_all():
    X, y, groups = two_columns(np.random.default_rng(2), 120)
    X = np.column_stack([groups, X])
    Witness.log.clear()
    model = RecalibratedClassifier(Witness(max_iter=1000)).fit(X, y, groups=groups)
    assert len(Witness.log) == 5
    assert not any(seen & answered for seen, answered in Witness.log)
    assert set().union(*(answered for _, answered in Witness.log)) == set(groups)
    assert model.estimator_.seen_ == set(groups)


def test_a_model_that_knows_its_patients_by_heart_becomes_honest():
    rng = np.random.default_rng(3)
    X, y, _ = two_columns(rng, 2000)
    new, y_new, _ = two_columns(rng, 6_000)
    forest = RandomForestClassifier(50, random_state=0)
    model = RecalibratedClassifier(forest).fit(X, y)
    before = model.estimator_.predict_proba(new)[:, 1]
    after = model.predict_proba(new)[:, 1]
    edge = 1 / 200
    assert calibration_line(y_new, before.clip(edge, 1 - edge)).slope < 0.6
    assert calibration_line(y_new, after).slope == pytest.approx(1, abs=0.15)


def test_a_stated_prevalence_is_bayes_by_counting():
    """One finding of three kinds; as many cases as controls were sampled, 4 % are ill."""
    among_cases, among_controls = np.array([1, 3, 6]) / 10, np.array([5, 4, 1]) / 10
    kind = np.r_[np.repeat(range(3), [100, 300, 600]), np.repeat(range(3), [500, 400, 100])]
    y = np.repeat([1, 0], 1000)
    sampled = among_cases / (among_cases + among_controls)
    joint = 0.04 * among_cases
    expected = joint / (joint + 0.96 * among_controls)
    X = sampled[kind][:, None]
    for method in ("logistic", "intercept", "isotonic"):
        model = RecalibratedClassifier(Says(), method, prevalence=0.04).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected[kind], rtol=1e-6)
    weight = np.where(y == 1, 0.04, 0.96)  # the same patients, weighed as they come
    model = RecalibratedClassifier(Says(), "intercept", cv="prefit", prevalence=0.5)
    model.set_params(estimator=Says().fit(X, y)).fit(X, y, weight)
    assert model.prevalence_ == pytest.approx(0.04)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], sampled[kind], rtol=1e-6)
    model.set_params(prevalence=None)  # without another fit
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected[kind], rtol=1e-6)
    with pytest.raises(InputError, match="Says takes no sample_weight"):
        RecalibratedClassifier(Says()).fit(X, y, weight)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_fitted_model_stays_as_it_is(frozen):
    rng = np.random.default_rng(4)
    X, y, _ = two_columns(rng, 300, 0.5)
    there, y_there, _ = two_columns(rng, 3000, 0.1)
    fitted = LogisticRegression().fit(X, y)
    coefficients = fitted.coef_.copy()
    model = RecalibratedClassifier(FrozenEstimator(fitted) if frozen else fitted)
    model.set_params(cv=5 if frozen else "prefit").fit(there, y_there)
    assert np.array_equal(fitted.coef_, coefficients)
    assert model.predict_proba(there)[:, 1].mean() == pytest.approx(y_there.mean())
    line = LogisticRegression(C=np.inf).fit(logit(fitted.predict_proba(there)[:, [1]]), y_there)
    assert model.slope_ == pytest.approx(line.coef_[0, 0], rel=1e-3)


def test_certainties_are_moved_inside_alike_for_one_row_and_for_many():
    X, y, _, _ = patients(np.random.default_rng(5), 400)
    votes = np.round(X, 1)  # ten trees
    model = RecalibratedClassifier(Says()).fit(votes, y)
    # as `calibration_line` moves them: half a row of 400, where half a vote would be more
    line = LogisticRegression(C=np.inf, tol=1e-10)
    line.fit(logit(votes.clip(1 / 800, 1 - 1 / 800)), y)
    assert model.slope_ == pytest.approx(line.coef_[0, 0], rel=1e-4)
    new = np.array([[0], [1e-300], [1e-4], [0.05], [0.5], [0.999], [1 - 1e-16], [1]])
    p = model.predict_proba(new)[:, 1]
    assert 0 < p[0] < 0.05
    assert (np.diff(p) >= 0).all()
    assert [model.predict_proba(row[None])[0, 1] for row in new] == p.tolist()


@pytest.mark.parametrize("method", ["logistic", "intercept", "isotonic"])
def test_nothing_but_certainties(method):
    said = np.array([0, 1] * 20)[:, None]
    y = np.array([0, 1, 0, 1, 0, 1, 1, 0] * 5)
    p = RecalibratedClassifier(Says(), method).fit(said, y).predict_proba(said)[:, 1]
    expected = 0.75 if method != "intercept" else p[1]
    np.testing.assert_allclose(p, np.where(said[:, 0] == 1, expected, 1 - expected))
    assert ((p > 0) & (p < 1)).all()


@pytest.mark.parametrize(
    ("said", "message", "slope"),
    [
        (lambda p, y: np.full_like(p, 0.3), "all rows have the same probability", 0),
        (lambda p, y: 0.3 + 1e-13 * p, "all rows have the same probability", 0),
        (lambda p, y: 1 - p, r"controls have the higher probabilities \(the best slope is -", 0),
        (lambda p, y: 0.7 - 0.4 * y, "all controls have higher probabilities", 0),
        (lambda p, y: 0.3 + 0.4 * y, "all cases have higher probabilities", 1),
    ],
)
def test_where_there_is_no_slope_to_learn_it_is_said(said, message, slope):
    """A reversed order is never turned round: a useless model gives it by chance."""
    X, y, _, _ = patients(np.random.default_rng(6), 300)
    X = said(X[:, 0], y)[:, None]
    with pytest.warns(UserWarning, match=message) as caught:
        model = RecalibratedClassifier(Says()).fit(X, y)
    assert caught[0].filename == __file__
    assert model.slope_ == slope
    p = model.predict_proba(X)[:, 1]
    assert p.mean() == pytest.approx(y.mean())
    if slope == 0:
        np.testing.assert_allclose(p, y.mean())


@pytest.mark.filterwarnings("ignore:No slope can be learned")
def test_labels_without_meaning_give_everybody_the_proportion_of_cases():
    rng = np.random.default_rng(7)
    spread = []
    for _ in range(20):
        X, y = rng.normal(size=(200, 10)), rng.random(200) < 0.2
        tree = DecisionTreeClassifier(min_samples_leaf=10, random_state=0)
        model = RecalibratedClassifier(tree).fit(X, y)
        spread.append([m.predict_proba(X)[:, 1].std() for m in (model.estimator_, model)])
    before, after = np.mean(spread, axis=0)
    assert after < before / 4


def test_eight_patients():
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(16, 1)), np.repeat([0, 1], 8)
    X[:, 0] += y
    groups = np.arange(16) // 2
    with pytest.warns(UserWarning, match="4 patients, fewer than the 5 folds"):
        model = RecalibratedClassifier(LogisticRegression()).fit(X, y, groups=groups)
    assert np.isfinite(model.predict_proba(X)).all()
    with pytest.raises(InputError, match="A class has 1 of the patients"):
        RecalibratedClassifier(LogisticRegression()).fit(X, y, groups=y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "sigmoid"}, "method='sigmoid': allowed are 'logistic', 'intercept', 'isoto"),
        ({"cv": "pre-fit"}, "cv='pre-fit': allowed are a number of folds"),
        ({"cv": [(range(20), range(20, 40)), (range(20, 40), range(20))]}, "both sides of a fold"),
        ({"prevalence": 7}, "prevalence is 7.*Is it in per cent"),
        ({"prevalence": 0}, "prevalence is 0"),
        ({"estimator": LinearSVC()}, "LinearSVC is not a classifier with predict_proba"),
        ({"estimator": "logistic"}, "str is not a classifier with predict_proba"),
        ({"estimator": small_clinical(lr=-1)}, "'lr' parameter"),
        ({"estimator": LogisticRegression(class_weight={0: 1, 2: 1})}, "class_weight="),
    ],
)
def test_wrong_parameters_are_named(params, message):
    X, y, _ = two_columns(np.random.default_rng(9), 40)
    groups = np.arange(40) % 20
    model = RecalibratedClassifier(LogisticRegression()).set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ["a"]}, r"groups has shape \(1,\), but there are 40 rows"),
        ({"y": np.zeros(40)}, "y has 1 class in 40 rows"),
        ({"y": np.arange(40) % 3}, "Only binary"),
        ({"y": np.arange(39) % 2}, "inconsistent numbers of samples"),
        ({"sample_weight": np.ones(39)}, "sample_weight"),
        ({"sample_weight": np.r_[np.ones(20), np.zeros(20)]}, "leaves 1 class"),
    ],
)
def test_wrong_rows_are_named_and_leave_the_model_as_it_was(change, message):
    X, y = np.random.default_rng(10).normal(size=(40, 2)), np.repeat([0, 1], 20)
    model = RecalibratedClassifier(LogisticRegression(), "intercept").fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(**{"X": X, "y": y} | change)
    assert vars(model) == before


def test_a_model_of_other_labels_or_none_is_refused():
    X, y, _ = two_columns(np.random.default_rng(11), 40)
    fitted = LogisticRegression().fit(X, np.array(["a", "b"])[y])
    with pytest.raises(InputError, match=r"estimator= was fitted on the classes \['a', 'b'\]"):
        RecalibratedClassifier(fitted, cv="prefit").fit(X, y)
    with pytest.raises(ValueError, match="not fitted"):
        RecalibratedClassifier(LogisticRegression(), cv="prefit").fit(X, y)


def test_rows_of_weight_0_do_not_count():
    X, y, groups = two_columns(np.random.default_rng(12), 200)
    weight = np.r_[np.ones(150), np.zeros(50)]
    model = RecalibratedClassifier(LogisticRegression())
    p = [
        clone(model).fit(X, y, weight, groups).predict_proba(X),
        clone(model).fit(X[:150], y[:150], np.ones(150), groups[:150]).predict_proba(X),
    ]
    np.testing.assert_allclose(*p)


def test_composition_as_any_classifier():
    X, y, groups = two_columns(np.random.default_rng(13), 200)
    X = pd.DataFrame(X, columns=["age", "bmi"])
    labels = np.array(["normal", "osteoporosis"])[y]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    model = RecalibratedClassifier(pipeline, cv=2)
    p = cross_val_predict(model, X, labels, groups=groups, cv=GroupKFold(3), method="predict_proba")
    assert p[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)
    grid = {"estimator__logisticregression__C": [0.01, 1.0], "method": ["logistic", "intercept"]}
    best = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(X, labels)
    assert best.best_estimator_.feature_names_in_.tolist() == ["age", "bmi"]
    assert best.best_estimator_.n_features_in_ == 2
    fitted = model.fit(X, labels)
    assert set(fitted.predict(X)) == set(labels)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert not [name for name in vars(clone(fitted)) if name.endswith("_")]
    assert np.array_equal(clone(fitted).fit(X, labels).predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(
        clone(model).fit(pl.from_pandas(X), labels).predict_proba(X), fitted.predict_proba(X)
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


@pytest.mark.filterwarnings("ignore:No slope can be learned")
@pytest.mark.parametrize(
    "estimator",
    [
        still_image(max_epochs=8),
        make_pipeline(ClinicalPreprocessor(columns=["age", "bmi"]), small_clinical(n_members=1)),
        still_pf(),
    ],
    ids=["image", "clinical pipeline", "fusion"],
)
def test_tables_with_films_pass_through_to_nets(study, estimator):
    X, y, groups = study
    model = RecalibratedClassifier(estimator, cv=2).fit(X, y, groups=groups)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    p, raw = model.predict_proba(X)[:, 1], model.estimator_.predict_proba(X)[:, 1]
    assert (np.argsort(p) == np.argsort(raw)).all() or model.slope_ == 0
