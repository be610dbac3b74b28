"""Recipes: configured estimators, and nothing else."""

import os
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

from skosteo import ClinicalOsteoClassifier, ImageOsteoClassifier
from skosteo.exceptions import InputError
from skosteo.presets import (
    clinical_baseline,
    clinical_baselines,
    ensemble_classifier,
    paper_clinical_classifier,
    paper_image_classifier,
    quick_image_classifier,
)
from tests.small_models import lacking, small_fusion, still_image, write_films

BASELINES = ("age_sex_bmi", "logistic", "random_forest", "hist_gradient_boosting", "xgboost")
CLINICAL = ("paper", *BASELINES)
needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)


FEWER = {  # for tests of seconds
    "paper": {"max_epochs": 30, "n_iter_no_change": 10, "batch_size": 16},
    "random_forest": {"n_estimators": 60},
}


def make(name, **changes):
    if name == "paper":
        return paper_clinical_classifier(**changes)
    return clinical_baseline(name, **changes)


def quick(name):
    return make(name, random_state=0, **FEWER.get(name, {}))


def patients(n=400, seed=0):
    """Age, sex, body mass index and calcium, a fifth of it missing; osteoporosis in a fifth."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.normal(68, 9, n),
            "sex": rng.choice(["F", "M"], n),
            "bmi": rng.normal(26, 4, n),
            "calcium_mmol_l": rng.normal(2.35, 0.1, n),
        }
    )
    risk = (X["age"] - 68) / 9 - (X["bmi"] - 26) / 4 + (X["sex"] == "F")
    y = (rng.random(n) < 1 / (1 + np.exp(2.2 - 1.3 * risk))).astype(int)
    return X.mask(pd.DataFrame(rng.random(X.shape) < [0, 0, 0.1, 0.2], columns=X.columns)), y


@pytest.mark.parametrize("preset", [paper_image_classifier, quick_image_classifier])
def test_a_preset_is_an_estimator_whose_parameters_can_be_others(preset):
    model = preset(lr=0.5, random_state=3, cache_dir="folder")
    assert type(model) is ImageOsteoClassifier
    changed = {"lr": 0.5, "random_state": 3, "cache_dir": "folder"}
    assert model.get_params() == preset().get_params() | changed == clone(model).get_params()
    with pytest.raises(TypeError, match="learning_rate"):
        preset(learning_rate=1)


def test_the_recipe_of_the_paper():
    """Tang et al. 2025: batch size, learning rate, dropout, optimiser's pace, early stopping."""
    model = paper_image_classifier()
    assert (model.backbone, model.wavelet, model.soft_attention) == ("resnet50", True, True)
    assert (model.lr, model.batch_size, model.dropout) == (1e-5, 32, 0.25)
    assert (model.augmentation, model.early_stopping, model.max_epochs) == ("paper", True, 1000)


def test_the_quick_one_learns_without_internet(tmp_path):
    X, y, groups = write_films(tmp_path, n=60)
    model = quick_image_classifier(image_size=64, max_epochs=8, random_state=0)
    model.set_params(batch_size=16, cache_dir=tmp_path / "cache").fit(X, y, groups=groups)
    assert np.mean(model.predict(X) == y) > 0.9


@pytest.mark.parametrize("preset", CLINICAL)
def test_a_clinical_preset_is_a_pipeline_whose_last_step_takes_the_changes(preset):
    model = make(preset, random_state=3)
    assert type(model) is Pipeline
    assert model[-1].random_state == 3
    assert str(clone(model)) == str(model)
    before = make(preset)[-1].get_params()
    assert model[-1].get_params() == before | {"random_state": 3}
    if preset != "xgboost":  # which takes any name
        with pytest.raises(TypeError, match="no_such"):
            make(preset, no_such=1)


