"""The card says what a stranger must know, and holds aggregates alone."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from skosteo import load_model, read_card
from skosteo.clinical import table_one
from skosteo.study.report.model_card import development_of, model_card
from tests.study.report.pages import changed


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_it_lies_beside_the_model_and_within(ran, request):
    out = request.getfixturevalue(ran).out
    card = (out / "model_card.md").read_text("utf-8")
    assert read_card(out / "model.skops") == card
    for words in ("not to be used to rule out low bone mineral density", "892.1171", "sensitivity",
                  "## Left open", "scikit-learn", "not a medical device"):  # fmt: skip
        assert words in card


def test_its_figures_are_those_of_the_final_model(of_values):
    study, card = of_values.study, model_card(of_values.study)
    auc = study.figures().set_index("figure").loc["AUC", "estimate"]
    assert re.search(rf"\| AUC \| {auc:.3f}".replace("0.", r"0?\."), card)
    assert "SYNTHETIC patients." in card


def test_it_says_how_risks_and_threshold_are_moved_and_that_works(of_values):
    """By the lines of the card: other risks, the same patients positive."""
    X, card = of_values.X[["age", "sex", "bmi", "weight_kg"]], model_card(of_values.study)
    assert "of patients of whom 33.3 % have the outcome, whatever prevalence the report" in card
    model = load_model(of_values.out / "model.skops")
    before, positive = model.predict_proba(X)[:, 1], model.predict(X)
    prevalence = float(
        re.search(r"`model.estimator.estimator.set_params\(prevalence=([^)]*)\)`", card)[1]
    )
    threshold = float(re.search(r"`model.set_params\(threshold=([^)]*)\)`", card)[1])
    assert prevalence == 0.1  # as the report was asked for
    model.estimator.estimator.set_params(prevalence=prevalence)
    model.set_params(threshold=threshold)
    after = model.predict_proba(X)[:, 1]
    np.testing.assert_allclose(logit(after) - logit(before), np.log(0.1 / 0.9 / 0.5))
    assert (model.predict(X) != positive).sum() <= 1  # the threshold is printed to four digits
    assert 0 < positive.sum() < len(X)


def test_rates_at_thresholds_of_folds_are_not_said_to_be_those_of_the_model(of_values, of_split):
    words = "Rates are those at the threshold of each fold"
    assert words in model_card(of_values.study)
    assert words not in model_card(changed(of_values.study, operating_point=0.2))
    assert words not in model_card(of_split.study)


def test_the_development_cohort_can_be_read_back(of_values):
    study = of_values.study
    rows = study.design.development
    shown = study.design.X.iloc[rows][list(study.settings.clinical_columns)]
    expected = table_one(shown, groups=study.design.patient[rows])
    found = development_of(model_card(study))
    pd.testing.assert_frame_equal(found.astype(object), expected.astype(object), check_names=True)


@pytest.mark.parametrize(
    "name", ["age\n(years)", " a  b\t", "\r\n", "a\u2028b\x0b\x85", r"a\|b&#10;<&amp;", "a\\"]
)
def test_names_of_columns_are_read_back_to_the_last_character(name, of_values):
    study = of_values.study
    X = study.design.X.rename(columns={"bmi": name})
    design = replace(study.design, X=X)
    study = changed(study, fields={"design": design}, clinical_columns=(name,))
    expected = table_one(X[[name]], groups=design.patient)
    found = development_of(model_card(study)).astype(object)
    pd.testing.assert_frame_equal(found, expected.astype(object))


def test_a_card_without_a_cohort_has_none():
    assert development_of("# A card\n\nof somebody else\n") is None


def test_texts_of_the_study_are_texts(of_values):
    study = changed(of_values.study, title="A | B <script>\n# C", outcome="x|y")
    card = model_card(study)
    assert "<script>" not in card
    assert r"A \| B &lt;script> # C" in card
