"""What both fusions promise to users of scikit-learn: labels, tables, fitted state, small data."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, learning_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalPreprocessor,
    FeatureFusionClassifier,
    ProbabilityFusionClassifier,
)
from skosteo.exceptions import InputError, MissingModalityWarning
from skosteo.fusion import columns, out_of_fold, probability, study_reader
from skosteo.training import net_classifier, net_estimator
from tests.small_models import small_clinical, small_image, still_fusion, still_image, write_films


def table(n=80, seed=0):
    """Numbers in the place of films, as a cheap image branch takes them."""
    rng = np.random.default_rng(seed)
    y = np.resize([0, 0, 1, 1], n)
    noise = rng.normal(size=(3, n))
    X = pd.DataFrame(
        {"image": noise[0] + y, "age": 65 + 5 * (noise[1] + y), "bmi": 25 + 2 * noise[2]}
    )
    return X, np.where(y == 1, "ill", "well"), np.arange(n) // 2


def cheap(**changes):
    params = {
        "image": LogisticRegression(),
        "clinical": make_pipeline(StandardScaler(), LogisticRegression()),
        "final_estimator": "logistic",
        "random_state": 0,
    }
    return ProbabilityFusionClassifier(**params | changes)


def still(**changes):
    return still_fusion(**{"max_epochs": 1} | changes)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    X, y, groups = write_films(tmp_path_factory.mktemp("films"))
    return X, np.where(y == 1, "ill", "well"), groups


@pytest.fixture(scope="module", params=["probability", "feature"])
def fitted(request, study):
    """A fitted fusion, and its rows."""
    X, y, groups = table() if request.param == "probability" else study
    model = cheap() if request.param == "probability" else still(strategy="attention")
    return model.fit(X, y, groups=groups), X, y


# ---------------------------------------------------------------- each check once


@pytest.fixture
def calls(monkeypatch):
    """Count calls of the checks, by name."""
    count = {}

    def counted(module, name):
        inner = getattr(module, name)

        def outer(*args, **kwargs):
            count[name] = count.get(name, 0) + 1
            return inner(*args, **kwargs)

        monkeypatch.setattr(module, name, outer)

    for module in (probability, net_classifier):
        counted(module, "encode_target")
    counted(out_of_fold, "check_groups")
    counted(net_estimator, "check_groups")
    for module in (out_of_fold, net_classifier):
        counted(module, "check_weights")
    for name in ("present_rows", "validate_data"):
        counted(columns, name)
    for module in (probability, study_reader):
        counted(module, "split_columns")
    return count


def test_one_fit_of_a_probability_fusion_checks_each_thing_once(calls):
    X, y, groups = table()
    weights = np.ones(len(y))
    model = cheap(clinical=LogisticRegression()).fit(X, y, sample_weight=weights)
    once = {"encode_target": 1, "check_groups": 1, "check_weights": 1}
    by_modality = {"present_rows": 2, "split_columns": 1}
    assert calls == once | by_modality | {"validate_data": 1}
    calls.clear()
    model.predict(X)
    assert calls == by_modality
    calls.clear()
    # a net checks what it is given, by whomever: 2 branches of 5 folds and a refit, 3 fusions
    nets = {"image": LogisticRegression(), "clinical": small_clinical(max_epochs=1)}
    cheap(**nets, final_estimator=small_clinical(max_epochs=1)).fit(X, y, groups=groups)
    assert calls["encode_target"] == calls["check_weights"] == 1 + 6 + 3
    assert calls["present_rows"] == 2


def test_one_fit_of_a_feature_fusion_checks_each_thing_once(study, calls):
    X, y, _ = study
    model = still().fit(X, y)
    once = dict.fromkeys(("encode_target", "check_groups", "check_weights", "validate_data"), 1)
    by_modality = {"present_rows": 2, "split_columns": 1}
    assert calls == once | by_modality
    calls.clear()
    model.predict(X)
    assert calls == by_modality


# ---------------------------------------------------------------- labels


def test_branches_and_final_estimators_know_the_labels_of_the_user():
    X, y, _ = table()
    weights = {"ill": 5, "well": 1}
    params = {
        "image__class_weight": weights,
        "clinical__logisticregression__class_weight": weights,
    }
    model = cheap(final_estimator=LogisticRegression(class_weight=weights)).set_params(**params)
    model.fit(X, y)
    for part in (*model.branches_.values(), *model.final_estimators_.values()):
        assert part.classes_.tolist() == ["ill", "well"]
    alone = LogisticRegression(class_weight=weights).fit(X[["image"]], y)
    np.testing.assert_allclose(model.image_.coef_, alone.coef_)
    # the same on 0 and 1
    numbered = clone(model).set_params(
        **{name: {0: 5, 1: 1} for name in params}, final_estimator__class_weight={0: 5, 1: 1}
    )
    numbered.fit(X, (y == "well").astype(int))
    np.testing.assert_allclose(numbered.predict_proba(X), model.predict_proba(X))


def test_prefit_branches_keep_the_labels_of_the_user():
    X, y, _ = table()
    branches = {
        "image": LogisticRegression(class_weight={"ill": 2, "well": 1}).fit(X[["image"]], y),
        "clinical": LogisticRegression().fit(X[["age", "bmi"]], y),
    }
    model = cheap(**branches, cv="prefit").fit(X, y)
    assert model.classes_.tolist() == ["ill", "well"]
    assert set(model.predict(X)) == {"ill", "well"}


def test_a_search_over_the_class_weights_of_a_net():
    X, y, _ = table(60)
    weights = [{"ill": 1.0, "well": 1.0}, {"ill": 9.0, "well": 1.0}]
    net = small_clinical(n_members=1, max_epochs=10, lr=3e-2, early_stopping=False)
    model = cheap(image=net, cv=2)
    search = GridSearchCV(model, {"image__class_weight": weights}, cv=2, error_score="raise")
    search.fit(X, y)
    well = [
        clone(model).set_params(image__class_weight=w).fit(X, y).image_.predict_proba(X[["image"]])
        for w in weights
    ]
    assert well[1][:, 1].mean() < well[0][:, 1].mean() - 0.2


@pytest.mark.parametrize("y", [["ill", None], [1, None], ["ill", pd.NA]])
@pytest.mark.parametrize("model", [cheap(), still()], ids=["probability", "feature"])
def test_a_label_that_is_missing_is_named(model, y):
    X, _, _ = table(40)
    with pytest.raises(InputError, match=r"y misses the label of 1 of 40 rows.* row 40"):
        model.fit(X, [*np.resize(["ill", "well"] if y[0] == "ill" else [0, 1], 39), y[1]])


# ---------------------------------------------------------------- small data


@pytest.mark.parametrize(
    ("n", "clinical"),
    [
        (60, ClinicalOsteoClassifier(n_members=1, max_epochs=1, random_state=0)),
        pytest.param(150, LogisticRegression(), marks=pytest.mark.slow),
    ],
    ids=["60", "150"],
)
@pytest.mark.filterwarnings("ignore:A class has")
@pytest.mark.filterwarnings("ignore:batch_size")
@pytest.mark.filterwarnings("ignore:The rows by class")
def test_small_data_works_at_the_defaults_of_scikit_learn(n, clinical):
    X, y, _ = table(n)
    model = cheap(clinical=clinical)
    sizes, _, scores = learning_curve(model, X, y, train_sizes=[0.1], error_score="raise")
    assert sizes[0] == n * 8 // 100
    assert np.isfinite(scores).all()
    grid = {"image__C": [0.1, 10]}
    search = HalvingGridSearchCV(model, grid, random_state=0, error_score="raise").fit(X, y)
    assert search.score(X, y) > 0.6


# ---------------------------------------------------------------- metadata


@pytest.mark.parametrize("kind", [ProbabilityFusionClassifier, FeatureFusionClassifier])
def test_patients_are_routed_and_weights_only_where_the_user_asks(kind):
    requests = get_routing_for_object(kind()).fit.requests
    assert requests["groups"] is True
    assert requests["sample_weight"] is None


def numpy_state():
    return np.random.mtrand._rand.get_state()[1].copy()


def test_routing_is_as_it_was_after_a_fit_and_so_are_random_numbers(study):
    X, y, _ = study
    before = numpy_state(), torch.get_rng_state()
    cheap_X, cheap_y, groups = table()
    cheap().fit(cheap_X, cheap_y, sample_weight=np.ones(80), groups=groups)
    still().fit(X, y)
    assert np.array_equal(numpy_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert not sklearn.get_config()["enable_metadata_routing"]


# ---------------------------------------------------------------- probabilities and decisions


def test_decision_function_predict_and_both_probabilities_agree(fitted):
    model, X, _ = fitted
    p, decision = model.predict_proba(X), model.decision_function(X)
    assert decision.shape == (len(X),)
    np.testing.assert_allclose(1 / (1 + np.exp(-decision)), p[:, 1], rtol=1e-6)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-6)
    assert np.array_equal(model.predict(X), model.classes_[(decision >= 0).astype(int)])


class Certain(ClassifierMixin, BaseEstimator):
    """Gives the first column as the probability, 0 and 1 included."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])


