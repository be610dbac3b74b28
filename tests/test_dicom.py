import io
import itertools
import logging
import pickle
import traceback
import warnings

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from skosteo import dicom
from skosteo.dicom import Radiograph, read_radiograph
from skosteo.exceptions import DicomError, MissingFileError

CANARY = "Canary^Patient"
STEP = 1 / 255


def film(rows=13, columns=10):
    """Brightness to be shown, in [0, 1], with both ends present and no symmetry."""
    down, right = np.mgrid[0:rows, 0:columns]
    shape = (down**1.3 + 2.1 * right + 3 * np.sin(down * right)) % 17
    return (shape - shape.min()) / (shape.max() - shape.min())


def dataset(stored, bits=12, allocated=None, signed=False, **elements):
    """A DX film of the given stored values (rows, columns), full of identity."""
    allocated = allocated or (8 if bits == 8 else 16)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.SOPClassUID, ds.SOPInstanceUID = DigitalXRayImageStorageForPresentation, "1.2.3"
    ds.PatientName, ds.PatientID = CANARY, CANARY
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, bits, bits - 1
    ds.PixelRepresentation = int(signed)
    ds.PixelData = np.asarray(stored).astype(f"<{'ui'[signed]}{allocated // 8}").tobytes()
    if len(ds.PixelData) % 2:
        ds.PixelData += b"\0"
    ds["PixelData"].VR = "OW"
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def save(ds, path, syntax=ExplicitVRLittleEndian):
    ds.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        words = np.frombuffer(ds.PixelData, "<u2").astype(">u2")
        ds.PixelData = words.tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def gradient(rows=16, columns=20, top=4095):
    return np.linspace(0, top, rows * columns).round().astype(int).reshape(rows, columns)


