"""Every figure that a study offers is drawn, from this study's figures."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skosteo.exceptions import InputError
from skosteo.study import run_study
from skosteo.study.report.figures import FIGURES, available, shap_with_labels
from tests.small_models import small_clinical
from tests.study.cohorts import patients
from tests.study.conftest import small_nets

OF_VALUES = [2, 5, "calibration", "decision_curve", "differences", "subgroups", "stability"]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def test_what_is_available(of_values, of_films):
    assert available(of_values.study) == OF_VALUES
    assert available(of_films.study) == list(FIGURES)


def test_a_test_set_has_no_repeats_to_be_stable_over(of_split):
    assert "stability" not in available(of_split.study)


@pytest.mark.parametrize("which", FIGURES)
def test_each_is_drawn(which, of_films):
    figure = of_films.study.figure(which)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert figure.axes


@pytest.mark.parametrize("which", [which for which in FIGURES if which not in OF_VALUES])
def test_what_cannot_be_drawn_is_said(which, of_values):
    with pytest.raises(
        InputError, match=r"has nothing to draw figure\(.*\) from: (none of|the primary model)"
    ):
        of_values.study.figure(which)


def test_the_flow_shows_the_counts(of_values):
    text = words(of_values.study.figure(2))
    assert "150" in text
    assert "50" in text
    assert "100" in text


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


def test_ticks_are_printed_as_the_tables_print_numbers(of_values):
    figure = of_values.study.figure(5)
    figure.canvas.draw()
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert {".2", ".4", "1.0"} <= set(ticks)


def test_the_direction_of_sex_is_seen(tmp_path):
    """Women are ill more often here: the dots of female lie right of 0, those of male left."""
    X, y, groups = patients(120)
    X["sex"] = np.where(np.random.default_rng(1).random(120) < 0.2 + 0.6 * y, "F", "M")
    with small_nets():
        study = run_study(
            X, y, groups=groups, image_column=None, n_folds=2, n_repeats=1, verbose=0,
            models=["clinical"],
        )  # fmt: skip
    values = shap_with_labels(study)
    of_sex = values.frame().query("feature == 'Sex'").groupby("value")["shap"].mean()
    assert of_sex["female"] > 0 > of_sex["male"]
    text = words(study.figure(3))
    assert "Sex: female" in text
    assert "Sex: male" in text
    assert "BMI, kg/m\N{SUPERSCRIPT TWO}" in text


def test_loss_curves_have_a_line_per_fold_and_net(of_films):
    figure = of_films.study.figure(4)
    assert [ax.get_title() for ax in figure.axes] == ["image branch", "clinical branch", "fusion"]
    for ax in figure.axes:
        assert len(ax.lines) in (2, 4)  # two folds; validation where the net stops early


def test_a_net_of_ones_own_has_loss_and_accuracy_curves():
    X, y, groups = patients(90)
    study = run_study(
        X[["age", "bmi"]], y, groups=groups, image_column=None, n_folds=2, n_repeats=1, verbose=0,
        models=[("net", small_clinical())],
    )  # fmt: skip
    assert {4, 6} <= set(available(study))
    losses, accuracies = study.figure(4), study.figure(6)
    assert losses.axes[0].get_title() == "net"
    (curve,) = accuracies.axes[0].lines
    result = study.results[study.models["net"].key]
    epochs = min(len(fold.histories["net"]) for fold in result.folds)  # until the first stops
    assert len(curve.get_xdata()) == epochs
    assert np.isfinite(curve.get_ydata()).all()
    assert 0 <= min(curve.get_ydata()) <= max(curve.get_ydata()) <= 1
