"""One file -> one `Radiograph`: the only place where skosteo decodes images.

A chest film reaches a researcher as DICOM of many kinds, or as PNG, JPEG or TIFF. Every kind ends
here as the same thing: what a viewer would show, in [0, 1], with bone bright. A file that cannot
be shown that way for certain is refused with `DicomError`. No message names a path or quotes the
header beyond technical fields, because both can identify a patient.
"""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels import get_decoder, pixel_array
from scipy.sparse import csr_array

from skosteo.exceptions import DicomError, MissingFileError

_PNG_JPEG_TIFF = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_LOGGERS = ("pydicom", "pylibjpeg", "PIL")
_LOCK = threading.RLock()
_TIFF_BITS, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


@dataclass(frozen=True, eq=False, repr=False)
class Radiograph:
    """A film as a viewer shows it, and nothing that identifies whose it is.

    Attributes
    ----------
    pixels : ndarray of float32, shape (rows, columns)
        0 is black and 1 is white, with bone bright.

    Examples
    --------
    >>> import numpy as np
    >>> film = Radiograph(np.eye(4, 2, dtype=np.float32))
    >>> film
    Radiograph(4 rows x 2 columns)
    >>> film.to_uint8(4)
    array([[  0, 255,   0,   0],
           [  0,   0, 255,   0],
           [  0,   0,   0,   0],
           [  0,   0,   0,   0]], dtype=uint8)
    """

    pixels: NDArray[np.float32]

    def to_uint8(self, size: int = 224) -> NDArray[np.uint8]:
        r"""Pad with black to a square, centred, and average over the area of each new pixel.

        With :math:`A` the rectangle that a new pixel covers and :math:`f` the padded film as a
        piecewise constant function, the new value is :math:`\frac{1}{|A|} \int_A f`, for larger
        and smaller `size` alike, so the mean is kept. The padding may be half a pixel wide, so
        that a mirrored film gives the mirrored result.

        Parameters
        ----------
        size : int, default=224
            Rows and columns of the result.

        Returns
        -------
        ndarray of uint8, shape (size, size)
            0 to 255, halves rounded up.
        """
        rows, columns = self.pixels.shape
        side = max(rows, columns)
        squeezed = _area_weights(rows, side, size) @ self.pixels  # (size, columns)
        square = (_area_weights(columns, side, size) @ squeezed.T).T  # (size, size)
        return np.clip(square * 255 + 0.5, 0, 255).astype(np.uint8)

    def __repr__(self) -> str:
        rows, columns = self.pixels.shape
        return f"Radiograph({rows} rows x {columns} columns)"


def _area_weights(length: int, side: int, size: int) -> csr_array:
    """Share of each of `length` pixels, centred on an axis of `side` pixels, in `size` cells.

    Cell edges and pixel edges together cut the axis into pieces that lie in one cell and one
    pixel each, so that the matrix (size, length) has fewer than ``length + size`` entries.
    """
    start = (side - length) / 2
    cell = side / size
    pixel_edges = start + np.arange(length + 1)
    cuts = np.unique(np.concatenate([np.arange(size + 1) * cell, pixel_edges]))
    cuts = cuts[(cuts >= start) & (cuts <= start + length)]
    middle = (cuts[:-1] + cuts[1:]) / 2
    to_cell = np.minimum(middle / cell, size - 1).astype(np.intp)
    from_pixel = np.minimum(middle - start, length - 1).astype(np.intp)
    share = (np.diff(cuts) / cell).astype(np.float32)
    return csr_array((share, (to_cell, from_pixel)), shape=(size, length))


def read_radiograph(path: str | os.PathLike[str]) -> Radiograph:
    """Read one film from a DICOM, PNG, JPEG or TIFF file.

    The kind of file is told from its content, never from its name. A DICOM film passes through
    the grayscale transformations of PS3.4 N.2: stored values, modality LUT or rescale (PS3.3
    C.11.1), VOI LUT or first window (C.11.2), polarity (C.7.6.3.1.2). Where the file asks for no
    window, the range of values in the image is shown.

    Parameters
    ----------
    path : str or path-like
        One file.

    Returns
    -------
    Radiograph
        The film as displayed, bone bright.

    Raises
    ------
    MissingFileError
        There is no such file. It is also a `FileNotFoundError`.
    DicomError
        The file is of another kind, is damaged, needs a decoder that is not installed, is not
        one grey frame, or is blank.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> read_radiograph(get_testdata_file("MR_small.dcm"))
    Radiograph(64 rows x 64 columns)
    """
    with _open(path) as stream:
        head = stream.read(132)
        stream.seek(0)
        if head[128:] == b"DICM":  # PS3.10 7.1
            pixels = _read_dicom(stream)
        elif head.startswith(_PNG_JPEG_TIFF):
            pixels = _read_picture(stream)
        else:
            raise DicomError(
                "the content is neither DICOM (with its preamble of 128 bytes) nor PNG, JPEG or "
                "TIFF; give one of these, whatever the name of the file"
            )
    if pixels.min() == pixels.max():
        raise DicomError(
            "the image is blank: all its pixels are shown alike; check the export and its window"
        )
    return Radiograph(pixels)


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        message = "the file does not exist; check the path and the working directory"
        raise MissingFileError(message) from None
    except IsADirectoryError:
        raise DicomError("the path is a folder; give one file") from None
    except (OSError, ValueError) as error:
        message = f"the file cannot be opened ({type(error).__name__}); check who may read it"
        raise DicomError(message) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop the warnings and log lines of the decoders, which may quote a patient's header.

    Warning filters belong to the whole process, hence one thread at a time.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _read_dicom(stream: BinaryIO) -> NDArray[np.float32]:
    with _quiet():
        try:
            ds = dcmread(stream)
            _check_one_grey_frame(ds)
            words = _stored_words(ds)
            table, in_window = _display_table(ds)
        except DicomError:
            raise
        except Exception as error:
            # pydicom raises whatever the damage leads to, and its text may quote the header
            raise DicomError(
                f"the DICOM file cannot be decoded ({type(error).__name__}): it is damaged or "
                "holds no image; export it again"
            ) from None
    pixels = table[words]
    if not in_window:
        lowest, highest = pixels.min(), pixels.max()
        pixels -= lowest
        pixels /= (highest - lowest) or 1  # a blank film is refused by the caller
    return pixels


