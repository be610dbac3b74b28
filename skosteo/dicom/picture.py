"""PNG, JPEG and TIFF -> brightness, by Pillow."""

import logging
import os
import threading
import warnings
from contextlib import ExitStack
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from skosteo.dicom.codestream import read_jpeg_header
from skosteo.dicom.rules import check_dimensions, refuse
from skosteo.exceptions import DicomError

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
SIGNATURES = (_PNG, _JPEG, b"II*\x00", b"MM\x00*")
_MAX_BYTES = 2**27  # twice the largest film, without compression
_MAX_HEADER = 2**24  # bytes before the frame header of a JPEG picture
_EXTRA = 2**20  # bytes of a PNG beyond those of its pixels without compression
_MAX_CHUNKS = 100_000  # of a PNG; most have one for each 8 kB
_BITS, _PHOTOMETRIC, _TILE, _WHITE_IS_ZERO = 258, 262, (322, 323), 0  # TIFF 6.0
_MAX_TILE = 4096  # pixels a side; most are of 256
_PLUGINS = (Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin)
_AGAIN = "export the film again as PNG or TIFF, grey of 8 or 16 bits"


def read_picture(
    stream: BinaryIO, size: int, ignore_rules: frozenset[str]
) -> tuple[NDArray[np.float32], int]:
    """Read the brightness in [0, 1] of a PNG, JPEG or TIFF file, and its bits per pixel.

    Transparency is ignored, and so is an orientation in EXIF, which no film has.
    """
    if size > _MAX_BYTES:
        raise DicomError(f"the file has {size} bytes; a film has {_MAX_BYTES} at most", _AGAIN)
    with _SILENCE:
        try:
            start = stream.read(len(_PNG))
            stream.seek(0)
            if start == _PNG:
                stream = _without_extras(stream, ignore_rules)
            elif start.startswith(_JPEG):
                _check_jpeg(stream, size, ignore_rules)
            with Image.open(stream, formats=["PNG", "JPEG", "TIFF"]) as image:
                check_dimensions(image.height, image.width, ignore_rules)
                _check_tiles(image)
                if _has_another_page(image):
                    _refuse_pages(ignore_rules)
                image.load()
                return _grey(image, ignore_rules)
        except DicomError:
            raise
        except Exception as error:  # whatever the damage leads to
            raise DicomError(
                f"the PNG, JPEG or TIFF file cannot be decoded ({type(error).__name__}): it is "
                "damaged or of an unknown variant",
                _AGAIN,
            ) from None


def _without_extras(stream: BinaryIO, ignore_rules: frozenset[str]) -> BinaryIO:
    """Return a PNG without its ancillary chunks: texts, profiles, times (ISO/IEC 15948 5).

    They say nothing of the pixels, may name a patient, and may expand to any size.
    """
    essential, left = [stream.read(len(_PNG))], _EXTRA
    for _ in range(_MAX_CHUNKS):
        head = stream.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"acTL":  # an animation
            _refuse_pages(ignore_rules)
        if kind[:1].isupper():  # which says that a chunk is critical
            left -= length
            if left < 0:
                raise DicomError("the PNG has more data than its pixels ask for", _AGAIN)
            content = stream.read(length + 4)
            essential += [head, content]
            if kind == b"IHDR":  # 4 channels of 16 bits at most
                width, height = (int.from_bytes(content[i : i + 4], "big") for i in (0, 4))
                left += 8 * width * height
        else:
            stream.seek(length + 4, os.SEEK_CUR)
        if kind in (b"IEND", b""):
            return BytesIO(b"".join(essential))
    raise DicomError(f"the PNG has more than {_MAX_CHUNKS} chunks", _AGAIN)


def _check_jpeg(stream: BinaryIO, size: int, ignore_rules: frozenset[str]) -> None:
    """Refuse a JPEG that has more to decode than its size asks for, and leave it at its start."""
    stated = read_jpeg_header(stream.read(_MAX_HEADER))
    check_dimensions(stated.rows, stated.columns, ignore_rules)
    most = 2 * stated.rows * stated.columns * stated.samples + _MAX_HEADER
    if size > most:
        raise DicomError(f"the picture has {size} bytes, where {most} are enough", _AGAIN)
    if size > _MAX_HEADER:
        stream.seek(0)
        read_jpeg_header(stream.read())  # which counts the scans in all of it
    stream.seek(0)


def _refuse_pages(ignore_rules: frozenset[str]) -> None:
    reason = "the file holds several pictures; allowed is 1"
    refuse("multi_frame", ignore_rules, reason, "give a file of one")


def _check_tiles(image: Image.Image) -> None:
    """Refuse a TIFF in tiles that are larger than any film, however small the picture."""
    tags = getattr(image, "tag_v2", {})
    if any(tags.get(side, 0) > _MAX_TILE for side in _TILE):
        raise DicomError(f"the picture lies in tiles of over {_MAX_TILE} pixels", _AGAIN)


def _has_another_page(image: Image.Image) -> bool:
    try:
        image.seek(1)
    except EOFError:
        return False
    image.seek(0)
    return True


class _Silence:
    """Drops the warnings and log lines of Pillow, which may quote the tags of a file.

    Warning filters and loggers belong to the whole process: the first thread that reads a picture
    silences them, the last one that is done gives them back as they were.
    """

    def __init__(self) -> None:
        self._lock, self._readers, self._before = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                self._before.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                for module in _PLUGINS:
                    logger = logging.getLogger(module.__name__)
                    self._before.callback(setattr, logger, "disabled", logger.disabled)
                    logger.disabled = True

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._before.close()


_SILENCE = _Silence()


def _grey(image: Image.Image, ignore_rules: frozenset[str]) -> tuple[NDArray[np.float32], int]:
    if image.mode in ("1", "L", "LA"):
        return _scaled(image.getchannel(0).convert("L")), 8
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _deep_grey(image)
    if image.mode not in ("RGB", "RGBA", "P", "PA"):
        raise DicomError(f"the picture has mode {image.mode}", _AGAIN)
    red, green, blue, _ = image.convert("RGBA").split()
    if red.tobytes() == green.tobytes() == blue.tobytes():
        return _scaled(red), 8
    refuse("color", ignore_rules, "the picture is in colour", "give the original grey film")
    return _scaled(image.convert("RGB").convert("L")), 8


def _scaled(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) / np.float32(255)


def _deep_grey(image: Image.Image) -> tuple[NDArray[np.float32], int]:
    """Brightness of a picture of more than 8 bits.

    Pillow applies TIFF's "white is zero" to 8 bits and fewer, and leaves 12 and 16 bits as stored.
    """
    tags = getattr(image, "tag_v2", {})
    bits = min(tags.get(_BITS, (16,))[0], 16)
    highest = 2**bits - 1
    values = np.asarray(image)
    if values.min() < 0 or values.max() > highest:
        raise DicomError(f"the picture has values beyond 0 to {highest}", _AGAIN)
    bright = values.astype(np.float32) / np.float32(highest)
    return (1 - bright if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else bright), bits
