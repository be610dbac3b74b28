"""Table 1 against numbers counted by hand and by pandas."""

import numpy as np
import pandas as pd
import pytest

from skosteo.clinical.cohort import select_cohort
from skosteo.clinical.summary import table_one
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.exceptions import InputError


@pytest.fixture(scope="module")
def patients():
    return draw_patients(400, random_state=2)


def test_counts_of_the_paper():
    """The percentages of the paper's Table 1, from its counts."""
    sizes = {"train": (495, 689, 659), "validation": (119, 177, 167), "test": (120, 180, 164)}
    sex = np.concatenate([np.repeat(["Male", "Female"], (m, f)) for m, f, _ in sizes.values()])
    ill = np.concatenate([np.repeat(["yes", "no"], (i, m + f - i)) for m, f, i in sizes.values()])
    split = np.repeat(list(sizes), [m + f for m, f, _ in sizes.values()])
    order = np.random.default_rng(0).permutation(len(split))
    table = table_one(pd.DataFrame({"sex": sex, "osteoporosis": ill}).iloc[order], split[order])
    assert table.columns.tolist() == ["train", "validation", "test"]
    assert table.loc["n"].iloc[0].tolist() == ["1184", "296", "300"]
    paper = ["495 (41.8)", "119 (40.2)", "120 (40.0)"]
    assert table.loc[("sex, n (%)", "Male")].tolist() == paper
    paper = ["689 (58.2)", "177 (59.8)", "180 (60.0)"]
    assert table.loc[("sex, n (%)", "Female")].tolist() == paper
    paper = ["659 (55.7)", "167 (56.4)", "164 (54.7)"]
    assert table.loc[("osteoporosis, n (%)", "yes")].tolist() == paper


def test_by_hand():
    data = pd.DataFrame(
        {
            "age": [50, 60, 70, 81, np.nan],
            "calcium_mmol_l": [2.20, 2.30, 2.40, 2.31, 2.28],
            "smoker": [True, False, None, True, True],
            "flag": [1.0, 0.0, 1.0, np.nan, 1.0],
        }
    )
    table = table_one(data, by=pd.Series(["b", "a", "a", "a", "b"]), median=["calcium_mmol_l"])
    expected = {
        ("n", ""): ["3", "2"],
        # 60, 70 and 81 have the mean 70.33 and the SD 10.50
        ("age, mean (SD)", ""): ["70.3 (10.5)", "50.0 (-)"],
        ("age, mean (SD)", "missing"): ["0", "1"],
        ("calcium_mmol_l, median [quartiles]", ""): [
            "2.310 [2.305, 2.355]",
            "2.240 [2.220, 2.260]",
        ],
        ("calcium_mmol_l, median [quartiles]", "missing"): ["0", "0"],
        ("smoker, n (%)", "False"): ["1 (50.0)", "0 (0.0)"],
        ("smoker, n (%)", "True"): ["1 (50.0)", "2 (100.0)"],
        ("smoker, n (%)", "missing"): ["1", "0"],
        ("flag, n (%)", "0"): ["1 (50.0)", "0 (0.0)"],
        ("flag, n (%)", "1"): ["1 (50.0)", "2 (100.0)"],
        ("flag, n (%)", "missing"): ["1", "0"],
    }
    assert table.columns.tolist() == ["a", "b"]
    assert dict(zip(table.index, table.to_numpy().tolist(), strict=True)) == expected


def test_against_pandas(patients):
    split = pd.Series(np.random.default_rng(1).choice(["train", "test"], 400), name="split")
    data = patients[CLINICAL]
    table = table_one(data, by=split, median=["glucose_mmol_l"])
    for group, part in data.groupby(split):
        column = table[group]
        age = part["age"]
        assert column["age, mean (SD)", ""] == f"{age.mean():.1f} ({age.std():.1f})"
        calcium = part["calcium_mmol_l"]
        shown = f"{calcium.mean():.3f} ({calcium.std():.3f})"
        assert column["calcium_mmol_l, mean (SD)", ""] == shown
        assert column["calcium_mmol_l, mean (SD)", "missing"] == str(calcium.isna().sum())
        low, middle, high = part["glucose_mmol_l"].quantile([0.25, 0.5, 0.75])
        shown = f"{middle:.1f} [{low:.1f}, {high:.1f}]"
        assert column["glucose_mmol_l, median [quartiles]", ""] == shown
        counts = part["xray_diagnosis"].value_counts()
        rows = column["xray_diagnosis, n (%)"]
        for level, n in counts.items():
            assert rows[level] == f"{n} ({100 * n / counts.sum():.1f})"
        assert rows["missing"] == str(part["xray_diagnosis"].isna().sum())