def _check_one_grey_frame(ds: Dataset) -> None:
    """Refuse what is not one grey frame of 8 or 16 bits, which is all that CR and DX may hold."""
    if "PixelData" not in ds:
        raise DicomError(
            "the DICOM file holds no pixel data: it is a report or a plan, or is cut off; give the "
            "image itself"
        )
    frames = int(ds.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DicomError(f"the DICOM file holds {frames} frames; give a film of one frame")
    samples = int(ds.get("SamplesPerPixel", 1))
    photometric = ds.get("PhotometricInterpretation")
    if samples != 1 or photometric not in _GREY:
        came = photometric if photometric in (*_GREY, *_COLOUR) else "another kind"
        raise DicomError(
            f"the DICOM image is {came} with {samples} samples per pixel; allowed is MONOCHROME1 "
            "or MONOCHROME2 with one: give the original grey film"
        )
    allocated, stored = int(ds.BitsAllocated), int(ds.BitsStored)
    if allocated not in (8, 16) or not 1 < stored <= allocated:
        raise DicomError(
            f"the DICOM image stores {stored} of {allocated} bits per pixel; a film has 8 or 16 "
            "(PS3.3 C.8.11.3), of which at least 2 are stored"
        )
    if int(ds.get("HighBit", stored - 1)) != stored - 1:
        raise DicomError("HighBit is not BitsStored - 1 (PS3.5 8.1.1): export the film again")


def _stored_words(ds: Dataset) -> NDArray[np.unsignedinteger[Any]]:
    """Pixel words as they lie in the file, unused bits included; shape (rows, columns)."""
    syntax = ds.file_meta.TransferSyntaxUID
    _check_decoder(syntax)
    if not syntax.is_encapsulated:
        rows, columns = int(ds.Rows), int(ds.Columns)
        expected = rows * columns * int(ds.BitsAllocated) // 8
        found = len(ds.PixelData)
        if found != expected + expected % 2:  # PS3.5 8.1.1: padded to an even length
            raise DicomError(
                f"the pixel data has {found} bytes, but {rows} rows x {columns} columns need "
                f"{expected}: the file is cut off or its header is wrong; export it again"
            )
    words = pixel_array(ds, raw=True, correct_unused_bits=False, view_only=True)
    return words.view(words.dtype.str.replace("i", "u"))


def _check_decoder(syntax: Any) -> None:
    try:
        ready = get_decoder(syntax).is_available
    except NotImplementedError:
        raise DicomError(
            "the transfer syntax is unknown or not for still images; export the film uncompressed"
        ) from None
    if not ready:
        raise DicomError(
            f"no decoder is installed for '{syntax.name}'; run `pip install python-gdcm` or "
            "`pip install pylibjpeg-openjpeg`, or export the film uncompressed"
        )


def _display_table(ds: Dataset) -> tuple[NDArray[np.float32], bool]:
    """Brightness of every possible pixel word, shape (2 ** BitsAllocated,), and whether in [0, 1].

    All steps of the pipeline act on single values, so they are done once per possible value, in
    float64, instead of once per pixel. Without a window the brightness is still to be scaled by
    the range of the values in the image.
    """
    values = _rescaled(ds, _signed_values(ds))
    shown = _windowed(ds, values)
    in_window = shown is not None
    if shown is None:
        shown = values
    # In DX, MONOCHROME1 and a presentation LUT shape of INVERSE name one and the same inversion
    # and come together (PS3.3 C.8.11.3), so inverting for each would turn the film negative.
    if ds.PhotometricInterpretation == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE":
        shown = 1 - shown
    table = shown.astype(np.float32)
    if not np.isfinite(table).all():
        raise DicomError("the rescale or window values of the file are not finite numbers")
    return table, in_window


def _signed_values(ds: Dataset) -> NDArray[np.int64]:
    """Take the low BitsStored bits of every possible word as its value (PS3.5 8.1.1)."""
    stored = int(ds.BitsStored)
    values = np.arange(2 ** int(ds.BitsAllocated)) & (2**stored - 1)
    if int(ds.PixelRepresentation) == 1:
        values -= (values >> (stored - 1)) << stored
    return values


def _rescaled(ds: Dataset, values: NDArray[Any]) -> NDArray[Any]:
    """Apply the modality LUT, or the rescale slope and intercept (PS3.3 C.11.1)."""
    if ds.get("ModalityLUTSequence"):
        return _looked_up(ds, ds.ModalityLUTSequence[0], values)[0]
    slope, intercept = ds.get("RescaleSlope"), ds.get("RescaleIntercept")
    if slope is None or intercept is None:
        return values
    return values * float(slope) + float(intercept)


def _windowed(ds: Dataset, values: NDArray[Any]) -> NDArray[Any] | None:
    """Apply the VOI LUT or the first window (PS3.3 C.11.2), scaled to its output range."""
    if ds.get("VOILUTSequence"):
        entries, bits = _looked_up(ds, ds.VOILUTSequence[0], values)
        return entries / (2**bits - 1)
    window = [np.atleast_1d(ds.get(name)) for name in ("WindowCenter", "WindowWidth")]
    if any(len(value) == 0 or value[0] is None for value in window):
        return None
    center, width = (float(value[0]) for value in window)
    function = str(ds.get("VOILUTFunction") or "LINEAR").upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise DicomError("VOILUTFunction is none of LINEAR, LINEAR_EXACT and SIGMOID")
    if width < 1 if function == "LINEAR" else width <= 0:
        raise DicomError(f"a window width of {width:g} is too small for the function {function}")
    if function == "SIGMOID":  # C.11.2.1.3.1
        return 1 / (1 + np.exp(-4 * (values - center) / width))
    if function == "LINEAR":  # C.11.2.1.2.1: 0 to 255 is a center of 128 and a width of 256
        center, width = center - 0.5, width - 1
    width = max(width, 1e-9)  # a LINEAR width of 1 is a threshold
    return np.clip((values - center) / width + 0.5, 0, 1)


def _looked_up(ds: Dataset, item: Dataset, values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Entries of a LUT for `values`, ends extended, and its bits per entry (PS3.3 C.11.1.1).

    pydicom's own functions are not used: on 8-bit entries, negative first values and float input
    they wrap around.
    """
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        order = "<" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">"
        entries = np.frombuffer(data, f"{order}u2")
        if len(entries) < count and bits == 8:  # two entries in a word, the low byte first
            entries = entries.astype("<u2").view(np.uint8)
    else:
        entries = np.atleast_1d(data)
    entries = entries[:count].astype(np.int64)
    if len(entries) < count or not 8 <= bits <= 16 or entries.max() >= 2**bits:
        raise DicomError(
            f"a lookup table says {count} entries of {bits} bits and holds {len(entries)} up to "
            f"{entries.max(initial=0)}: export the film again"
        )
    position = np.clip(np.rint(values - first), 0, count - 1)
    return entries[position.astype(np.intp)], bits


def _read_picture(stream: BinaryIO) -> NDArray[np.float32]:
    with _quiet():
        try:
            with Image.open(stream, formats=["PNG", "JPEG", "TIFF"]) as image:
                frames = getattr(image, "n_frames", 1)
                if frames != 1:
                    raise DicomError(f"the file holds {frames} pictures; give a file of one")
                image.load()
                return _grey(image)
        except DicomError:
            raise
        except Exception as error:
            raise DicomError(
                f"the PNG, JPEG or TIFF file cannot be decoded ({type(error).__name__}): it is "
                "damaged, too large or of an unknown variant; export it again"
            ) from None


def _grey(image: Image.Image) -> NDArray[np.float32]:
    """Brightness in [0, 1] of a picture; transparency is ignored, colour is refused."""
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.getchannel(0).convert("L"), np.float32) / np.float32(255)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _deep_grey(image)
    if image.mode not in ("RGB", "RGBA", "P", "PA"):
        raise DicomError(f"the picture has mode {image.mode}; save it as grey of 8 or 16 bits")
    red, green, blue, _ = image.convert("RGBA").split()
    if red.tobytes() != green.tobytes() or red.tobytes() != blue.tobytes():
        raise DicomError("the picture is in colour; give the original grey film")
    return np.asarray(red, np.float32) / np.float32(255)


def _deep_grey(image: Image.Image) -> NDArray[np.float32]:
    """Brightness of a picture of more than 8 bits.

    Pillow applies TIFF's "white is zero" to 8 bits and fewer, and leaves 12 and 16 bits as stored.
    """
    tags = getattr(image, "tag_v2", {})
    highest = 2 ** min(tags.get(_TIFF_BITS, (16,))[0], 16) - 1
    values = np.asarray(image)
    if values.min() < 0 or values.max() > highest:
        raise DicomError(f"pixel values beyond 0 to {highest}; save the film as grey of 16 bits")
    shown = values.astype(np.float32) / np.float32(highest)
    return 1 - shown if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO else shown
