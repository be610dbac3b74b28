import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from skosteo.exceptions import InputError
from skosteo.explain import FusionView, GradCam, ShapValues


@pytest.fixture(autouse=True)
def _closed():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture
def found():
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.normal(69, 9, 60), np.where(rng.random(60) < 0.5, "F", "M")])
    data = data.astype(object)
    data[:, 0] = data[:, 0].astype(float)
    data[0, 0] = np.nan
    return ShapValues(rng.normal(size=(60, 2)) * [0.2, 0.1], 0.4, data, ["cost_in_$", "sex"])


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.mark.parametrize("kind", ["dot", "bar"])
def test_the_most_important_feature_is_on_top_and_the_unit_is_named(found, kind):
    ax = found.plot(kind)
    ax.figure.canvas.draw()
    assert names(ax) == ["sex", "cost_in_$"]
    assert "probability" in ax.get_xlabel()


def test_every_row_is_a_dot_and_words_and_gaps_are_rings(found):
    ax = found.plot()
    rings, dots = ([c for c in ax.collections if len(c.get_facecolors()) == n] for n in (0, 59))
    assert sum(len(c.get_offsets()) for c in ax.collections) == 120
    assert sum(len(c.get_offsets()) for c in rings) == 61
    # dark is high, in grey print too
    shades = dots[0].get_facecolors()[:, :3] @ [0.299, 0.587, 0.114]
    values = found.data[1:, 0].astype(float)
    assert np.corrcoef(values, shades)[0, 1] < -0.9


def test_bars_are_the_mean_absolute_values(found):
    widths = [bar.get_width() for bar in found.plot("bar").patches]
    np.testing.assert_allclose(sorted(widths), np.sort(np.abs(found.values).mean(axis=0)))


def test_another_kind_is_refused(found):
    with pytest.raises(InputError, match="allowed are"):
        found.plot("violin")


@pytest.mark.parametrize("kind", ["dot", "bar"])
def test_it_draws_where_it_is_told(found, kind):
    _, ax = plt.subplots()
    assert found.plot(kind, ax=ax) is ax


@pytest.mark.parametrize(("attention", "views"), [(None, 2), (np.ones((6, 2, 2), np.float32), 3)])
def test_panels_show_film_heat_and_attention(attention, views):
    maps = np.random.default_rng(0).random((6, 2, 2)).astype(np.float32)
    films = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8)
    cam = GradCam(maps, films, np.linspace(0, 1, 6), np.array([1, 0, 1, 1, 1, 1.0]), attention)
    figure = cam.plot()
    figure.canvas.draw()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    said = [f"probability {p}" for p in (".00", ".20", ".40", ".60")]
    assert [title for title in titles if title.startswith("p")] == said
    assert titles.count("Grad-CAM: none") == 1
    assert len([ax for ax in figure.axes if ax.images]) == 4 * views
    assert len([ax for ax in cam.plot([5, 0, 2], n_columns=2).axes if ax.images]) == 3 * views


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rows": []}, r"rows=\[\].* from 0 to 1"),
        ({"rows": [99]}, r"rows=\[99\]"),
        ({"rows": [-1]}, r"rows=\[-1\]"),
        ({"n_columns": 0}, "n_columns=0"),
    ],
)
def test_panels_that_are_not_there_are_refused(arguments, said):
    maps, films = np.ones((2, 2, 2), np.float32), np.zeros((2, 8, 8), np.uint8)
    with pytest.raises(InputError, match=said):
        GradCam(maps, films, np.ones(2), np.ones(2)).plot(**arguments)


@pytest.mark.parametrize("surface", [None, np.linspace(0, 1, 101 * 101).reshape(101, 101)])
@pytest.mark.parametrize("name", ["$x_{2$", "\N{CIRCLED LATIN CAPITAL LETTER A}"])
def test_any_name_can_be_drawn(name, surface, monkeypatch):
    """Also of signs that the usual font lacks, as Chinese ones; here of matplotlib's own font."""
    monkeypatch.setattr("skosteo._plotting._MORE_FONTS", ("STIXGeneral",))
    probability = np.array([0.8, 0.3]) if surface is not None else np.array([np.nan, 0.3])
    view = FusionView(
        (name, name + "2"), probability, 0.6, 0.0, np.array([0.5, -0.1]), np.ones((2, 2)), surface
    )
    found = ShapValues([[0.1, 0.2]], 0.5, [[1, 2]], [name, "b"])
    for ax in (view.plot(), found.plot(), found.plot("bar")):
        ax.figure.canvas.draw()
        assert any(name in text.get_text() for text in ax.findobj(plt.Text))


def test_a_fusion_of_two_is_a_surface_with_the_patient_in_it():
    across = np.linspace(0, 1, 101)
    view = FusionView(
        ("image", "clinical"), np.array([0.8, 0.3]), 0.6, 0.0, np.array([0.5, -0.1]),
        np.random.default_rng(0).random((20, 2)), (across + across[:, None]) / 2,
    )  # fmt: skip
    ax = view.plot()
    ax.figure.canvas.draw()
    assert "image .80, clinical .30: fused .60" in ax.get_title(loc="left")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("P(image)", "P(clinical)")
    points = np.vstack([c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 1])
    assert [0.8, 0.3] in points.tolist()


def test_a_fusion_of_three_is_bars_and_names_what_is_missing():
    view = FusionView(
        ("image", "clinical", "lateral"), np.array([np.nan, 0.3, 0.7]), 0.6, 0.0,
        np.array([np.nan, -0.2, 0.6]), np.zeros((1, 3)),
    )  # fmt: skip
    ax = view.plot()
    ax.figure.canvas.draw()
    assert names(ax) == ["lateral (.70)", "clinical (.30)"]
    assert [round(bar.get_width(), 2) for bar in ax.patches] == [0.6, -0.2]
    assert "without image" in ax.get_title(loc="left")