@pytest.mark.parametrize("preset", CLINICAL)
def test_a_clinical_preset_learns_from_a_table_with_gaps_and_text(preset):
    (X, y), (X_new, y_new) = patients(), patients(seed=1)
    model = quick(preset)
    probability = model.fit(X, y).predict_proba(X_new)[:, 1]
    assert roc_auc_score(y_new, probability) > 0.75
    again = clone(model).fit(X, y).predict_proba(X_new[X.columns[::-1]])[:, 1]
    assert np.array_equal(again, probability)


def test_the_clinical_recipe_of_the_paper():
    net = paper_clinical_classifier()[-1]
    assert type(net) is ClinicalOsteoClassifier
    assert (net.hidden_layer_sizes, net.dropout, net.lr, net.batch_size) == ((50,), 0.25, 1e-3, 32)
    assert (net.class_weight, net.early_stopping, net.n_iter_no_change) == ("balanced", True, 100)


@pytest.mark.parametrize("preset", BASELINES)
def test_a_baseline_expects_as_many_cases_as_there_are(preset):
    X, y = patients(1000)
    probability = cross_val_predict(quick(preset), X, y, cv=3, method="predict_proba")
    assert probability[:, 1].mean() == pytest.approx(y.mean(), abs=0.015)
    assert probability.min() > 0  # nobody's risk is exactly 0


def test_the_bar_to_clear_looks_at_age_sex_and_bmi_only():
    X, y = patients()
    model = clinical_baseline("age_sex_bmi").fit(X, y)
    other = X.assign(calcium_mmol_l=X["calcium_mmol_l"].sample(frac=1, random_state=0).to_numpy())
    assert np.array_equal(model.predict_proba(other), model.predict_proba(X))
    alone = clinical_baseline("age_sex_bmi").fit(X[["bmi", "sex", "age"]], y)
    np.testing.assert_allclose(alone.predict_proba(X), model.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("preset", ["hist_gradient_boosting", "xgboost"])
def test_boosted_trees_see_that_a_value_is_missing(preset):
    """The planted sign is the gap itself, which imputation would hide."""
    X, _ = patients(1000)
    y = X["calcium_mmol_l"].isna().astype(int)
    assert make(preset, random_state=0).fit(X, y).score(X, y) == 1


@pytest.mark.parametrize("preset", CLINICAL)
@pytest.mark.filterwarnings("ignore:All 48 rows that the net is given are alike")  # by a forest
def test_a_clinical_preset_fits_the_clinical_place_of_the_fusion(preset, tmp_path):
    X, y, groups = write_films(tmp_path)
    model = small_fusion(image=still_image(), clinical=quick(preset), final_estimator="mean")
    X = X.assign(sex=np.where(np.arange(len(X)) % 3, "F", "M"))
    model.fit(X, y, groups=groups, sample_weight=np.ones(len(y)))
    assert model.predict_proba(X).shape == (len(X), 2)


def test_without_xgboost_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ImportError, match=r"pip install 'skosteo\[xgboost\]'"):
        clinical_baseline("xgboost")
    assert list(clinical_baselines()) == list(BASELINES[:-1])


def test_all_baselines_by_name():
    models = clinical_baselines(random_state=3)
    assert list(models) == list(BASELINES)
    for name, model in models.items():
        assert str(model) == str(clinical_baseline(name, random_state=3))
    with pytest.raises(InputError, match=r"no baseline 'forest'.*'logistic', 'random_forest'"):
        clinical_baseline("forest")


@needs_data
@pytest.mark.parametrize(
    ("train", "test", "auc"), [("2013-2014", "2017-2018", 0.830), ("2017-2018", "2013-2014", 0.803)]
)
def test_age_sex_and_bmi_on_measured_bone_density(train, test, auc):
    """Another's logistic regression with median imputation, in the README of the data."""
    from skosteo.datasets import fetch_nhanes

    learn, judge = fetch_nhanes([train]), fetch_nhanes([test])
    model = clinical_baseline("age_sex_bmi").fit(learn.data, learn.target)
    probability = model.predict_proba(judge.data)[:, 1]
    assert roc_auc_score(judge.target, probability) == pytest.approx(auc, abs=0.0015)