def lut(first, entries, bits, stated=None):
    item = Dataset()
    item.LUTDescriptor = [(stated or len(entries)) % 65536, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.LUTData = np.asarray(entries, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    return [item]


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


# ---------------------------------------------------------------- area resampling


def integrated(pixels, size):
    """Integrate the centred piecewise constant film over every new pixel, by definition."""
    rows, columns = pixels.shape
    side = max(rows, columns)
    result = np.zeros((size, size))
    for i, j in itertools.product(range(size), repeat=2):
        for r, c in itertools.product(range(rows), range(columns)):
            top, left = r + (side - rows) / 2, c + (side - columns) / 2
            high = min(top + 1, (i + 1) * side / size) - max(top, i * side / size)
            wide = min(left + 1, (j + 1) * side / size) - max(left, j * side / size)
            result[i, j] += max(high, 0) * max(wide, 0) * pixels[r, c]
    return result * (size / side) ** 2


@pytest.mark.parametrize("shape", [(13, 10), (10, 13), (7, 7), (1, 6), (9, 2)])
@pytest.mark.parametrize("size", [1, 3, 5, 13, 20])
def test_resampling_is_the_integral(shape, size):
    pixels = film(*shape).astype(np.float32)
    wanted = integrated(pixels, size) * 255
    assert np.abs(Radiograph(pixels).to_uint8(size) - wanted).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("size", [50, 224, 300])
def test_resampling_keeps_the_mean(size):
    pixels = film(150, 97).astype(np.float32)
    weights = [dicom._area_weights(n, 150, size).toarray() for n in (150, 97)]
    mean = (weights[0] @ pixels @ weights[1].T).mean()
    assert mean == pytest.approx(pixels.sum() / 150**2, rel=1e-5)
    assert weights[0].sum(axis=1) == pytest.approx(1, rel=1e-6)


def test_same_size_is_the_identity_and_multiples_repeat():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    radiograph = Radiograph(levels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(radiograph.to_uint8(16), levels)
    np.testing.assert_array_equal(radiograph.to_uint8(32), levels.repeat(2, 0).repeat(2, 1))


def test_halves_are_rounded_up():
    pixels = np.array([[1, 0], [1, 0]], np.float32)  # mean 127.5
    assert Radiograph(pixels).to_uint8(1) == 128


@pytest.mark.parametrize("shape", [(13, 10), (10, 13)])
def test_a_mirrored_film_gives_the_mirrored_result(shape):
    pixels = film(*shape).astype(np.float32)
    np.testing.assert_array_equal(
        Radiograph(pixels[::-1, ::-1]).to_uint8(7), Radiograph(pixels).to_uint8(7)[::-1, ::-1]
    )


def test_padding_is_black_and_centred():
    square = Radiograph(np.ones((4, 8), np.float32)).to_uint8(8)
    np.testing.assert_array_equal(square[:, 0], [0, 0, 255, 255, 255, 255, 0, 0])


def test_repr_and_pickle():
    radiograph = Radiograph(np.ones((4, 8), np.float32))
    assert repr(radiograph) == "Radiograph(4 rows x 8 columns)"
    assert pickle.loads(pickle.dumps(radiograph)).pixels.shape == (4, 8)


# ---------------------------------------------------------------- the same film, however stored


@pytest.mark.parametrize(
    ("photometric", "bits", "signed", "window", "rescale", "syntax"),
    list(
        itertools.product(
            ["MONOCHROME1", "MONOCHROME2"],
            [8, 10, 12, 16],
            [False, True],
            [None, "LINEAR", "LINEAR_EXACT"],
            [None, (0.5, -100.0), (2.0, 7.0)],
            [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian],
        )
    ),
)
def test_the_same_film_however_stored(photometric, bits, signed, window, rescale, syntax, tmp_path):
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
    np.testing.assert_allclose(read_radiograph(path).pixels, wanted, atol=2e-6)


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
    np.testing.assert_allclose(read_radiograph(path).pixels, by_pydicom(path), atol=2e-6)


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


def test_a_window_is_not_stretched_to_the_image(tmp_path):
    ds = dataset(gradient(top=1000), WindowCenter=2000.5, WindowWidth=4001)
    assert read_radiograph(save(ds, tmp_path / "film")).pixels.max() == pytest.approx(0.25)


# ---------------------------------------------------------------- pictures


def picture(path, pixels, form, **options):
    Image.fromarray(pixels).save(path, form, **options)
    return path


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_lossless_pictures(form, dtype, tmp_path):
    top = np.iinfo(dtype).max
    levels = np.rint(film() * top).astype(dtype)
    path = picture(tmp_path / "film.jpg", levels, form)  # the name is wrong on purpose
    np.testing.assert_allclose(read_radiograph(path).pixels, levels / top, atol=1e-6)


def test_jpeg(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype("u1")
    path = picture(tmp_path / "film.png", smooth, "JPEG", quality=95)
    np.testing.assert_allclose(read_radiograph(path).pixels, smooth / 255, atol=3 * STEP)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_grey_in_other_modes(mode, tmp_path):
    levels = np.where(film() > 0.5, 255, 0).astype("u1")
    Image.fromarray(levels).convert(mode).save(tmp_path / "film", "PNG")
    with Image.open(tmp_path / "film") as image:
        assert image.mode == mode
    np.testing.assert_allclose(read_radiograph(tmp_path / "film").pixels, levels / 255, atol=1e-6)


def tiff(values, bits, photometric):
    """A little-endian TIFF of one strip, written by hand from the TIFF 6.0 specification."""
    rows, columns = values.shape
    data = values.astype(f"<u{bits // 8}").tobytes()
    tags = [(256, columns), (257, rows), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, rows), (279, len(data))]
    fields = b"".join(
        tag.to_bytes(2, "little")
        + (4).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, value in tags
    )
    directory = len(tags).to_bytes(2, "little") + fields + bytes(4)
    return b"II*\0" + (8 + len(data)).to_bytes(4, "little") + data + directory


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_tiff_polarity(bits, white_is_zero, tmp_path):
    values = np.rint(film(12, 10) * (2**bits - 1)).astype(int)
    (tmp_path / "film").write_bytes(tiff(values, bits, 0 if white_is_zero else 1))
    wanted = values / (2**bits - 1)
    wanted = 1 - wanted if white_is_zero else wanted
    np.testing.assert_allclose(read_radiograph(tmp_path / "film").pixels, wanted, atol=1e-6)


def test_exif_orientation_is_ignored(tmp_path):
    levels = (film() * 255).astype("u1")
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / "film", levels, "PNG", exif=exif)
    assert read_radiograph(path).pixels.shape == levels.shape


# ---------------------------------------------------------------- refused


def bytes_of(ds, syntax=ExplicitVRLittleEndian):
    buffer = io.BytesIO()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def png(pixels, form="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def changed(**elements):
    return lambda: bytes_of(dataset(gradient(), **elements))


def without(name):
    ds = dataset(gradient())
    delattr(ds, name)
    return bytes_of(ds)


def two_frames():
    return bytes_of(
        dataset(gradient(), NumberOfFrames=2, PixelData=dataset(gradient()).PixelData * 2)
    )


def j2k_cut():
    noise = np.random.default_rng(0).integers(0, 4096, (64, 64))
    ds = dataset(noise)
    ds.compress(JPEG2000Lossless)
    return bytes_of(ds, JPEG2000Lossless)[:-3000]


def encapsulated_rubbish():
    ds = dataset(gradient())
    ds.PixelData = encapsulate([CANARY.encode() * 50])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return bytes_of(ds, JPEG2000Lossless)


def mpeg():
    ds = dataset(gradient())
    ds.compress(RLELossless)
    return bytes_of(ds, MPEG2MPML)


def unknown_syntax():
    return bytes_of(dataset(gradient())).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.9.9.9\0")


GREY = (film() * 255).astype("u1")


def coloured(channel):
    levels = np.stack([GREY] * 3, axis=-1)
    levels[3, 4, channel] ^= 1
    return lambda: png(levels)


REFUSED = {
    "empty": (lambda: b"", "neither DICOM"),
    "text": (lambda: f"name,{CANARY}\n".encode() * 99, "neither DICOM"),
    "preamble only": (lambda: bytes(128) + b"DICM", "no pixel data"),
    "cut in the header": (lambda: bytes_of(dataset(gradient()))[:400], "no pixel data"),
    "cut in the pixels": (lambda: bytes_of(dataset(gradient()))[:-100], "540 bytes.*need 640"),
    "cut JPEG 2000": (j2k_cut, "no pixel data.*cut off"),
    "rubbish in JPEG 2000": (encapsulated_rubbish, "decoded"),
    "unknown transfer syntax": (unknown_syntax, "transfer syntax is unknown"),
    "too many bytes": (changed(PixelData=bytes(700)), "700 bytes.*need 640"),
    "two frames": (two_frames, "2 frames"),
    "frames of rubbish": (
        lambda: bytes_of(dataset(gradient(), NumberOfFrames=2)).replace(
            b"IS\x02\x002 ", b"IS\x02\x001A"
        ),
        "decoded",
    ),
    "MPEG": (mpeg, "not for still images"),
    "rgb": (changed(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "RGB with 3 samples"),
    "identity as kind": (
        lambda: bytes_of(dataset(gradient())).replace(b"MONOCHROME2 ", b"CANARY_PATIE"),
        "another kind",
    ),
    "palette": (changed(PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR"),
    "no pixels": (lambda: without("PixelData"), "no pixel data"),
    "no rows": (lambda: without("Rows"), "decoded"),
    "one bit": (changed(BitsAllocated=1, BitsStored=1, HighBit=0), "1 of 1 bits"),
    "32 bits": (changed(BitsAllocated=32, BitsStored=32, HighBit=31), "32 of 32 bits"),
    "high bit": (changed(HighBit=15), "HighBit"),
    "blank": (lambda: bytes_of(dataset(np.full((8, 8), 7))), "blank"),
    "blank in its window": (changed(WindowCenter=60000, WindowWidth=10), "blank"),
    "window too narrow": (changed(WindowCenter=5, WindowWidth=0.5), "0.5 is too small"),
    "window function": (
        lambda: bytes_of(
            dataset(gradient(), WindowCenter=5, WindowWidth=9, VOILUTFunction="SIGMOID")
        ).replace(b"SIGMOID ", b"CANARY_P"),
        "VOILUTFunction",
    ),
    "slope not finite": (changed(RescaleSlope=1e300, RescaleIntercept=0), "finite"),
    "short LUT": (
        changed(VOILUTSequence=lut(0, np.arange(100), 12, stated=200)),
        "200 entries of 12 bits and holds 100",
    ),
    "LUT beyond its bits": (changed(VOILUTSequence=lut(0, np.arange(4096), 8)), "8 bits"),
    **{f"colour in channel {c}": (coloured(c), "colour") for c in range(3)},
    "two pages": (
        lambda: png(GREY, "TIFF", save_all=True, append_images=[Image.fromarray(GREY.T)]),
        "2 pictures",
    ),
    "float TIFF": (lambda: png(GREY.astype("f4"), "TIFF"), "mode F"),
    "32-bit TIFF": (lambda: png(GREY.astype("i4") * 1000, "TIFF"), "beyond 0 to 65535"),
    "cut PNG": (lambda: png(GREY)[:-60], "decoded"),
    "cut JPEG": (lambda: png(GREY, "JPEG")[:-60], "decoded"),
    "blank PNG": (lambda: png(GREY * 0), "blank"),
    "GIF": (lambda: png(GREY, "GIF"), "neither DICOM"),
}


def assert_silent_about(error, *secrets):
    told = "".join(traceback.format_exception(error))
    for secret in secrets:
        assert secret not in told


@pytest.mark.parametrize("case", REFUSED)
def test_refused_without_identity(case, tmp_path, caplog):
    make, reason = REFUSED[case]
    path = tmp_path / "Secret_Name.dcm"
    path.write_bytes(make())
    with caplog.at_level(logging.DEBUG), pytest.raises(DicomError, match=reason) as caught:
        read_radiograph(path)
    assert_silent_about(caught.value, "Secret_Name", "Canary", "CANARY")
    assert caplog.text == ""


def test_every_refused_kind_of_pydicom_file():
    for name in ["rtplan.dcm", "test-SR.dcm", "liver_1frame.dcm", "rtdose.dcm", "MR_truncated.dcm"]:
        with pytest.raises(DicomError):
            read_radiograph(get_testdata_file(name, download=False))


def test_missing_file(tmp_path):
    path = tmp_path / "Secret_Name.dcm"
    with pytest.raises(FileNotFoundError, match="does not exist") as caught:
        read_radiograph(path)
    assert isinstance(caught.value, MissingFileError)
    assert_silent_about(caught.value, "Secret_Name")


def test_folder_and_impossible_path(tmp_path):
    with pytest.raises(DicomError, match="folder"):
        read_radiograph(tmp_path)
    with pytest.raises(DicomError, match="cannot be opened"):
        read_radiograph("Secret\0Name")


def test_missing_decoder_is_named(monkeypatch):
    class Absent:
        is_available = False

    monkeypatch.setattr(dicom, "get_decoder", lambda syntax: Absent)
    with pytest.raises(DicomError, match=r"JPEG 2000.*pip install python-gdcm"):
        read_radiograph(get_testdata_file("JPEG2000.dcm", download=False))


def test_bomb_is_refused(monkeypatch, tmp_path):
    picture(tmp_path / "film", GREY, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GREY.size // 4)
    with pytest.raises(DicomError, match="DecompressionBombError"):
        read_radiograph(tmp_path / "film")


def test_global_state_is_left_alone(tmp_path, monkeypatch):
    """A film with a broken value of another element is read, in silence."""
    data = bytes_of(dataset(gradient())).replace(b"1.2.3\0", b"1.x.3\0")
    (tmp_path / "film").write_bytes(data)
    logger = logging.getLogger("pydicom")
    monkeypatch.setattr(logger, "level", logging.INFO)
    filters = list(warnings.filters)
    assert read_radiograph(str(tmp_path / "film")).pixels.shape == (16, 20)
    assert logger.level == logging.INFO
    assert list(warnings.filters) == filters
