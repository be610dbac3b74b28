"""T-scores against the published reference, and labels at their exact limits."""

import os

import numpy as np
import pandas as pd
import pytest

from skosteo.clinical.labels import as_numbers, label, t_score
from skosteo.datasets import fetch_nhanes
from skosteo.exceptions import InputError

needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)


@pytest.mark.parametrize(
    ("bmd", "expected"),
    # Looker 1998: .858 +- .120 g/cm2; each .120 is one T
    [(0.858, 0), (0.738, -1), (0.618, -2), (0.558, -2.5), (0.498, -3), (0.978, 1), (0.918, 0.5)],
)
def test_a_density_on_a_limit_gives_exactly_that_t_score(bmd, expected):
    assert t_score(bmd) == expected


def test_every_density_a_scanner_prints_gives_the_score_of_whole_numbers():
    thousandths = np.arange(200, 1500)
    exact = np.round((thousandths - 858) / 120, 6)
    assert np.array_equal(t_score(thousandths / 1000), exact)
    assert label(t_score(thousandths / 1000)).sum() == np.sum(thousandths <= 558)
    low = label(t_score(thousandths / 1000), kind="low_bone_mass")
    assert low.sum() == np.sum(thousandths < 738)


def test_a_series_keeps_its_index_and_gaps_stay():
    bmd = pd.Series([0.738, None, 0.858], index=["c", "a", "a"])
    scores = t_score(bmd)
    assert scores.index.tolist() == ["c", "a", "a"]
    assert scores.iloc[[0, 2]].tolist() == [-1, 0]
    assert np.isnan(scores.iloc[1])
    assert np.isnan(t_score(pd.Series([pd.NA, 0.858], dtype="Float64")).iloc[0])


def test_a_reference_of_the_users():
    assert t_score(0.86, reference=(0.98, 0.12)) == -1


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nhanes", "nhanes_iii_women_20_29"),
        ((858, 120), "g/cm2"),
        ((0.858,), "mean, SD"),
        ((0.12, 0.858), "mean, SD"),
        ((0.858, 0), "mean, SD"),
    ],
)
def test_unusable_references_are_refused(reference, words):
    with pytest.raises(InputError, match=words):
        t_score([0.7], reference=reference)


@pytest.mark.parametrize(
    ("bmd", "guess"),
    [
        ([558, 738], "mg/cm2"),
        ([-2.5, -1.0, 0.3], "T-scores"),
        ([0.7, 0.8, 0.0], "missing"),
        ([0.7, 9.999], "missing"),
        (["0,558", "0,738"], "decimal comma"),
        (["low", 0.7], "row 1"),
        ([np.inf], "infinity"),
    ],
)
def test_densities_that_are_none_are_refused_with_a_guess(bmd, guess):
    with pytest.raises(InputError, match=guess):
        t_score(bmd)


@pytest.mark.parametrize(
    ("t", "osteoporosis", "low_bone_mass"),
    [
        (-2.5, 1, 1),
        (-2.4999999, 0, 1),
        (-2.5000001, 1, 1),
        ((0.558 - 0.858) / 0.120, 1, 1),  # -2.4999999999999996
        (-1.0, 0, 0),
        (-1.0000001, 0, 1),
        (np.nextafter(-1, -2), 0, 0),
        (np.nextafter(-1, 0), 0, 0),
        (-0.9999999, 0, 0),
        (0.0, 0, 0),
        (-4.1, 1, 1),
    ],
)
def test_labels_at_their_limits(t, osteoporosis, low_bone_mass):
    assert label([t]).tolist() == [osteoporosis]
    assert label([t], kind="low_bone_mass").tolist() == [low_bone_mass]


def test_the_name_says_which_label_it_is():
    t = pd.Series([-3.0, -1.5], index=[8, 9])
    assert label(t).name == "osteoporosis (T <= -2.5)"
    assert label(t, kind="low_bone_mass").name == "low bone mass (T < -1)"
    assert label(t).index.tolist() == [8, 9]


@pytest.mark.parametrize(
    ("t", "words"),
    [
        ([-2.6, np.nan, None], "misses 2 of 3 T-scores, the first in row 2"),
        ([558.0, 738.0], "mg/cm2"),
        ([-9, -2.6], "missing"),
        ([-2.6, 999], "missing"),
        (["-2,5"], "decimal comma"),
        ([[-2.6, -1.0]], "lowest"),
    ],
)
def test_t_scores_that_are_none_are_refused(t, words):
    with pytest.raises(InputError, match=words):
        label(t)


@pytest.mark.parametrize(
    ("kind", "guess"),
    [
        ("osteopenia", "low_bone_mass"),
        ("DXA positive", "low_bone_mass"),
        ("low bone mass", "low_bone_mass"),
        ("Osteoporosis", "osteoporosis"),
    ],
)
def test_a_slip_in_the_label_is_guessed(kind, guess):
    with pytest.raises(InputError, match=f"did you mean '{guess}'"):
        label([-1.0], kind=kind)


def test_numbers_are_read_whatever_holds_them():
    expected = [1.5, np.nan, -2]
    for values in (
        ["1.5", " ", "-2"],
        pd.Series([1.5, pd.NA, -2], dtype="Float64"),
        pd.Series([1.5, None, -2], dtype=object),
    ):
        np.testing.assert_array_equal(as_numbers(values, "x"), expected)


@needs_data
def test_floating_point_takes_nobodys_osteoporosis_away():
    frame = fetch_nhanes().frame
    kinds = ("osteoporosis", "low_bone_mass")
    counts = {
        cycle: [int(label(t_score(bmd), kind=kind).sum()) for kind in kinds]
        for cycle, bmd in frame.groupby("cycle")["bmd_g_cm2"]
    }
    # counted in whole thousandths of g/cm2, the precision of the files: at most 558, below 738
    whole = (frame["bmd_g_cm2"] * 1000).round().astype(int)
    assert np.allclose(whole / 1000, frame["bmd_g_cm2"])
    expected = {
        cycle: [int((w <= 558).sum()), int((w < 738).sum())]
        for cycle, w in whole.groupby(frame["cycle"])
    }
    assert counts == expected == {"2013-2014": [155, 1078], "2017-2018": [155, 1083]}


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_columns_of_other_libraries(library):
    pytest.importorskip("pyarrow")
    module = pytest.importorskip(library)
    table = {"bmd": [0.558, 0.858, None]}
    column = (module.DataFrame if library == "polars" else module.table)(table)["bmd"]
    scores = t_score(column)
    assert isinstance(scores, pd.Series)
    np.testing.assert_array_equal(scores, [-2.5, 0, np.nan])
    assert label(column.drop_nulls() if library == "polars" else column[:2]).tolist() == [0, 0]
