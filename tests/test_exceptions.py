"""One root, and each error also the standard type that a caller would catch."""

import inspect
import pickle

import numpy as np
import pytest

from skosteo import exceptions


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (exceptions.InputError, ValueError),
        (exceptions.DicomError, ValueError),
        (exceptions.MissingFileError, FileNotFoundError),
        (exceptions.TrainingError, ArithmeticError),
        (exceptions.WeightsError, ValueError),
        (exceptions.ModelFileError, ValueError),
        (exceptions.DatasetError, OSError),
        (exceptions.MissingExtraError, ImportError),
    ],
)
def test_each_error_is_ours_and_a_standard_one(error, standard):
    assert issubclass(error, exceptions.SkosteoError)
    assert issubclass(error, standard)


def test_every_error_is_in_the_table_above():
    classes = [c for _, c in inspect.getmembers(exceptions, inspect.isclass)]
    assert sum(issubclass(c, exceptions.SkosteoError) for c in classes) == 9


def test_what_can_be_worked_with_is_a_warning():
    for name in (
        "InSampleWarning",
        "LeakageWarning",
        "MissingModalityWarning",
        "ModelChangedWarning",
        "ValuesWarning",
    ):
        assert issubclass(getattr(exceptions, name), UserWarning)


# ---------------------------------------------------------------- rows

ERRORS = {
    "input": exceptions.InputError("it is wrong"),
    "film": exceptions.DicomError("it is", "wrong", rule="view"),
    "file": exceptions.MissingFileError("it is", "wrong"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_names_the_rows_of_the_table_of_the_user(kind):
    error = pickle.loads(pickle.dumps(ERRORS[kind]))
    plain = str(error)
    assert error.row is None
    assert exceptions.renumbered(error, [7, 8], 9) is error
    assert str(error) == plain  # about no row before, and after
    error.at_rows([0], 2)
    for part, n in ((np.array([1, 3]), 4), ([0, 16, 17, 18], 20)):
        error = pickle.loads(pickle.dumps(exceptions.renumbered(error, part, n)))
    assert str(error) == f"row 17 of 20: {plain}"
    assert (error.row, error.rows, error.n_rows) == (16, (16,), 20)
    assert type(error) is type(ERRORS[kind])


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_survives_a_worker_of_dask(kind):
    """Which pickles by tblib: without `__init__`, and so by another `__new__` than usual."""
    support = pytest.importorskip("tblib.pickling_support")
    error = pickle.loads(pickle.dumps(ERRORS[kind])).at_rows([2], 3)
    make, args, *_ = support.pickle_exception(error)
    again = make(*args)
    assert type(again) is type(error)
    assert (str(again), again.row) == (str(error), 2)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([1, 2], "rows 2, 3 of 9: no"),
        (range(1, 6), "rows 2, 3, 4, 5, 6 of 9: no"),
        (range(1, 8), "rows 2, 3, 4, 5, 6 and 2 more of 9: no"),
    ],
)
def test_many_rows_are_counted(rows, named):
    assert str(exceptions.InputError("no").at_rows(rows, 9)) == named
