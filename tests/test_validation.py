"""Each check that all parts share, on what it lets pass and what it refuses."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from skosteo._validation import (
    check_groups,
    check_image_column,
    check_table,
    check_weights,
    encode_target,
    gives_probabilities,
    guess,
    is_missing,
    logits,
    missing_cells,
    plain_name,
    split_numbers,
    to_pandas,
    unchanged_on_error,
)
from skosteo.exceptions import InputError

TABLE = {
    "age": [61, None, 68],
    "bmi": [21.5, None, 30.25],
    "film": ["a.dcm", None, ""],
    "smoker": [True, False, True],
    "drug": [True, None, False],
    "sex": ["F", "M", None],
    "taken": [datetime.datetime(2024, 3, 5, 14, 22), None, datetime.datetime(2024, 3, 7)],
}


def polars_table():
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")  # which polars turns tables into pandas by
    return polars.DataFrame(TABLE, schema_overrides={"sex": polars.Enum(["M", "F"])})


def arrow_table():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(TABLE)
    sex = table["sex"].dictionary_encode()
    return table.set_column(table.column_names.index("sex"), "sex", sex)


@pytest.mark.parametrize("make", [polars_table, arrow_table])
def test_a_table_of_another_library_is_the_same_table_in_pandas(make):
    table = to_pandas(make())
    expected = pd.DataFrame(TABLE).astype({"sex": "category"})
    assert isinstance(table.index, pd.RangeIndex)
    for column in ("age", "bmi", "film", "smoker"):
        pd.testing.assert_series_equal(table[column], expected[column])
    assert table["drug"].isna().tolist() == [False, True, False]
    assert table["drug"].tolist()[::2] == [True, False]
    assert isinstance(table["sex"].dtype, pd.CategoricalDtype)
    assert table["sex"].astype(object).tolist()[:2] == ["F", "M"]
    assert table["sex"].isna().tolist() == [False, False, True]
    assert pd.api.types.is_datetime64_dtype(table["taken"])
    assert (table["taken"] == expected["taken"]).tolist() == [True, False, True]


@pytest.mark.parametrize("make", [polars_table, arrow_table])
def test_a_column_of_another_library_is_a_series(make):
    pd.testing.assert_series_equal(
        to_pandas(make()["bmi"]), pd.Series(TABLE["bmi"]), check_names=False
    )


def test_an_enum_keeps_the_order_of_its_levels():
    assert to_pandas(polars_table())["sex"].cat.categories.tolist() == ["M", "F"]
    assert to_pandas(polars_table()["age"].alias("")).name is None


def test_an_index_that_arrow_remembers_is_no_index_of_rows():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(pd.DataFrame({"age": [61, 75]}, index=[7, 5]))
    pd.testing.assert_frame_equal(to_pandas(table), pd.DataFrame({"age": [61, 75]}))


def test_a_lazy_table_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"lazy table \(polars.*LazyFrame\).*X\.collect\(\)"):
        to_pandas(polars_table().lazy())


def test_arrow_columns_of_one_name_are_refused():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    with pytest.raises(InputError, match="several columns of one name"):
        to_pandas(table)


@pytest.mark.parametrize(
    "other",
    [pd.DataFrame({"a": [1]}, index=[4]), pd.Series([1]), np.eye(2), [[1, 2]], {"a": [1]}, None, 3],
)
def test_everything_else_is_returned_unchanged(other):
    assert to_pandas(other) is other


def test_a_table_has_one_column_of_each_name():
    table = pd.DataFrame({"age": [61]})
    assert check_table(table) is table
    with pytest.raises(InputError, match=r"y_prob has several columns named \['age'\]"):
        check_table(pd.concat([table, table], axis=1), "y_prob")
    with pytest.raises(InputError, match=r"X is a ndarray; give a DataFrame"):
        check_table(np.eye(2))


def test_a_missing_column_of_images_is_guessed():
    X = pd.DataFrame(columns=["Image", "age"])
    check_image_column(X, "Image", "")
    with pytest.raises(InputError, match=r"no column 'image' \(image_column\); did you mean 'Im"):
        check_image_column(X, "image", "Name it.")
    with pytest.raises(InputError, match=r"no column 'image' \(image_column\)\. Its columns are"):
        check_image_column(X[["age"]], "image", "Name it.")
    with pytest.raises(
        InputError, match=r"no column 'path'.*\. Its columns are \['Image', 'age'\]\. N"
    ):
        check_image_column(X, "path", "Name it.")


@pytest.mark.parametrize("blank", [None, np.nan, pd.NA, pd.NaT, "", " \t\n", "　"])
def test_blank_cells_are_missing(blank):
    assert is_missing(blank)
    assert missing_cells(pd.Series([blank, "a"], dtype=object)).tolist() == [True, False]


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "nan", np.zeros(2), [], "a "])
def test_other_cells_are_there(value):
    assert not is_missing(value)
    assert not missing_cells(pd.Series([value, None], dtype=object))[0]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["a", " ", None], dtype="str"),
        pd.Series(["a", "", None], dtype="category"),
        pd.Series([1.5, np.nan, np.nan]),
        pd.Series([True, None, None], dtype="boolean"),
        pd.to_datetime(pd.Series(["2024-03-05", None, None])),
    ],
    ids=lambda values: str(values.dtype),
)
def test_missing_cells_of_every_kind_of_column(values):
    assert missing_cells(values).tolist() == [False, True, True]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1.5, np.nan, 2.0]),
        pd.Series(["1.5", None, " 2 "]),
        pd.Series(["1.5", " ", "2e0"], dtype="category"),
        pd.Series([1.5, None, 2], dtype="Float64"),
        pd.Series([Decimal("1.5"), None, Decimal("2")], dtype=object),
        pd.Series([np.float32(1.5), "", 2], dtype=object),
    ],
    ids=lambda values: str(values.dtype),
)
def test_numbers_however_a_column_holds_them(values):
    numbers, others = split_numbers(values.set_axis([7, 7, 5]))
    np.testing.assert_array_equal(numbers, [1.5, np.nan, 2])
    assert others.empty


@pytest.mark.parametrize("kind", [object, "boolean", "category"])
def test_true_and_false_are_one_and_zero(kind):
    numbers, others = split_numbers(pd.Series([True, None, False], dtype=kind))
    np.testing.assert_array_equal(numbers, [1, np.nan, 0])
    assert others.empty


def test_cells_that_are_no_numbers_are_given_back_by_their_position():
    cells = ["61", "<3", None, "1,5", 2 + 0j, np.zeros(2), pd.Timestamp("2024-03-05"), "nan", 4]
    numbers, others = split_numbers(pd.Series(cells, index=list("aabbccdde"), dtype=object))
    assert others.index.tolist() == [1, 3, 4, 5, 6, 7]
    assert others.loc[[1, 3]].tolist() == ["<3", "1,5"]
    np.testing.assert_array_equal(numbers, [61, *[np.nan] * 7, 4])


@pytest.mark.parametrize(
    "values",
    [pd.to_datetime(pd.Series(["2024-03-05"])), pd.Series([1 + 2j])],
    ids=["days", "complex"],
)
def test_days_and_complex_numbers_are_no_numbers(values):
    assert len(split_numbers(values)[1]) == 1


def test_a_column_without_rows_holds_no_numbers():
    numbers, others = split_numbers(pd.Series([], dtype=object))
    assert numbers.shape == (0,)
    assert others.empty


def test_the_slip_in_a_name_is_guessed():
    assert guess("Patient-ID", ["age", "patient_id"]) == "; did you mean 'patient_id'?"
    assert guess("ward", ["age", "sex"]) == "."
    assert guess("imgae", ["age", "image"]) == "; did you mean 'image'?"
    assert guess("image", ["age", "Image path"]) == "; did you mean 'Image path'?"
    assert guess(3, []) == "."
    assert plain_name("\uff37hite cells (μL)") == plain_name("white_cells ul")


def test_classes_are_sorted_and_coded():
    classes, codes = encode_target(["well", "ill", "well"])
    assert classes.tolist() == ["ill", "well"]
    assert codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (
            [0, 1, 2],
            "Only binary classification is supported.*multiclass",
        ),
        ([0.5, 1.5, 2.5], "Unknown label type: continuous"),
        ([1, 1, 1], "1 class in 3 rows"),
        ([0, 1, np.nan], "NaN"),
    ],
)
def test_labels_that_are_not_binary_are_refused(y, says):
    with pytest.raises(ValueError, match=says):
        encode_target(y)


def test_weights_are_one_each_unless_given():
    X, y = np.zeros((3, 1)), np.array([0, 1, 1])
    assert check_weights(None, X, y).tolist() == [1, 1, 1]
    assert check_weights([1, 2, 0], X, y).tolist() == [1, 2, 0]
    with pytest.raises(InputError, match="leaves 1 class"):
        check_weights([0, 1, 1], X, y)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        check_weights([-1, 1, 1], X, y)


def test_ids_of_mixed_types_and_a_gap_among_texts():
    assert len(set(check_groups([1, "A2", 3, 1], 4))) == 3
    with pytest.raises(InputError, match=r"2 of 4 rows.*row 2"):
        check_groups(["P1", np.nan, "P2", np.nan], 4)


def test_patient_ids_of_the_wrong_length():
    with pytest.raises(InputError, match=r"\(3,\).*4 rows"):
        check_groups(["a", "b", "c"], 4)


@pytest.mark.parametrize("gap", [None, np.nan])
def test_a_missing_patient_id_is_named_by_its_row(gap):
    with pytest.raises(InputError, match="row 3"):
        check_groups(np.array(["a", "b", gap, "c"], dtype=object), 4)


def test_codes_are_equal_exactly_where_ids_are():
    codes = check_groups(["p9", "p1", "p9"], 3)
    assert codes[0] == codes[2] != codes[1]
    assert check_groups(None, 3) is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_fit_that_fails_leaves_the_model_as_it_was(error):
    model = BaseEstimator()
    model.coef_ = 1

    def fit():
        with unchanged_on_error(model):
            model.coef_, model.classes_ = 2, [0, 1]
            raise error

    with pytest.raises(error):
        fit()
    assert vars(model) == {"coef_": 1}


def test_models_with_probabilities():
    assert gives_probabilities(LogisticRegression())
    assert not gives_probabilities(LogisticRegression)
    assert not gives_probabilities(LinearSVC())
    assert not gives_probabilities(None)


def test_log_odds_stay_finite():
    np.testing.assert_allclose(logits([[0.5, 0.8]]), [[0, np.log(4)]])
    np.testing.assert_allclose(logits([0, 1]), np.array([-1, 1]) * np.log((1 - 1e-6) / 1e-6))
