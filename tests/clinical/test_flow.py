"""The flow says the same in a table, in words and in a chart, where nothing lies on another."""

import re
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from skosteo.clinical.cohort import select_cohort

mpl.use("Agg")
import matplotlib.pyplot as plt

LONG = "drugs_that_affect_bone_metabolism_or_cost_more_than_$5_or_$9_such_as_hormones_" * 2
UNBROKEN = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


@pytest.fixture
def flow():
    table = pd.DataFrame(
        {
            "age": [45, 60, 70, 80, 90, None],
            "tumour": [None, "yes", "no", None, "no", "yes"],
            "t": [-3, -3, -2.5, 0, None, -1],
            "patient": ["a", "a", "a", "b", "c", "d"],
        }
    )
    return select_cohort(table, t_score="t", exclude="tumour", patient="patient").flow


def test_frame_counts_rows_and_patients(flow):
    expected = pd.DataFrame(
        [
            ("rows in the table", 0, 6, 0, 0, 4),
            ("age below 50 years or not known", 2, 4, 1, 1, 3),
            # a's second study goes, the third stays
            ("tumour (not known: kept)", 1, 3, 1, 0, 3),
            ("30 % or more of 1 clinical values missing", 0, 3, 0, 0, 3),
            ("no DXA result", 1, 2, 0, 1, 2),
        ],
        columns=[
            "step",
            "excluded",
            "remaining",
            "unknown",
            "excluded_patients",
            "remaining_patients",
        ],
    )
    pd.testing.assert_frame_equal(flow.frame(), expected)


def test_outcome_names_both_groups(flow):
    assert flow.outcome.to_dict("index") == {
        "osteoporosis (T <= -2.5)": {"rows": 1, "patients": 1},
        "no osteoporosis (T > -2.5)": {"rows": 1, "patients": 1},
    }


def test_words_say_every_count(flow):
    words = str(flow)
    assert words.startswith("6 rows in the table; age below 50 years or not known: 2 excluded, 4")
    left = [int(n) for n in re.findall(r"(\d+) left", words)]
    assert left == flow.frame()["remaining"].tolist()[1:]


@pytest.fixture
def long_flow():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(45, 90, 3000),
            LONG: rng.choice(["yes", "no", None], 3000, p=[0.1, 0.8, 0.1]),
            UNBROKEN: rng.choice([1, 0], 3000, p=[0.1, 0.9]),
            "t": rng.normal(-2, 1.2, 3000).round(1),
            "patient": rng.integers(0, 2000, 3000),
        }
    )
    yield select_cohort(table, t_score="t", exclude=[LONG, UNBROKEN], patient="patient").flow
    plt.close("all")


def test_every_count_is_written(long_flow):
    texts = [text.get_text() for text in long_flow.plot().texts if text.get_text()]
    steps = long_flow.frame()
    out, main = texts[1:-2:2], [texts[0], *texts[2:-2:2]]
    for row, text in zip(steps.itertuples(), main, strict=True):
        assert f"n = {row.remaining:,} ({row.remaining_patients:,} patients)" in text
    for row, text in zip(list(steps.itertuples())[1:], out, strict=True):
        assert f"n = {row.excluded:,} ({row.excluded_patients:,} patients)" in text
        assert row.step.replace("_", "")[:20].replace(" ", "") in text.replace(" ", "").replace(
            "\n", ""
        )
    assert f"not known: {steps['unknown'].max()}" in out[1]
    for (name, counts), text in zip(long_flow.outcome.iterrows(), texts[-2:], strict=True):
        assert text.lower().startswith(name.lower())
        assert f"n = {counts['rows']:,} ({counts['patients']:,} patients)" in text


@pytest.mark.parametrize("given", [False, True])
def test_text_stays_in_its_box_and_boxes_apart(long_flow, given):
    ax = long_flow.plot(plt.subplots(figsize=(5, 4))[1] if given else None)
    ax.figure.canvas.draw()
    boxes = [patch.get_window_extent() for patch in ax.patches]
    texts = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert len(boxes) == len(texts) == 2 * len(long_flow.frame()) + 1
    for box, text in zip(boxes, texts, strict=True):
        assert box.x0 < text.x0
        assert text.x1 < box.x1
        assert box.y0 < text.y0
        assert text.y1 < box.y1
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    frame = ax.get_window_extent()
    assert all(frame.x0 <= b.x0 and b.x1 <= frame.x1 and frame.y0 <= b.y0 for b in boxes)


def test_exclusions_stand_right_and_the_rest_goes_down(long_flow):
    centres = [(p.get_x(), p.get_y()) for p in long_flow.plot().patches]
    out, main = centres[1:-2:2], [centres[0], *centres[2:-2:2]]
    assert len({x for x, _ in main}) == 1
    assert all(x > main[0][0] for x, _ in out)
    # boxes are given from the top; y grows downwards
    order = [y for _, y in centres[:-2]]
    assert order == sorted(order)
    (left, low), (right, same) = centres[-2:]
    assert low == same > order[-1]
    assert left < right


def test_draws_on_given_axes_and_saves(long_flow, tmp_path):
    figure, ax = plt.subplots()
    assert long_flow.plot(ax) is ax
    figure.savefig(tmp_path / "flow.png")
    assert (tmp_path / "flow.png").stat().st_size > 5_000
