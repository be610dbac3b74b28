"""Stored value -> brightness: the grayscale pipeline of PS3.4 N.2, once per possible value.

All steps act on single values, so they are done in float64 on the 256 or 65,536 words that a pixel
can hold, not on the millions that a film has. pydicom's functions are the reference of the tests,
not used here: on 8-bit tables, negative first values and float input they wrap around.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skosteo.dicom.elements import AGAIN
from skosteo.dicom.header import Header
from skosteo.exceptions import DicomError


def check_depth(header: Header) -> None:
    """Refuse depths that no film has (PS3.3 C.8.11.3, PS3.5 8.1.1)."""
    allocated, stored = header.integer("BitsAllocated"), header.integer("BitsStored")
    if allocated not in (8, 16) or not 1 < stored <= allocated:
        raise DicomError(
            f"the image stores {stored} of {allocated} bits per pixel; a film has 8 or 16, of "
            "which at least 2 are stored",
            AGAIN,
        )
    if not stored - 1 <= header.integer("HighBit", stored - 1) < allocated:
        raise DicomError("HighBit does not fit BitsStored and BitsAllocated", AGAIN)
    if header.integer("PixelRepresentation", 0) not in (0, 1):
        raise DicomError("PixelRepresentation is neither 0 nor 1", AGAIN)


def apply_grayscale_pipeline(
    words: NDArray[np.unsignedinteger], header: Header
) -> NDArray[np.float32]:
    """Brightness in [0, 1] of pixel words (rows, columns) as stored, bone bright.

    Where the file asks for no window, the range of values in the film, padding left out, is
    stretched to [0, 1].
    """
    values = _stored_values(header)
    with np.errstate(all="ignore"):  # what is not finite is refused
        table, in_window = _table(header, values)
    if not np.isfinite(table).all():
        raise DicomError("the rescale or window values of the file are not finite numbers", AGAIN)
    padding = _padding(header, values)
    if in_window:
        table[padding] = 0
        return _apply_table(table, words)
    table[padding] = np.nan
    return _stretched(_apply_table(table, words), bool(padding.any()))


def _apply_table(
    table: NDArray[np.float32], words: NDArray[np.unsignedinteger]
) -> NDArray[np.float32]:
    """Return ``table[words]``, in 40 % of the time.

    Some rows at a time, so that numpy's indices of 8 bytes stay in the processor's cache; no word
    lies beyond the table, and wrapping is the cheapest way not to ask.
    """
    pixels = np.empty(words.shape, np.float32)
    for start in range(0, len(words), 32):
        rows = slice(start, start + 32)
        np.take(table, words[rows], out=pixels[rows], mode="wrap")
    return pixels


def _table(header: Header, values: NDArray[np.int64]) -> tuple[NDArray[np.float32], bool]:
    """Brightness of each value, and whether a window has brought it to [0, 1]."""
    rescaled = _rescaled(header, values)
    windowed = _windowed(header, rescaled)
    brightness = rescaled if windowed is None else windowed
    # In DX, MONOCHROME1 and a presentation LUT shape of INVERSE name one and the same inversion
    # and come together (PS3.3 C.8.11.3), so inverting for each would turn the film negative.
    inverse = header.text("PresentationLUTShape") == "INVERSE"
    if inverse or header.text("PhotometricInterpretation") == "MONOCHROME1":
        brightness = 1 - brightness
    return brightness.astype(np.float32), windowed is not None


def _stretched(pixels: NDArray[np.float32], padded: bool) -> NDArray[np.float32]:
    lowest, highest = np.fmin.reduce(pixels, axis=None), np.fmax.reduce(pixels, axis=None)
    pixels -= lowest
    pixels /= (highest - lowest) or 1  # a blank film is refused later
    return np.nan_to_num(pixels, copy=False) if padded else pixels


def _stored_values(header: Header) -> NDArray[np.int64]:
    """Value that each possible word stands for (PS3.5 8.1.1); other bits may hold overlays."""
    stored = header.integer("BitsStored")
    low_bit = header.integer("HighBit", stored - 1) - stored + 1
    values = np.arange(2 ** header.integer("BitsAllocated")) >> low_bit & (2**stored - 1)
    if header.integer("PixelRepresentation", 0) == 1:
        values -= (values >> (stored - 1)) << stored
    return values


def _padding(header: Header, values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a value marks pixels outside the film (PS3.3 C.7.5.1.1.2); they are shown black."""
    signed = header.integer("PixelRepresentation", 0) == 1
    ends = header.integers("PixelPaddingValue", signed)
    if not ends:
        return np.zeros(len(values), bool)
    ends += header.integers("PixelPaddingRangeLimit", signed)
    return (values >= min(ends)) & (values <= max(ends))


