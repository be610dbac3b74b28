"""Stored words of every transfer syntax, as pydicom decodes the same files; and pixels that lie."""

from io import BytesIO

import numpy as np
import pytest
from imagecodecs import (
    jpeg2k_encode,
    jpeg8_encode,
    jpegls_encode,
    jpegxl_encode,
    jpegxl_encode_jpeg,
)
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from skosteo.dicom import RULES, read_radiograph
from skosteo.dicom.decode import stored_words
from skosteo.dicom.header import open_dicom
from skosteo.exceptions import DicomError
from tests.films import JPEG_XL, bytes_of, dataset, gradient, in_frames

NO_RULES = frozenset(RULES)
FILES = [
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_padded.dcm",
    "image_dfl.dcm",  # deflated
    "ExplVR_BigEnd.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "MR_small_RLE.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_jpeg.dcm",  # RGB with the marker of Adobe and without
    "SC_rgb_jpeg_app14_dcmd.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "MR_small_jp2klossless.dcm",
    "JPEG2000.dcm",
    "693_J2KI.dcm",
    "SC_rgb_gdcm_KY.dcm",
]
COMPRESSED = [RLELossless, JPEGLSLossless, JPEG2000Lossless]


def words(data, ignore_rules=NO_RULES):
    return stored_words(open_dicom(BytesIO(data), len(data)), ignore_rules)


def compressed(syntax, *frames, fragments=1, **elements):
    """Frames of 12 bits compressed by pydicom, in so many fragments each."""
    coded = []
    for frame in frames or [gradient()]:
        ds = dataset(frame)
        ds.compress(syntax)
        coded.append(next(generate_frames(ds.PixelData, number_of_frames=1)))
    ds = dataset(gradient(), NumberOfFrames=len(coded), **elements)
    ds.PixelData = encapsulate(coded, fragments_per_frame=fragments)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return bytes_of(ds, syntax)


# what pydicom says of two of them
@pytest.mark.filterwarnings("ignore:The pixel data is 8320|Expected explicit VR")
@pytest.mark.parametrize("name", FILES)
def test_files_of_others_are_decoded_as_by_pydicom(name):
    path = get_testdata_file(name, download=False)
    with open(path, "rb") as stream:
        found = words(stream.read())
    wanted = pixel_array(dcmread(path), raw=True, index=0)
    # the bits of a signed value
    same_bits = wanted.astype(wanted.dtype.newbyteorder("=")).view(f"u{wanted.itemsize}")
    assert found.dtype == same_bits.dtype
    np.testing.assert_array_equal(found, same_bits)


