"""What most tests of a study share."""

import pytest

from skosteo.study import Study
from skosteo.study.report import saving
from tests.study.report.pages import picture
from tests.study.studies import small_nets


@pytest.fixture
def small_preset():
    with small_nets():
        yield


@pytest.fixture(autouse=True)
def no_figure_left_open():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def no_report(monkeypatch):
    """Keep what is fitted, but draw and write nothing else: that takes most of the time."""
    monkeypatch.setattr(Study, "save", lambda study, out: None)


@pytest.fixture
def same_picture(monkeypatch):
    """Write the whole report, with one picture in the place of every figure."""
    kept = {kind: picture(kind) for kind in ("svg", "png")}
    monkeypatch.setattr(saving, "as_file", lambda figure, kind: kept[kind])


@pytest.fixture
def one_png(monkeypatch):
    """Write the whole report, every figure as SVG, with one picture in the place of every PNG."""
    kept, drawn = picture("png"), saving.as_file
    monkeypatch.setattr(
        saving, "as_file", lambda figure, kind: kept if kind == "png" else drawn(figure, kind)
    )