def quick_ensemble(folder, **changes):
    """With a small net, fewer epochs and folds, for tests of seconds."""
    small = {"backbone": "cnn", "pretrained": False, "image_size": 24, "max_epochs": 8}
    changes = {**small, "batch_size": 16, "random_state": 0, **changes}
    model = ensemble_classifier(cache_dir=folder / "cache", memory=folder / "kept", **changes)
    fewer = {f"{name}__max_epochs": 5 for name in ("ff", "lff", "attention")}
    return model.set_params(pf__cv=2, pf__clinical=quick("logistic"), **fewer)


def test_the_ensemble_is_the_mean_of_its_members(tmp_path):
    X, y, groups = write_films(tmp_path, n=48)
    model = quick_ensemble(tmp_path)
    with config_context(enable_metadata_routing=True):
        model.fit(X, y, groups=groups, sample_weight=np.ones(48))
        alone = [
            clone(member).fit(X, y, groups=groups) if name in ("pf", "ff", "lff", "attention")
            else clone(member).fit(X[["age", "bmi", "image"]], y)
            for name, member in model.named_estimators.items()
        ]  # fmt: skip
    mean = np.mean([member.predict_proba(X) for member in alone], axis=0)
    said = model.predict_proba(X)
    np.testing.assert_allclose(said, mean, atol=1e-9)
    assert roc_auc_score(y, said[:, 1]) > 0.95


def test_the_ensemble_fits_no_branch_twice_and_embeds_no_film_twice(tmp_path, monkeypatch):
    X, y, groups = write_films(tmp_path, n=48)
    fits, fit = [], ImageOsteoClassifier._fit
    counted = lambda self, *rest: fits.append(1) or fit(self, *rest)  # noqa: E731
    monkeypatch.setattr(ImageOsteoClassifier, "_fit", counted)
    model = quick_ensemble(tmp_path, max_epochs=2)
    with config_context(enable_metadata_routing=True):
        first = model.fit(X, y, groups=groups).predict_proba(X)
        assert len(fits) == 2 + 1  # by "pf"; a frozen branch needs none in the others
        model.set_params(pf__final_estimator="logistic").fit(X, y, groups=groups)
    assert len(fits) == 3
    assert not np.array_equal(model.predict_proba(X), first)


@pytest.mark.filterwarnings("ignore::skosteo.exceptions.MissingModalityWarning")
def test_the_ensemble_without_two_members_answers_where_a_modality_is_missing(tmp_path):
    X, y, _ = write_films(tmp_path, n=48)
    gaps = lacking(X, [0, 1, 2, 3], [4, 5, 6, 7])
    model = quick_ensemble(tmp_path, max_epochs=2, clinical_columns=["age", "bmi"])
    model.set_params(pf__final_estimator="mean")
    with pytest.raises(InputError, match="strategy='attention' or ProbabilityFusionClassifier"):
        model.fit(gaps, y)
    model.set_params(ff="drop", lff="drop")
    assert np.isfinite(model.fit(gaps, y).predict_proba(gaps)).all()


def test_what_the_image_model_is_told_holds_for_all_members():
    image = quick_image_classifier(image_column="film", random_state=3, batch_size=7)
    model = ensemble_classifier(image, device="cpu", clinical_columns=["age"])
    assert model.voting == "soft"
    for name in ("ff", "lff", "attention"):
        member = model.named_estimators[name]
        assert (member.random_state, member.batch_size, member.device) == (3, 7, "cpu")
        assert member.image.image_column == "film"
    assert model.named_estimators["pf"].image_column == "film"
    assert image.device == "auto"
    assert str(clone(model)) == str(model)
    assert model.named_estimators["logistic"][0].columns == ["age"]
