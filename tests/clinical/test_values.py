"""Wrong units: all that are planted are found, and real tables raise no alarm."""

import os
import re

import numpy as np
import pandas as pd
import pytest

from skosteo.clinical import check_values, recognise
from skosteo.clinical.variables import VARIABLES
from skosteo.datasets import fetch_hannover_cxr, fetch_nhanes
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError

real_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")

# Factors written down here once more, from molar masses (Ca 40.078, glucose 180.156 g/mol) and the
# international inch and pound: value in the unit of the name = value in the other unit x factor
FACTORS = {
    ("calcium", "mmol/L", "mg/dL"): 10 / 40.078,
    ("glucose", "mmol/L", "mg/dL"): 10 / 180.156,
    ("height", "cm", "m"): 100,
    ("height", "cm", "in"): 2.54,
    ("weight", "kg", "lb"): 0.45359237,
    ("wbc", "10^9/L", "/uL"): 1e-3,
    ("platelets", "10^9/L", "/uL"): 1e-3,
}
CANONICAL = {name.split("_")[0]: name for name in CLINICAL}
# (variable, unit of the name, unit of the values, what such values are multiplied by)
WRONG = [(v, a, b, 1 / factor) for (v, a, b), factor in FACTORS.items()]
WRONG += [(v, b, a, factor) for (v, a, b), factor in FACTORS.items()]
WRONG += [("height", "m", "in", 100 / 2.54), ("height", "in", "m", 2.54 / 100)]
WRONG = [pytest.param(*w, id=f"{w[0]}-{w[1]}-holds-{w[2]}".replace("/", "_per_")) for w in WRONG]
SHARES = [1.0, 0.3, 0.02]
# told by the median of a whole column, or by body size, since the ranges overlap
WHOLE = {
    ("platelets", "10^9/L", "10^4/uL"): 10,
    ("platelets", "/uL", "10^4/uL"): 1e4,
    ("platelets", "10^4/uL", "10^9/L"): 0.1,
    ("platelets", "10^4/uL", "/uL"): 1e-4,
    # 40.078 g/mol and two charges: 1 mEq/L = 0.5 mmol/L = 2.0039 mg/dL
    ("calcium", "mmol/L", "mEq/L"): 0.5,
    ("calcium", "mg/dL", "mEq/L"): 2.0039,
    ("calcium", "mEq/L", "mmol/L"): 2,
    ("calcium", "mEq/L", "mg/dL"): 1 / 2.0039,
    # a jin is half a kilogram
    ("weight", "kg", "jin"): 0.5,
    ("weight", "jin", "kg"): 2,
}


def cohort(seed, n=300):
    return draw_patients(n, random_state=seed)[CLINICAL]


def in_unit(table, variable, unit):
    """Rename a variable's column to one that states a unit, and convert it."""
    column = f"{variable} ({unit})"
    position = table.columns.get_loc(CANONICAL[variable])
    factor = {(v, b): f for (v, _, b), f in FACTORS.items()}.get((variable, unit), 1)
    converted = table[CANONICAL[variable]] / factor
    out = table.drop(columns=CANONICAL[variable])
    out.insert(position, column, converted)
    return out, column


def plant(table, variable, stated, held, times, share, seed):
    """A column whose name states one unit while a share of its values is in another."""
    table, column = in_unit(table, variable, stated)
    known = np.flatnonzero(table[column].notna())
    rng = np.random.default_rng(seed)
    rows = rng.choice(known, max(1, round(share * len(known))), replace=False)
    if share == 1:
        rows = known
    table.iloc[rows, table.columns.get_loc(column)] *= times
    return table, column, len(rows)


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 8), marks=pytest.mark.slow)])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(("variable", "stated", "held", "times"), WRONG)
def test_every_planted_unit_is_found_and_nothing_else(variable, stated, held, times, share, seeds):
    for seed in seeds:
        table, column, n_planted = plant(cohort(seed), variable, stated, held, times, share, seed)
        found = check_values(table)
        assert found["column"].tolist() == [column]
        found = found.iloc[0]
        assert (found["finding"], found["looks_like"]) == ("unit", held)
        assert found["stated_unit"] == stated
        assert found["variable"] == CANONICAL[variable]
        assert found["n_values"] == table[column].notna().sum()
        assert found["n_rows"] <= n_planted
        # some low glucose in mg/dL is a possible mmol/L; all other values are told one by one
        assert found["n_rows"] >= 0.9 * n_planted
        # the remedy: the unit where all rows have it, the rows where some do
        assert ("declare units" in found["remedy"]) == (share == 1)
        assert ("mixes two units" in found["remedy"]) == (share < 1)


