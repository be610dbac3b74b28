"""The criteria against a row-by-row reading of the paper's text, and every way to misuse them."""

import os

import numpy as np
import pandas as pd
import pytest

from skosteo.clinical.cohort import select_cohort
from skosteo.datasets import fetch_nhanes
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError

needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)
SITES = ["t_spine", "t_hip"]
DATES = ["film_date", "dxa_date"]
REASONS = ["malignant_tumour", "hormone_drugs"]


@pytest.fixture
def table():
    """An export of 600 studies of about 450 patients, with all that can be wrong with one."""
    rng = np.random.default_rng(3)
    n = 600
    export = draw_patients(n, missing_rate=0.25, random_state=3)[CLINICAL]
    export["age"] = (export["age"] - 8).astype(float).mask(rng.random(n) < 0.03)
    export["film_date"] = pd.Timestamp("2024-03-05 09:00") + pd.to_timedelta(
        rng.integers(0, 14 * 60, n), unit="min"
    )
    export["dxa_date"] = rng.choice(["20240305", "2024-03-05 17:00", "2024-03-07", None], n)
    export["malignant_tumour"] = rng.choice(["Yes", "no", None], n, p=[0.1, 0.7, 0.2])
    export["hormone_drugs"] = rng.choice([1.0, 0.0, np.nan], n, p=[0.1, 0.8, 0.1])
    for site in SITES:
        export[site] = np.round(rng.normal(-2, 1.2, n), 1)
        export.loc[rng.random(n) < 0.3, site] = np.nan
    export["patient"] = [f"p{i}" for i in rng.integers(0, 700, n)]
    export.index = pd.Index(rng.permutation(n) + 1000, name="study")
    return export


def select(table, **options):
    roles = {"t_score": SITES, "same_day": DATES, "exclude": REASONS, "patient": "patient"}
    return select_cohort(table, **{**roles, **options})


def reason_to_leave_out(row):
    """The paper's criteria, for one row, in plain words."""
    if not row["age"] >= 50:
        return "age"
    if row["dxa_date"] not in ("20240305", "2024-03-05 17:00"):
        return "day"
    if row["malignant_tumour"] == "Yes":
        return "tumour"
    if row["hormone_drugs"] == 1:
        return "drugs"
    # the nine of the paper: body size is BMI, or weight and height
    values = [c for c in CLINICAL if c not in ("height_cm", "weight_kg")]
    if sum(pd.isna(row[c]) for c in values) / 9 >= 0.3:
        return "gaps"
    return "dxa" if row[SITES].isna().all() else None


def test_criteria_leave_what_the_text_says_row_by_row(table):
    reasons = table.apply(reason_to_leave_out, axis=1)
    cohort = select(table)
    kept = reasons.isna()
    assert cohort.data.index.equals(table.index[kept])
    steps = cohort.flow.frame()
    excluded = reasons.value_counts()[["age", "day", "tumour", "drugs", "gaps", "dxa"]]
    assert steps["excluded"].tolist() == [0, *excluded]
    assert steps["remaining"].tolist() == [600, *(600 - excluded.cumsum())]
    assert (excluded > 0).all()

    lowest = table.loc[kept, SITES].min(axis=1)
    assert cohort.target.equals((lowest <= -2.5).astype(int).rename("osteoporosis (T <= -2.5)"))
    low = select(table, label="low_bone_mass").target
    assert low.equals((lowest < -1).astype(int).rename("low bone mass (T < -1)"))
    assert low.sum() > cohort.target.sum()

    patients = table["patient"]
    assert cohort.groups.equals(patients[kept])
    assert steps["remaining_patients"].iloc[[0, -1]].tolist() == [
        patients.nunique(),
        patients[kept].nunique(),
    ]
    assert cohort.flow.outcome["patients"].tolist() == [
        patients[kept][cohort.target == value].nunique() for value in (1, 0)
    ]


