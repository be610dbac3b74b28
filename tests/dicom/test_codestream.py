import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from skosteo.dicom.codestream import (
    Frame,
    check_end,
    read_jpeg_2000_header,
    read_jpeg_header,
    read_jpeg_xl_header,
    without_boxes,
)
from skosteo.exceptions import DicomError
from tests.films import film

DEEP = np.rint(film(90, 70) * 4095).astype("u2")
FLAT = (film(90, 70) * 255).astype("u1")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (imagecodecs.jpeg8_encode(FLAT, level=90), Frame(90, 70, 1, 8)),
        (imagecodecs.jpeg8_encode(np.stack([FLAT] * 3, -1)), Frame(90, 70, 3, 8)),
        (imagecodecs.jpeg8_encode(DEEP, bitspersample=12), Frame(90, 70, 1, 12)),
        (imagecodecs.ljpeg_encode(DEEP, bitspersample=12), Frame(90, 70, 1, 12, lossless=True)),
        (imagecodecs.jpegls_encode(FLAT), Frame(90, 70, 1, 8)),
        (imagecodecs.jpegls_encode(DEEP), Frame(90, 70, 1, 16)),
    ],
)
def test_jpeg_and_jpeg_ls(data, wanted):
    assert read_jpeg_header(data) == wanted
    # fill bytes before a marker, and a comment that holds one
    comment = b"\xff\xff\xff\xfe\x00\x08\xff\xc0\x00\x00\x00\x00"
    assert read_jpeg_header(data[:2] + comment + data[2:]) == wanted


@pytest.mark.parametrize("codecformat", ["j2k", "jp2"])
@pytest.mark.parametrize(("pixels", "bits"), [(FLAT, 8), (DEEP, 12), (DEEP, 16)])
def test_jpeg_2000(codecformat, pixels, bits):
    data = imagecodecs.jpeg2k_encode(
        pixels, codecformat=codecformat, bitspersample=bits, reversible=True, level=0
    )
    assert (data[:2] == b"\xff\x4f") == (codecformat == "j2k")
    codestream = without_boxes(data)
    assert read_jpeg_2000_header(codestream) == Frame(90, 70, 1, bits)
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(codestream), pixels)


@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("options", [{"lossless": True}, {"level": 60}])
@pytest.mark.parametrize(("pixels", "bits"), [(FLAT, 8), (DEEP, 10), (DEEP, 12), (DEEP, 16)])
def test_jpeg_xl(pixels, bits, options, boxes):
    """The size may stand in eighths, and its width as a proportion of the height."""
    for shape in ((90, 70), (88, 64), (64, 64), (80, 96), (60, 80), (300, 450), (90, 1), (1, 900)):
        film = np.resize(pixels >> max(0, 12 - bits), shape)
        data = imagecodecs.jpegxl_encode(film, bitspersample=bits, usecontainer=boxes, **options)
        assert data[:2] == b"\xff\x0a" or boxes or bits == 16
        assert read_jpeg_xl_header(without_boxes(data)) == Frame(*shape, 1, bits)


def test_jpeg_xl_in_colour():
    data = imagecodecs.jpegxl_encode(np.stack([FLAT] * 3, -1))
    assert read_jpeg_xl_header(without_boxes(data)) == Frame(90, 70, 3, 8)


@pytest.mark.parametrize(
    "levels",
    [
        FLAT.astype(np.float32) / 255,
        np.stack([FLAT] * 2, -1),  # with transparency
        np.stack([np.stack([FLAT] * 3, -1)] * 2),  # an animation
    ],
)
def test_jpeg_xl_of_another_kind(levels):
    data = imagecodecs.jpegxl_encode(levels)
    with pytest.raises(DicomError, match="no plain picture of whole numbers"):
        read_jpeg_xl_header(without_boxes(data))


JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


@pytest.mark.parametrize(
    ("box", "codestream"),
    [
        (b"\0\0\0\x0fjp2cabcdefg" + b"\0\0\0\x08free", b"abcdefg"),
        (b"\0\0\0\x0afreexx" + b"\0\0\0\0jp2cabcdefg", b"abcdefg"),  # 0: to the end
        (b"\0\0\0\x01jp2c" + b"\0\0\0\0\0\0\0\x17" + b"abcdefghijk", b"abcdefg"),
    ],
)
def test_lengths_of_boxes(box, codestream):
    assert without_boxes(JP2 + box) == codestream


@pytest.mark.parametrize("box", [b"", b"\0\0\0\x07jp2x", b"\0\0\0\x08free" * 1000])
def test_boxes_without_a_codestream(box):
    with pytest.raises(DicomError, match="no valid frame header"):
        without_boxes(JP2 + box)


@pytest.mark.parametrize("read", [read_jpeg_header, read_jpeg_2000_header])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no valid frame header"),
        (b"\xff\xd8\xff\xc0", "no valid frame header"),
        (b"\xff\xd8\xff\xd9", "no valid frame header"),
        (b"\xff\xd8" + b"a" * 50 + b"\xff\xd9", "no valid frame header"),
        (b"\xff\x4f\xff\x51\xff\xd9", "no valid frame header"),
        (b"\xff\x4f\xff\x51" + bytes(60) + b"\xff\xd9", "no valid frame header"),
    ],
)
def test_what_is_no_codestream(read, data, reason):
    with pytest.raises(DicomError, match=reason):
        read(data)


def test_an_end_marker_is_wanted():
    data = imagecodecs.jpeg8_encode(FLAT)
    for end in (b"", b"\0", b"\0" * 5000, b"\0abc"):
        check_end(data + end)
    for cut in (b"", data[:-2], data + b"a" * 5000):
        with pytest.raises(DicomError, match="no end marker"):
            check_end(cut)


@pytest.mark.parametrize("marker", [b"\xff\x00", b"\xff\x01", b"\xff\xd0", b"\xff\xdc\0\4\0\1"])
def test_what_a_decoder_would_skip_is_no_header(marker):
    data = imagecodecs.jpeg8_encode(FLAT)
    with pytest.raises(DicomError, match="no valid frame header"):
        read_jpeg_header(data[:2] + marker + data[2:])


def test_a_film_may_be_progressive_but_not_without_end():
    data = io.BytesIO()
    Image.fromarray(FLAT).save(data, "JPEG", progressive=True)
    whole = data.getvalue()
    assert read_jpeg_header(whole) == Frame(90, 70, 1, 8)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(DicomError, match="scans, over 32"):
        read_jpeg_header(whole[:-2] + last * 40 + whole[-2:])


def test_many_tiles_are_refused():
    data = bytearray(imagecodecs.jpeg2k_encode(DEEP, codecformat="j2k", reversible=True, level=0))
    start = data.index(b"\xff\x51") + 6
    data[start + 16 : start + 24] = (1).to_bytes(4, "big") * 2  # tiles of one pixel
    with pytest.raises(DicomError, match="6300 tiles"):
        read_jpeg_2000_header(bytes(data))