@pytest.mark.parametrize("planes", [0, 1])
def test_colour_by_pixel_and_by_plane(planes):
    levels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    ds = dataset(levels[..., 0], 8, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    ds.PlanarConfiguration = planes
    ds.PixelData = (np.moveaxis(levels, -1, 0) if planes else levels).tobytes()
    np.testing.assert_array_equal(words(bytes_of(ds)), levels)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_an_odd_number_of_bytes_is_padded_by_one(syntax):
    stored = np.arange(15).reshape(3, 5)
    np.testing.assert_array_equal(words(bytes_of(dataset(stored, 8), syntax)), stored)


def test_two_pixels_in_a_word_of_the_high_byte_first():
    stored = np.arange(16).reshape(4, 4)
    ds = dataset(stored, 8)
    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    np.testing.assert_array_equal(words(bytes_of(ds, ExplicitVRBigEndian)), stored)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_fragments_are_joined_and_the_first_of_several_frames_is_read(syntax):
    first, second = gradient(), gradient()[::-1]
    np.testing.assert_array_equal(words(compressed(syntax, fragments=4)), first)
    two = compressed(syntax, first, second)
    np.testing.assert_array_equal(words(two), first)
    with pytest.raises(DicomError, match="holds 2 frames; allowed is 1") as caught:
        words(two, frozenset())
    assert caught.value.rule == "multi_frame"
    with pytest.raises(DicomError, match="2 frames in 4 fragments: where the first ends"):
        words(compressed(syntax, first, second, fragments=2))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize(("rows", "columns"), [(63, 80), (64, 81), (80, 64)])
def test_a_compressed_image_of_another_shape_than_the_header(syntax, rows, columns):
    says = f"image says 64 x 80 x 1 of 12 bits, the header {rows} x {columns} x 1 of 16"
    with pytest.raises(DicomError, match=says):
        words(compressed(syntax, Rows=rows, Columns=columns))


def test_an_rle_image_of_fewer_pixels_than_the_header():
    """RLE states no shape; what it holds must fill the header's all the same."""
    with pytest.raises(DicomError, match=r"could not be decoded|too few pixels"):
        read_radiograph(compressed(RLELossless, Rows=80))


def test_pixels_that_are_not_compressed_as_the_syntax_says():
    data = bytes_of(dataset(gradient()))
    named = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    with pytest.raises(DicomError, match="compressed, but the pixel data is not"):
        words(named)


def test_few_bytes_cannot_claim_many_pixels():
    """128 bytes a packed pair at most: a tiny file takes no memory for a large film."""
    with pytest.raises(DicomError, match="compressed bytes cannot hold 200000000 bytes"):
        words(compressed(RLELossless, Rows=10_000, Columns=10_000))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("count", [2, 1000])
def test_zeros_behind_the_pixels_are_padding(syntax, count):
    ds = dataset(gradient())
    plain = read_radiograph(bytes_of(ds)).pixels
    ds.PixelData += bytes(count)
    np.testing.assert_array_equal(read_radiograph(bytes_of(ds, syntax)).pixels, plain)


# ---------------------------------------------------------------- more bits than are stored

# a film of 10 bits, compressed with loss in 12: at its white edge the codec swings beyond 1,023
EDGE = np.where(np.arange(80) < 40, np.arange(64)[:, None] * 9, 1023)
LOSSY = {
    JPEGExtended12Bit: lambda film: jpeg8_encode(film, level=50, bitspersample=12),
    JPEGLSNearLossless: lambda film: jpegls_encode(film, level=9),
    JPEG2000: lambda film: jpeg2k_encode(film, codecformat="j2k", level=40, bitspersample=12),
    HTJ2K: lambda film: jpeg2k_encode(film, codecformat="j2k", level=40, bitspersample=12),
    JPEG_XL["lossy"]: lambda film: jpegxl_encode(film, level=50, bitspersample=12),
}


@pytest.mark.parametrize("syntax", LOSSY)
def test_white_stays_white_where_a_lossy_codec_swings_beyond_it(syntax):
    over = EDGE + np.random.default_rng(0).integers(0, 9, EDGE.shape) * (EDGE == 1023)
    frame = LOSSY[syntax](over.astype(np.uint16))
    pixels = read_radiograph(in_frames(dataset(EDGE, 10), syntax, frame), ignore_rules=RULES).pixels
    assert pixels[:, 48:].min() > 0.9
    assert pixels[:8, :32].max() < 0.3


def test_the_ends_of_a_baseline_film_of_7_bits():
    stored = gradient(top=127)
    frame = jpeg8_encode((stored + 4).astype(np.uint8), level=98)
    pixels = read_radiograph(in_frames(dataset(stored, 7, 8), JPEGBaseline8Bit, frame)).pixels
    assert np.abs(pixels - np.minimum(stored + 4, 127) / 127)[stored > 40].max() < 0.1


@pytest.mark.parametrize("codestream", [np.int16, np.uint16])
def test_the_ends_of_a_signed_film(codestream):
    """Whether the codestream knows of the sign, or holds the bits of a signed value."""
    values = gradient(top=1200) - 600
    frame = jpeg2k_encode(values.astype(codestream), codecformat="j2k", level=0, reversible=True)
    found = words(in_frames(dataset(values, 10, 16, signed=True), JPEG2000, frame))
    np.testing.assert_array_equal(found.view(np.int16), np.clip(values, -512, 511))


@pytest.mark.parametrize("syntax", [JPEG2000, JPEGLSNearLossless])
def test_a_signed_film_whose_sign_is_not_carried_on(syntax):
    """12 bits of a codestream of 16: -5 is 0x0FFB."""
    values = gradient(top=2400) - 1200
    bits = (values & 0xFFF).astype(np.uint16)
    frame = {
        JPEG2000: lambda: jpeg2k_encode(bits, codecformat="j2k", level=0, reversible=True),
        JPEGLSNearLossless: lambda: jpegls_encode(bits, level=0),
    }[syntax]()
    found = words(in_frames(dataset(values, 12, 16, signed=True), syntax, frame))
    np.testing.assert_array_equal(found & 0xFFF, bits)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_overlays_above_the_stored_bits_of_lossless_films_are_cut_off(syntax):
    overlay = np.random.default_rng(0).integers(0, 2, EDGE.shape) << 15
    ds = dataset(EDGE | overlay, 16)
    ds.compress(syntax)
    ds.BitsStored, ds.HighBit = 10, 9
    ds.WindowCenter, ds.WindowWidth = 512, 1024
    np.testing.assert_allclose(
        read_radiograph(bytes_of(ds, syntax)).pixels, np.clip(EDGE / 1023, 0, 1), atol=0.001
    )


# ---------------------------------------------------------------- grey in three samples

GREY = (gradient(top=255)).astype(np.uint8)
YCBCR = np.stack([GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)], axis=-1)


def three_samples(photometric, syntax, levels, frame):
    ds = dataset(levels[..., 0], 8, SamplesPerPixel=3, PhotometricInterpretation=photometric)
    ds.PlanarConfiguration = 0
    if frame is not None:
        return in_frames(ds, syntax, frame)
    ds.PixelData = levels.tobytes()
    ds.compress(RLELossless)
    return bytes_of(ds, RLELossless)