def test_certainty_has_a_finite_decision():
    X, y, _ = table()
    model = cheap(final_estimator=Certain()).fit(X, y)
    p = np.array([0, 1e-9, 0.5, 1 - 1e-9, 1])
    model.branch_probabilities = lambda X: np.column_stack([p, p])
    decision = model.decision_function(X)
    assert np.isfinite(decision).all()
    assert (np.diff(decision) > 0).all()
    assert decision[2] == 0
    assert np.isneginf(model.predict_log_proba(X)[0, 1])


# ---------------------------------------------------------------- fitted state


def test_parameters_set_after_a_fit_change_no_prediction(fitted):
    model, X, _ = fitted
    found, used = model.predict_proba(X), model.branches_used(X)
    changed = sklearn.base.clone(model)
    changed.__dict__ |= vars(model)
    if isinstance(model, ProbabilityFusionClassifier):
        changed.set_params(
            image=Certain(), clinical=None, other_branches=[("side", Certain(), ["bmi"])],
            image_column=None, clinical_columns=["bmi"], final_estimator="mean", cv="prefit",
            memory="nowhere", random_state=7,
        )  # fmt: skip
    else:
        changed.set_params(
            image=small_image(image_column=None, image_size=8, backbone="resnet50"), clinical=1,
            strategy="concat", image_branch="fine-tuned", clinical_columns=["bmi"], dropout=0.9,
            batch_size=1, class_weight="balanced", device="cuda", random_state=7,
        )  # fmt: skip
        assert np.array_equal(changed.attention(X).image, model.attention(X).image)
    assert np.array_equal(changed.predict_proba(X), found)
    assert changed.branches_used(X).equals(used)
    reordered = X[X.columns[::-1]].assign(ward=3)
    assert np.array_equal(changed.predict_proba(reordered), found)


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(fitted, library):
    model, X, y = fitted
    if library == "polars":
        convert = pytest.importorskip("polars").from_pandas
    else:
        convert = pytest.importorskip("pyarrow").Table.from_pandas
    found = model.predict_proba(X)
    other = convert(X)
    assert np.array_equal(model.predict_proba(other), found)
    assert model.branches_used(other).to_numpy().all()
    again = clone(model).fit(other, convert(pd.DataFrame({"y": y}))["y"])
    plain = clone(model).fit(X, y)
    assert np.array_equal(again.predict_proba(X), plain.predict_proba(X))
    assert again.feature_names_in_.tolist() == X.columns.tolist()


