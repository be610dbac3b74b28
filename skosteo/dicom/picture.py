"""PNG, JPEG and TIFF -> brightness, by Pillow."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from skosteo.dicom.rules import check_dimensions, refuse
from skosteo.exceptions import DicomError

SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")
_MAX_BYTES = 2**27  # twice the largest film, without compression
_BITS, _PHOTOMETRIC, _TILE, _WHITE_IS_ZERO = 258, 262, (322, 323), 0  # TIFF 6.0
_MAX_TILE = 4096  # pixels a side; most are of 256
_PLUGINS = (Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin)
_LOCK = threading.RLock()
_AGAIN = "export the film again as PNG or TIFF, grey of 8 or 16 bits"


def read_picture(
    stream: BinaryIO, size: int, accept: frozenset[str]
) -> tuple[NDArray[np.float32], int]:
    """Read the brightness in [0, 1] of a PNG, JPEG or TIFF file, and its bits per pixel.

    Transparency is ignored, and so is an orientation in EXIF, which no film has.

    Raises
    ------
    DicomError
        The file is damaged, too large, in colour, of several pages or of an unknown variant.
    """
    if size > _MAX_BYTES:
        raise DicomError(f"the file has {size} bytes; a film has {_MAX_BYTES} at most", _AGAIN)
    with _quiet():
        try:
            with Image.open(stream, formats=["PNG", "JPEG", "TIFF"]) as image:
                check_dimensions(image.height, image.width, accept)
                _check_tiles(image)
                if _has_another_page(image):
                    reason = "the file holds several pictures; allowed is 1"
                    refuse("multi_frame", accept, reason, "give a file of one")
                image.load()
                return _grey(image, accept)
        except DicomError:
            raise
        except Exception as error:  # whatever the damage leads to
            raise DicomError(
                f"the PNG, JPEG or TIFF file cannot be decoded ({type(error).__name__}): it is "
                "damaged or of an unknown variant",
                _AGAIN,
            ) from None


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop the warnings and log lines of Pillow, which may quote the tags of a file.

    Warning filters belong to the whole process, hence one thread at a time.
    """
    loggers = [logging.getLogger(module.__name__) for module in _PLUGINS]
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        disabled = [logger.disabled for logger in loggers]
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, before in zip(loggers, disabled, strict=True):
                logger.disabled = before


def _grey(image: Image.Image, accept: frozenset[str]) -> tuple[NDArray[np.float32], int]:
    if image.mode in ("1", "L", "LA"):
        return _scaled(image.getchannel(0).convert("L")), 8
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _deep_grey(image)
    if image.mode not in ("RGB", "RGBA", "P", "PA"):
        raise DicomError(f"the picture has mode {image.mode}", _AGAIN)
    red, green, blue, _ = image.convert("RGBA").split()
    if red.tobytes() == green.tobytes() == blue.tobytes():
        return _scaled(red), 8
    refuse("color", accept, "the picture is in colour", "give the original grey film")
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
