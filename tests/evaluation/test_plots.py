"""The ROC figure shows the curves, the intervals and the operating point that it claims."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from skosteo.evaluation import evaluate

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


def test_draws_on_given_axes_and_saves(report, tmp_path):
    figure, ax = plt.subplots()
    assert report.plot(ax) is ax
    figure.savefig(tmp_path / "roc.png")
    assert (tmp_path / "roc.png").stat().st_size > 5_000


def test_evaluation_does_not_import_matplotlib():
    code = "import sys, skosteo.evaluation; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