def test_unknown_is_counted_and_said(table):
    steps = select(table).flow.frame().set_index("step")
    assert "age below 50 years or not known" in steps.index
    assert steps["unknown"].iloc[1] == table["age"].isna().sum()
    # a row that says nothing about a tumour stays
    after_dates = table[~table.apply(reason_to_leave_out, axis=1).isin(["age", "day"])]
    kept = steps.loc["malignant_tumour (not known: kept)"]
    assert kept["unknown"] == after_dates["malignant_tumour"].isna().sum()
    assert kept["excluded"] == (after_dates["malignant_tumour"] == "Yes").sum()


def test_data_holds_nothing_that_gives_the_answer_away(table):
    table["BMD_hip"], table["osteoporosis"], table["T值"] = 0.7, 1, -2.0
    table["family_osteoporosis"], table["t_total"], table["dxa_report"] = 0, -1.0, "low"
    cohort = select(table)
    assert cohort.data.columns.tolist() == CLINICAL
    assert set(cohort.removed) == {
        "BMD_hip",
        "osteoporosis",
        "T值",
        "family_osteoporosis",
        "t_total",
        "dxa_report",
    }
    assert "family_osteoporosis" in repr(cohort)
    named = select(table, clinical_columns=["age", "sex", "family_osteoporosis"])
    assert "family_osteoporosis" in named.data
    assert "family_osteoporosis" not in named.removed


@pytest.mark.parametrize(
    "name",
    [
        "osteophytes",
        "osteoarthritis",
        "total_protein",
        "bone_pain",
        "weight_total",
        "T4",
        "dexamethasone",
    ],
)
def test_names_that_only_resemble_the_answer_stay(table, name):
    assert name in select(table.assign(**{name: 1.0})).data


def test_input_is_untouched_and_the_result_is_the_same_again(table):
    before = table.copy(deep=True)
    first, second = select(table), select(table)
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(first.data, second.data)
    pd.testing.assert_frame_equal(first.flow.frame(), second.flow.frame())
    first.data.loc[:, "age"] = 0
    steps = first.flow.frame()
    steps["remaining"] = 0
    pd.testing.assert_frame_equal(table, before)
    assert first.flow.frame()["remaining"].iloc[0] == 600


def test_order_of_rows_does_not_matter(table):
    shuffled = select(table.sample(frac=1, random_state=0))
    cohort = select(table)
    pd.testing.assert_frame_equal(shuffled.data.loc[cohort.data.index], cohort.data)
    pd.testing.assert_frame_equal(shuffled.flow.frame(), cohort.flow.frame())


