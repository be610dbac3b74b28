"""Pixel data of any transfer syntax -> stored words, one frame only, nothing more than needed.

imagecodecs decodes what is compressed: of the decoders that were tried it alone survives damaged
streams of every kind; GDCM ends the process, and pydicom's own RLE is sixteen times slower.
"""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from skosteo.dicom.codestream import (
    Frame,
    check_end,
    read_jpeg_2000_header,
    read_jpeg_header,
    read_jpeg_xl_header,
    without_boxes,
)
from skosteo.dicom.elements import AGAIN, UNDEFINED
from skosteo.dicom.header import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    SLACK,
    DicomImage,
    Header,
)
from skosteo.dicom.rules import refuse
from skosteo.exceptions import DicomError

NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN)
_ADOBE = b"\xff\xee\x00\x0eAdobe"  # APP14, which says how the samples are to be taken
_JFIF = b"\xff\xe0\x00\x10JFIF"  # APP0: they are luminance and colour differences (ITU-T T.871)
# Bytes that one compressed byte may stand for, beside some for nothing: what claims more is none of
# a film, and takes memory. Of RLE two bytes become 128 at most (PS3.5 G.3.1).
_RLE, _MAX_RLE_RATIO, _MAX_RATIO, _FREE = "1.2.840.10008.1.2.5", 64, 1000, 2**20
_RLE_SURPLUS = 2  # bytes behind the last run: one of some writers, and one that makes them even
_NEGATIVE = 0.75  # of BitsStored: from there on a word that is not extended is below 0

Words = NDArray[np.unsignedinteger]


def stored_words(image: DicomImage, ignore_rules: frozenset[str]) -> Words:
    """Pixel words (rows, columns) or, with colour, (rows, columns, 3), unused bits included."""
    if image.syntax in NATIVE:
        return _native(image, ignore_rules)
    if image.syntax not in _DECODERS:
        from pydicom.uid import UID_dictionary

        name = UID_dictionary.get(image.syntax, ["unknown"])[0]
        raise DicomError(
            f"the transfer syntax is {name}, which is not one for still films that skosteo reads",
            "export the film uncompressed, or as JPEG 2000 or JPEG-LS",
        )
    if image.pixel_data.length != UNDEFINED:
        raise DicomError("the transfer syntax is compressed, but the pixel data is not", AGAIN)
    return _DECODERS[image.syntax](_compressed_frame(image, ignore_rules), image)


def _shape(image: DicomImage) -> tuple[int, ...]:
    header = image.header
    rows, columns = header.integer("Rows"), header.integer("Columns")
    samples = header.integer("SamplesPerPixel", 1)
    return (rows, columns) if samples == 1 else (rows, columns, samples)


def _described(image: DicomImage) -> str:
    rows, columns = _shape(image)[:2]
    return f"{rows} rows x {columns} columns"


def _raw_bytes(image: DicomImage) -> int:
    """Bytes of one frame without compression."""
    return int(np.prod(_shape(image), dtype=np.int64)) * image.header.integer("BitsAllocated") // 8


def _check_frames(image: DicomImage, ignore_rules: frozenset[str]) -> int:
    frames = image.header.frames()
    if frames != 1:
        refuse(
            "multi_frame",
            ignore_rules,
            f"the file holds {frames} frames; allowed is 1",
            "give a film of one frame",
        )
    return frames


