"""What all figures share: colours, signs of any language, given axes, text within the figure."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from skosteo._plotting import PALETTE, ForestLine, forest_plot, series_style
from skosteo.evaluation import compare, decision_curve, evaluate, reliability, subgroups

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def report():
    y = np.repeat([0, 1], [60, 40])
    rng = np.random.default_rng(0)
    image = np.clip(0.4 * y + rng.normal(0.3, 0.2, 100), 0, 1)
    yield evaluate(y, {"image": image, "chance": rng.random(100)}, threshold=0.4)
    plt.close("all")


def test_series_are_told_apart_by_colour_or_style():
    styles = [series_style(i) for i in range(2 * len(PALETTE))]
    assert len(set(styles)) == len(styles)
    assert len({style for _, style in styles[:2]}) == 2


def test_a_forest_plot_has_a_line_for_each_estimate_and_none_for_a_heading():
    lines = [ForestLine("sex"), ForestLine("  men", 0, 0.8, 0.7, 0.9, ".8 [.7, .9]")]
    ax = forest_plot(lines, None, ["a", "b"])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["sex", "  men"]
    assert [text.get_text() for text in ax.texts] == [".8 [.7, .9]"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    (segments,) = (line.get_segments() for line in ax.collections)
    assert segments[0].tolist() == [[0.7, 1], [0.9, 1]]
    plt.close("all")


def _pictures(report, name):
    """Draw every kind of figure of models and levels that are called so."""
    models = dict(zip((name, "b"), report.probability.values(), strict=True))
    models = {key: np.clip(p, 0.01, 0.99) for key, p in models.items()}
    y, by = report.positive, {name: np.tile([name, "B"], 50)}
    for result in (
        evaluate(y, models),
        reliability(y, models),
        decision_curve(y, models),
        compare(y, models, reference=name),
        subgroups(y, models, by),
    ):
        ax = result.plot()
        ax.figure.canvas.draw()
        yield ax


def test_a_dollar_is_a_dollar(report):
    for ax in _pictures(report, "$x_{2$"):
        assert any("$x_{2$" in text.get_text() for text in ax.findobj(plt.Text))


def test_signs_that_the_usual_font_lacks_come_from_another(report, monkeypatch):
    """As Chinese names do; here of a font that comes with matplotlib."""
    sign = "\N{CIRCLED LATIN CAPITAL LETTER A}"
    monkeypatch.setattr("skosteo._plotting._MORE_FONTS", ("No such font", "STIXGeneral"))
    before = mpl.rcParams["font.family"]
    assert len(list(_pictures(report, sign))) == 5  # a warning of a missing glyph is an error
    assert mpl.rcParams["font.family"] == before


@pytest.mark.parametrize("draw", [reliability, decision_curve, compare])
def test_others_draw_on_given_axes(report, draw):
    models = {name: np.clip(p, 0.01, 0.99) for name, p in report.probability.items()}
    _, ax = plt.subplots()
    assert draw(report.positive, models).plot(ax) is ax


def test_text_stays_within_the_figure(report):
    """Long names of models and levels make a figure narrower, not cut."""
    long = {
        f"ResNet50 + wavelets + attention {i}": p for i, p in enumerate(report.probability.values())
    }
    levels = np.repeat(["a device of a long name", "other"], 50)[np.argsort(np.arange(100) % 2)]
    for figure in (compare(report.positive, long), subgroups(report.positive, long, {"d": levels})):
        ax = figure.plot()
        ax.figure.canvas.draw()
        box = ax.figure.bbox
        for text in (*ax.texts, *ax.get_yticklabels()):
            extent = text.get_window_extent()
            assert box.x0 <= extent.x0
            assert extent.x1 <= box.x1


def test_evaluation_and_clinical_side_do_not_import_matplotlib():
    rooms = "skosteo.evaluation, skosteo.clinical.cohort"
    code = f"import sys, {rooms}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