def test_report_texts_images_and_dates_are_left_out(patients):
    data = pd.DataFrame(
        {
            "age": patients["age"],
            "xray_description": patients["xray_description"],
            "note": [f"text {i}" for i in range(400)],
            "image": [np.zeros((2, 2))] * 400,
            "film_date": pd.Timestamp("2024-03-05"),
        }
    )
    data["empty"] = None
    table = table_one(data)
    assert table.index.get_level_values(0).unique().tolist() == ["n", "age, mean (SD)"]
    assert table.attrs["left_out"] == ["xray_description", "note", "image", "film_date", "empty"]
    assert table_one(data[["age"]]).attrs["left_out"] == []


@pytest.mark.parametrize(
    "age",
    [
        pd.Series([60, None, 71, *range(50, 80)], dtype=object),
        pd.Series(["60", "", "71", *map(str, range(50, 80))]),
        pd.Series(["60", None, "71", *map(str, range(50, 80))], dtype="string"),
    ],
)
@pytest.mark.parametrize("name", ["age", "ldh"])
def test_numbers_in_any_form_are_numbers(age, name):
    plain = pd.Series([60, np.nan, 71, *range(50, 80)], name=name).to_frame()
    data = age.rename(name).to_frame()
    for median in ([], [name]):
        table = table_one(data, median=median)
        assert table.to_numpy().tolist() == table_one(plain, median=median).to_numpy().tolist()
        assert table.attrs["left_out"] == []


def test_numbers_that_cannot_be_read_are_refused():
    with pytest.raises(InputError, match=r"'calcium' holds 1 texts with '<' or '>'"):
        table_one(pd.DataFrame({"calcium": ["<0.5", "2.2", "2.3"]}))


def test_codes_of_sex_are_categories_and_long_codes_stay_whole():
    data = pd.DataFrame({"sex": [1.0, 2.0, None, 1.0]})
    rows = table_one(data).loc["sex, n (%)", "all"]
    assert rows.to_dict() == {"1": "2 (66.7)", "2": "1 (33.3)", "missing": "1"}
    long = pd.DataFrame({"site": pd.Categorical([1234567.0, 1234568.0])})
    levels = table_one(long).loc["site, n (%)"].index
    assert levels.tolist() == ["1234567", "1234568", "missing"]


def test_blank_words_are_missing():
    rows = table_one(pd.DataFrame({"ward": ["a", " ", ""]})).loc["ward, n (%)", "all"]
    assert rows.to_dict() == {"a": "1 (100.0)", "missing": "2"}


@pytest.mark.parametrize(
    ("by", "columns"),
    [
        (["b", "a", "c"], ["a", "b", "c"]),
        ([2, 10, 1], ["1", "2", "10"]),
        (["test", "validation", "train"], ["train", "validation", "test"]),
        (pd.Categorical(["low", "high", "low"], ["low", "middle", "high"]), ["low", "high"]),
        ([True, False, True], ["False", "True"]),
        (None, ["all"]),
    ],
)
def test_order_of_groups(by, columns):
    assert table_one(pd.DataFrame({"age": [60, 70, 80]}), by=by).columns.tolist() == columns


def test_groups_are_matched_by_index():
    data = pd.DataFrame({"age": [60, 70, 80]}, index=["x", "y", "z"])
    by = pd.Series(["a", "b", "b"], index=["z", "x", "y"])
    assert table_one(data, by).loc[("age, mean (SD)", "")].tolist() == ["80.0 (-)", "65.0 (7.1)"]


def test_a_column_may_be_the_grouping():
    data = pd.DataFrame({"age": [60, 70, 80], "sex": ["F", "M", "F"]})
    table = table_one(data, by="sex")
    assert table.columns.tolist() == ["F", "M"]
    assert "sex, n (%)" not in table.index.get_level_values(0)
    pd.testing.assert_frame_equal(table, table_one(data, by=data["sex"]))


