"""Stored words of every transfer syntax, as pydicom decodes the same files; and pixels that lie."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from skosteo.dicom import RULES, read_radiograph
from skosteo.dicom.decode import stored_words
from skosteo.dicom.header import open_dicom
from skosteo.exceptions import DicomError
from tests.films import bytes_of, dataset, gradient

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
    with pytest.raises(DicomError, match="RLE bytes cannot hold 200000000 bytes"):
        words(compressed(RLELossless, Rows=10_000, Columns=10_000))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("count", [2, 1000])
def test_zeros_behind_the_pixels_are_padding(syntax, count):
    ds = dataset(gradient())
    plain = read_radiograph(bytes_of(ds)).pixels
    ds.PixelData += bytes(count)
    np.testing.assert_array_equal(read_radiograph(bytes_of(ds, syntax)).pixels, plain)
