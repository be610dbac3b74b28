"""One film in every encoding of PS3.3 and PS3.5: what is shown never depends on how it is stored.

The model of the writer below is a closed formula of each step, inverted; nothing of skosteo.
"""

import io
import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from imagecodecs import htj2k_encode, jpeg8_encode, jpegxl_encode
from PIL import Image
from pydicom.encaps import encapsulate, generate_frames
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
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from skosteo.datasets.phantom import draw_film
from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError
from tests.films import JPEG_XL, bytes_of, covering, dataset, lut

ROWS, SIZE = 280, 224  # and 236 columns
# a part of the phantom's chest, its contrast raised until both black and white are clipped, in
# multiples of 1/4095, which 12 bits hold exactly
FILM = np.clip((draw_film(anatomy=0, random_state=0)[100:380, 98:334] - 0.15) / 0.6, 0, 1)
FILM = np.rint(FILM.astype(float) * 4095) / 4095

NATIVE = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
LOSSLESS = {
    "RLE": RLELossless,
    "JPEG lossless": JPEGLossless,
    "JPEG lossless SV1": JPEGLosslessSV1,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
    "HTJ2K": HTJ2KLossless,
    "JPEG XL": JPEG_XL["lossless"],
}
LOSSY = {
    "JPEG baseline": JPEGBaseline8Bit,
    "JPEG extended": JPEGExtended12Bit,
    "JPEG-LS near-lossless": JPEGLSNearLossless,
    "JPEG 2000 lossy": JPEG2000,
}
SYNTAXES = NATIVE | LOSSLESS | LOSSY
NEAR = 1  # stored values by which JPEG-LS may err
OPTIONS = {"JPEG-LS near-lossless": {"jls_error": NEAR}, "JPEG 2000 lossy": {"j2k_psnr": [60]}}
LOSS = 0.01  # share of the stored range by which JPEG of quality 98 and JPEG 2000 of 60 dB err


class Encoding(NamedTuple):
    """One way to write the film."""

    polarity: tuple[str, str | None]  # photometric interpretation, presentation LUT shape
    bits: tuple[int, int]  # stored, allocated
    signed: bool
    modality: str
    voi: str
    layout: str  # what surrounds the stored bits in their word
    syntax: str
    fragments: int

    @property
    def inverse(self):
        # in DX both words name one and the same inversion (PS3.3 C.8.11.3)
        return self.polarity[0] == "MONOCHROME1" or self.polarity[1] == "INVERSE"

    @property
    def range(self):
        """Lowest stored value, and the two that are shown as the ends of the film."""
        values = 2 ** self.bits[0]
        lowest = -values // 2 if self.signed else 0
        if self.voi == "none" and self.modality != "LUT":
            return lowest, lowest, lowest + values - 1
        return lowest, lowest + values // 8, lowest + values // 8 * 7


FACTORS = Encoding(
    polarity=[
        ("MONOCHROME2", None),
        ("MONOCHROME2", "IDENTITY"),
        ("MONOCHROME2", "INVERSE"),
        ("MONOCHROME1", None),
        ("MONOCHROME1", "INVERSE"),
    ],
    bits=[(8, 8), (8, 16), (10, 16), (12, 16), (14, 16), (16, 16)],
    signed=[False, True],
    modality=["none", "rising", "falling", "LUT"],
    voi=["none", "LINEAR", "LINEAR_EXACT", "LUT of 8", "LUT of 12", "LUT of 16"],
    layout=["plain", "stray bits above", "shifted up"],
    syntax=list(SYNTAXES),
    fragments=[1, 3],
)


def exists(encoding):
    """Whether PS3.5 8.2 knows the combination."""
    stored, allocated = encoding.bits
    if encoding.syntax in LOSSY and encoding.signed:
        return False
    if encoding.layout != "plain" and (stored == allocated or encoding.syntax in LOSSY):
        return False
    if encoding.fragments > 1 and encoding.syntax in NATIVE:
        return False
    if encoding.syntax == "JPEG baseline":
        return encoding.bits == (8, 8)
    return encoding.syntax != "JPEG extended" or stored == 12


def lut_bits(encoding):
    return int(encoding.voi.removeprefix("LUT of "))


def rescale(encoding):
    """Slope and intercept; through a LUT of whole numbers a slope of 1 loses nothing."""
    _, low, high = encoding.range
    through_lut = encoding.voi.startswith("LUT")
    return {
        "none": (1, 0),
        "rising": (1, -1000) if through_lut else (0.37, -100),
        "falling": (-1, low + high) if through_lut else (-2.5, 7),
    }[encoding.modality]


