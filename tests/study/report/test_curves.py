"""Curves and forests of the report: what stands in them is the study's."""

import numpy as np

from skosteo.evaluation._format import signed_text
from tests.study.report.test_figures import words


def test_roc_curves_are_of_the_prespecified_models_the_primary_one_thick(of_films):
    study = of_films.study
    ax = study.figure(5).axes[0]
    curves = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert len(curves) == len(study.family) == 4
    assert len({line.get_color() for line in curves}) == 4
    thick, *others = (line.get_linewidth() for line in curves)
    assert thick > 2 * max(others) - 0.1
    for line, name in zip(curves, study.family, strict=True):
        assert study.titles[name] in line.get_label()
        assert study.table(2).loc[study.titles[name], "AUC"] in line.get_label()


def test_calibration_is_drawn_as_fitted_and_recalibrated(of_values):
    figure = of_values.study.figure("calibration")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["A  as fitted", "B  recalibrated"]


def test_net_benefit_stands_beside_its_difference_from_the_comparator(of_values):
    study = of_values.study
    left, right = study.figure("decision_curve").axes
    curves = {line.get_label(): line.get_ydata() for line in left.lines}
    primary, comparator = (study.titles[name] for name in study.family[:2])
    np.testing.assert_allclose(
        right.lines[0].get_ydata(), curves[primary] - curves[comparator], atol=1e-12
    )


def test_differences_have_a_line_for_every_other_model(of_films):
    """The models of the investigator too, each once, under headings."""
    labels = [text.get_text().strip() for text in of_films.study.figure("differences").axes[0]
              .get_yticklabels()]  # fmt: skip
    assert labels == [
        "Comparator and parts", "Logistic: age, sex, BMI", "Image model",
        "Clinical parameter model", "Ablation of the image model", "Backbone + WT",
    ]  # fmt: skip


def test_right_of_0_the_primary_model_is_better(of_films):
    study = of_films.study
    found = study.differences().query("metric == 'AUC'")["difference"]  # the other less the primary
    text = words(study.figure("differences"))
    assert found.min() < -0.1
    for difference in found:
        assert signed_text(-difference, np.nan, np.nan).partition(" [")[0] in text


def test_subgroups_are_the_levels_with_enough_patients(of_values):
    study = of_values.study
    frame = study.subgroups().frame().drop_duplicates(["variable", "level"])
    assert frame["suppressed"].any()
    text = words(study.figure("subgroups"))
    assert "female (83 patients)" in text
    assert "suppressed" not in text
    for level in frame.loc[frame["suppressed"], "level"]:
        assert level not in text


def test_stability_has_a_dot_for_every_patient_and_repeat(of_values):
    study = of_values.study
    ax = study.figure("stability").axes[0]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [150, 150]
    np.testing.assert_allclose(
        np.mean([line.get_ydata() for line in dots], axis=0), dots[0].get_xdata()
    )