def _native(image: DicomImage, ignore_rules: frozenset[str]) -> Words:
    header, elements, element = image.header, image.elements, image.pixel_data
    frames, expected = _check_frames(image, ignore_rules), _raw_bytes(image)
    whole = expected * frames
    surplus = element.length - whole
    # PS3.5 8.1.1 pads to an even length; some writers pad further
    elements.stream.seek(element.start + whole)
    if not 0 <= surplus <= SLACK or any(elements.stream.read(surplus)[whole % 2 :]):
        raise DicomError(
            f"the pixel data has {element.length} bytes, but {_described(image)} need {whole}: the "
            "file is cut off or its header is wrong",
            AGAIN,
        )
    _check_rest(image, element.start + element.length)
    elements.stream.seek(element.start)
    data = elements.stream.read(expected + expected % 2)
    if len(data) < expected:
        raise DicomError(
            f"the pixel data has {len(data)} bytes, but {_described(image)} need {expected}: the "
            "file is cut off",
            AGAIN,
        )
    order = "<" if elements.little else ">"
    if header.integer("BitsAllocated") == 16:
        words = np.frombuffer(data, f"{order}u2").astype(np.uint16, copy=False)
    elif element.vr == b"OW":  # two pixels in a word of either byte order
        words = np.frombuffer(data, f"{order}u2").astype("<u2", copy=False).view(np.uint8)
    else:
        words = np.frombuffer(data, np.uint8)
    words = words[: int(np.prod(_shape(image)))]
    shape = _shape(image)
    if len(shape) == 3 and header.integer("PlanarConfiguration", 0) == 1:
        return np.moveaxis(words.reshape(shape[2], *shape[:2]), 0, -1)
    return words.reshape(shape)


def _compressed_frame(image: DicomImage, ignore_rules: frozenset[str]) -> bytes:
    """Bytes of the first frame, its fragments joined (PS3.5 A.4)."""
    elements = image.elements
    frames = _check_frames(image, ignore_rules)
    (_, *fragments), end = elements.fragments(image.pixel_data)
    _check_rest(image, end)
    if frames != 1 and len(fragments) != frames:
        raise DicomError(
            f"the file holds {frames} frames in {len(fragments)} fragments: where the first ends "
            "is unclear",
            AGAIN,
        )
    fragments = fragments if frames == 1 else fragments[:1]
    size, most = sum(length for _, length in fragments), 2 * _raw_bytes(image) + SLACK
    if size > most:
        raise DicomError(
            f"the compressed image has {size} bytes, where {most} are more than enough", AGAIN
        )
    ratio = _MAX_RLE_RATIO if image.syntax == _RLE else _MAX_RATIO
    if (raw := _raw_bytes(image)) > ratio * size + _FREE:
        raise DicomError(f"{size} compressed bytes cannot hold {raw} bytes of pixels", AGAIN)
    parts = []
    for start, length in fragments:
        elements.stream.seek(start)
        parts.append(elements.stream.read(length))
    return b"".join(parts)


def _check_rest(image: DicomImage, end: int) -> None:
    rest = image.elements.size - end
    if rest > SLACK:
        raise DicomError(f"{rest} bytes of other content follow the pixels", "cut them off")


def _rle(frame: bytes, image: DicomImage) -> Words:
    from imagecodecs import dicomrle_decode

    kind = f"<u{image.header.integer('BitsAllocated') // 8}"
    expected = _raw_bytes(image)
    whole = bytearray(expected)
    for surplus in range(_RLE_SURPLUS + 1):
        with suppress(RuntimeError):  # of imagecodecs
            data = frame[: len(frame) - surplus]
            if len(dicomrle_decode(data, dtype=kind, out=whole)) == expected:
                break
    else:
        raise DicomError("the RLE image has too few pixels, or is damaged", AGAIN)
    rows, columns, *samples = _shape(image)
    planes = np.frombuffer(whole, kind).reshape(*samples, rows, columns)
    return np.moveaxis(planes, 0, -1) if samples else planes


def _jpeg(frame: bytes, image: DicomImage) -> Words:
    from imagecodecs import jpeg8_decode, ljpeg_decode

    check_end(frame)
    stated = _checked(read_jpeg_header(frame), image)
    if stated.lossless and stated.samples == 1:  # ljpeg notices damage that jpeg8 paints over
        return _as_words(ljpeg_decode(frame), stated, image)
    # without Adobe's marker, libjpeg takes any three samples for YCbCr
    head = frame[:4096]
    stated_rgb = image.header.text("PhotometricInterpretation") == "RGB"
    space = "RGB" if stated_rgb and _ADOBE not in head and _JFIF not in head else None
    return _as_words(jpeg8_decode(frame, colorspace=space, outcolorspace=space), stated, image)


