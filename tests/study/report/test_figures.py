"""Every figure that a study offers is drawn, from this study's figures."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skosteo.exceptions import InputError
from skosteo.study import run_study
from skosteo.study.report.figures import FIGURES, available
from tests.small_models import small_clinical
from tests.study.cohorts import patients

OF_VALUES = [2, 5, "comparison", "calibration", "decision_curve", "subgroups"]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def test_what_is_available(of_values, of_films):
    assert available(of_values.study) == OF_VALUES
    assert available(of_films.study) == list(FIGURES)


@pytest.mark.parametrize("which", FIGURES)
def test_each_is_drawn(which, of_films):
    figure = of_films.study.figure(which)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert figure.axes


@pytest.mark.parametrize("which", [which for which in FIGURES if which not in OF_VALUES])
def test_what_cannot_be_drawn_is_said(which, of_values):
    with pytest.raises(InputError, match=r"needs an image model|is a net|stopped early"):
        of_values.study.figure(which)


def test_the_flow_shows_the_counts(of_values):
    text = words(of_values.study.figure(2))
    assert "150" in text
    assert "50" in text
    assert "100" in text


def test_roc_curves_are_of_all_models_with_their_areas(of_values):
    study = of_values.study
    text = words(study.figure(5))
    for name, model in study.models.items():
        assert model.title in text, name
        assert study.table(2).loc[model.title, "AUC"].split(" ")[0] in text


def test_loss_curves_have_a_line_per_fold_and_net(of_films):
    figure = of_films.study.figure(4)
    assert [ax.get_title() for ax in figure.axes] == ["image branch", "clinical branch", "fusion"]
    for ax in figure.axes:
        assert len(ax.lines) in (2, 4)  # two folds; validation where the net stops early


def test_a_net_of_ones_own_has_loss_and_accuracy_curves():
    X, y, groups = patients(90)
    study = run_study(
        X[["age", "bmi"]], y, groups=groups, image_column=None, n_folds=2, verbose=0,
        models=[("net", small_clinical())],
    )  # fmt: skip
    assert {4, 6} <= set(available(study))
    losses, accuracies = study.figure(4), study.figure(6)
    assert losses.axes[0].get_title() == "net"
    (curve,) = accuracies.axes[0].lines
    epochs = max(len(result.histories["net"]) for result in next(iter(study.results.values())))
    assert len(curve.get_xdata()) == epochs
    assert np.isfinite(curve.get_ydata()).all()
    assert 0 <= min(curve.get_ydata()) <= max(curve.get_ydata()) <= 1
