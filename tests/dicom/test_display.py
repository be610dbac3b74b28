import itertools

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from skosteo.dicom import RULES, read_radiograph
from tests.films import covering, dataset, film, gradient, lut, save


def by_pydicom(path):
    """The film by pydicom's own functions on the full image, scaled by the window's range."""
    ds = dcmread(path)
    values = apply_modality_lut(ds.pixel_array, ds)
    shown = apply_voi_lut(values, ds).astype(float)
    if "VOILUTSequence" in ds:
        low, high = 0, 2 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
    elif ds.get("WindowWidth") is not None:
        signed = ds.PixelRepresentation
        ends = np.array([-(2 ** (ds.BitsStored - 1)), 2 ** (ds.BitsStored - 1) - 1])
        ends = ends if signed else ends + 2 ** (ds.BitsStored - 1)
        if "ModalityLUTSequence" in ds:
            low, high = 0, 2 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
        else:
            low, high = ends * ds.get("RescaleSlope", 1) + ds.get("RescaleIntercept", 0)
    else:
        low, high = shown.min(), shown.max()
    shown = (shown - low) / (high - low)
    return 1 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


# ---------------------------------------------------------------- the same film, however stored


STORED = list(
    itertools.product(
        ["MONOCHROME1", "MONOCHROME2"],
        [8, 10, 12, 16],
        [False, True],  # signed
        [None, "LINEAR", "LINEAR_EXACT"],
        [None, (0.5, -100.0), (2.0, 7.0)],
        [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian],
    )
)


@pytest.mark.parametrize("case", covering(STORED))
def test_the_same_film_however_stored(case, tmp_path):
    check_stored(*case, tmp_path)


@pytest.mark.slow
def test_every_film_however_stored(tmp_path):
    for case in STORED:
        check_stored(*case, tmp_path)


def check_stored(photometric, bits, signed, window, rescale, syntax, tmp_path):
    shown = film()
    bright = shown if photometric == "MONOCHROME2" else 1 - shown
    lowest = -(2 ** (bits - 1)) if signed else 0
    stored = np.rint(bright * (2**bits - 1)).astype(int) + lowest
    elements = {"PhotometricInterpretation": photometric}
    slope, intercept = 1.0, 0.0
    if rescale:
        slope, intercept = rescale
        elements |= {"RescaleSlope": slope, "RescaleIntercept": intercept}
    if window:  # as wide as the values, so that it shows the whole film
        low, high = (lowest + np.array([0, 2**bits - 1])) * slope + intercept
        center, width = (low + high) / 2, high - low
        if window == "LINEAR":
            center, width = center + 0.5, width + 1
        elements |= {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": window}
    ds = dataset(stored, bits, signed=signed, **elements)
    path = save(ds, tmp_path / "film.dcm", syntax)
    pixels = read_radiograph(path).pixels
    assert pixels.dtype == np.float32
    assert np.abs(pixels - shown).max() <= 0.51 / (2**bits - 1) + 1e-6


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("bits", [8, 12])
def test_the_same_film_however_compressed(syntax, bits, tmp_path):
    stored = np.rint(film(100, 80) * (2**bits - 1)).astype(int)
    ds = dataset(stored, bits)
    plain = read_radiograph(save(ds, tmp_path / "plain.dcm")).pixels
    if syntax.is_encapsulated:
        ds.compress(syntax)
    packed = read_radiograph(save(ds, tmp_path / "packed.dcm", syntax)).pixels
    np.testing.assert_array_equal(packed, plain)


@pytest.mark.parametrize("signed", [False, True])
def test_stray_bits_above_bits_stored_are_ignored(signed, tmp_path):
    stored = gradient() - 2048 * signed
    clean = read_radiograph(save(dataset(stored, signed=signed), tmp_path / "a")).pixels
    ds = dataset(stored, signed=signed)
    words = np.frombuffer(ds.PixelData, "<u2") & 0x0FFF
    words = words | np.uint16(0x1000) * (np.arange(words.size) % 16).astype(np.uint16)
    ds.PixelData = words.astype("<u2").tobytes()
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "b")).pixels, clean)


# ---------------------------------------------------------------- against pydicom, full image

