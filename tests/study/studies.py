"""Small studies that most tests look at: of values, with a test set too, and of films."""

from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import pytest

from skosteo import ProbabilityFusionClassifier, presets
from skosteo.study import models, run_study
from tests.small_models import small_clinical, small_image
from tests.study.cohorts import Says, filmed_patients, patients


class Ran(NamedTuple):
    """A study, what it was made of, and its folder."""

    study: Any
    X: pd.DataFrame
    y: Any
    groups: Any
    out: Any


@contextmanager
def small_nets():
    """Make the nets of the preset "quick" such that one is fitted in a moment."""

    def image(**params):
        return small_image(**{"wavelet": False, "soft_attention": False} | params)

    def fusion(image, clinical, **params):
        final = small_clinical(hidden_layer_sizes=(32,))
        return ProbabilityFusionClassifier(image, clinical, final_estimator=final, cv=2, **params)

    quick = models.PRESETS["quick"]
    clinical = partial(presets.paper_clinical_classifier, max_epochs=3)
    small = quick._replace(image=image, clinical=clinical, batch_size=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.PRESETS, "quick", small)
        patch.setattr(models, "ProbabilityFusionClassifier", fusion)
        yield


def study_of_values(folder):
    """150 patients, three baselines and a model of one's own; nothing of it is to be changed."""
    X, y, groups = patients()
    X["hunch"] = (X["age"] - 30) / 65
    out = folder / "report"
    study = run_study(
        X, y, groups=groups, out=out, image_column=None, n_folds=3, n_repeats=2, verbose=0,
        clinical_columns=["age", "sex", "bmi", "weight_kg"],
        models=["age_sex_bmi", "osta", "logistic", ("hunch", Says("hunch"))],
        primary="age_sex_bmi", comparator="osta",
        limits=["SYNTHETIC patients."], outcome="osteoporosis", prevalence=0.1,
    )  # fmt: skip
    return Ran(study, X, y, groups, out)


def study_of_split(_):
    """The same patients and two baselines, with a test set; nothing is written."""
    X, y, groups = patients()
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=3, verbose=0, internal_validation="split",
        models=["age_sex_bmi", "logistic"], primary="age_sex_bmi", outcome="osteoporosis",
    )  # fmt: skip
    return Ran(study, X, y, groups, None)


def study_of_films(folder):
    """72 patients with a PNG each: the paper's three models, a row of Table 3, a baseline."""
    X, y, groups = filmed_patients(folder)
    out = folder / "report"
    with small_nets():
        study = run_study(
            X, y, groups=groups, out=out, n_folds=2, n_repeats=2, verbose=0, published=True,
            models=["image", "clinical", "multimodal", "backbone", "backbone_wt", "age_sex_bmi"],
        )  # fmt: skip
    return Ran(study, X, y, groups, out)


def said_of(study):
    """Return the probabilities of all models, of the first repeat, by position of the row."""
    rows = study.assessed_once()
    return rows.probability.set_axis(rows.row)
