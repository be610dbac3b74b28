"""One root, and each error also the standard type that a caller would catch."""

import inspect

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
        (exceptions.DatasetError, OSError),
    ],
)
def test_each_error_is_ours_and_a_standard_one(error, standard):
    assert issubclass(error, exceptions.SkosteoError)
    assert issubclass(error, standard)


def test_every_error_is_in_the_table_above():
    classes = inspect.getmembers(exceptions, inspect.isclass)
    assert len(classes) == 7
