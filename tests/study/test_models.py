"""What the names of models stand for, and which of them are the same."""

import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skosteo import load_model, save_model
from skosteo.exceptions import InputError
from skosteo.image.films import film_digest
from skosteo.image.texture import _describe
from skosteo.presets import (
    ensemble_classifier,
    paper_clinical_classifier,
    quick_image_classifier,
)
from skosteo.study import run_study
from skosteo.study.design import Settings
from skosteo.study.models import (
    PRESETS,
    TABLES,
    TEXT_CONTROLS,
    TITLES,
    comparator_of,
    make_models,
    primary_of,
)
from skosteo.study.report.content import fusion_text
from skosteo.study.report.model_card import model_card
from tests.study.cohorts import filmed_patients

CLINICAL = ["age", "sex", "bmi", "weight_kg"]
TEXTS = ["xray_diagnosis", "X-ray description"]
X = pd.DataFrame(columns=["image", *CLINICAL, *TEXTS])


def made(names, **changes):
    where = {"device": "cpu", "cache_dir": None, "ignore_rules": ()}
    where |= {name: changes.pop(name) for name in list(changes) if name in where}
    asked = {
        "preset": "quick", "image_column": "image", "clinical_columns": CLINICAL, "seed": 0,
        "title": "t", "outcome": "o", "limits": (), "n_folds": 2, "drawn_test": True,
        "prevalence": None, "published": False, "n_repeats": 1, "imputations": 0,
        "operating_point": "sensitivity .90", "site": None,
    } | changes  # fmt: skip
    asked["clinical_columns"] = tuple(asked["clinical_columns"])
    return make_models(names, X, Settings(**asked), **where)


def keys(*names, **changes):
    return [model.key for model in made(names, **changes).values()]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [name for name in TITLES if name not in TEXT_CONTROLS])
def test_each_name_makes_a_classifier_of_its_title(name, preset):
    (model,) = made([name], preset=preset).values()
    assert is_classifier(model.estimator)
    assert hasattr(model.estimator, "predict_proba")
    assert model.title == TITLES[name]
    clone(model.estimator)
    assert not [attribute for attribute in vars(model.estimator) if attribute.endswith("_")]


@pytest.mark.parametrize("preset", PRESETS)
def test_models_of_the_paper_are_in_its_preset(preset):
    chosen = set(made(None, preset=preset))
    assert {"image", "clinical", "multimodal", "age_sex_bmi"} <= chosen
    if preset == "paper":
        assert {name for names in TABLES.values() for name in names} - {"ensemble"} <= chosen
    assert "ensemble" not in chosen


def test_the_rows_of_table_3_have_the_branches_that_they_name():
    for preset in PRESETS:
        rows = made(TABLES[3], preset=preset).values()
        branches = [(m.estimator.wavelet, m.estimator.soft_attention) for m in rows]
        assert branches == [(False, False), (True, False), (False, True), (True, True)]


def test_augmentation_is_what_table_5_changes():
    for preset in PRESETS:
        without, with_ = (m.estimator for m in made(TABLES[5], preset=preset).values())
        assert without.augmentation is None
        assert with_.augmentation is not None


def test_the_image_model_of_the_fusion_is_that_of_the_study():
    for preset in PRESETS:
        image, fusion = (m.estimator for m in made(["image", "multimodal"], preset=preset).values())
        alone, within = image.get_params(), fusion.image.get_params()
        assert str(alone) == str(within)


@pytest.mark.parametrize(
    ("preset", "same"),
    [("quick", ("image", "backbone", "no_augmentation")),
     ("paper", ("image", "backbone_wt_sa", "augmentation"))],
)  # fmt: skip
def test_the_same_model_under_several_names_has_one_key(preset, same):
    assert len(set(keys(*same, preset=preset))) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_different_models_have_different_keys(preset):
    names = [name for name in TITLES if name not in TEXT_CONTROLS]
    n_same = len(set(keys(*names, preset=preset)))
    assert n_same == len(names) - 2  # those of the test above


@pytest.mark.parametrize("preset", PRESETS)
def test_classes_are_weighted_in_the_paper_s_preset_alone(preset):
    found = made(["clinical", "multimodal"], preset=preset)
    weighted = {
        value
        for model in found.values()
        for name, value in model.estimator.get_params(deep=True).items()
        if name.endswith("class_weight") and "final_estimator" not in name
    }
    assert weighted == ({None} if preset == "quick" else {"balanced"})


