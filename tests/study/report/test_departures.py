"""Departures from the paper: those of the study's own models and settings, and no others."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from skosteo.study.design import Settings
from skosteo.study.report.content import render
from tests.study.report.pages import Reader

SETTINGS = Settings(
    title="t", outcome="o", limits=(), preset="paper", seed=0, n_folds=5, drawn_test=True,
    image_column="image", clinical_columns=("age", "xray_description"), prevalence=None,
    published=False, n_repeats=2, operating_point="sensitivity .90", imputations=None, site=None,
)  # fmt: skip


def said(names, has_test=True, **changes):
    study = SimpleNamespace(
        settings=replace(SETTINGS, **changes), models=dict.fromkeys(names),
        design=SimpleNamespace(has_test=has_test),
    )  # fmt: skip
    return Reader(render("departures.html.jinja", study=study)).text


@pytest.mark.parametrize(
    ("words", "names", "changes"),
    [("frozen ImageNet weights", ["image"], {"preset": "quick"}),
     ("Equation 1", ["image"], {}),
     ("A conventional CNN", ["cnn"], {}),
     ("specified by the investigator", ["clinical"], {"drawn_test": False}),
     ("hashed words", ["clinical"], {}),
     ("hashed words", ["learned_fusion"], {}),
     ("out-of-fold probabilities", ["multimodal"], {}),
     ("Feature fusions", ["feature_fusion"], {}),
     ("Cross-attention", ["attention_fusion"], {})],
)  # fmt: skip
def test_a_departure_is_named_where_it_was_made(words, names, changes):
    assert words in said(names, **changes)
    assert words not in said(["age_sex_bmi"], image_column=None, clinical_columns=("age",))


def test_what_holds_for_every_study():
    text = said(["age_sex_bmi"])
    for words in ("one test fold", "judged on the test set", "by one rule", "DeLong"):
        assert words in text
    without = said(["age_sex_bmi"], has_test=False)
    assert "all patients are judged, by repeated cross-validation" in without
    assert "judged on the test set" not in without
    assert "DeLong" not in without
    assert "corrected resampled t test" in without


def test_text_is_not_spoken_of_where_there_is_none():
    assert "hashed words" not in said(["clinical"], clinical_columns=("age", "sex"))
    assert "hashed words" not in said(["age_sex_bmi"])
