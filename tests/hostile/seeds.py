"""Good films, one of each encoding that is read, for the hostile tests to damage."""

import io
import re
import zlib
from functools import cache
from struct import pack, pack_into

import numpy as np
from imagecodecs import (
    htj2k_encode,
    jpeg2k_encode,
    jpeg8_encode,
    jpegls_encode,
    jpegxl_encode,
    ljpeg_encode,
)
from PIL import Image
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tests.films import JPEG_XL, bytes_of, dataset, lut

ROWS, COLUMNS = 96, 80
BYTES = {8: np.uint8, 12: np.uint16, 16: np.uint16}


def noise(bits, rows=ROWS, columns=COLUMNS):
    """Stored values over the whole range: a slope with noise on it."""
    slope = np.linspace(0, 0.8, rows * columns).reshape(rows, columns)
    rough = np.random.default_rng(bits).random((rows, columns)) / 5
    return ((slope + rough) * (2**bits - 1)).astype(BYTES[bits])


def native(syntax, bits=12, rows=ROWS, columns=COLUMNS, **elements):
    ds = dataset(noise(bits, rows, columns), bits, Modality="DX", **elements)
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    return bytes_of(ds, syntax)


def compressed(syntax, encode, bits=12, fragments=1, rows=ROWS, columns=COLUMNS, **elements):
    stored = noise(bits, rows, columns)
    ds = dataset(stored, bits, Modality="DX", **elements)
    if ds.get("SamplesPerPixel") == 3:
        stored = np.stack([stored] * 3, axis=-1)
    return _wrapped(ds, syntax, [encode(stored)], fragments)


def _wrapped(ds, syntax, frames, fragments=1):
    ds.PixelData = encapsulate(frames, fragments_per_frame=fragments)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return bytes_of(ds, syntax)


def run_lengths(bits):
    ds = dataset(noise(bits) >> 4 << 4, bits, Modality="DX")
    ds.compress(RLELossless, generate_instance_uid=False)
    return bytes_of(ds, RLELossless)


def with_private_sequences():
    """Two levels of sequences and items, none of which says how long it is."""
    inner, outer = Dataset(), Dataset()
    for ds, content in ((inner, b"inner"), (outer, b"outer!")):
        ds.private_block(0x0099, "HOSTILE", create=True).add_new(1, "UN", content)
        ds.is_undefined_length_sequence_item = True
    outer.private_block(0x0099, "HOSTILE").add_new(2, "SQ", Sequence([inner, inner]))
    ds = dataset(noise(12), Modality="DX")
    ds.private_block(0x0019, "HOSTILE", create=True).add_new(1, "SQ", Sequence([outer, outer]))
    ds[0x00191001].is_undefined_length = True
    outer[0x00991002].is_undefined_length = True
    return bytes_of(ds)


def picture(form, bits=8, **options):
    buffer = io.BytesIO()
    Image.fromarray(noise(bits)).save(buffer, form, **options)
    return buffer.getvalue()


def _extended(stored):
    return jpeg8_encode(stored, bitspersample=12, level=90)


def _jpeg_2000(stored):
    return jpeg2k_encode(stored, codecformat="j2k", bitspersample=12, reversible=True)


