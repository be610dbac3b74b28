import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.contour import ContourSet
from scipy.special import expit, logit

from skosteo.datasets import make_cohort
from skosteo.exceptions import InputError
from skosteo.explain import FusionView, explain_fusion
from tests.small_models import small_clinical, small_fusion, small_image, write_films

BRIEF = small_image(max_epochs=1)


def of_mean():
    return small_fusion(image=BRIEF, clinical=small_clinical(n_members=1), final_estimator="mean")


@pytest.fixture(scope="module")
def fitted():
    cohort = make_cohort(40, missing_rate=0, random_state=0)
    X = cohort.data[["image", "age", "bmi"]]
    return of_mean().fit(X, cohort.target), X


@pytest.fixture(scope="module")
def view(fitted):
    model, X = fitted
    return explain_fusion(model, X[5:6], X)


def test_the_mean_of_log_odds_moves_by_half_of_each_branch(fitted, view):
    model, X = fitted
    own = logit(model.branch_probabilities(X))
    np.testing.assert_allclose(view.contributions, (own[5] - own.mean(axis=0)) / 2, atol=1e-6)
    assert view.base == pytest.approx(own.mean(), abs=1e-6)


def test_the_way_adds_up_to_the_answer(fitted, view):
    model, X = fitted
    frame = view.frame().set_index("part")
    assert list(frame.index) == ["background", "image", "clinical", "fused"]
    assert frame.loc["fused", "probability"] == model.predict_proba(X[5:6])[0, 1]
    assert expit(frame["log_odds"][:-1].sum()) == pytest.approx(frame.loc["fused", "probability"])


def test_the_surface_is_what_the_fusion_says_of_any_two_probabilities(view):
    # across: image; downwards: clinical
    assert view.surface[30, 80] == pytest.approx(expit((logit(0.8) + logit(0.3)) / 2))


@pytest.mark.parametrize(("threshold", "thick"), [(0.5, [0.5]), (0.27, [0.27]), (None, [])])
def test_the_line_of_the_threshold_is_thick(view, threshold, thick):
    ax = view.plot(threshold=threshold)
    (lines,) = [c for c in ax.collections if isinstance(c, ContourSet) and not c.filled]
    assert lines.levels[lines.get_linewidth() > 1].tolist() == thick
    plt.close("all")


def test_a_patient_without_a_film_is_explained_by_what_is_there(fitted):
    model, X = fitted
    gone = X[5:6].assign(image=None)
    with pytest.warns(UserWarning, match="branch 'image'"):
        view = explain_fusion(model, gone, X)
    assert np.isnan(view.probability[0])
    assert np.isnan(view.contributions[0])
    assert view.surface is None
    assert expit(view.base + view.contributions[1]) == pytest.approx(view.fused)


def test_further_branches_are_further_parts():
    cohort = make_cohort(40, missing_rate=0, random_state=0)
    X = cohort.data[["image", "age", "bmi"]]
    model = small_fusion(
        image=BRIEF,
        clinical=small_clinical(n_members=1),
        clinical_columns=["age"],
        other_branches=[("body", small_clinical(n_members=1), ["bmi"])],
        final_estimator="logistic",
    ).fit(X, cohort.target)
    view = explain_fusion(model, X[:1], X)
    assert view.branches == ("image", "clinical", "body")
    assert view.surface is None
    assert expit(view.base + view.contributions.sum()) == pytest.approx(view.fused)


def test_all_nets_are_left_in_their_modes(fitted, view):
    model, X = fitted
    nets = [model.image_.net_.module_, model.clinical_.net_.module_]
    for net in nets:
        net.train()
    again = explain_fusion(model, X[5:6], X)
    assert all(part.training for net in nets for part in net.modules())
    assert again.frame().equals(view.frame())


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_are_taken(library, tmp_path):
    module = pytest.importorskip(library)
    X, y, _ = write_films(tmp_path, 24)
    model = of_mean().fit(X, y)
    other = module.from_pandas(X) if library == "polars" else module.Table.from_pandas(X)
    one = other[:1] if library == "polars" else other.slice(0, 1)
    found = explain_fusion(model, one, other)
    pd.testing.assert_frame_equal(found.frame(), explain_fusion(model, X[:1], X).frame())


def test_it_comes_back_from_plain_arrays(view, tmp_path):
    np.savez(tmp_path / "view.npz", **view.to_arrays())
    with np.load(tmp_path / "view.npz", allow_pickle=False) as stored:
        back = FusionView.from_arrays(dict(stored))
    pd.testing.assert_frame_equal(back.frame(), view.frame())


def test_what_does_not_fit_is_refused(fitted):
    model, X = fitted
    with pytest.raises(InputError, match="3 rows"):
        explain_fusion(model, X[:3], X)
    with pytest.raises(InputError, match="joins no probabilities"):
        explain_fusion(model.clinical_, X[:1], X)
    with (
        pytest.raises(InputError, match="No row of the background"),
        pytest.warns(UserWarning, match="branch 'image'"),
    ):
        explain_fusion(model, X[:1], X.assign(image=None))


@pytest.mark.parametrize("surface", [None, np.linspace(0, 1, 101 * 101).reshape(101, 101)])
@pytest.mark.parametrize("name", ["$x_{2$", "\N{CIRCLED LATIN CAPITAL LETTER A}"])
def test_any_name_can_be_drawn(name, surface, monkeypatch):
    """Also of signs that the usual font lacks, as Chinese ones; here of matplotlib's own font."""
    monkeypatch.setattr("skosteo._plotting._MORE_FONTS", ("STIXGeneral",))
    probability = np.array([0.8, 0.3]) if surface is not None else np.array([np.nan, 0.3])
    view = FusionView(
        (name, name + "2"), probability, 0.6, 0.0, np.array([0.5, -0.1]), np.ones((2, 2)), surface
    )
    ax = view.plot()
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
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "lateral (.70)",
        "clinical (.30)",
    ]
    assert [round(bar.get_width(), 2) for bar in ax.patches] == [0.6, -0.2]
    assert "without image" in ax.get_title(loc="left")