def stored_values(encoding):
    """Stored values that are shown as the film; beyond its ends where a window hides these."""
    lowest, low, high = encoding.range
    share = 1 - FILM if encoding.inverse else FILM
    if encoding.voi.startswith("LUT"):  # squares
        share = np.sqrt(share)
    if encoding.modality == "LUT":  # squares
        share = np.sqrt(share)
    elif encoding.modality == "falling":
        share = 1 - share
    values = np.rint(low + share * (high - low)).astype(int)
    if encoding.syntax not in LOSSY:  # which would ring at the steps
        values[share == 0] = lowest
        values[share == 1] = lowest + 2 ** encoding.bits[0] - 1
    return values


def elements(encoding):
    """Elements that turn the stored values into the film."""
    _, low, high = encoding.range
    photometric, shape = encoding.polarity
    found = {"PhotometricInterpretation": photometric}
    if shape:
        found["PresentationLUTShape"] = shape
    if encoding.modality == "LUT":
        entries = np.rint(65535 * np.linspace(0, 1, high - low + 1) ** 2)
        found["ModalityLUTSequence"] = lut(low, entries, 16)
        ends = 0, 65535
    else:
        slope, intercept = rescale(encoding)
        ends = sorted((low * slope + intercept, high * slope + intercept))
        if encoding.modality != "none":
            found |= {"RescaleSlope": slope, "RescaleIntercept": intercept}
    center, width = sum(ends) / 2, ends[1] - ends[0]
    if encoding.voi == "LINEAR":  # PS3.3 C.11.2.1.2.1: c - 0.5 and w - 1
        found |= {"WindowCenter": center + 0.5, "WindowWidth": width + 1}
    elif encoding.voi == "LINEAR_EXACT":
        found |= {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": "LINEAR_EXACT"}
    elif encoding.voi != "none":
        bits = lut_bits(encoding)
        entries = np.rint((2**bits - 1) * np.linspace(0, 1, width + 1) ** 2)
        found["VOILUTSequence"] = lut(ends[0], entries, bits)
    return found


def in_words(values, encoding):
    """Values in the words of the file, with rubbish in the bits that are not theirs."""
    stored, allocated = encoding.bits
    if encoding.layout == "plain":
        return values
    words = values & (2**stored - 1)
    rubbish = np.random.default_rng(0).integers(0, 2 ** (allocated - stored), values.shape)
    if encoding.layout == "stray bits above":
        return words | rubbish << stored
    return words << (allocated - stored) | rubbish


def compressed(words, encoding):
    """Bytes of the frame: by pydicom's encoders where it has one, else by imagecodecs."""
    syntax, (stored, allocated) = SYNTAXES[encoding.syntax], encoding.bits
    # pydicom packs 8 bits of 16 into single bytes, which RLE does not know (PS3.5 G.2)
    bits = stored if encoding.layout == "plain" and syntax != RLELossless else allocated
    unsigned = (words & (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        return jpeg8_encode(unsigned, lossless=True, predictor=1, bitspersample=bits)
    if encoding.syntax == "JPEG XL":
        return jpegxl_encode(unsigned, lossless=True, bitspersample=bits, effort=1)
    if syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
        return jpeg8_encode(unsigned, level=98, bitspersample=bits)
    signed = encoding.signed and encoding.layout == "plain"
    if syntax == HTJ2KLossless:
        values = words.astype(f"i{allocated // 8}") if signed else unsigned
        return htj2k_encode(values, reversible=True)
    ds = dataset(words, bits, allocated, signed)
    ds.compress(syntax, **OPTIONS.get(encoding.syntax, {}))
    return next(generate_frames(ds.PixelData, number_of_frames=1))


def written(encoding):
    """The film as the bytes of a DICOM file."""
    (stored, allocated), syntax = encoding.bits, SYNTAXES[encoding.syntax]
    words = in_words(stored_values(encoding), encoding)
    ds = dataset(words & (2**allocated - 1), stored, allocated, **elements(encoding))
    ds.PixelRepresentation = int(encoding.signed)
    if encoding.layout == "shifted up":
        ds.HighBit = allocated - 1
    if syntax.is_encapsulated:
        frame = compressed(words, encoding)
        ds.PixelData = encapsulate([frame], fragments_per_frame=encoding.fragments)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    elif not syntax.is_little_endian:
        ds.PixelData = swapped(ds.PixelData)
        for name in {"ModalityLUTSequence", "VOILUTSequence"} & set(elements(encoding)):
            ds[name][0].LUTData = swapped(ds[name][0].LUTData)
    return bytes_of(ds, syntax)


def swapped(data):
    return np.frombuffer(data, "<u2").astype(">u2").tobytes()


def bound(encoding):
    """Grey levels by which the result may differ.

    From 10 bits on it is the one by which two roundings of nearly the same number differ. Fewer
    bits, or a lossy compression, err by more than that in single pixels: by half a stored value, of
    which a film of 8 bits has 192 beside those that its window hides; by NEAR values; or by LOSS.
    The square of each LUT then doubles the error.
    """
    _, low, high = encoding.range
    error = 0.5 / (high - low)
    if encoding.syntax not in LOSSY:
        if encoding.bits[0] >= 10:
            return 1
    elif encoding.syntax == "JPEG-LS near-lossless":
        error += NEAR / (high - low)
    else:
        error += LOSS
    if encoding.modality == "LUT":
        error = 2 * error + 0.5 / 65535
    if encoding.voi.startswith("LUT"):
        error = 2 * error + 0.5 / (2 ** lut_bits(encoding) - 1)
    return math.ceil(255 * error)


def shrunk(film):
    """Black at both sides, then the mean over each new pixel: 280 to 224 is 4 parts to 5."""
    square = np.pad(film, ((0, 0), (22, 22)))
    share = np.eye(ROWS).repeat(4, axis=1).reshape(ROWS, SIZE, 5).mean(axis=-1)
    return np.floor(share.T @ square @ share * 255 + 0.5)


WANTED = shrunk(FILM)


def difference(encoding):
    return np.abs(read_radiograph(written(encoding)).to_uint8(SIZE) - WANTED).max()


def wrong(encodings):
    """Those that are not shown as the film, or not at all, and by how much."""
    found = {}
    for encoding in encodings:
        try:
            levels = difference(encoding)
        except DicomError as error:
            levels = str(error)
        if isinstance(levels, str) or levels > bound(encoding):
            found[encoding] = levels
    return found


def every():
    return filter(exists, itertools.starmap(Encoding, itertools.product(*FACTORS)))


# ---------------------------------------------------------------- the grid


def test_films_that_cover_every_pair_of_levels():
    few = covering(every())
    assert len(few) > 150
    assert wrong(few) == {}


@pytest.mark.slow
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_film(syntax):
    assert wrong(encoding for encoding in every() if encoding.syntax == syntax) == {}


def test_the_film_has_both_ends_and_a_change_of_its_encoding_shows():
    assert (FILM == 0).mean() > 0.01
    assert (FILM == 1).mean() > 0.01
    plain = Encoding(("MONOCHROME2", None), (12, 16), False, "none", "LINEAR", "plain", "RLE", 1)
    for change in [
        {"polarity": ("MONOCHROME1", None)},
        {"voi": "none"},
        {"modality": "LUT"},
        {"signed": True},
        {"bits": (10, 16)},
    ]:
        stored = stored_values(plain._replace(**change))
        assert np.abs(stored - stored_values(plain)).max() > 500


# A VOI LUT's first input value is signed where the rescaled values may be negative, and unsigned
# behind a modality LUT, whatever the stored values are (PS3.3 C.11.2.1.1). Implicit VR leaves that
# to the reader.


@pytest.mark.parametrize("syntax", ["implicit", "explicit"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_voi_lut_of_rescaled_values_below_zero(signed, syntax):
    encoding = Encoding(
        ("MONOCHROME2", None), (10, 16), signed, "rising", "LUT of 16", "plain", syntax, 1
    )
    assert elements(encoding)["VOILUTSequence"][0].LUTDescriptor[1] < 0
    assert wrong([encoding]) == {}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("signed", [False, True])
def test_a_voi_lut_of_large_values_from_a_modality_lut(signed, syntax):
    lowest = -2048 if signed else 0
    stored = np.rint(FILM * 4095).astype(int) + lowest
    ds = dataset(stored, signed=signed)
    ds.ModalityLUTSequence = lut(lowest, np.arange(4096) + 40_000, 16)
    ds.VOILUTSequence = lut(40_000, np.arange(4096) * 16, 16)
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        ds[name][0]["LUTDescriptor"].VR = "SS" if ds[name][0].LUTDescriptor[1] < 0 else "US"
    wanted = (stored - lowest) * 16 / 65535
    np.testing.assert_allclose(read_radiograph(bytes_of(ds, syntax)).pixels, wanted, atol=1e-6)


# ---------------------------------------------------------------- what is not linear, or chosen

STORED = np.rint(FILM * 4095).astype(int)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_sigmoid(photometric):
    ds = dataset(
        STORED,
        PhotometricInterpretation=photometric,
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=3000,
        WindowWidth=2500,
        VOILUTFunction="SIGMOID",
    )
    shown = 1 / (1 + np.exp(-4 * (STORED * 2 - 1000 - 3000) / 2500))  # PS3.3 C.11.2.1.3.1
    shown = 1 - shown if photometric == "MONOCHROME1" else shown
    np.testing.assert_allclose(read_radiograph(bytes_of(ds)).pixels, shown, atol=1e-6)


@pytest.mark.parametrize("syntax", NATIVE.values())
def test_the_first_of_several_windows_and_luts(syntax):
    several = {"WindowCenter": [2000.5, 100, 60], "WindowWidth": [2001, 50, 7]}
    ds = dataset(STORED, **several)
    ds.PixelData = ds.PixelData if syntax.is_little_endian else swapped(ds.PixelData)
    wanted = np.clip((STORED - 1000) / 2000, 0, 1)
    np.testing.assert_allclose(read_radiograph(bytes_of(ds, syntax)).pixels, wanted, atol=1e-6)
    luts = lut(0, np.arange(4096), 12) + lut(0, np.arange(4096)[::-1], 12)
    ds = dataset(STORED, VOILUTSequence=luts, **several)
    if not syntax.is_little_endian:
        ds.PixelData = swapped(ds.PixelData)
        for item in ds.VOILUTSequence:
            item.LUTData = swapped(item.LUTData)
    pixels = read_radiograph(bytes_of(ds, syntax)).pixels
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)


# ---------------------------------------------------------------- padding (PS3.3 C.7.5.1.1.2)


PADDED = list(
    itertools.product(
        ["MONOCHROME1", "MONOCHROME2"],
        [False, True],  # signed
        [False, True],  # with a window
        [None, 40, -40],  # to the other end of the range of padding
        ["low", "high"],  # where it lies
        ["implicit", "explicit", "big endian", "JPEG-LS", "JPEG 2000"],
    )
)


@pytest.mark.parametrize("case", covering(PADDED))
def test_padding_is_black_and_no_part_of_the_range(case):
    check_padding(*case)


@pytest.mark.slow
def test_every_padding():
    for case in PADDED:
        check_padding(*case)


def check_padding(photometric, signed, window, limit, at, syntax):
    lowest = -2048 if signed else 0
    low, high = lowest + 700, lowest + 3300  # the film's own values
    share = 1 - FILM if photometric == "MONOCHROME1" else FILM
    stored = np.rint(low + share * (high - low)).astype(int)
    padding = lowest + (100 if at == "low" else 4000)
    ends = sorted((padding, padding + (limit or 0)))
    stored[:, :30] = np.random.default_rng(0).integers(ends[0], ends[1] + 1, (ROWS, 30))
    ds = dataset(stored, signed=signed, PhotometricInterpretation=photometric)
    if window:
        ds.WindowCenter, ds.WindowWidth = (low + high + 1) / 2, high - low + 1
    for name, value in [("Value", padding), ("RangeLimit", limit and padding + limit)]:
        if value is not None:
            ds.add_new(f"PixelPadding{name}", "SS" if signed else "US", value)
    uid = SYNTAXES[syntax]
    if uid.is_encapsulated:
        ds.compress(uid)
    elif not uid.is_little_endian:
        ds.PixelData = swapped(ds.PixelData)
    pixels = read_radiograph(bytes_of(ds, uid)).pixels
    assert np.all(pixels[:, :30] == 0)
    assert np.abs(pixels[:, 30:] - FILM[:, 30:]).max() <= 0.51 / (high - low)


# ---------------------------------------------------------------- digests


def test_lossless_encodings_have_one_digest():
    """Whatever polarity, sign and rescale, where 12 bits hold the film and no window clips it."""
    shown = set()
    syntaxes = itertools.cycle(NATIVE | LOSSLESS)
    for polarity, signed, modality in itertools.product(
        FACTORS.polarity, FACTORS.signed, ["none", "rising", "falling"]
    ):
        encoding = Encoding(
            polarity, (12, 16), signed, modality, "none", "plain", next(syntaxes), 1
        )
        shown.add(read_radiograph(written(encoding)).facts["pixel_digest"])
    assert len(shown) == 1


@pytest.mark.parametrize("bits", [(8, 8), (12, 16), (16, 16)])
def test_compression_without_loss_keeps_the_digest(bits):
    first = Encoding(("MONOCHROME1", None), bits, True, "LUT", "LINEAR", "plain", "explicit", 1)
    digests = {
        read_radiograph(written(first._replace(syntax=name))).facts["pixel_digest"]
        for name in NATIVE | LOSSLESS
    }
    assert len(digests) == 1


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_pictures(form, dtype):
    levels = np.rint(FILM * np.iinfo(dtype).max).astype(dtype)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, form)
    assert np.abs(read_radiograph(buffer.getvalue()).to_uint8(SIZE) - WANTED).max() <= 1