WINDOWED = {
    "narrow": {"WindowCenter": 1000, "WindowWidth": 500},
    "threshold": {"WindowCenter": 1000, "WindowWidth": 1},
    "several": {"WindowCenter": [900, 100], "WindowWidth": [1500, 50]},
    "wide": {"WindowCenter": 2048, "WindowWidth": 9000},
    "exact": {"WindowCenter": 1000, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 1000, "WindowWidth": 700, "VOILUTFunction": "SIGMOID"},
    "rescaled": {
        "WindowCenter": 300,
        "WindowWidth": 250,
        "RescaleSlope": 0.25,
        "RescaleIntercept": -50,
    },
    "falling": {
        "WindowCenter": -300,
        "WindowWidth": 250,
        "RescaleSlope": -0.25,
        "RescaleIntercept": 50,
    },
    "rescale without window": {"RescaleSlope": 3, "RescaleIntercept": -7000},
    "nothing": {},
    "voi lut": {"VOILUTSequence": lut(100, np.arange(3000) ** 2 // 2200, 12)},
    "voi lut before window": {
        "VOILUTSequence": lut(0, np.arange(4096) // 2, 12),
        "WindowCenter": 5,
        "WindowWidth": 9,
    },
    "modality lut": {"ModalityLUTSequence": lut(50, 65535 - np.arange(3900) * 16, 16)},
    "modality lut and window": {
        "ModalityLUTSequence": lut(0, 65535 - np.arange(4096) * 16, 16),
        "WindowCenter": 40000,
        "WindowWidth": 20000,
    },
}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("case", WINDOWED)
def test_equals_pydicom_on_the_full_image(case, photometric, tmp_path):
    ds = dataset(gradient(60, 80), PhotometricInterpretation=photometric, **WINDOWED[case])
    path = save(ds, tmp_path / "film")
    wanted = by_pydicom(path)
    assert wanted.min() >= 0
    assert wanted.max() <= 1
    np.testing.assert_allclose(read_radiograph(path, ignore_rules=RULES).pixels, wanted, atol=2e-6)


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "693_J2KI.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "JPEG2000.dcm",
        "JPEGLSNearLossless_08.dcm",
        "image_dfl.dcm",
        "examples_overlay.dcm",
    ],
)
def test_equals_pydicom_on_its_own_files(name):
    path = get_testdata_file(name, download=False)
    np.testing.assert_allclose(
        read_radiograph(path, ignore_rules=RULES).pixels, by_pydicom(path), atol=2e-6
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("first", [0, -500, 700])
def test_eight_bit_voi_lut_of_many_entries(first, packed, tmp_path):
    # the case in which pydicom 3.0.2 wraps around at 256
    entries = np.arange(2000) * 255 // 1999
    item = lut(first, entries, 8)[0]
    if packed:
        item.LUTData = entries.astype("u1").tobytes()
    stored = gradient() - 2048
    ds = dataset(stored, signed=True, VOILUTSequence=[item])
    wanted = entries[np.clip(stored - first, 0, 1999)] / 255
    pixels = read_radiograph(save(ds, tmp_path / "film")).pixels
    np.testing.assert_allclose(pixels, wanted, atol=1e-6)


def test_big_endian_lut(tmp_path):
    ds = dataset(gradient(), VOILUTSequence=lut(0, np.arange(4096), 12))
    wanted = read_radiograph(save(ds, tmp_path / "little")).pixels
    item = ds.VOILUTSequence[0]
    item.LUTData = np.arange(4096, dtype=">u2").tobytes()
    big = read_radiograph(save(ds, tmp_path / "big", ExplicitVRBigEndian)).pixels
    np.testing.assert_array_equal(big, wanted)


# ---------------------------------------------------------------- polarity


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 2048, "WindowWidth": 4096}])
@pytest.mark.parametrize(
    ("photometric", "shape", "white_is_high"),
    [
        ("MONOCHROME2", None, True),
        ("MONOCHROME2", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", False),
        ("MONOCHROME1", None, False),
        ("MONOCHROME1", "INVERSE", False),  # what PS3.3 C.8.11.3 asks of every DX MONOCHROME1
    ],
)
def test_polarity(photometric, shape, white_is_high, window, tmp_path):
    ds = dataset(gradient(), PhotometricInterpretation=photometric, **window)
    if shape:
        ds.PresentationLUTShape = shape
    pixels = read_radiograph(save(ds, tmp_path / "film")).pixels
    assert (pixels[0, 0], pixels[-1, -1]) == ((0, 1) if white_is_high else (1, 0))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("vr", ["US", "SS"])
def test_padding_has_the_sign_of_the_pixels(vr, syntax, tmp_path):
    """Whatever VR a writer has given to it."""
    stored = gradient() - 2048
    stored[stored == -2000] = -1999
    stored[:, :9] = -2000
    ds = dataset(stored, 16, signed=True, WindowCenter=0, WindowWidth=4096)
    ds.add_new("PixelPaddingValue", vr, -2000 if vr == "SS" else 2**16 - 2000)
    pixels = read_radiograph(save(ds, tmp_path / "film", syntax)).pixels
    assert pixels[:, :9].max() == 0 < pixels[1:, 9:].min()


@pytest.mark.parametrize("window", [{"WindowWidth": 0}, {"WindowWidth": 4000}])
def test_a_window_that_is_left_open(window, tmp_path):
    """One of no width, or of no center, is none."""
    ds = dataset(gradient(), **window)
    if window["WindowWidth"] == 0:
        ds.WindowCenter = 0
    wanted = gradient() / 4095
    pixels = read_radiograph(save(ds, tmp_path / "film")).pixels
    np.testing.assert_allclose(pixels, wanted, atol=1e-6)


def test_a_window_is_not_stretched_to_the_image(tmp_path):
    ds = dataset(gradient(top=1000), WindowCenter=2000.5, WindowWidth=4001)
    film = read_radiograph(save(ds, tmp_path / "film"), ignore_rules=["dark"])
    assert film.pixels.max() == pytest.approx(0.25)
