"""Errors of skosteo: one root, and each also the standard type that a caller would expect.

Every message says what came, what is allowed and what to do. It names a column or the position of
a row ("row 17 of 240"), never a path or a value, because paths and values can identify a patient.
"""


class SkosteoError(Exception):
    """Root of all errors raised by skosteo."""


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
        The rule of `skosteo.dicom.RULES` that refused the file, which ``accept`` can lift.

    Examples
    --------
    >>> error = DicomError("the file says MR", "give a chest film", rule="modality")
    >>> str(error), error.rule
    ('the file says MR; give a chest film', 'modality')
    """

    def __init__(self, reason: str, remedy: str, rule: str | None = None) -> None:
        super().__init__(reason, remedy, rule)
        self.reason, self.remedy, self.rule = reason, remedy, rule

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


class MissingFileError(DicomError, FileNotFoundError):
    """A file named in the image column does not exist."""


class TrainingError(SkosteoError, ArithmeticError):
    """Training that would end without a usable model, such as a loss that is not finite."""


class WeightsError(SkosteoError, ValueError):
    """Pretrained weights that cannot be had or do not fit the backbone."""


class DatasetError(SkosteoError, OSError):
    """A data set that is neither on disk nor to be had, or that fails its checksum."""


class ValuesWarning(UserWarning):
    """Clinical values that look as if they were in another unit, or are no person's at all."""


class MissingModalityWarning(UserWarning):
    """Rows that lack what a branch of a fusion looks at, and are answered by the others."""


class InSampleWarning(UserWarning):
    """A fusion that learns from what its branches say of their own training rows."""
