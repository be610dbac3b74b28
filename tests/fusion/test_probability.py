"""ProbabilityFusionClassifier: what its branches see, and that nothing leaks into the fusion."""

import os
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from xgboost import XGBClassifier

from skosteo import ProbabilityFusionClassifier
from skosteo.clinical.risk_indices import RiskIndexClassifier
from skosteo.evaluation import calibration_line
from skosteo.exceptions import InputError, InSampleWarning, MissingModalityWarning
from tests.fusion.spies import Spy, cheap_fusion, noise_and_signal, spied, table
from tests.small_models import small_clinical, small_fusion, still_pf, write_films


def test_branches_see_only_their_columns():
    X, y, groups = table()
    spied().fit(X, y, groups=groups).predict(X)
    columns = {(name, tuple(seen.columns)) for _, name, seen, *_ in Spy.log}
    assert columns == {("image", ("image",)), ("clinical", ("age", "bmi"))}


@pytest.mark.parametrize("branch", ["image", "clinical"])
def test_an_error_of_a_fit_names_its_branch(branch):
    """XGBoost knows no labels but numbers."""
    X, y, _ = table()
    model = cheap_fusion(**{branch: XGBClassifier(n_estimators=1, max_depth=1)})
    with pytest.raises(ValueError, match="Invalid classes") as raised:
        model.fit(X, np.array(["no", "yes"])[y])
    assert raised.value.__notes__ == [f"In the fit of the branch {branch!r}."]


def test_clinical_columns_can_be_named():
    X, y, _ = table()
    model = spied(clinical_columns=["bmi"]).fit(X, y)
    assert list(model.clinical_.seen_) == ["bmi"]


def test_fusion_is_fitted_on_what_its_branches_said():
    X, y, _ = table()
    fused = spied().fit(X, y).final_estimator_
    expected = LogisticRegression().fit(X[["image", "age"]].to_numpy(), y)
    np.testing.assert_allclose(fused.coef_, expected.coef_, atol=1e-8)


def test_rows_of_weight_zero_are_left_out_altogether():
    X, y, _ = table()
    weights = np.where(np.arange(len(y)) < 8, 0.0, 1.0)
    spied().fit(X, y, sample_weight=weights)
    assert all(seen.index.min() >= 8 for kind, _, seen, *_ in Spy.log if kind == "fit")


def test_prefit_keeps_the_branches_as_they_are():
    X, y, _ = table()
    image, clinical = Spy().fit(X[["image"]], y), Spy().fit(X[["age", "bmi"]], y)
    Spy.log.clear()
    model = ProbabilityFusionClassifier(
        image, clinical, cv="prefit", final_estimator=LogisticRegression()
    ).fit(X, y)
    assert model.image_ is image
    assert model.clinical_ is clinical
    assert not [entry for entry in Spy.log if entry[0] == "fit"]


def test_the_default_fusion_is_the_net_of_the_paper():
    X, y, _ = table(120)
    net = spied(final_estimator=None).fit(X, y).final_estimator_.net_.module_
    sizes = [(m.in_features, m.out_features) for m in net.layers if isinstance(m, nn.Linear)]
    assert sizes == [(2, 32), (32, 1)]


def test_default_branches(tmp_path, monkeypatch):
    model = ProbabilityFusionClassifier(image_column="film", random_state=3)
    image, clinical = model._branches_to_fit(seed=5).values()
    assert (image.backbone, image.image_column, image.random_state) == ("resnet50", "film", 5)
    assert [type(step).__name__ for _, step in clinical.steps] == [
        "ClinicalPreprocessor", "ClinicalOsteoClassifier"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "clinical",
    [
        make_pipeline(SimpleImputer(), XGBClassifier(n_estimators=20)),
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        GridSearchCV(make_pipeline(SimpleImputer(), LogisticRegression()),
                     {"logisticregression__C": [0.1, 1]}, cv=GroupKFold(2)),
    ],
    ids=["xgboost", "logistic", "search"],
)  # fmt: skip
def test_any_classifier_is_a_branch(clinical):
    X, y = two_views(200)
    X, groups = X.assign(age=X["age"].where(X.index % 7 > 0), bmi=25.0), X.index // 2
    # XGBoost takes numbers only, here as it does alone
    numbers = isinstance(clinical[-1], XGBClassifier) if isinstance(clinical, Pipeline) else False
    labels = y if numbers else np.where(y == 1, "ill", "well")
    model = cheap_fusion(clinical=clinical, cv=2).fit(X, labels, groups=groups)
    assert model.classes_.tolist() == model.clinical_.classes_.tolist() == sorted(set(labels))
    assert model.score(X, labels) > 0.7


