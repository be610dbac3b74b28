"""What people compose: every estimator on a table whose image column holds paths."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalPreprocessor,
    FoldEnsembleClassifier,
    ImageOsteoClassifier,
    ProbabilityFusionClassifier,
    RadiographReader,
    RecalibratedClassifier,
)
from skosteo.presets import texture_classifier
from skosteo.training.net_classifier import NetClassifier
from tests.small_models import (
    small_clinical,
    small_feature_fusion,
    small_fusion,
    small_image,
    still_image,
    write_films,
)

CV = StratifiedGroupKFold(2)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


SMALL = {
    "image": small_image,
    "texture": partial(texture_classifier, image_size=24),
    "fusion": lambda: small_fusion(
        clinical=small_clinical(n_members=1), final_estimator="logistic"
    ),
    "feature fusion": small_feature_fusion,
    "fold ensemble": lambda: FoldEnsembleClassifier(still_image(lr=1e-2), cv=2),
}


@pytest.fixture(params=SMALL)
def model(request):
    return SMALL[request.param]()


@pytest.fixture(scope="module", params=SMALL)
def fitted(request, study):
    X, y, _ = study
    return SMALL[request.param]().fit(X, y)


@pytest.fixture(scope="module")
def new_films(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("new"), seed=1)


def test_clone_keeps_parameters_and_forgets_training(fitted):
    copy = clone(fitted)
    assert not any(name.endswith("_") and not name.startswith("_") for name in vars(copy))
    assert str(copy) == str(fitted)


def test_a_clone_trains_to_the_same_model(study, fitted):
    X, y, _ = study
    again = clone(fitted).fit(X, y)
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_pickle_predicts_the_same(study, fitted):
    X, _, _ = study
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))


# forks need no imports, which cost the workers of loky more than the fits
@pytest.mark.parametrize(
    "backend", ["multiprocessing", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_cross_validate_with_two_workers_equals_one(study, model, backend):
    X, y, groups = study
    with parallel_config(backend):
        scores = [
            cross_validate(model, X, y, groups=groups, cv=CV, scoring="roc_auc", n_jobs=n_jobs)
            for n_jobs in (1, 2)
        ]
    np.testing.assert_allclose(scores[0]["test_score"], scores[1]["test_score"], atol=1e-12)


def test_column_order_and_further_columns_do_not_matter(study, fitted):
    X, _, _ = study
    shuffled = X[["image", "bmi", "age"]].assign(ward=3)
    assert np.array_equal(fitted.predict_proba(X), fitted.predict_proba(shuffled))


def test_grid_search_over_nested_names(study):
    X, y, _ = study
    model = small_fusion(
        image=still_image(),
        clinical=make_pipeline(ClinicalPreprocessor(), small_clinical(n_members=1)),
        final_estimator="logistic",
    )
    grid = {
        "image__dropout": [0.0, 0.5],
        "clinical__clinicalosteoclassifier__hidden_layer_sizes": [(4,)],
    }
    search = GridSearchCV(model, grid, cv=2, scoring="roc_auc").fit(X, y)
    assert search.best_estimator_.image_.dropout in (0.0, 0.5)
    assert search.best_estimator_.clinical_[-1].net_.module_.layers[0].out_features == 4


def test_halving_grid_search(study):
    X, y, _ = study
    search = HalvingGridSearchCV(
        still_image(batch_size=4), {"dropout": [0.0, 0.2, 0.4]}, cv=2, min_resources=24
    )
    assert search.fit(X, y).best_params_["dropout"] in (0.0, 0.2, 0.4)


def test_pipeline_with_an_imputer_and_pandas_output(study, model):
    X, y, _ = study
    gaps = X.assign(age=X["age"].where(np.arange(len(X)) % 5 > 0))
    imputer = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="number")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(imputer, model)
    assert pipeline.fit(gaps, y).predict_proba(gaps).shape == (len(X), 2)


META_ESTIMATORS = {
    "stacking": lambda m: StackingClassifier([("m", m)], LogisticRegression(), cv=2),
    "calibrated": lambda m: CalibratedClassifierCV(m, cv=2),
    "tuned threshold": lambda m: TunedThresholdClassifierCV(m, cv=2, thresholds=20),
}


# Every estimator in one of them
COMPOSED = [
    ("image", "calibrated"),
    ("texture", "stacking"),
    ("fusion", "tuned threshold"),
    ("feature fusion", "stacking"),
    ("fold ensemble", "stacking"),
]
FURTHER = {(name, kind) for name in SMALL for kind in META_ESTIMATORS} - {*COMPOSED}


@pytest.mark.parametrize(
    ("name", "kind"),
    [*COMPOSED, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in sorted(FURTHER))],
)
def test_meta_estimators_find_what_is_planted(study, new_films, name, kind):
    X, y, _ = study
    model = SMALL[name]()
    new, y_new, _ = new_films
    meta = META_ESTIMATORS[kind](model).fit(X, y)
    assert roc_auc_score(y_new, meta.predict_proba(new)[:, 1]) > 0.95
    assert set(meta.predict(new)) <= {0, 1}


def test_permutation_importance_finds_the_planted_column(study):
    X, y, _ = study
    model = still_image(max_epochs=15, lr=1e-2).fit(X, y)
    result = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert result.importances_mean[X.columns.get_loc("image")] > 0.3
    assert result.importances_mean[X.columns.get_loc("age")] == 0


def test_string_labels(study, fitted):
    X, y, _ = study
    labels = np.where(y == 1, "osteoporosis", "normal")
    model = clone(fitted).fit(X, labels)
    assert model.classes_.tolist() == ["normal", "osteoporosis"]
    assert set(model.predict(X)) <= set(labels)
    assert np.array_equal(fitted.predict_proba(X), model.predict_proba(X))


def test_cross_val_predict_gives_each_row_its_own_patient(study):
    X, y, groups = study
    order = np.random.default_rng(0).permutation(len(X))
    params = {"groups": groups, "cv": CV, "method": "predict_proba"}
    model = small_image(max_epochs=8, lr=3e-3)
    probability = cross_val_predict(model, X.iloc[order], y[order], **params)
    assert ((probability[:, 1] > 0.5) == y[order]).mean() > 0.8


@pytest.mark.filterwarnings("ignore:No slope can be learned")
@pytest.mark.parametrize(
    "kind", ["image", "clinical", "recalibrated", "fold ensemble", "fusion", "feature fusion"]
)
def test_groups_are_routed_down_to_the_early_stopping_split(study, monkeypatch, kind):
    X, y, groups = study
    seen = []

    def spy(split):
        def noting(self, codes, groups, seed):
            seen.append(groups)
            return split(self, codes, groups, seed)

        return noting

    for nets in (NetClassifier, ClinicalOsteoClassifier):
        monkeypatch.setattr(nets, "_split", spy(nets._split))
    image = small_image(max_epochs=1)
    clinical = make_pipeline(ClinicalPreprocessor(), small_clinical(n_members=2))
    final = small_clinical(n_members=2)
    model = {
        "image": image,
        "clinical": clinical,
        "recalibrated": RecalibratedClassifier(image, cv=2),
        "fold ensemble": FoldEnsembleClassifier(image, cv=2),
        "fusion": small_fusion(image=image, clinical=clinical, final_estimator=final),
        "feature fusion": small_feature_fusion(image=image, max_epochs=1),
    }[kind]
    data = X[["age", "bmi"]] if kind == "clinical" else X
    with config_context(enable_metadata_routing=True):
        cross_validate(model, data, y, cv=CV, params={"groups": groups})
    # two outer folds; the fold ensemble, each with 2; recalibrated, each with 2 folds + refit; in
    # the fusion each with 2 branches x (2 folds + refit) and the final nets: of both, and of each
    # alone; in the feature fusion the image branch and the net
    fits = {"recalibrated": 3, "fold ensemble": 2, "fusion": 9, "feature fusion": 2}
    assert len(seen) == 2 * fits.get(kind, 1)
    assert all(ids is not None and len(np.unique(ids)) < len(ids) for ids in seen)


@pytest.mark.filterwarnings("ignore:batch_size=|The rows by class")
def test_defaults_on_few_patients(study):
    """The README's fusion, but for the size of its image net, on 45 rows."""
    X, y, _ = study
    image = ImageOsteoClassifier(backbone="cnn", pretrained=False, image_size=24, max_epochs=1)
    clinical = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(max_epochs=2))
    model = ProbabilityFusionClassifier(image=image, clinical=clinical)
    few, y = X.iloc[:45], y[:45]
    assert np.isfinite(model.fit(few, y, groups=np.arange(45)).predict_proba(few)).all()
    search = HalvingGridSearchCV(clinical, {"clinicalosteoclassifier__dropout": [0.0, 0.5]})
    search.fit(few[["age", "bmi"]], y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_readme_way_needs_no_routing(study):
    X, y, groups = study
    assert small_fusion().fit(X, y, groups=groups).predict(X).shape == y.shape


def test_arrays_paths_and_tables_agree(study):
    X, y, _ = study
    model = small_image(max_epochs=1).fit(X, y)
    expected = model.predict_proba(X)
    paths = X["image"]
    for films in (paths, paths.to_numpy(), paths.tolist(), paths.to_numpy(dtype=object)[:, None]):
        assert np.array_equal(model.predict_proba(films), expected)
    pixels = RadiographReader(24).transform(paths)
    held = pd.DataFrame({"image": list(pixels)})
    assert np.array_equal(model.predict_proba(held), expected)
    for films in (pixels, pixels[:, None], np.repeat(pixels[:, None], 3, axis=1)):
        model = small_image(max_epochs=1).fit(films, y)
        np.testing.assert_allclose(model.predict_proba(films), expected, atol=1e-6)


def test_reader_is_cloned_and_searched_like_any_transformer(tmp_path):
    reader = clone(RadiographReader(64, cache_dir=tmp_path))
    assert reader.get_params() == {
        "size": 64, "cache_dir": tmp_path, "n_jobs": None, "errors": "raise", "ignore_rules": (),
        "verbose": 0,
    }  # fmt: skip
    assert reader.set_params(size=32).size == 32
