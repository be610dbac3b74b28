"""Errors of skosteo: one root, and each also the standard type that a caller would expect.

Every message says what came, what is allowed and what to do. It names a column or the position of
a row ("row 17 of 240"), never the path of a film or a value, because these can identify a patient.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROWS_NAMED = 5


class SkosteoError(Exception):
    """Root of all errors raised by skosteo.

    The message of an error about rows of a table begins with them, counted from 1.

    Attributes
    ----------
    rows : tuple of int
        Positions of these rows, from 0 as in `iloc`; empty where it is about none.
    n_rows : int
        Rows of the table.

    Examples
    --------
    >>> error = InputError("the image is missing").at_rows([3], 40)
    >>> str(error), error.row
    ('row 4 of 40: the image is missing', 3)
    """

    rows: tuple[int, ...] = ()
    n_rows: int = 0

    @property
    def row(self) -> int | None:
        """Position of the first of these rows; None where it is about none."""
        return self.rows[0] if self.rows else None

    def at_rows(self, rows: Iterable[int], n_rows: int) -> Self:
        """Say which rows of a table of so many it is about; returns the error."""
        self.rows, self.n_rows = tuple(map(int, rows)), int(n_rows)
        return self

    def __str__(self) -> str:
        if not self.rows:
            return self._message()
        named = ", ".join(str(row + 1) for row in self.rows[:_ROWS_NAMED])
        more = len(self.rows) - _ROWS_NAMED
        named += f" and {more} more" if more > 0 else ""
        return f"row{'s'[: len(self.rows) > 1]} {named} of {self.n_rows}: {self._message()}"

    def _message(self) -> str:
        return super().__str__()


class InputError(SkosteoError, ValueError):
    """A table, array or parameter that skosteo cannot work with."""


class DicomError(SkosteoError, ValueError):
    """A file that cannot be read as a radiograph: DICOM, PNG, JPEG or TIFF.

    Parameters
    ----------
    reason : str
        What came and what is allowed.
    remedy : str
        What to do.
    rule : str, optional
        The rule of `skosteo.dicom.RULES` that refused the file, which ``ignore_rules`` can lift.

    Examples
    --------
    >>> error = DicomError("the file says MR", "give a chest film", rule="modality")
    >>> str(error), error.rule
    ('the file says MR; give a chest film', 'modality')
    """

    def __init__(self, reason: str, remedy: str, rule: str | None = None) -> None:
        super().__init__(reason, remedy, rule)
        self.reason, self.remedy, self.rule = reason, remedy, rule

    def _message(self) -> str:
        return f"{self.reason}; {self.remedy}"


class MissingFileError(DicomError, FileNotFoundError):
    """A file named in the image column does not exist."""

    # Dask unpickles by `__new__`, and would find ValueError's, which cannot make an OSError
    __new__ = FileNotFoundError.__new__  # type: ignore[assignment]


class TrainingError(SkosteoError, ArithmeticError):
    """Training that would end without a usable model, such as a loss that is not finite."""


class WeightsError(SkosteoError, ValueError):
    """Pretrained weights that cannot be had or do not fit the backbone."""


class ModelFileError(SkosteoError, ValueError):
    """A file that holds no model, or not the one that was saved."""


class DatasetError(SkosteoError, OSError):
    """A data set that is neither on disk nor to be had, or that fails its checksum."""


class MissingExtraError(SkosteoError, ImportError):
    """Something needs libraries that are not installed; the message names the extra with them."""


def renumbered(
    error: SkosteoError, rows: "Sequence[int] | NDArray[np.intp]", n_rows: int
) -> SkosteoError:
    """Let an error about part of a table name the rows of the whole.

    Parameters
    ----------
    error : SkosteoError
        Raised by what was given the part; one that is about no row is left as it is.
    rows : sequence of int
        Positions of the part's rows in the table, from 0.
    n_rows : int
        Rows of the table.

    Returns
    -------
    SkosteoError
        The same error.

    Examples
    --------
    >>> error = InputError("the image is missing").at_rows([1], 2)
    >>> str(renumbered(error, [10, 30], 40))
    'row 31 of 40: the image is missing'
    """
    return error.at_rows([rows[row] for row in error.rows], n_rows) if error.rows else error


class ValuesWarning(UserWarning):
    """Clinical values that look as if they were in another unit, or are no person's at all."""


class LeakageWarning(UserWarning):
    """A column that a user has named, and that gives the label away."""


class MissingModalityWarning(UserWarning):
    """Rows that lack what a branch of a fusion looks at, and are answered by the others."""


class InSampleWarning(UserWarning):
    """A fusion that learns from what its branches say of their own training rows."""


class ModelChangedWarning(UserWarning):
    """A model that answers its own examples a little otherwise than when it was saved."""