def _rescaled(header: Header, values: NDArray[np.int64]) -> NDArray[Any]:
    """Apply the modality LUT, or the rescale slope and intercept (PS3.3 C.11.1)."""
    lut = header.item("ModalityLUTSequence")
    if lut is not None and lut.raw("LUTDescriptor"):
        return _apply_lut(lut, values)[0]
    slope, intercept = header.decimals("RescaleSlope"), header.decimals("RescaleIntercept")
    if not slope or not intercept:
        return values
    return values * slope[0] + intercept[0]


def _windowed(header: Header, values: NDArray[Any]) -> NDArray[Any] | None:
    """Apply the VOI LUT, else the window (PS3.3 C.11.2), scaled to its output range.

    Of several, which are alternatives to choose from, the first is taken: the standard names no
    default, and the first is what the machine chose and what pydicom and highdicom show.
    """
    lut = header.item("VOILUTSequence")
    if lut is not None and lut.raw("LUTDescriptor"):
        entries, bits = _apply_lut(lut, values)
        return entries / (2**bits - 1)
    centers, widths = header.decimals("WindowCenter"), header.decimals("WindowWidth")
    if not centers or not widths or widths[0] == 0:  # 0 is how some writers leave it open
        return None
    center, width = centers[0], widths[0]
    function = header.text("VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise DicomError("VOILUTFunction is none of LINEAR, LINEAR_EXACT and SIGMOID", AGAIN)
    if not (width >= 1 if function == "LINEAR" else width > 0):
        raise DicomError(f"a window width of {width:g} is too small for {function}", AGAIN)
    if function == "SIGMOID":  # C.11.2.1.3.1
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if function == "LINEAR":  # C.11.2.1.2.1: 0 to 255 is a center of 128 and a width of 256
        center, width = center - 0.5, width - 1
    width = max(width, 1e-9)  # a LINEAR width of 1 is a threshold
    return np.clip((values - center) / width + 0.5, 0, 1)


def _apply_lut(lut: Header, values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Entries of a LUT for `values`, ends extended, and its bits per entry (PS3.3 C.11.1.1)."""
    descriptor = lut.integers("LUTDescriptor")
    if len(descriptor) != 3:
        raise DicomError("a lookup table has no LUTDescriptor of 3 values", AGAIN)
    count, bits = descriptor[0] or 2**16, descriptor[2]
    # implicit VR leaves the sign to what goes into the table (C.11.1.1, C.11.2.1.1)
    signed = lut.is_signed("LUTDescriptor", implied=bool(values.min() < 0))
    first = lut.integers("LUTDescriptor", signed)[1]
    data = lut.raw("LUTData")
    if bits == 8 and len(data) in (count, count + count % 2):  # two entries in a word
        entries = np.frombuffer(data, np.uint8)
        entries = entries if lut.little else entries.reshape(-1, 2)[:, ::-1].ravel()
    else:
        entries = np.asarray(lut.integers("LUTData"))
    entries = entries[:count].astype(np.int64)
    if len(entries) < count or not 8 <= bits <= 16 or entries.max() >= 2**bits:
        raise DicomError(
            f"a lookup table says {count} entries of {bits} bits and holds {len(entries)} up to "
            f"{entries.max(initial=0)}",
            AGAIN,
        )
    position = np.clip(np.rint(values - first), 0, count - 1)
    return entries[position.astype(np.intp)], bits