@pytest.mark.parametrize("name", ["image", "multimodal", "feature_fusion", "ensemble", "clinical"])
def test_where_it_is_computed_and_kept_makes_no_other_model(name):
    here = keys(name)
    assert keys(name, device="cuda", cache_dir=Path("elsewhere")) == here
    assert keys(name) == here  # and not by chance


@pytest.mark.parametrize("name", ["image", "multimodal", "feature_fusion", "ensemble", "clinical"])
def test_seed_preset_and_columns_make_another_model(name):
    found = {*keys(name), *keys(name, seed=1), *keys(name, preset="paper")}
    assert len(found) == 3
    if name != "image":
        assert keys(name, clinical_columns=["age", "sex"])[0] not in found


@pytest.mark.parametrize(
    "changes", [{"C": 2.0}, {"class_weight": "balanced"}, {"max_iter": 7}, {"fit_intercept": False}]
)
def test_every_parameter_of_ones_own_model_counts(changes):
    plain, same, other = LogisticRegression(), LogisticRegression(), LogisticRegression(**changes)
    assert keys(("mine", plain)) == keys(("mine", same)) != keys(("mine", other))


def test_models_of_ones_own_share_no_fit():
    """What they do need not be all in their parameters."""
    one, other = keys(("one", LogisticRegression()), ("other", LogisticRegression()))
    assert one != other


def test_a_model_that_cannot_be_told_apart_is_refused():
    scaled = FunctionTransformer(lambda X: X)
    with pytest.raises(InputError, match=r"'mine' holds what cannot be stored.* by `def`"):
        made([("mine", make_pipeline(scaled, LogisticRegression()))])


def test_rules_that_are_lifted_make_another_model():
    assert keys("image", ignore_rules=("modality",)) != keys("image")


def test_a_model_of_ones_own_is_not_touched():
    own = LogisticRegression()
    (model,) = made([("mine", own)]).values()
    assert model.estimator is not own
    assert model.title == "mine"


def test_models_see_the_columns_that_are_theirs():
    found = made(["osta", "logistic", "clinical", "image", "multimodal"])
    assert {name: model.columns for name, model in found.items()} == {
        "osta": ("age", "weight_kg"), "logistic": tuple(CLINICAL), "clinical": tuple(CLINICAL),
        "image": None, "multimodal": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "names", [None, ["clinical"], ["multimodal"], [("mine", LogisticRegression())]]
)
def test_where_text_is_used_its_worth_is_always_shown(names):
    columns = [*CLINICAL, *TEXTS[:1]]
    found = made(names, clinical_columns=columns)
    assert found["report_text"].columns == ("xray_diagnosis",)
    assert found["without_text"].columns == tuple(CLINICAL)
    assert str(found["report_text"].estimator) == str(made(["clinical"])["clinical"].estimator)


@pytest.mark.parametrize("names", [["osta"], ["age_sex_bmi"], ["image"]])
def test_where_no_model_sees_text_none_is_added(names):
    assert list(made(names, clinical_columns=[*CLINICAL, *TEXTS[:1]])) == names
    assert not {*TEXT_CONTROLS} & set(made(None))
    assert not {*TEXT_CONTROLS} & set(made(["clinical"], clinical_columns=TEXTS[:1]))


def test_what_the_columns_do_not_allow_is_left_out_of_the_default():
    values = set(made(None, image_column=None))
    assert {"clinical", "osta", "age_sex_bmi", "logistic"} <= values
    assert not {"image", "multimodal", "backbone"} & values
    films = set(made(None, clinical_columns=[]))
    assert "image" in films
    assert not {"clinical", "osta", "multimodal", "logistic"} & films
    assert "age_sex_bmi" not in made(None, clinical_columns=["age", "bmi"])