def planes_together(levels):
    return jpeg2k_encode(levels, codecformat="j2k", level=0, reversible=True, mct=False)


IN_YCBCR = {
    "RLE": (RLELossless, lambda levels: None),
    "JPEG-LS": (JPEGLSLossless, jpegls_encode),
    "JPEG 2000": (JPEG2000Lossless, planes_together),
}


@pytest.mark.parametrize("name", IN_YCBCR)
def test_grey_in_luminance_and_colour_differences(name):
    syntax, encode = IN_YCBCR[name]
    film = three_samples("YBR_FULL", syntax, YCBCR, encode(YCBCR))
    np.testing.assert_array_equal(read_radiograph(film).pixels, GREY / np.float32(255))
    coloured = YCBCR.copy()
    coloured[3, 4, 1] = 150
    with pytest.raises(DicomError, match="in colour"):
        read_radiograph(three_samples("YBR_FULL", syntax, coloured, encode(coloured)))


def jfif(levels):
    buffer = BytesIO()
    Image.fromarray(levels, "YCbCr").save(buffer, "JPEG", quality=98, subsampling=0)
    assert b"JFIF" in buffer.getvalue()[:20]
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_grey_of_jfif_in_a_file_that_says_rgb():
    film = three_samples("RGB", JPEGBaseline8Bit, YCBCR, jfif(YCBCR))
    assert np.abs(read_radiograph(film).pixels - GREY / 255).max() < 0.02
    coloured = YCBCR.copy()
    coloured[:40, :40, 1] = 190
    film = three_samples("RGB", JPEGBaseline8Bit, coloured, jfif(coloured))
    with pytest.raises(DicomError, match="in colour"):
        read_radiograph(film)
    rgb = np.asarray(Image.fromarray(coloured, "YCbCr").convert("RGB")) / 255
    lifted = read_radiograph(film, ignore_rules=["color"]).pixels
    assert np.abs(lifted - rgb @ [0.299, 0.587, 0.114]).max() < 0.05


# ---------------------------------------------------------------- RLE that runs on


@pytest.mark.parametrize("rest", [b"\0", b"\0\0", b"\x05", b"\xff", b"\x80\0", b"\x05\0"])
@pytest.mark.parametrize("bits", [8, 12])
def test_bytes_behind_the_last_run(bits, rest):
    stored = np.random.default_rng(0).integers(0, 2**bits, (64, 80))
    ds = dataset(stored, bits)
    ds.compress(RLELossless)
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    found = words(in_frames(dataset(stored, bits), RLELossless, frame + rest))
    np.testing.assert_array_equal(found, stored)


def test_rle_that_is_cut_off():
    ds = dataset(np.random.default_rng(0).integers(0, 256, (64, 80)), 8)
    ds.compress(RLELossless)
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    for count in (2, 10, 100):  # an odd number would be filled up with a zero, as if it were whole
        with pytest.raises(DicomError, match="too few pixels, or is damaged"):
            words(in_frames(dataset(GREY, 8), RLELossless, frame[:-count]))


# ---------------------------------------------------------------- JPEG XL

LOSSLESS_XL = {"lossless": True, "effort": 1}


@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_jpeg_xl(bits, dtype, boxes):
    stored = gradient(top=2**bits - 1).astype(dtype)
    frame = jpegxl_encode(stored, bitspersample=bits, usecontainer=boxes, **LOSSLESS_XL)
    for syntax in (JPEG_XL["lossless"], JPEG_XL["lossy"]):
        found = words(in_frames(dataset(stored, bits), syntax, frame))
        np.testing.assert_array_equal(found, stored)


def test_jpeg_xl_of_a_jpeg():
    frame = jpegxl_encode_jpeg(jpeg8_encode(GREY, level=98))
    found = words(in_frames(dataset(GREY, 8), JPEG_XL["JPEG"], frame))
    assert np.abs(found.astype(int) - GREY).max() < 9


def test_jpeg_xl_that_is_cut_off_or_of_another_shape():
    noise = np.random.default_rng(0).integers(0, 4096, (64, 80)).astype(np.uint16)
    frame = jpegxl_encode(noise, bitspersample=12, **LOSSLESS_XL)
    for count in (2, 300, len(frame) - 9):
        with pytest.raises(DicomError):
            read_radiograph(in_frames(dataset(noise), JPEG_XL["lossless"], frame[:-count]))
    with pytest.raises(DicomError, match="says 64 x 80 x 1 of 12 bits, the header 64 x 81"):
        words(in_frames(dataset(noise, Columns=81), JPEG_XL["lossless"], frame))
    with pytest.raises(DicomError, match="no valid frame header"):
        words(in_frames(dataset(noise), JPEG_XL["lossless"], frame[1:]))