@pytest.mark.parametrize(("variable", "stated", "held"), WHOLE)
@pytest.mark.parametrize("with_bmi", [True, False])
def test_units_that_overlap_are_found_where_the_whole_column_has_them(
    variable, stated, held, with_bmi
):
    for seed in range(4):
        table = cohort(seed) if with_bmi else cohort(seed).drop(columns="bmi")
        column = f"{variable} ({stated})" if variable != "weight" else f"体重 ({stated})"
        to_stated = {"mg/dL": 4.0078, "mEq/L": 2, "/uL": 1000, "10^4/uL": 0.1, "jin": 2}
        clean = table.rename(columns={CANONICAL[variable]: column})
        clean[column] *= to_stated.get(stated, 1)
        assert check_values(clean).empty
        wrong = clean.assign(**{column: clean[column] / WHOLE[variable, stated, held]})
        found = check_values(wrong)
        assert found[["column", "looks_like"]].to_numpy().tolist() == [[column, held]]
        assert found["n_rows"].iloc[0] >= 0.95 * found["n_values"].iloc[0]
        assert "declare units" in found["remedy"].iloc[0]
        assert check_values(wrong, units={column: held}).empty
        heading = re.search(r"as '(.*?)' does", found["remedy"].iloc[0])[1]
        hit = recognise(heading)
        assert (hit.variable.name, hit.unit) == (found["variable"].iloc[0], held)


def test_jin_under_an_english_heading_are_noticed_with_or_without_an_index():
    for seed in range(4):
        table = cohort(seed)
        table["weight_kg"] *= 2
        assert check_values(table)["looks_like"].tolist() == ["jin"]
        # without an index they could be pounds, and both are said
        found = check_values(table.drop(columns="bmi"))
        assert found["column"].tolist() == ["weight_kg"]
        assert "jin" in found["remedy"].iloc[0]


def test_no_alarm_where_a_column_is_shuffled():
    # as permutation_importance and Shapley values do
    rng = np.random.default_rng(0)
    for seed in range(4):
        table = cohort(seed)
        for column in CLINICAL[:9]:
            shuffled = table.assign(**{column: rng.permutation(table[column].to_numpy())})
            assert check_values(shuffled).empty, column


@pytest.mark.parametrize("seed", range(20))
def test_no_alarm_on_clean_cohorts(seed):
    table = cohort(seed, 1000)
    assert check_values(table).empty
    for (variable, _, unit), _ in FACTORS.items():
        table, _ = in_unit(table, variable, unit) if unit != "in" else (table, "")
    assert check_values(table).empty


@real_data
@pytest.mark.parametrize("cycle", ["2013-2014", "2017-2018"])
def test_no_alarm_on_nhanes_in_either_system_of_units(cycle):
    frame = fetch_nhanes([cycle], min_age=0).frame
    assert len(frame) > 2200
    assert check_values(frame).empty
    codes = pd.DataFrame(
        {
            "RIDAGEYR": frame["age"],
            "BMXHT": frame["height_cm"],
            "BMXWT": frame["weight_kg"],
            "BMXBMI": frame["bmi"],
            "LBXWBCSI": frame["wbc_10e9_l"],
            "LBXPLTSI": frame["platelets_10e9_l"],
            "LBXSCA": frame["calcium_mmol_l"] * 4.0078,
            "LBXSGL": frame["glucose_mmol_l"] * 18.0156,
        }
    )
    assert check_values(codes).empty
    # without a body mass index, weight is judged by its median with height
    assert check_values(frame.drop(columns="bmi")).empty


@real_data
@pytest.mark.parametrize("cycle", ["2013-2014", pytest.param("2017-2018", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("variable", "stated", "held", "times"), WRONG)
def test_wrong_units_are_found_in_real_people(cycle, variable, stated, held, times):
    clean = fetch_nhanes([cycle]).data
    for share in SHARES:
        table, column, n_planted = plant(clean, variable, stated, held, times, share, 0)
        found = check_values(table)
        assert found["column"].tolist() == [column]
        assert found["looks_like"].tolist() == [held]
        assert 0.9 * n_planted <= found["n_rows"].iloc[0] <= n_planted


@real_data
def test_no_alarm_on_hannover():
    hannover = fetch_hannover_cxr()
    assert check_values(hannover.data).empty
    assert check_values(hannover.frame).empty


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("calcium", 3.8), ("calcium", 1.4), ("glucose", 33), ("glucose", 1.2), ("wbc", 250),
        ("wbc", 400), ("wbc", 0.1), ("platelets", 3), ("platelets", 1500), ("bmi", 70),
        ("bmi", 11), ("age", 50), ("age", 110), ("height", 120), ("height", 220), ("weight", 250),
        ("weight", 30), ("calcium (mg/dL)", 15.2), ("glucose (mg/dL)", 600), ("wbc (/uL)", 250_000),
        ("wbc (/uL)", 100), ("platelets (/uL)", 3000), ("weight (lb)", 550), ("height (in)", 48),
        ("height (m)", 2.2),
    ],
)  # fmt: skip
def test_severe_but_real_values_raise_no_alarm(column, value):
    assert check_values(pd.DataFrame({column: [value, np.nan]})).empty