SQUARES = np.linspace(0, 1, 4096) ** 2
COLOUR = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
MAKERS = {
    "implicit": lambda: native(ImplicitVRLittleEndian, WindowCenter=2000, WindowWidth=4000),
    "explicit": lambda: native(ExplicitVRLittleEndian, rows=256, columns=200, bits=16),
    "big endian": lambda: native(ExplicitVRBigEndian, PhotometricInterpretation="MONOCHROME1"),
    "deflated": lambda: native(DeflatedExplicitVRLittleEndian),
    "RLE of 8 bits": lambda: run_lengths(8),
    "RLE of 16 bits": lambda: run_lengths(16),
    "JPEG baseline": lambda: compressed(JPEGBaseline8Bit, jpeg8_encode, bits=8),
    "JPEG in colour": lambda: compressed(JPEGBaseline8Bit, jpeg8_encode, bits=8, **COLOUR),
    "JPEG extended": lambda: compressed(JPEGExtended12Bit, _extended),
    "JPEG lossless": lambda: compressed(
        JPEGLosslessSV1, lambda stored: ljpeg_encode(stored, bitspersample=12)
    ),
    "JPEG-LS": lambda: compressed(JPEGLSLossless, jpegls_encode),
    "JPEG-LS near-lossless": lambda: compressed(
        JPEGLSNearLossless, lambda stored: jpegls_encode(stored, level=2)
    ),
    "JPEG 2000": lambda: compressed(JPEG2000Lossless, _jpeg_2000),
    "JPEG 2000 lossy": lambda: compressed(
        JPEG2000, lambda stored: jpeg2k_encode(stored, codecformat="j2k", level=50)
    ),
    "HTJ2K": lambda: compressed(
        HTJ2KLossless, lambda stored: htj2k_encode(stored, reversible=True)
    ),
    "JPEG XL": lambda: compressed(
        JPEG_XL["lossless"],
        lambda stored: jpegxl_encode(stored, lossless=True, bitspersample=12),
    ),
    "JPEG 2000 in fragments": lambda: compressed(
        JPEG2000Lossless, _jpeg_2000, fragments=3, rows=160, columns=128
    ),
    "lookup tables": lambda: native(
        ExplicitVRLittleEndian,
        ModalityLUTSequence=lut(0, SQUARES * 65535, 16),
        VOILUTSequence=lut(0, SQUARES * 255, 8),
    ),
    "several windows": lambda: native(
        ExplicitVRLittleEndian,
        WindowCenter=[1800, 2000, 2200],
        WindowWidth=[3000, 3500, 4000],
        VOILUTFunction="SIGMOID",
        RescaleSlope=0.5,
        RescaleIntercept=100,
        PixelPaddingValue=7,
    ),
    "private sequences": with_private_sequences,
    "PNG of 8 bits": lambda: picture("PNG"),
    "PNG of 16 bits": lambda: picture("PNG", bits=16),
    "JPEG picture": lambda: picture("JPEG", quality=85),
    "TIFF of 8 bits": lambda: picture("TIFF", compression="tiff_lzw"),
    "TIFF of 16 bits": lambda: picture("TIFF", bits=16, compression="tiff_adobe_deflate"),
    "TIFF, stored": lambda: picture("TIFF", bits=16),
}


@cache
def seed(name):
    return MAKERS[name]()


def is_dicom(data):
    return data[128:132] == b"DICM"


def meta_end(data):
    """Where the data set of a DICOM file begins (PS3.10 7.1)."""
    return 144 + int.from_bytes(data[140:144], "little")


def with_elements(data, **elements):
    """The DICOM film with other values in its header, and all else as it was."""
    ds = dcmread(io.BytesIO(data))
    for name, value in elements.items():
        ds.add_new(name, dictionary_VR(name).split(" or ")[0], value)
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def size_fields(data):
    """Where compressed data and pictures state rows and columns: (start, format), rows first."""
    if data.startswith(b"\x89PNG"):
        return [(20, ">I"), (16, ">I")]
    if data.startswith(b"II*\0"):  # ImageWidth, and ImageLength behind it
        width = re.search(rb"\0\x01[\x03\x04]\0\x01\0\0\0", data).end()
        return [(width + 12, "<H"), (width, "<H")]
    if size := re.search(rb"\xff\x4f\xff\x51", data):  # JPEG 2000: of the image and of its tiles
        image, tile = size.end() + 4, size.end() + 20
        return [(image + 4, ">I"), (image, ">I"), (tile + 4, ">I"), (tile, ">I")]
    if frame := re.search(rb"\xff[\xc0\xc1\xc3\xf7]\0[\x0b\x11]", data):  # JPEG and JPEG-LS
        return [(frame.start() + 5, ">H"), (frame.start() + 7, ">H")]
    return []


def with_size(data, rows, columns):
    """The film with another size in its compressed data, which is one tile; all else as it was."""
    changed = bytearray(data)
    for (start, form), value in zip(size_fields(data), [rows, columns] * 2, strict=False):
        pack_into(form, changed, start, value)
    return with_checksums(bytes(changed)) if data.startswith(b"\x89PNG") else bytes(changed)


def with_checksums(png):
    """The PNG with right checksums, as far as its chunks have right lengths."""
    changed, start = bytearray(png), 8
    while start + 12 <= len(png):
        length = int.from_bytes(png[start : start + 4], "big")
        end = start + 8 + length
        if end + 4 > len(png):
            break
        changed[end : end + 4] = pack(">I", zlib.crc32(changed[start + 4 : end]))
        start = end + 4
    return bytes(changed)