def test_a_missing_film_in_a_table_of_polars(fitted):
    polars = pytest.importorskip("polars")
    model, X, _ = fitted
    some = X.assign(image=X["image"].where(X.index != 3, None))
    with pytest.warns(MissingModalityWarning, match=f"1 of {len(X)} rows"):
        found = model.predict_proba(polars.from_pandas(some))
    with pytest.warns(MissingModalityWarning):
        assert np.array_equal(found, model.predict_proba(some))


def test_an_array_is_read_by_position_where_a_table_was_fitted(fitted):
    model, X, _ = fitted
    with pytest.warns(UserWarning, match="X does not have valid feature names, but .*Fusion"):
        found = model.predict_proba(X.to_numpy())
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("output", [pytest.param("pandas", marks=pytest.mark.slow), "polars"])
# a pipeline hands on what each step puts out, and scikit-learn says that the names came or went
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_tables_that_scikit_learn_is_set_to_put_out(study, output):
    pytest.importorskip(output)
    X, y, _ = study
    rows = table()
    models = [
        (
            cheap(clinical=make_pipeline(ClinicalPreprocessor(), small_clinical(n_members=1))),
            *rows[:2],
        ),
        (still(), X, y),
        (still(clinical=make_pipeline(ClinicalPreprocessor(), StandardScaler())), X, y),
    ]
    for model, X, y in models:
        plain = clone(model).fit(X, y).predict_proba(X)
        with sklearn.config_context(transform_output=output):
            np.testing.assert_allclose(model.fit(X, y).predict_proba(X), plain, atol=1e-12)
    # outside of pipelines, which warn then, a model predicts elsewhere than where it was fitted
    for model, X, y in ((cheap(clinical=LogisticRegression()), *rows[:2]), models[1]):
        with sklearn.config_context(transform_output=output):
            found = model.fit(X, y).predict_proba(X)
        np.testing.assert_allclose(model.predict_proba(X), found, atol=1e-12)


# ---------------------------------------------------------------- errors