@pytest.mark.parametrize(
    ("column", "value"),
    [("age", 690), ("age", -1), ("bmi", 2.4), ("bmi", 240), ("calcium", 230), ("glucose", 9999),
     ("height", 1650), ("height", 0), ("weight", -1), ("platelets", 0), ("wbc", -9),
     ("wbc (/uL)", 7e6)],
)  # fmt: skip
def test_values_of_no_unit_are_out_of_range(column, value):
    found = check_values(pd.DataFrame({column: [value, np.nan, value]}))
    assert found[["finding", "looks_like", "n_rows", "n_values"]].to_numpy().tolist() == [
        ["range", "", 2, 2]
    ]


def test_both_findings_of_a_column():
    found = check_values(pd.DataFrame({"calcium": [2.3, 9.2, 8.8, 230]}))
    assert found["finding"].tolist() == ["unit", "range"]
    assert found["n_rows"].tolist() == [2, 1]


def test_declared_units_count_instead_of_the_name():
    table = pd.DataFrame({"Serum calcium": [9.2, 8.8], "height_cm": [1.65, 1.7]})
    assert check_values(table)["column"].tolist() == ["Serum calcium", "height_cm"]
    assert check_values(table, units={"calcium": "mg/dl", "height_cm": "m"}).empty
    wrong = check_values(table.assign(height_cm=170.0), units={"height_cm": "m"})
    assert wrong.set_index("column")["looks_like"].to_dict() == {
        "Serum calcium": "mg/dL", "height_cm": "cm",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("units", "match"),
    [
        ({"calcum": "mg/dL"}, "'calcum', which X does not have"),
        ({"crp": "mg/L"}, "'crp', which is no known variable"),
        ({"calcium": "g/L"}, "'g/L' is no known unit.*'mmol/L', 'mg/dL'"),
    ],
)
def test_units_that_do_not_fit(units, match):
    with pytest.raises(InputError, match=match):
        check_values(pd.DataFrame({"calcium": [2.3], "crp": [4.0]}), units)


def test_pounds_are_found_by_the_median_where_no_body_mass_index_is():
    for seed in range(8):
        clean = cohort(seed).drop(columns="bmi")
        pounds = clean.assign(weight_kg=clean["weight_kg"] / 0.45359237)
        assert check_values(clean).empty
        assert check_values(pounds)["looks_like"].tolist() == ["lb"]


def test_pounds_and_inches_at_once():
    clean = cohort(0)
    american = clean.assign(
        weight_kg=clean["weight_kg"] / 0.45359237, height_cm=clean["height_cm"] / 2.54
    )
    assert check_values(american).set_index("column")["looks_like"].to_dict() == {
        "height_cm": "in", "weight_kg": "lb",
    }  # fmt: skip


def test_body_mass_index_that_disagrees_otherwise_is_no_alarm():
    # another day's weight, or a slip in one of the three
    table = pd.DataFrame({"height": [160, 160, 160], "weight": [60, 90, 50], "bmi": [23, 25, 28]})
    assert check_values(table).empty


def test_nothing_is_changed_and_text_numbers_are_read():
    table = pd.DataFrame(
        {"calcium": ["9.2", None, "8.8"], "age": pd.array([61, None, 70], "Int64")}
    )
    before = table.copy()
    assert check_values(table)[["column", "n_rows", "n_values"]].to_numpy().tolist() == [
        ["calcium", 2, 2]
    ]
    pd.testing.assert_frame_equal(table, before)


def test_every_variable_of_numbers_has_its_units_planted():
    planted = {(v, unit) for v, _, unit in [*FACTORS, *WHOLE]}
    planted -= {(name.split("_")[0], v.unit) for name, v in VARIABLES.items()}
    known = {(name.split("_")[0], u) for name, v in VARIABLES.items() for u in v.other_units}
    assert planted == known


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_a_table_of_another_library(library):
    pytest.importorskip("pyarrow")
    module = pytest.importorskip(library)
    columns = {"age": [61, 75, None], "calcium": ["9.2", "8.8", "9.9"]}
    table = module.DataFrame(columns) if library == "polars" else module.table(columns)
    pd.testing.assert_frame_equal(check_values(table), check_values(pd.DataFrame(columns)))
