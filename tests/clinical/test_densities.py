"""What a regressor is given as its target."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skosteo.clinical.densities import check_measured, check_sites, halves, read_densities
from skosteo.exceptions import InputError

T = np.random.default_rng(0).normal(-1, 1.2, 60)


def test_sites_have_the_names_of_their_columns():
    table = pd.DataFrame({"neck": T, "spine": T})
    assert read_densities(table)[1] == ["neck", "spine"]
    assert read_densities(table.to_numpy())[1] == ["y0", "y1"]
    assert read_densities(table["neck"])[1] == ["neck"]
    assert read_densities(T)[1] == ["y"]
    assert read_densities(pl.DataFrame({"neck": [0.7, None], "spine": [None, 0.9]}))[1] == [
        "neck",
        "spine",
    ]


@pytest.mark.parametrize("dtype", [object, "Float64", str])
def test_numbers_of_other_types_are_read(dtype):
    y = pd.DataFrame({"neck": [-2.5, -1.0], "spine": [-1.5, -0.5]})
    given = y.astype(dtype)
    if dtype is not str:
        given.loc[1, "spine"] = y.loc[1, "spine"] = None
    np.testing.assert_array_equal(read_densities(given)[0], y)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (None, "y should be a 1d array"),
        (np.ones((2, 2, 2)), r"\(n, k\) of k sites; it has the shape \(2, 2, 2\)"),
        (np.empty((0, 2)), "shape"),
        (["normal", "osteoporosis"], "no number in 2 of 2 rows.*ClinicalOsteoClassifier"),
        ([True, False, True], "no number in 3 of 3 rows.*ClinicalOsteoClassifier"),
        (pd.Series([True, None]), "no number in 1 of 2 rows"),
        ([1j, 2j], "Complex data not supported"),
    ],
)
def test_what_is_no_density_is_refused(y, match):
    with pytest.raises(InputError, match=match):
        read_densities(y)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([-1.0, np.nan, -2], "1 of 3 rows have no density, the first is row 2"),
        ([[np.nan, np.nan], [1.0, 2]], "1 of 2 rows have no density, the first is row 1"),
        (pd.DataFrame({"neck": [1.0, 2], "hip": [np.nan] * 2}), r"no density of \['hip'\]"),
    ],
)
def test_rows_and_sites_without_any_density_are_refused(y, match):
    with pytest.raises(InputError, match=match):
        check_measured(*read_densities(y))


def test_infinity_gets_scikit_learns_words():
    with pytest.raises(ValueError, match="Input y contains infinity"):
        read_densities([-1, np.inf])


def test_an_error_holds_no_cell():
    with pytest.raises(InputError) as error:
        read_densities(["Anna Example", "-2.5"])
    assert "Anna" not in str(error.value)


def test_labels_are_refused_where_they_are_many_and_said_where_they_are_few():
    labels = (T <= -1).astype(float)[:, None]
    with pytest.raises(
        InputError, match=r"neck holds nothing but 0 and 1.*ClinicalOsteoClassifier"
    ):
        check_sites(labels, ["neck"])
    with pytest.warns(UserWarning, match="nothing but 0 and 1"):
        check_sites(labels[:10], ["neck"])


@pytest.mark.parametrize("name", ["t_score", "T-score neck", "femoral_neck_tscore"])
def test_a_t_score_by_name_must_be_one(name):
    check_sites(T[:, None], [name])
    with pytest.raises(InputError, match=f"{name} lies outside of -8.9 to 8.9.* 1 of 60"):
        check_sites(np.append(T[1:], 25)[:, None], [name])
    with pytest.raises(InputError, match=r"above 0 in all of 60 rows.*g/cm2.*clinical.t_score"):
        check_sites((0.858 + 0.12 * T)[:, None], [name])


def test_a_value_far_from_all_others_is_said():
    check_sites((0.858 + 0.12 * T)[:, None], ["bmd"])
    with pytest.warns(UserWarning, match="10 interquartile ranges.* 2 of 62 rows.*99"):
        check_sites(np.append(T, [25, 99])[:, None], ["neck"])


def test_halves_balance_the_mean_of_the_sites_in_their_own_units():
    spine = 1000 + 10 * T
    both = np.column_stack([T, spine])
    assert halves(T).mean() == 0.5
    np.testing.assert_array_equal(halves(both), halves(T))
    both[::2, 0] = np.nan
    assert halves(both).mean() == pytest.approx(0.5, abs=0.02)
    assert halves(np.array([0.0, 1, 1, 1])).tolist() == [0, 1, 1, 1]
    assert halves(np.ones(5)).tolist() == [0] * 5