def _jpeg_ls(frame: bytes, image: DicomImage) -> Words:
    from imagecodecs import jpegls_decode

    check_end(frame)
    stated = _checked(read_jpeg_header(frame), image)
    return _as_words(jpegls_decode(frame), stated, image)


def _jpeg_2000(frame: bytes, image: DicomImage) -> Words:
    from imagecodecs import jpeg2k_decode

    check_end(frame)
    codestream = without_boxes(frame)
    stated = _checked(read_jpeg_2000_header(codestream), image)
    return _as_words(jpeg2k_decode(codestream), stated, image)


def _jpeg_xl(frame: bytes, image: DicomImage) -> Words:
    from imagecodecs import jpegxl_decode

    codestream = without_boxes(frame)
    stated = _checked(read_jpeg_xl_header(codestream), image)
    return _as_words(jpegxl_decode(codestream), stated, image)


def _checked(stated: Frame, image: DicomImage) -> Frame:
    """Refuse a compressed frame that is not what the header of the file says."""
    header = image.header
    in_header = (
        header.integer("Rows"),
        header.integer("Columns"),
        header.integer("SamplesPerPixel", 1),
    )
    allocated = header.integer("BitsAllocated")
    if (stated.rows, stated.columns, stated.samples) != in_header or stated.bits > allocated:
        raise DicomError(
            f"the compressed image says {stated.rows} x {stated.columns} x {stated.samples} of "
            f"{stated.bits} bits, the header {' x '.join(map(str, in_header))} of {allocated}",
            AGAIN,
        )
    return stated


def _as_words(decoded: NDArray, stated: Frame, image: DicomImage) -> Words:
    kind = f"{decoded.dtype.kind}{image.header.integer('BitsAllocated') // 8}"
    # first to the width of the words, which carries the sign of a signed codestream along
    words = decoded.astype(kind, copy=False).view(kind.replace("i", "u")).reshape(_shape(image))
    return _clipped(words, stated.bits, image.header) if image.syntax in _LOSSY else words


def _clipped(words: Words, bits: int, header: Header) -> Words:
    """Bring to BitsStored what a lossy codestream of more bits has made of the ends of the range.

    Cutting the bits beyond off would turn white into black. Lossless ones may hold overlays there
    (PS3.5 8.1.1), and are cut off like native words.
    """
    stored = header.integer("BitsStored")
    end = header.integer("HighBit", stored - 1) + 1
    if bits <= end:
        return words
    if header.integer("PixelRepresentation", 0) == 0:
        return np.minimum(words, words.dtype.type(2**end - 1))
    values = words.astype(np.int32) & (2**bits - 1)
    # where no sign is carried to the codestream's own highest bit, small negative values stand at
    # the top of BitsStored, and nothing swings so far beyond its positive half
    if 2**end > values.max() >= 2**end * _NEGATIVE:
        return words
    values -= (values >> (bits - 1)) << bits
    return np.clip(values, -(2 ** (end - 1)), 2 ** (end - 1) - 1).astype(words.dtype)


# PS3.6 A, transfer syntaxes; 201 to 203 are High-Throughput JPEG 2000, 110 to 112 JPEG XL
_PREFIX = "1.2.840.10008.1.2.4."
_DECODERS: dict[str, Callable[[bytes, DicomImage], Words]] = {_RLE: _rle} | {
    f"{_PREFIX}{number}": decoder
    for decoder, numbers in {
        _jpeg: (50, 51, 57, 70),
        _jpeg_ls: (80, 81),
        _jpeg_2000: (90, 91, 201, 202, 203),
        _jpeg_xl: (110, 111, 112),
    }.items()
    for number in numbers
}
_LOSSY = {f"{_PREFIX}{number}" for number in (50, 51, 81, 91, 111, 112, 203)}
# whose decoders give RGB, whatever colours the frame is in
TO_RGB = {uid for uid, decoder in _DECODERS.items() if decoder in (_jpeg, _jpeg_xl)}