def test_an_empty_cell_is_a_dash():
    data = pd.DataFrame({"age": [60.0, None], "sex": ["F", None]})
    table = table_one(data, by=["a", "b"])
    assert table["b"].tolist() == ["1", "-", "1", "0 (-)", "1"]


def test_extension_types_are_read():
    plain = pd.DataFrame({"age": [60.0, None, 71], "sex": ["F", None, "M"], "x": [1, None, 0]})
    typed = plain.astype({"age": "Int64", "sex": "string", "x": "Int64"})
    assert table_one(typed).to_numpy().tolist() == table_one(plain).to_numpy().tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": ["a", "b"]}, r"shape \(2,\), but data has 3 rows"),
        ({"by": ["a", None, "b"]}, "misses the group of 1 of 3 rows, the first is row 2"),
        ({"by": pd.Series(["a", "b", "c"], index=[5, 6, 7])}, "another index"),
        ({"by": "split"}, "no column of data"),
        ({"median": ["bmi"]}, "no column of data"),
        ({"median": "sex"}, "holds no numbers"),
    ],
)
def test_misuse_is_refused(options, words):
    data = pd.DataFrame({"age": [60, 70, 80], "sex": ["F", "M", "F"]})
    with pytest.raises(InputError, match=words):
        table_one(data, **options)


def test_unusable_tables_are_refused():
    with pytest.raises(InputError, match="data has 0 rows and 1 columns"):
        table_one(pd.DataFrame({"age": []}))
    with pytest.raises(InputError, match="median is a column itself; give its name"):
        table_one(pd.DataFrame({"doctor": ["Li Na"]}), median=pd.Series(["Li Na"]))
    with pytest.raises(InputError, match="'crp' holds infinity"):
        table_one(pd.DataFrame({"crp": [1.0, np.inf]}))


def test_table_of_a_cohort_ends_with_the_label(patients):
    cohort = select_cohort(patients, t_score="t_score", max_missing=None)
    table = cohort.table_one()
    n, ill = len(patients), patients["osteoporosis"].sum()
    rows = table.loc["osteoporosis (T <= -2.5), n (%)", "all"]
    assert rows.index.tolist() == ["yes", "no", "missing"]
    assert rows["yes"] == f"{ill} ({100 * ill / n:.1f})"
    assert table.index[-1] == ("osteoporosis (T <= -2.5), n (%)", "missing")

    compared = cohort.table_one(by=cohort.target)
    assert compared.columns.tolist() == ["osteoporosis (T <= -2.5)", "no osteoporosis (T > -2.5)"]
    assert compared.loc["n"].iloc[0].tolist() == [str(ill), str(n - ill)]
    mean = patients.loc[patients["osteoporosis"] == 1, "age"].mean()
    assert compared.loc[("age, mean (SD)", "")].iloc[0].startswith(f"{mean:.1f} (")


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_a_table_of_another_library(library):
    pytest.importorskip("pyarrow")
    module = pytest.importorskip(library)
    make = module.DataFrame if library == "polars" else module.table
    columns, by = {"age": [61, 70, 82, None], "sex": ["F", "F", "M", None]}, {"part": list("aabb")}
    expected = table_one(pd.DataFrame(columns), by=by["part"])
    pd.testing.assert_frame_equal(table_one(make(columns | by), by="part"), expected)
    pd.testing.assert_frame_equal(table_one(make(columns), by=make(by)["part"]), expected)


def test_labels_are_those_that_a_clinician_reads():
    data = pd.DataFrame(
        {
            "age": [50.5, 60],
            "patient age": [50.5, 60],
            "platelets_10e9_l": [201.0, 250],
            "BMI": [22.5, 23],
            "sex": ["F", "M"],
            "smoking_status": ["yes", "no"],
        }
    )
    table = table_one(data, labels=True)
    assert table.index.get_level_values(0).unique().tolist() == [
        "n", "Age, years (age), mean (SD)", "Age, years (patient age), mean (SD)",
        "Platelets, 10⁹/L, mean (SD)", "BMI, kg/m², mean (SD)", "Sex, n (%)",
        "smoking status, n (%)",
    ]  # fmt: skip
    assert table.to_numpy().tolist() == table_one(data).to_numpy().tolist()