def test_same_seed_same_model():
    X, y, groups = table(80)
    model = spied(final_estimator=small_clinical())
    first, second = (model.fit(X, y, groups=groups).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, second)


def two_views(n, seed=0, prevalence=0.5):
    """Two independent log odds of one disease, as ready probabilities: known what is best."""
    rng = np.random.default_rng(seed)
    y = rng.binomial(1, prevalence, n)
    # a normal view shifted by d between the classes has the log odds d (v - d / 2)
    film, blood = rng.normal(1.2 * y), rng.normal(0.8 * y)
    base = np.log(prevalence / (1 - prevalence))
    odds = base + 1.2 * (film - 0.6), base + 0.8 * (blood - 0.4)
    X = pd.DataFrame({"image": 1 / (1 + np.exp(-odds[0])), "age": 1 / (1 + np.exp(-odds[1]))})
    return X, y


def without(X, rate, seed=0):
    """Take the film from some rows and the table from others, completely at random."""
    chance = np.random.default_rng((seed, 1)).random(len(X))  # not the numbers of the labels
    return X.assign(image=X["image"].mask(chance < rate), age=X["age"].mask(chance > 1 - rate))


@pytest.mark.parametrize("final", [None, "logistic", "mean", LogisticRegression(C=10)])
def test_a_row_without_a_modality_is_answered_by_the_other(final):
    X, y = two_views(300)
    model = spied(final_estimator=final).fit(X, y)
    lacking = without(X, 0.3)
    with pytest.warns(MissingModalityWarning, match="hold nothing for the branch 'image'"):
        answer = model.predict_proba(lacking)[:, 1]
    used = model.branches_used(lacking)
    assert used.index.equals(X.index)
    assert (used.to_numpy() == lacking.notna().to_numpy()).all()
    whole = used.all(axis=1).to_numpy()
    assert np.array_equal(answer[whole], model.predict_proba(X[whole])[:, 1])
    # a row's answer without the film depends on its table alone, and the other way round
    for branch, column in (("image", "image"), ("clinical", "age")):
        only = used[branch].to_numpy() & ~whole
        assert roc_auc_score(y[only], answer[only]) == pytest.approx(
            roc_auc_score(y[only], lacking.loc[only, column]), abs=0.02
        )


@pytest.mark.parametrize(
    ("prevalence", "within"),
    [pytest.param(0.5, (0.15, 0.12), marks=pytest.mark.slow), (0.07, (0.2, 0.15))],
)
@pytest.mark.parametrize("final", [pytest.param(None, marks=pytest.mark.slow), "logistic"])
def test_answers_without_a_modality_are_calibrated(final, prevalence, within):
    """At 7 % as at one half; there 140 cases are learnt from, so slopes vary more."""
    X, y = two_views(2000, 1, prevalence)
    X_new, y_new = two_views(20000, 2, prevalence)
    with pytest.warns(MissingModalityWarning, match="learns from the others"):
        model = spied(final_estimator=final).fit(without(X, 0.2), y)
    for column in ("image", "age"):
        with pytest.warns(MissingModalityWarning):
            answer = model.predict_proba(X_new.assign(**{column: np.nan}))[:, 1]
        line = calibration_line(y_new, answer)
        assert line.slope == pytest.approx(1, abs=within[0])
        assert line.intercept == pytest.approx(0, abs=within[1])