def test_an_index_with_repeats_is_kept(table):
    repeated = table.set_index(pd.Index(np.arange(600) // 2))
    cohort = select(repeated)
    assert len(cohort.data) == len(cohort.target) == len(select(table).data)
    assert cohort.data.index.equals(cohort.target.index)
    assert len(cohort.table_one(by=cohort.target)) > 0


def people(**columns):
    return pd.DataFrame({"age": [60.0, 70.0, 80.0], "t": [-3.0, -1.5, 0.0], **columns})


@pytest.mark.parametrize(
    ("ages", "min_age", "left"),
    [
        ([49.99, 50, 51], 50, 2),
        ([64, 65, 66], 65, 2),
        ([50, 50, None], 50, 2),
        ([18, 50, 122], 0, 3),
    ],
)
def test_age_at_the_limit(ages, min_age, left):
    table = people(age=ages, t=[-3.0, 0.0, -3.0])
    cohort = select_cohort(table, t_score="t", min_age=min_age)
    assert len(cohort.data) == left


def test_age_under_another_name():
    table = people().rename(columns={"age": "age_at_dxa"})
    with pytest.raises(InputError, match="no column that is known as age"):
        select_cohort(table, t_score="t", max_missing=None)
    cohort = select_cohort(table, t_score="t", age="age_at_dxa", max_missing=None)
    assert cohort.data.columns.tolist() == ["age_at_dxa"]
    aliased = people().rename(columns={"age": "Patient age"})
    assert len(select_cohort(aliased, t_score="t").data) == 3


@pytest.mark.parametrize(
    ("label", "expected"), [("osteoporosis", [1, 0, 0]), ("low_bone_mass", [1, 1, 0])]
)
def test_density_with_a_named_or_own_reference(label, expected):
    table = people(bmd=[0.558, 0.559, 0.738])
    cohort = select_cohort(table.drop(columns="t"), bmd="bmd", label=label)
    assert cohort.target.tolist() == expected
    assert "bmd" not in cohort.data


def test_density_with_a_reference_of_the_users():
    table = people(bmd=[0.558, 0.559, 0.738])
    cohort = select_cohort(table, bmd="bmd", reference=(0.859, 0.120))
    assert cohort.target.tolist() == [1, 1, 0]
    assert cohort.data.columns.tolist() == ["age", "t"]


def blood(n_missing, n_values=10):
    """Three people, the first of whom misses some of her values."""
    values = {f"value_{i}": [np.nan if i < n_missing else 1.0, 1.0, 1.0] for i in range(n_values)}
    return people(**values), list(values)


@pytest.mark.parametrize(
    ("n_missing", "n_values", "max_missing", "left"),
    [
        (2, 10, 0.3, 3),
        (3, 10, 0.3, 2),
        (5, 20, 0.3, 3),
        (6, 20, 0.3, 2),
        (9, 30, 0.3, 2),
        (9, 10, 1, 3),
        (10, 10, 1, 2),
        (10, 10, None, 3),
        (1, 10, 0.1, 2),
    ],
)
def test_thirty_per_cent_is_reached_or_exceeded(n_missing, n_values, max_missing, left):
    table, columns = blood(n_missing, n_values)
    table["t"] = [-3.0, -3.0, 0.0]
    cohort = select_cohort(table, t_score="t", clinical_columns=columns, max_missing=max_missing)
    assert len(cohort.data) == left


@pytest.mark.parametrize(
    ("body", "known"),
    [
        # without a weight there is no BMI: one gap, not two or three
        ({"height_cm": 170, "weight_kg": [None, 70, 70]}, False),
        ({"height_cm": [None, 170, 170], "weight_kg": [None, 70, 70]}, False),
        ({"height_cm": 170, "weight_kg": [None, 70, 70], "bmi": [None, 24, 24]}, False),
        ({"weight_kg": [None, 70, 70], "bmi": [None, 24, 24]}, False),
        ({"height_cm": [None, 170, 170]}, False),
        ({"bmi": [None, 24, 24]}, False),
        # a BMI that is known, or can be computed, is none
        ({"height_cm": None, "weight_kg": None, "bmi": 24}, True),
        ({"height_cm": 170, "weight_kg": 70, "bmi": None}, True),
    ],
)
def test_body_size_counts_once(body, known):
    table = people(sex="F", WBC=6.0, calcium=2.3, **body).assign(t=[-3.0, -3.0, 0.0])
    cohort = select_cohort(table, t_score="t")
    step = cohort.flow.frame()["step"].iloc[2]
    assert step == "30 % or more of 5 clinical values missing"
    assert cohort.data.index.tolist() == [0, 1, 2]
    # one more gap, and the first person misses two of five unless her body size is known
    table["calcium"] = [None, 2.3, 2.3]
    left = [0, 1, 2] if known else [1, 2]
    assert select_cohort(table, t_score="t").data.index.tolist() == left


def test_two_columns_of_one_variable_and_blank_reports_count_once_each():
    table = people(
        sex="F",
        glucose=[5.0, None, 5.0],
        fasting_glucose=[None, None, 5.0],
        xray_description=["clear", "  ", "clear"],
    )
    table["t"] = [-3.0, -3.0, 0.0]
    cohort = select_cohort(table, t_score="t")
    assert cohort.flow.frame()["step"].iloc[2].startswith("30 % or more of 4 ")
    assert cohort.data.index.tolist() == [0, 2]


@pytest.mark.parametrize(
    "values",
    [
        [True, False, False],
        ["TRUE", "False", " "],
        [1, 0, 0],
        [1.0, None, 0.0],
        ["yes", "No", None],
        ["是", "否", None],
        pd.array([True, None, False], dtype="boolean"),
    ],
)
def test_yes_in_many_spellings_excludes(values):
    table = people(tumour=values, t=[-3.0, -3.0, 0.0])
    cohort = select_cohort(table, t_score="t", exclude="tumour")
    assert cohort.data.index.tolist() == [1, 2]
    assert "tumour" not in cohort.data


def test_patients_are_counted_beside_rows():
    table = people(patient=["a", "a", "b"], age=[49.0, 70.0, 80.0], t=[-3.0, -3.0, 0.0])
    steps = select_cohort(table, t_score="t", patient="patient").flow.frame()
    # a has a second study, so she is not lost with the first
    assert steps.loc[1, ["excluded", "excluded_patients", "remaining_patients"]].tolist() == [
        1,
        0,
        2,
    ]
    without = select_cohort(table, t_score="t")
    assert without.groups is None
    assert without.flow.frame().columns.tolist() == ["step", "excluded", "remaining", "unknown"]


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({}, {"t_score": None}, "Neither of t_score and bmd"),
        ({"d": 0.7}, {"bmd": "d"}, "Both t_score and bmd"),
        ({}, {"t_score": "T"}, "no column 'T'; did you mean 't'"),
        ({"hormones": 0}, {"exclude": ["hormone"]}, "no column 'hormone'; did you mean 'hormones'"),
        ({}, {"patient": "id"}, "no column 'id'"),
        (
            {"id": ["a", None, "b"]},
            {"patient": "id"},
            "'id' holds no patient in 1 of 3 rows, the first is row 2",
        ),
        ({}, {"label": "osteopenia"}, "did you mean 'low_bone_mass'"),
        ({}, {"reference": (0.9, 0.1)}, "belongs to bmd"),
        ({"film": "2024-03-05"}, {"same_day": ["film"]}, "takes two"),
        ({"film": "2024-03-05"}, {"same_day": "film"}, "takes two"),
        ({"film": "2024-03-05", "d": [1, 2, 3]}, {"same_day": ["film", "d"]}, "'d' holds no date"),
        ({"x": ["breast", None, None]}, {"exclude": "x"}, r"notna\(\)"),
        ({"x": [1, 2, 2]}, {"exclude": "x"}, "If 2 means no, replace it by 0"),
        ({}, {"max_missing": 30}, "Is 0.3 meant"),
        ({}, {"max_missing": 0}, "proportion above 0"),
        ({}, {"max_missing": "30 %"}, "proportion above 0"),
        ({}, {"min_age": "50"}, "number of years"),
        ({"age": [1950, 1960, 1970]}, {}, "year of birth"),
        ({"age": [720, 730, 900]}, {}, "months or days"),
        ({"age": ["60", "90+", "70"]}, {}, "'age' holds no number in 1 of 3 rows"),
        ({"t": [-9, -1, 0]}, {}, "'t' lies outside of -8.9 to 8.9"),
        ({"t": [558, 600, 700]}, {}, "mg/cm2"),
        ({"t": ["-3,1", "-1,5", "0,2"]}, {}, "decimal comma"),
    ],
)
def test_misuse_is_refused_with_its_remedy(columns, options, words):
    with pytest.raises(InputError, match=words) as error:
        select_cohort(people(**columns), **{"t_score": "t", **options})
    assert "breast" not in str(error.value)
    assert "90+" not in str(error.value)


