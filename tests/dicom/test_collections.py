"""Every file of pydicom's two public collections is read right, or refused for a reason.

The reference is pydicom: its decoders (Pillow, OpenJPEG, CharLS, its own RLE), its modality and VOI
LUTs on the full image, and its conversion of colours.
"""

from pathlib import Path

import data_store
import numpy as np
import pydicom.data
import pytest
from imagecodecs import jpeg8_decode
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import JPEGExtended12Bit, JPEGLosslessSV1

from skosteo.dicom import RULES, read_radiograph
from skosteo.exceptions import DicomError

TESTS = Path(pydicom.data.__file__).parent / "test_files"
CHARSETS = TESTS.parent / "charset_files"
STORE = Path(data_store.__file__).parent / "data"
FILES = {
    str(path.relative_to(folder)): path
    for folder in (TESTS, CHARSETS, STORE)
    for path in sorted(folder.rglob("*"))
    if path.is_file()
}
TINY = {name for name in FILES if name.startswith("dicomdirtests/TINY_ALPHA/PT")}

# ---------------------------------------------------------------- what is expected of each file

# no image, or none that is whole: refused whatever rules are lifted
NO_FILM = {
    "neither DICOM": {
        # DICOM data sets without the preamble of PS3.10 7.1
        *("ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "OT-PAL-8-face.dcm"),
        *("no_meta.dcm", "rtstruct.dcm"),
        # other kinds of file
        *("FileInfo.txt", "README.txt", "crayons.icc", "dicomdirtests/README.txt"),
        *("dicomdirtests/TINY_ALPHA/README", "rtplan.dump", "rtstruct.dump"),
        *("test1.json", "test_PN.json", "zipMR.gz"),
    },
    "no pixel data": {
        *("UN_sequence.dcm", "empty_charset_LEI.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"),
        *("reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "rtplan.dcm", "test-SR.dcm"),
        *("waveform_ecg.dcm", "chrJapMulti.dcm", "chrJapMultiExplicitIR6.dcm"),
        *("chrKoreanMulti.dcm", "chrSQEncoding.dcm", "chrSQEncoding1.dcm"),
        *(name for name in FILES if Path(name).name.startswith("DICOMDIR")),
        *TINY,
    },
    "no transfer syntax": {"meta_missing_tsyntax.dcm"},
    "ends behind the end": {"rtplan_truncated.dcm"},
}
# whose header breaks the rule of a modality too, which is checked first
NOT_READ = {
    "Rows has 0 values": {"nested_priv_SQ.dcm"},
    "1 of 1 bits": {"liver.dcm", "liver_1frame.dcm", "liver_expb.dcm", "liver_expb_1frame.dcm"},
    "32 of 32 bits": {
        *("badVR.dcm", "rtdose.dcm", "rtdose_1frame.dcm", "rtdose_expb.dcm"),
        *("rtdose_expb_1frame.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm"),
        *("SC_rgb_32bit.dcm", "SC_rgb_32bit_2frame.dcm", "SC_rgb_expb_32bit.dcm"),
        *("SC_rgb_expb_32bit_2frame.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_rle_32bit_2frame.dcm"),
    },
    "RGB with 3 samples": {
        *("SC_rgb_16bit.dcm", "SC_rgb_16bit_2frame.dcm", "SC_rgb_expb_16bit.dcm"),
        *("SC_rgb_expb_16bit_2frame.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_16bit_2frame.dcm"),
    },
    "PALETTE COLOR": {
        *("OBXXXX1A.dcm", "OBXXXX1A_2frame.dcm", "OBXXXX1A_expb.dcm", "OBXXXX1A_expb_2frame.dcm"),
        *("OBXXXX1A_rle.dcm", "OBXXXX1A_rle_2frame.dcm", "examples_palette.dcm"),
        *("gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"),
    },
    # 62 bytes too few, and YBR_FULL_422, whose colours are shared by two pixels
    "has 8130 bytes, but 64 rows x 64 columns need 8192": {"MR_truncated.dcm"},
    "has 20000 bytes, but 100 rows x 100 columns need 30000": {"SC_ybr_full_422_uncompressed.dcm"},
    # its size of the image is overwritten on purpose; pydicom cannot decode it either
    "14540801 tiles": {"JPEG2000-embedded-sequence-delimiter.dcm"},
    "cut off": {"emri_small_jpeg_2k_lossless_too_short.dcm"},
}
# films by their modality; the header says spine, or extremity
OTHER_PART = {f"dicomdirtests/77654033/CR{name}" for name in ("1/6154", "2/6247", "3/6278")}
OTHER_PART |= {name for name in FILES if name.startswith("RG3_")}
CHEST_FILMS = {"RG1_J2KI.dcm", "RG1_J2KR.dcm", "RG1_UNCI.dcm", "RG1_UNCR.dcm"}

REASONS = {name: words for words, names in (NO_FILM | NOT_READ).items() for name in names}
READ = sorted(set(FILES) - set(REASONS))


def test_the_collections_are_whole():
    assert set(REASONS) <= set(FILES)
    assert (len(FILES), len(TINY), len(REASONS), len(READ)) == (262, 50, 126, 136)


@pytest.mark.parametrize("name", sorted(FILES))
def test_without_lifting_a_rule(name):
    if name in CHEST_FILMS:
        assert read_radiograph(FILES[name]).facts["modality"] == "CR"
        return
    with pytest.raises(DicomError) as caught:
        read_radiograph(FILES[name])
    for words, names in NO_FILM.items():
        if name in names:
            assert words in caught.value.reason
            return
    assert caught.value.rule == ("body_part" if name in OTHER_PART else "modality")


@pytest.mark.parametrize("name", sorted(REASONS))
def test_refused_whatever_is_lifted(name):
    with pytest.raises(DicomError) as caught:
        read_radiograph(FILES[name], ignore_rules=RULES)
    assert REASONS[name] in caught.value.reason
    assert caught.value.rule is None


# ---------------------------------------------------------------- what is read is right


def shown_by_pydicom(ds):
    """Brightness of the first frame, in the range of its window or LUT, else in its own."""
    if ds.file_meta.TransferSyntaxUID == JPEGLosslessSV1:  # none of pydicom's decoders reads it
        stored = jpeg8_decode(next(generate_frames(ds.PixelData, number_of_frames=1)))
    else:
        stored = pixel_array(ds, index=0)
    if ds.SamplesPerPixel == 3:
        return stored @ [0.299, 0.587, 0.114] / 255
    values = apply_modality_lut(stored.astype("i2") if ds.PixelRepresentation else stored, ds)
    if "VOILUTSequence" in ds:
        shown = apply_voi_lut(values, ds) / (2.0 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1)
    elif ds.get("WindowWidth") is not None:
        # pydicom scales a window to the range of all values that could be stored
        lowest = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
        ends = np.array([lowest, lowest + 2**ds.BitsStored - 1])
        low, high = ends * ds.get("RescaleSlope", 1) + ds.get("RescaleIntercept", 0)
        shown = (apply_voi_lut(values, ds) - low) / (high - low)
    else:
        shown = (values - float(values.min())) / (float(values.max()) - values.min())
    return 1 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


@pytest.mark.parametrize("name", READ)
@pytest.mark.filterwarnings("ignore::UserWarning")  # about the header
def test_read_right(name):
    ds = dcmread(FILES[name])
    pixels = read_radiograph(FILES[name], ignore_rules=RULES).pixels
    if ds.file_meta.TransferSyntaxUID == JPEGExtended12Bit:
        # the two values in pydicom's own tests, with the 264 that is white; and the original
        assert pixels[420, 140] * 264 == pytest.approx(244, abs=1e-3)
        assert pixels[230, 120] * 264 == pytest.approx(95, abs=1e-3)
        original = shown_by_pydicom(dcmread(FILES["JPEG-LL.dcm"])) * 278
        assert np.abs(pixels * 264 - original).mean() < 2.5
        return
    # YCbCr is clipped to RGB by pydicom, and not where luminance alone is taken from it
    close = 2 / 255 if ds.PhotometricInterpretation == "YBR_FULL" else 2e-6
    np.testing.assert_allclose(pixels, shown_by_pydicom(ds), atol=close)


# the same picture in another encoding of the same collection, without loss
TWINS = {
    "693_UNCI.dcm": ["693_J2KI.dcm"],
    "693_UNCR.dcm": ["693_J2KR.dcm"],
    "JPEG2000_UNC.dcm": ["JPEG2000.dcm"],
    "MR2_UNCI.dcm": ["MR2_J2KI.dcm"],
    "MR2_UNCR.dcm": ["MR2_J2KR.dcm"],
    "RG1_UNCI.dcm": ["RG1_J2KI.dcm"],
    "RG1_UNCR.dcm": ["RG1_J2KR.dcm"],
    "RG3_UNCI.dcm": ["RG3_J2KI.dcm"],
    "RG3_UNCR.dcm": ["RG3_J2KR.dcm"],
    "US1_UNCI.dcm": ["US1_J2KI.dcm"],
    "US1_UNCR.dcm": ["US1_J2KR.dcm", "examples_jpeg2k.dcm"],
    "MR_small.dcm": [
        *("MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm"),
        *("MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"),
    ],
    "emri_small.dcm": [
        *("emri_small_RLE.dcm", "emri_small_big_endian.dcm", "emri_small_jpeg_2k_lossless.dcm"),
        "emri_small_jpeg_ls_lossless.dcm",
    ],
    "SC_rgb.dcm": [
        *("SC_rgb_2frame.dcm", "SC_rgb_expb.dcm", "SC_rgb_expb_2frame.dcm", "SC_rgb_rle.dcm"),
        *("SC_rgb_rle_2frame.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_gdcm_KY.dcm"),
    ],
    "SC_rgb_jpeg_dcmd.dcm": ["SC_rgb_jpeg.dcm"],
    "SC_jpeg_no_color_transform_2.dcm": ["SC_rgb_jpeg_app14_dcmd.dcm"],
    "color-pl.dcm": ["color-px.dcm"],
}


@pytest.mark.parametrize("name", TWINS)
def test_twins(name):
    wanted = read_radiograph(FILES[name], ignore_rules=RULES).facts["pixel_digest"]
    for twin in TWINS[name]:
        assert read_radiograph(FILES[twin], ignore_rules=RULES).facts["pixel_digest"] == wanted, (
            twin
        )
