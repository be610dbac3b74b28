"""Every figure that a study offers is drawn, from this study's figures."""

import numpy as np
import pytest
from matplotlib.contour import ContourSet
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


def test_the_thick_line_of_a_fusion_is_the_models_threshold(of_films):
    """The fused probability that recalibration makes the threshold of."""
    study = of_films.study
    (ax,) = study.figure("fusion").axes
    (lines,) = [c for c in ax.collections if isinstance(c, ContourSet) and not c.filled]
    thick = np.argmax(lines.get_linewidth())
    learned = study.final.recalibrated
    assert learned.put_right(lines.levels[[thick]])[0] == pytest.approx(
        study.final_model_.threshold
    )


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