def test_density_in_the_wrong_unit_or_none_is_refused():
    with pytest.raises(InputError, match="mg/cm2"):
        select_cohort(people(d=[558, 700, 800]), bmd="d")
    with pytest.raises(InputError, match="T-scores"):
        select_cohort(people(), bmd="t")


def test_an_empty_cohort_shows_the_flow_in_words():
    with pytest.raises(InputError, match="No row is left: 3 rows in the table; age below 90 years"):
        select_cohort(people(), t_score="t", min_age=90)
    with pytest.raises(InputError, match="no DXA result: 3 excluded, 0 left"):
        select_cohort(people(t=[None] * 3), t_score="t")
    with pytest.raises(InputError, match="0 rows in the table"):
        select_cohort(people().iloc[:0], t_score="t")


def test_one_class_is_refused():
    with pytest.raises(InputError, match=r"All 2 rows left are 'no osteoporosis \(T > -2.5\)'"):
        select_cohort(people().iloc[1:], t_score="t")
    with pytest.raises(InputError, match=r"All 3 .*'osteoporosis \(T <= -2.5\)'"):
        select_cohort(people(t=[-3.0, -2.5, -4]), t_score="t")
    with pytest.raises(InputError, match="Are the T-scores densities"):
        select_cohort(people(t=[0.55, 0.7, 0.8]), t_score="t")


