"""What a study says of itself: departures that belong to its models, versions that are true."""

from dataclasses import fields, replace
from importlib.metadata import version

import numpy as np
import pytest

from skosteo.study.about import About, departures, versions

ABOUT = About(
    title="t", outcome="o", limits=(), preset="paper", seed=0, n_folds=5, drawn_test=True,
    image_column="image", clinical_columns=("age", "xray_description"), prevalence=None,
    published=False,
)  # fmt: skip


def said(names, **changes):
    return " ".join(departures(replace(ABOUT, **changes), names))


@pytest.mark.parametrize(
    ("words", "names", "changes"),
    [("frozen ImageNet weights", ["image"], {"preset": "quick"}),
     ("Equation 1", ["image"], {}),
     ("A conventional CNN", ["cnn"], {}),
     ("named by whoever ran", ["clinical"], {"drawn_test": False}),
     ("character n-grams", ["clinical"], {}),
     ("out-of-fold probabilities", ["multimodal"], {}),
     ("Feature fusions", ["feature_fusion"], {}),
     ("Cross-attention", ["attention_fusion"], {})],
)  # fmt: skip
def test_a_departure_is_named_where_it_was_made(words, names, changes):
    assert words in said(names, **changes)
    assert words not in said(["age_sex_bmi"], image_column=None, clinical_columns=("age",))


def test_what_holds_for_every_study():
    text = said(["age_sex_bmi"])
    for words in ("one fixed test fold", "mean of those of the models of all folds", "DeLong"):
        assert words in text


def test_text_is_not_spoken_of_where_there_is_none():
    assert "n-grams" not in said(["clinical"], clinical_columns=("age", "sex"))


def test_versions_are_those_installed():
    found = versions()
    assert found["numpy"] == np.__version__
    assert found["torch"] == version("torch")


def test_settings_hold_no_data_of_a_patient():
    assert {field.name for field in fields(About)} == {
        "title", "outcome", "limits", "preset", "seed", "n_folds", "drawn_test", "image_column",
        "clinical_columns", "prevalence", "published",
    }  # fmt: skip
