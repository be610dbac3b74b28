import imagecodecs
import numpy as np
import pytest

from skosteo.dicom.codestream import Frame, read_jpeg_2000_header, read_jpeg_header
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
    assert read_jpeg_2000_header(data) == Frame(90, 70, 1, bits)


@pytest.mark.parametrize("read", [read_jpeg_header, read_jpeg_2000_header])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no end marker"),
        (b"\xff\xd8\xff\xc0", "no end marker"),
        (b"\xff\xd8\xff\xd9", "no valid frame header"),
        (b"\xff\xd8" + b"a" * 50 + b"\xff\xd9", "no valid frame header"),
        (b"\xff\x4f\xff\x51\xff\xd9", "no valid frame header"),
        (b"\xff\x4f\xff\x51" + bytes(60) + b"\xff\xd9", "no valid frame header"),
    ],
)
def test_what_is_no_codestream(read, data, reason):
    with pytest.raises(DicomError, match=reason):
        read(data)


def test_many_tiles_are_refused():
    data = bytearray(imagecodecs.jpeg2k_encode(DEEP, codecformat="j2k", reversible=True, level=0))
    start = data.index(b"\xff\x51") + 6
    data[start + 16 : start + 24] = (1).to_bytes(4, "big") * 2  # tiles of one pixel
    with pytest.raises(DicomError, match="6300 tiles"):
        read_jpeg_2000_header(bytes(data))