def test_tables_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"table is a .*; give a DataFrame"):
        select_cohort({"age": [60]}, t_score="t")
    table = people()
    with pytest.raises(InputError, match=r"table has several columns named \['age'\]"):
        select_cohort(pd.concat([table, table[["age"]]], axis=1), t_score="t")
    with pytest.raises(InputError, match="no column that is known as a clinical value"):
        select_cohort(
            people().rename(columns={"age": "years_lived"}), t_score="t", age="years_lived"
        )


def test_a_synthetic_cohort_keeps_its_label():
    table = draw_patients(500, random_state=1)
    cohort = select_cohort(table, t_score="t_score", patient="patient_id", max_missing=None)
    assert cohort.target.tolist() == table["osteoporosis"].tolist()
    by_density = select_cohort(table, bmd="bmd_g_cm2", max_missing=None)
    assert by_density.target.tolist() == table["osteoporosis"].tolist()
    assert cohort.data.columns.tolist() == [*CLINICAL, "image_view", "clinical_view"]


@needs_data
@pytest.mark.parametrize(
    ("cycle", "rows", "with_gaps", "osteoporosis", "low"),
    # rows: the codebook's counts; the others counted from the files in whole thousandths
    [("2013-2014", 2230, 55, 155, 1078), ("2017-2018", 2286, 55, 155, 1083)],
)
def test_nhanes(cycle, rows, with_gaps, osteoporosis, low):
    frame = fetch_nhanes([cycle], min_age=0).frame
    cohort = select_cohort(frame, bmd="bmd_g_cm2", max_missing=None)
    assert len(cohort.data) == rows
    assert cohort.target.sum() == osteoporosis
    assert not {"t_score", "bmd_g_cm2"} & set(cohort.data)
    other = select_cohort(frame, bmd="bmd_g_cm2", max_missing=None, label="low_bone_mass")
    assert other.target.sum() == low
    strict = select_cohort(frame, bmd="bmd_g_cm2")
    # of age, sex, BMI and four blood values
    values = ["bmi", "wbc_10e9_l", "platelets_10e9_l", "calcium_mmol_l", "glucose_mmol_l"]
    missing = frame.loc[frame["age"] >= 50, values].isna().sum(axis=1) / 7 >= 0.3
    assert rows - len(strict.data) == missing.sum() == with_gaps


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_a_table_of_another_library(library):
    pytest.importorskip("pyarrow")
    module = pytest.importorskip(library)
    table = people().assign(
        film=pd.Timestamp("2024-03-05 09:12"), dxa="2024-03-05", who=list("abc")
    )
    columns = {"t_score": "t", "same_day": ["film", "dxa"], "patient": "who"}
    expected = select_cohort(table, **columns)
    other = module.from_pandas(table) if library == "polars" else module.Table.from_pandas(table)
    cohort = select_cohort(other, **columns)
    pd.testing.assert_frame_equal(cohort.data, expected.data)
    pd.testing.assert_series_equal(cohort.target, expected.target)
    pd.testing.assert_series_equal(cohort.groups, expected.groups)
    pd.testing.assert_frame_equal(cohort.flow.frame(), expected.flow.frame())
