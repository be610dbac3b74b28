"""Figures show the curves, the intervals and the points that they claim."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

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


def test_figure_shows_what_the_table_says(report):
    ax = report.plot()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [f"{name}  {auc}" for name, auc in report.table()["AUC"].items()]
    assert "0.4" in ax.get_legend().get_title().get_text()
    assert ax.get_aspect() == 1
    curves = [line for line in ax.lines if line.get_label() in legend]
    points = [line.get_xydata()[0] for line in ax.lines if len(line.get_xydata()) == 1]
    frame = report.frame().set_index(["model", "metric"])["estimate"]
    for name, curve, point in zip(["image", "chance"], curves, points, strict=True):
        x, y = curve.get_data()
        assert np.trapezoid(y, x) == pytest.approx(frame[name, "AUC"])
        assert point == pytest.approx((1 - frame[name, "specificity"], frame[name, "sensitivity"]))


def test_ten_models_are_told_apart():
    y = np.repeat([0, 1], 20)
    rng = np.random.default_rng(0)
    ax = evaluate(y, {f"model {i}": rng.random(40) for i in range(10)}).plot()
    curves = [line for line in ax.lines if line.get_label().startswith("model")]
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == 10
    plt.close("all")


def test_two_models_differ_without_colour(report):
    ax = report.plot()
    styles = {line.get_linestyle() for line in ax.lines if line.get_label() in _legend(ax)}
    assert len(styles) == 2


def _legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_each_models_own_threshold_is_said():
    models = {"a": [0.1, 0.6, 0.4, 0.9], "b": [0.2, 0.3, 0.4, 0.7]}
    ax = evaluate([0, 0, 1, 1], models, threshold={"a": 0.5, "b": 0.35}).plot()
    assert "each model's threshold" in ax.get_legend().get_title().get_text()
    plt.close("all")


def test_reliability_shows_bins_line_and_spread(report):
    y, models = report.positive, {"image": np.clip(report.probability["image"], 0.01, 0.99)}
    curve = reliability(y, models, n_bins=5)
    ax = curve.plot()
    frame = curve.frame()
    [drawn] = [line for line in ax.lines if line.get_label().startswith("image")]
    assert drawn.get_xydata() == pytest.approx(frame[["mean_probability", "observed"]].to_numpy())
    line = curve.lines["image"]
    text = _legend(ax)[0].replace("\N{MINUS SIGN}", "-")
    assert f"{line.slope:.2f} [{line.slope_low:.2f}" in text
    assert f"{line.intercept:.2f} [" in text
    assert [patch for patch in ax.patches if type(patch).__name__ == "StepPatch"]


def test_decision_curve_shows_models_and_both_references(report):
    curve = decision_curve(report.positive, report.probability)
    ax = curve.plot()
    assert _legend(ax) == ["image", "chance", "treat all", "treat none"]
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    expected = np.column_stack([100 * curve.thresholds, curve.net_benefit["image"]])
    assert lines["image"] == pytest.approx(expected)
    assert ax.get_ylim()[0] < 0 < curve.net_benefit["treat all"].max() < ax.get_ylim()[1]


def test_forest_of_differences_shows_every_line_of_the_table(report):
    comparison = compare(report.positive, report.probability)
    ax = comparison.plot()
    written = [text.get_text() for text in ax.texts]
    assert written == comparison.table().iloc[0].tolist()
    points = [line.get_xydata()[0, 0] for line in ax.lines if len(line.get_xydata()) == 1]
    assert points == pytest.approx(comparison.frame()["difference"].tolist())


def test_forest_of_subgroups_says_what_is_suppressed(report):
    site = np.full(100, "A")
    for side in (report.positive, ~report.positive):
        site[np.flatnonzero(side)[:14]] = np.repeat(["B", "C"], 7)
    result = subgroups(report.positive, report.probability, {"site": site})
    ax = result.plot()
    labels = [text.get_text().strip() for text in ax.get_yticklabels()]
    events = report.positive[site == "A"].sum()
    assert labels == ["site", f"A ({events}/72)", "", "B (suppressed)", "C (suppressed)"]
    assert result.note in ax.get_xlabel().replace("\n", " ")
    assert _legend(ax) == ["image", "chance"]


def test_the_one_reference_is_named_once(report):
    three = {**report.probability, "both": np.linspace(0, 1, 100)}
    ax = compare(report.positive, three, reference="chance").plot()
    assert ax.get_xlabel().startswith("Difference from chance [95 %")
    assert not any("chance" in text.get_text() for text in ax.get_yticklabels())


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


def test_draws_on_given_axes_and_saves(report, tmp_path):
    figure, ax = plt.subplots()
    assert report.plot(ax) is ax
    figure.savefig(tmp_path / "roc.png")
    assert (tmp_path / "roc.png").stat().st_size > 5_000


def test_evaluation_does_not_import_matplotlib():
    code = "import sys, skosteo.evaluation; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
