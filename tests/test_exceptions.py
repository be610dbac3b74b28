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
    classes = [c for _, c in inspect.getmembers(exceptions, inspect.isclass)]
    assert sum(not issubclass(c, Warning) for c in classes) == 7


def test_what_can_be_worked_with_is_a_warning():
    for name in ("InSampleWarning", "MissingModalityWarning", "ValuesWarning"):
        assert issubclass(getattr(exceptions, name), UserWarning)