@pytest.mark.parametrize(
    ("names", "primary", "comparator"),
    [(["age_sex_bmi", "logistic"], "logistic", "age_sex_bmi"),
     (["logistic", "age_sex_bmi"], "logistic", "age_sex_bmi"),
     (["age_sex_bmi", "random_forest", "osta"], "osta", "age_sex_bmi"),
     (["age_sex_bmi", ("mine", LogisticRegression())], "mine", "age_sex_bmi"),
     (["age_sex_bmi", "clinical", "image"], "image", "age_sex_bmi"),
     (["image", "clinical"], "image", "clinical"),
     (["age_sex_bmi"], "age_sex_bmi", None)],
)  # fmt: skip
def test_age_sex_and_bmi_are_what_has_to_be_beaten_unless_it_is_said_otherwise(
    names, primary, comparator
):
    models = made(names)
    assert primary_of(models) == primary
    assert comparator_of(models, primary) == comparator


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"names": ["imgae"]}, "did you mean 'image'"),
     ({"names": ["osta"], "clinical_columns": ["age"]}, r"do not suffice .*\['age'\]"),
     ({"names": ["multimodal"], "clinical_columns": []}, "do not suffice"),
     ({"names": [("a", "logistic")]}, "str without predict_proba"),
     ({"names": [("a",)]}, r"as \(name, classifier\)"),
     ({"names": [("a", LogisticRegression()), ("a", LogisticRegression())]}, "'a' twice"),
     ({"names": None, "image_column": None, "clinical_columns": []}, "No model is left"),
     ({"names": [], "preset": "quick"}, "empty"),
     ({"names": [("CNN", LogisticRegression())]}, "means another model"),
     ({"names": [("treat all", LogisticRegression())]}, "means another model"),
     ({"names": [(" ", LogisticRegression())]}, "blank"),
     ({"names": ["image"], "preset": "small"}, "'quick', 'paper'")],
)  # fmt: skip
def test_what_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        made(**changes)


def test_a_mapping_is_models_of_ones_own_by_name():
    assert list(made({"mine": LogisticRegression()})) == ["mine"]


def test_texture_is_a_model_of_the_study(tmp_path, monkeypatch):
    """Judged and saved like the others; each film is described once for all of its fits."""
    described = Counter()

    def counted(film, *rest):
        described[film_digest(film)] += 1
        return _describe(film, *rest)

    monkeypatch.setattr("skosteo.image.texture._describe", counted)
    X, y, groups = filmed_patients(tmp_path, 30)
    study = run_study(
        X,
        y,
        groups=groups,
        models=["texture", "age_sex_bmi"],
        primary="texture",
        n_folds=2,
        n_repeats=1,
        verbose=0,
    )
    assert "Texture (logistic)" in study.table(2).index
    assert study.figures().set_index("figure").loc["AUC", "estimate"] > 0.9
    assert [*described.values()] == [1] * 30
    assert "It may see the chest radiograph." in model_card(study)
    save_model(study.final_model_, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops").predict_proba(X)
    assert np.abs(loaded - study.final_model_.predict_proba(X)).max() == 0


@pytest.mark.slow
def test_an_ensemble_is_a_model_of_the_study(tmp_path, monkeypatch):
    """Judged, described and saved like the others; with a small net here."""
    fewer = {f"{name}__max_epochs": 3 for name in ("ff", "lff", "attention")} | {
        "pf__cv": 3,
        "pf__final_estimator": "logistic",
    }
    monkeypatch.setattr(
        "skosteo.presets.ensemble_classifier",
        lambda *image, **columns: ensemble_classifier(*image, **columns).set_params(**fewer),
    )
    small = {"backbone": "cnn", "pretrained": False, "image_size": 24}
    image = partial(quick_image_classifier, **small, max_epochs=8)
    quick = PRESETS["quick"]._replace(
        image=image, clinical=partial(paper_clinical_classifier, max_epochs=5)
    )
    monkeypatch.setitem(PRESETS, "quick", quick)
    X, y, groups = filmed_patients(tmp_path)
    study = run_study(
        X,
        y,
        groups=groups,
        models=["ensemble", "age_sex_bmi"],
        primary="ensemble",
        n_folds=2,
        n_repeats=1,
        verbose=0,
    )
    assert "Ensemble" in study.table(4).index
    assert study.figures().set_index("figure").loc["AUC", "estimate"] > 0.8
    assert "averaged the probabilities of four fusions" in fusion_text(study)
    assert "It may see the chest radiograph, age" in model_card(study)
    save_model(study.final_model_, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops").predict_proba(X)
    np.testing.assert_allclose(loaded, study.final_model_.predict_proba(X), atol=1e-6)


def test_without_its_extra_texture_is_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match=r"skosteo\[texture\]"):
        made(["texture"])
    assert "texture" not in made(None)
