"""Reading of one file of any kind: `read_radiograph`."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from skosteo.dicom.decode import TO_RGB, stored_words
from skosteo.dicom.display import apply_grayscale_pipeline, check_depth
from skosteo.dicom.elements import AGAIN
from skosteo.dicom.facts import stated_facts
from skosteo.dicom.header import open_dicom
from skosteo.dicom.picture import SIGNATURES, read_picture
from skosteo.dicom.radiograph import Radiograph
from skosteo.dicom.rules import check_dimensions, check_header, check_ignore_rules, refuse
from skosteo.dicom.sources import content_of, is_path, is_source, opened
from skosteo.exceptions import DicomError, InputError

# Windows, Linux, macOS (both byte orders, and for several machines), scripts: PS3.10 7.1 leaves the
# preamble to applications, and a file that starts like this is run, not shown, by a careless click
_PROGRAMS = (
    b"MZ", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!",
)  # fmt: skip
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as PS3.3 C.7.6.3.1.2
Result = TypeVar("Result")
_MOST = 0.95  # proportion of the pixels
_DARK = 64  # of 255 greys


def read_radiograph(
    source: str | os.PathLike[str] | bytes | BinaryIO, *, ignore_rules: Iterable[str] = ()
) -> Radiograph:
    """Read one film from a DICOM, PNG, JPEG or TIFF file.

    The kind of file is told from its content, never from its name. A DICOM film passes through
    the grayscale transformations of PS3.4 N.2: stored values, modality LUT or rescale (PS3.3
    C.11.1), VOI LUT or first window (C.11.2), polarity (C.7.6.3.1.2). Where the file asks for no
    window, or for one of width 0, the range of values in the film is shown. Padding (C.7.5.1.1.2)
    is black; borders of a collimator, which are part of the film, are left alone.

    Parameters
    ----------
    source : str, path-like, bytes or binary file
        One file, its content, an open file that can go back to its beginning, or what opens one:
        a ``zipfile.Path``, or an ``OpenFile`` of fsspec, by which films come from S3 and the like.
    ignore_rules : iterable of str, default=()
        Names of the rules of `skosteo.dicom.RULES` that may be broken.

    Returns
    -------
    Radiograph
        The film as displayed, bone bright.

    Raises
    ------
    MissingFileError
        There is no such file. It is also a `FileNotFoundError`.
    DicomError
        The file is of another kind, is damaged or cannot be decoded; or it breaks a rule, whose
        name the error then has as ``rule``.
    InputError
        The film is none of these, or `ignore_rules` holds anything but names of rules.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> path = get_testdata_file("MR_small.dcm")
    >>> read_radiograph(path)
    Traceback (most recent call last):
        ...
    skosteo.exceptions.DicomError: the modality is not that of a film: the header says MR; ...
    >>> film = read_radiograph(path, ignore_rules=["modality"])
    >>> film, film.facts["spacing_mm"]
    (Radiograph(64 rows x 64 columns), (0.3125, 0.3125))
    """
    lifted = check_ignore_rules(ignore_rules)
    return _guarded(_given(source), partial(_read_checked, ignore_rules=lifted))


def read_facts(source: str | os.PathLike[str] | bytes | BinaryIO) -> dict[str, Any]:
    """Read what the header of a DICOM file states of a film; no pixel is decoded.

    Parameters
    ----------
    source : str, path-like, bytes or binary file
        The file, as for `read_radiograph`. No rule is applied to it.

    Returns
    -------
    dict of str to object
        Facts by the names that they have as attributes of `Radiograph`; empty for other pictures.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> read_facts(get_testdata_file("MR_small.dcm"))["manufacturer"]
    'Canon'
    """
    return _guarded(_given(source), _read_stated)


def _given(source: Any) -> Any:
    """Return the path of a film, or its content where it is none."""
    if not is_source(source):
        raise InputError(
            f"the film is a {type(source).__name__}; give a path or bytes, or a file that is open"
        )
    return source if is_path(source) else content_of(source)


def _guarded(source: Any, read: Callable[[BinaryIO], Result]) -> Result:
    """Apply ``read`` to an opened file, with a DicomError for whatever goes wrong."""
    try:
        with opened(source) as stream:
            return read(stream)
    except DicomError as error:
        refusal = error
    except Exception as error:  # whatever damage leads a decoder or a disk to
        kind = type(error).__name__
        refusal = DicomError(f"the file cannot be decoded ({kind}): it is damaged", AGAIN)
    # what led to it may quote the file or its path, and must not hang on to the refusal
    refusal.__context__ = None
    try:
        raise refusal
    finally:
        del refusal  # or it and this frame, and with it the file, keep each other in memory


def _read_checked(stream: BinaryIO, ignore_rules: frozenset[str]) -> Radiograph:
    film = _read(stream, ignore_rules)
    _check_contrast(film.pixels, ignore_rules)
    return film


def _read_stated(stream: BinaryIO) -> dict[str, Any]:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    is_dicom = stream.read(132)[128:] == b"DICM"
    stream.seek(0)
    return stated_facts(open_dicom(stream, size).header) if is_dicom else {}


def _read(stream: BinaryIO, ignore_rules: frozenset[str]) -> Radiograph:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(132)
    stream.seek(0)
    if head[128:] == b"DICM":  # PS3.10 7.1
        if head.startswith(_PROGRAMS):
            raise DicomError("the file begins like a program", f"do not open it; {AGAIN}")
        return _read_dicom(stream, size, ignore_rules)
    if head.startswith(SIGNATURES):
        pixels, bits = read_picture(stream, size, ignore_rules)
        return Radiograph(pixels, {"bits": bits})
    raise DicomError(
        "the content is neither DICOM (with its preamble of 128 bytes) nor PNG, JPEG or TIFF",
        "give one of these, whatever the name of the file",
    )


def _read_dicom(stream: BinaryIO, size: int, ignore_rules: frozenset[str]) -> Radiograph:
    image = open_dicom(stream, size)
    header = image.header
    check_header(header, ignore_rules)
    check_dimensions(header.integer("Rows"), header.integer("Columns"), ignore_rules)
    check_depth(header)
    facts = stated_facts(header)
    photometric, samples = facts["photometric_interpretation"], header.integer("SamplesPerPixel", 1)
    if samples == 1 and photometric in _GREY:
        words = stored_words(image, ignore_rules)
        return Radiograph(apply_grayscale_pipeline(words, header), facts)
    if samples == 3 and photometric in _COLOUR and header.integer("BitsAllocated") == 8:
        luminance_first = photometric == "YBR_FULL" and image.syntax not in TO_RGB
        words = stored_words(image, ignore_rules)
        return Radiograph(_without_colour(words, luminance_first, ignore_rules), facts)
    raise DicomError(
        f"the image is {photometric or 'of another kind'} with {samples} samples per pixel; "
        "allowed is MONOCHROME1 or MONOCHROME2 with one",
        "give the original grey film",
    )


def _without_colour(
    words: NDArray[np.unsignedinteger], luminance_first: bool, ignore_rules: frozenset[str]
) -> NDArray[np.float32]:
    """Luminance in [0, 1] of RGB, or of luminance and two colour differences."""
    first, second, third = np.moveaxis(words, -1, 0)
    # luminance without colour, or grey whose writer calls RGB so
    is_grey = luminance_first and bool((second == 128).all() and (third == 128).all())
    if not is_grey and not ((first == second) & (second == third)).all():
        refuse("color", ignore_rules, "the image is in colour", "give the original grey film")
        if not luminance_first:
            return (words @ _LUMINANCE) / np.float32(255)
    return first / np.float32(255)


def _check_contrast(pixels: NDArray[np.float32], ignore_rules: frozenset[str]) -> None:
    """Refuse a film that shows next to nothing, judged on a sixteenth of its pixels."""
    sample = (pixels[::4, ::4] * 255).astype(np.uint8)
    count = np.bincount(sample.ravel(), minlength=256)
    if count.max() >= _MOST * sample.size:
        refuse(
            "blank",
            ignore_rules,
            f"the image is blank: {_MOST:.0%} of its pixels or more show the same grey",
            "check the export and its window",
        )
    elif not count[_DARK:].any():
        refuse(
            "dark",
            ignore_rules,
            f"the image is dark: no pixel is brighter than {_DARK} of 255, as when 12 bits are "
            "saved as 16",
            "check the export and its window",
        )
    elif count[0] + count[255] >= _MOST * sample.size:
        refuse(
            "saturated",
            ignore_rules,
            f"the image is saturated: {_MOST:.0%} of its pixels or more are pure black or white",
            "check the export and its window",
        )
    elif not count[1:-_DARK].any():  # but for padding, which is black
        refuse(
            "bright",
            ignore_rules,
            f"the image is bright: no pixel but black ones is darker than {255 - _DARK} of 255, as "
            "when MONOCHROME1 is shown in a window that is far too wide",
            "check the export and its window",
        )