def test_a_row_without_anything_is_refused():
    X, y = two_views(60)
    model = spied().fit(X, y)
    with pytest.raises(InputError, match="row 2 of 2: nothing is there for any branch"):
        model.predict(pd.DataFrame({"image": [0.5, np.nan], "age": [0.5, np.nan]}))


def test_no_row_with_both_modalities_gives_no_fusion():
    X, y, _ = table()
    X = X[["image", "age"]]
    X["image"], X["age"] = X["image"].mask(X.index < 30), X["age"].mask(X.index >= 30)
    with (
        pytest.warns(MissingModalityWarning),
        pytest.raises(InputError, match=r"0 rows hold something for each of .*'image', 'clinical'"),
    ):
        spied().fit(X, y)


def test_a_real_film_may_be_missing(tmp_path):
    X, y, groups = write_films(tmp_path)
    model = still_pf(final_estimator=small_clinical(n_members=1)).fit(X, y, groups=groups)
    X["image"] = X["image"].mask(np.arange(len(X)) % 2 == 0, None)
    with pytest.warns(MissingModalityWarning, match="24 of 48 rows"):
        assert model.predict_proba(X).shape == (48, 2)


def test_further_branches():
    X, y, _ = table()
    X["lateral"] = 1 - y * 0.9
    model = spied(
        clinical_columns=["age"], other_branches=[("lateral", Spy("lateral"), ["lateral"])]
    )
    assert model.get_params()["lateral__name"] == "lateral"
    model = clone(model).set_params(lateral__name="side").fit(X, y)
    assert list(model.branches_) == ["image", "clinical", "lateral"]
    assert {name: tuple(x.columns) for _, name, x, *_ in Spy.log}["side"] == ("lateral",)
    assert model.final_estimator_.coef_.shape == (1, 3)
    assert np.abs(model.final_estimator_.coef_).argmax() == 2  # the one that tells
    assert len(model.final_estimators_) == 7
    assert pickle.loads(pickle.dumps(model)).predict(X).tolist() == model.predict(X).tolist()
    search = GridSearchCV(model, {"lateral": [Spy("x")], "lateral__name": ["y", "z"]}, cv=2)
    assert search.fit(X, y).best_params_["lateral__name"] in "yz"


def test_net_trees_pipeline_and_index_mix_freely(tmp_path):
    X, y, groups = write_films(tmp_path)
    X["weight_kg"] = 60 + X["bmi"]
    X["age"] = X["age"].clip(50, 90)
    trees = make_pipeline(SimpleImputer(), XGBClassifier(n_estimators=5))
    model = small_fusion(
        clinical=small_clinical(n_members=1),
        final_estimator=small_clinical(n_members=1, hidden_layer_sizes=(32,)),
        clinical_columns=["age", "bmi"],
        other_branches=[
            ("trees", trees, ["age", "bmi", "weight_kg"]),
            ("index", RiskIndexClassifier("osta"), ["age", "weight_kg"]),
        ],
    )
    model.fit(X, y, groups=groups)
    assert model.branch_probabilities(X).shape == (48, 4)
    assert model.score(X, y) > 0.5


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ([("image", Spy(), ["age"])], r"names \['image'\]"),
        ([("a__b", Spy(), ["age"])], r"names \['a__b'\]"),
        ([("a", Spy(), ["age"]), ("a", Spy(), ["age"])], r"names \['a', 'a'\]"),
        ([("a", Spy())], "list of .name, classifier, columns"),
        ("lateral", "str that is no list of .name"),
        ([("a", LinearSVC(), ["age"])], "a=LinearSVC is not"),
        ([("a", Spy(), ["ege"])], r"misses the columns \['ege'\]"),
    ],
)
def test_further_branches_that_cannot_be(others, match):
    X, y, _ = table()
    with pytest.raises(InputError, match=match):
        spied(clinical_columns=["age"], other_branches=others).fit(X, y)