class Picky(ClassifierMixin, BaseEstimator):
    """Refuses the row whose value is 99, as a reader of films refuses one that is not there."""

    fits = 0

    def fit(self, X, y):
        Picky.fits += 1
        self._check(X)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        self._check(X)
        return np.full((len(X), 2), 0.5)

    def _check(self, X):
        wrong = np.flatnonzero(X.iloc[:, 0] == 99)
        if len(wrong):
            raise InputError("the image is missing").at_rows(wrong, len(X))


@pytest.mark.parametrize("cv", [2, None, "in-sample"])
@pytest.mark.filterwarnings("ignore::skosteo.exceptions.InSampleWarning")
@pytest.mark.filterwarnings("ignore::skosteo.exceptions.MissingModalityWarning")
def test_an_error_names_the_row_of_the_table_of_the_user(cv):
    X, y, _ = table(80)
    X.loc[0, "image"] = np.nan
    weights = np.where(np.arange(80) == 1, 0.0, 1.0)
    clinical, image = DropWeights(), PickyWithWeights()
    model = cheap(image=image, clinical=clinical, cv=cv, final_estimator="mean")
    with pytest.raises(InputError, match="row 4 of 80: the image is missing") as raised:
        model.fit(X.assign(image=X["image"].where(X.index != 3, 99)), y, sample_weight=weights)
    assert raised.value.row == 3
    model.fit(X, y, sample_weight=weights)
    with pytest.raises(InputError, match="row 4 of 80: the image is missing"):
        model.predict(X.assign(image=X["image"].where(X.index != 3, 99)))
    lacking = X.assign(image=X["image"].where(X.index > 5), age=np.nan, bmi=np.nan)
    with pytest.raises(InputError, match="rows 1, 3, 4, 5, 6 of 80: nothing is there"):
        model.fit(lacking, y, sample_weight=weights)


class PickyWithWeights(Picky):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


class DropWeights(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


def test_wrong_parameters_are_refused_before_a_branch_is_fitted():
    X, y, _ = table()
    wrong = [
        ({"clinical": LogisticRegression(C=-1)}, "'C' parameter of LogisticRegression"),
        ({"clinical": make_pipeline(StandardScaler(), LogisticRegression(C=-1))}, "'C' parameter"),
        ({"clinical": small_clinical(dropout=2)}, "'dropout' parameter"),
        ({"final_estimator": small_clinical(lr=-1)}, "'lr' parameter"),
        ({"final_estimator": "median"}, "final_estimator='median'"),
        ({"cv": "holdout"}, "'holdout'"),
    ]
    Picky.fits = 0
    for params, match in wrong:
        with pytest.raises(ValueError, match=match):
            cheap(image=Picky(), **params).fit(X, y)
    assert Picky.fits == 0


def test_a_missing_film_is_found_by_a_fusion_of_films(study):
    """With nets that read files, for the rows of a fold, of weights and of a modality."""
    X, y, groups = study
    gone = X.assign(image=X["image"].where(X.index != 3, "gone.png"))
    model = cheap(image=still_image(max_epochs=1), cv=2)
    for broken in (model, still(), still(image=small_image(max_epochs=1))):
        with pytest.raises(FileNotFoundError, match="row 4 of 48"):
            broken.fit(gone, y, groups=groups)


def test_auc_of_the_cheap_fusion_is_that_of_both_views():
    X, y, _ = table(400, seed=1)
    X_new, y_new, _ = table(2000, seed=2)
    fused = cheap().fit(X, y).decision_function(X_new)
    best = roc_auc_score(y_new, -(X_new["image"] + X_new["age"] / 5))
    assert roc_auc_score(y_new, fused) > best - 0.01


def test_scikit_learns_callbacks_see_every_epoch_of_a_net_in_a_search_over_a_fusion(capsys):
    X, y, _ = table()
    monitor = ScoringMonitor(scoring="neg_log_loss")
    net = small_clinical(max_epochs=3, early_stopping=False).set_callbacks(monitor)
    model = cheap(clinical=make_pipeline(StandardScaler(), net), cv=2)
    search = GridSearchCV(model, {"image__C": [0.1, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    log = monitor.get_logs(select="most_recent").data_as_pandas
    # 2 candidates x 2 folds and the refit, each with 2 folds and a fit on all rows
    assert (log["task_name"] == "epoch").sum() == 5 * 3 * 3
    shown = capsys.readouterr().out
    assert "fold | Pipeline - fit" in shown
    assert "ClinicalOsteoClassifier - fit" in shown


def test_two_columns_of_one_name_are_refused(fitted):
    model, X, y = fitted
    twice = pd.concat([X, X[["age"]]], axis=1)
    for call in (model.predict, lambda X: clone(model).fit(X, y)):
        with pytest.raises(InputError, match=r"X has several columns named \['age'\]"):
            call(twice)