def test_in_sample_is_warned_and_shows_its_loss():
    (X, y), (X_new, y_new) = noise_and_signal(400, 0), noise_and_signal(4000, 1)
    auc = {}
    for cv in (None, "in-sample"):
        model = ProbabilityFusionClassifier(
            DecisionTreeClassifier(random_state=0), LogisticRegression(), cv=cv,
            final_estimator="logistic", random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        assert [w.category for w in caught] == ([InSampleWarning] if cv else [])
        auc[cv] = roc_auc_score(y_new, model.predict_proba(X_new)[:, 1])
    assert auc["in-sample"] < auc[None] - 0.1


def test_named_fusions():
    X, y = two_views(400)
    model = spied(final_estimator="mean").fit(X, y)
    mean = (logit(X["image"]) + logit(X["age"])) / 2
    np.testing.assert_allclose(logit(model.predict_proba(X)[:, 1]), mean, atol=1e-9)
    model = spied(final_estimator="logistic").fit(X, y)
    # both views come as true log odds, so that their sum is best: weights near 1
    np.testing.assert_allclose(model.final_estimator_[-1].coef_, [[1, 1]], atol=0.35)


def fits(name):
    return sum(kind == "fit" and branch == name for kind, branch, *_ in Spy.log)


def test_search_fits_again_only_the_branch_that_changes(tmp_path):
    X, y, groups = table()
    model = ProbabilityFusionClassifier(
        Spy("image"),
        make_pipeline(StandardScaler(), LogisticRegression()),
        final_estimator=LogisticRegression(),
        cv=3,
        memory=tmp_path,
        random_state=0,
    )
    grid = {"clinical__logisticregression__C": [0.1, 1, 10, 100]}
    search = GridSearchCV(model, grid, cv=StratifiedGroupKFold(2)).fit(X, y, groups=groups)
    # 2 outer folds and the refit, each 3 folds and the whole, and not once per candidate
    assert fits("image") == 3 * (3 + 1)
    known = search.best_estimator_.predict_proba(X)
    plain = clone(search.best_estimator_).set_params(memory=None).fit(X, y)
    np.testing.assert_allclose(plain.predict_proba(X), known, atol=1e-12)


@pytest.mark.parametrize(
    "change", ["rows", "labels", "weights", "groups", "file", "values", "dtype"]
)
def test_what_is_kept_is_not_taken_for_something_else(tmp_path, change):
    film = tmp_path / "film.png"
    film.write_bytes(b"1")
    X, y, groups = table()
    model = spied(memory=tmp_path / "kept")
    weights = np.ones(len(y))
    X["file"] = [str(film)] * len(X)
    model.set_params(image_column="file", image=FileSpy())
    fit = {"sample_weight": weights, "groups": groups}
    FileSpy.fits = 0
    model.fit(X, y, **fit)
    first = FileSpy.fits
    model.fit(X, y, **fit)
    assert FileSpy.fits == first
    if change == "rows":
        X, y, fit = X[:56], y[:56], {name: values[:56] for name, values in fit.items()}
    elif change == "labels":
        y = np.roll(y, 1)
    elif change == "weights":
        fit["sample_weight"] = weights * 2
    elif change == "groups":
        fit["groups"] = groups[::-1] // 2
    elif change == "dtype":
        X = X.astype({"file": "category"})
    elif change == "values":
        X = X.assign(file=str(tmp_path / "other.png"))
    else:
        film.write_bytes(b"22")
        os.utime(film, (1, 1))
    model.fit(X, y, **fit)
    assert FileSpy.fits > first


class FileSpy(ClassifierMixin, BaseEstimator):
    """Counts how often it is fitted, on whatever it is given."""

    fits = 0

    def fit(self, X, y, sample_weight=None, groups=None):
        FileSpy.fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


def test_sets_of_branches_without_rows_are_named_only_when_asked_for():
    X, y, _ = table()
    model = spied(clinical_columns=["age"], other_branches=[("side", Spy(), ["bmi"])]).fit(X, y)
    model.final_estimators_.pop(("image", "side"))  # as if no rows of fit had had these two
    asked = X.loc[[0]].assign(age=np.nan)
    with (
        pytest.warns(MissingModalityWarning),
        pytest.raises(
            InputError, match=r"row 1 of 1: something is there for \['image', 'side'\] alone"
        ),
    ):
        model.predict(asked)


def test_few_rows_need_no_parameter_that_nobody_set():
    X, y, _ = table(30)
    assert spied(final_estimator=None).fit(X, y).predict_proba(X).shape == (30, 2)


def test_parameters_of_branches_that_are_set_together_with_them():
    model = spied().set_params(other_branches=[("side", Spy(), ["age"])], side__name="s")
    assert model.other_branches[0][1].name == "s"


def test_an_array_for_a_model_of_tables_is_read_by_position():
    X, y, _ = table()
    X["sex"] = np.where(X["bmi"] > 0.5, "F", "M")
    model = spied(clinical_columns=["age", "sex"]).fit(X, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = model.predict_proba(X.to_numpy())
    assert np.array_equal(found, model.predict_proba(X))
    asked = Spy.log[-1][2]
    assert asked.dtypes.tolist() == X[["age", "sex"]].dtypes.tolist()
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"),
    ):
        model.predict(X.to_numpy()[:, :3])


def test_a_table_for_a_model_of_arrays_is_read_by_position():
    X, y, _ = table()
    cheap = cheap_fusion(image_column=None).fit(X.to_numpy(), y)
    with pytest.warns(UserWarning, match="X has feature names, but .* without feature names"):
        found = cheap.predict_proba(X)
    assert np.array_equal(found, cheap.predict_proba(X.to_numpy()))


def test_a_sparse_matrix_gets_the_message_of_scikit_learn():
    X, y, _ = table()
    model = cheap_fusion().fit(X, y)
    for call in (model.predict, lambda X: clone(model).fit(X, y)):
        with (
            warnings.catch_warnings(action="ignore"),  # of names that are not there
            pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"),
        ):
            call(csr_array(X.to_numpy()))


def test_a_failed_fit_leaves_the_fusion_as_it_was():
    X, y, _ = table()
    model = spied().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(InputError):
        model.fit(X[["image", "bmi"]], np.zeros(60))
    assert np.array_equal(model.predict_proba(X), before)


X, Y, GROUPS = table()


@pytest.mark.parametrize(
    ("model", "fit", "match"),
    [
        (spied(image_column="film"), {}, r"'film'.*\['image', 'age', 'bmi'\]"),
        (spied(clinical_columns=["age", "bme"]), {}, r"misses the columns \['bme'\]"),
        (spied(cv="holdout"), {}, "'holdout'.*'prefit'"),
        (spied(cv=ShuffleSplit(3, random_state=0)), {}, "in no test fold"),
        (
            spied(cv=list(KFold(5, shuffle=True, random_state=0).split(X))),
            {"groups": GROUPS},
            "both sides",
        ),
        (spied(clinical_columns="age"), {}, "'age'.*give a list"),
        (spied(), {"groups": [1, 2, 3]}, r"groups has shape \(3,\)"),
        (ProbabilityFusionClassifier(LinearSVC(), Spy()), {}, "image=LinearSVC.*Calibrated"),
        (
            ProbabilityFusionClassifier(Spy(), KNeighborsClassifier()),
            {"sample_weight": np.ones(60)},
            "KNeighborsClassifier takes no sample_weight",
        ),
        (ProbabilityFusionClassifier(cv="prefit"), {}, "prefit.*image=, not None"),
        (
            ProbabilityFusionClassifier(
                Spy().fit(X, np.where(Y, "a", "b")), DummyClassifier().fit(X, Y), cv="prefit"
            ),
            {},
            r"image= was fitted.*\['a', 'b'\].*\[0, 1\]",
        ),
    ],
)
def test_bad_input(model, fit, match):
    with pytest.raises(InputError, match=match):
        model.fit(X, Y, **fit)


def test_a_missing_column_at_prediction_is_named():
    model = spied().fit(X, Y)
    with pytest.raises(InputError, match=r"misses the columns \['bmi'\]"):
        model.predict(X.drop(columns="bmi"))
