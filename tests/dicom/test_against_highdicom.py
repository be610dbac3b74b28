"""What highdicom's own implementation of PS3.4 N.2 shows, film by film; at the end, where it errs.

highdicom has no notion of a range for films that ask for no window; there its values are compared
after their own range is stretched to [0, 1].
"""

import itertools
import warnings
from io import BytesIO
from pathlib import Path

import data_store
import highdicom
import numpy as np
import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from skosteo.dicom import RULES, read_radiograph
from skosteo.exceptions import DicomError
from tests.dicom.test_encodings import STORED, covering, every, written
from tests.films import bytes_of, dataset, lut

CLOSE = 1e-6
SQUARES = np.rint(65535 * np.linspace(0, 1, 3001) ** 2)


def by_highdicom(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values of other elements
        image = highdicom.imread(source)
        shown = image.get_frame(
            1,
            apply_real_world_transform=False,
            apply_modality_transform=None,
            apply_voi_transform=None,
            apply_presentation_lut=True,
            voi_output_range=(0, 1),
        )
    if "VOILUTSequence" in image or image.get("WindowWidth") is not None:
        return shown
    return (shown - shown.min()) / (shown.max() - shown.min())


def difference(data):
    shown = read_radiograph(data, ignore_rules=RULES).pixels
    return np.abs(shown - by_highdicom(BytesIO(data))).max()


POLARITIES = [
    ("MONOCHROME2", None),
    ("MONOCHROME2", "IDENTITY"),
    ("MONOCHROME2", "INVERSE"),
    ("MONOCHROME1", None),
    ("MONOCHROME1", "INVERSE"),
]
SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEGLSLossless,
]
EXACT, SIGMOID = {"VOILUTFunction": "LINEAR_EXACT"}, {"VOILUTFunction": "SIGMOID"}
NARROW = {"WindowCenter": 300, "WindowWidth": 250}


def eight_bits(item):
    """Two entries in a word, as highdicom reads LUTs of 8 bits."""
    item.LUTData = np.frombuffer(item.LUTData, "<u2").astype("u1").tobytes()
    return [item]


# stored values are 0 to 4095, or `lowest` = -2048 to 2047
TRANSFORMS = {
    "nothing": lambda lowest: {},
    "rising": lambda lowest: {"RescaleSlope": 3.5, "RescaleIntercept": -7000},
    "falling": lambda lowest: {"RescaleSlope": -3, "RescaleIntercept": -7},
    "window": lambda lowest: NARROW,
    "threshold": lambda lowest: {"WindowCenter": 300, "WindowWidth": 1},
    "several": lambda lowest: {"WindowCenter": [900, 100], "WindowWidth": [1500, 50]},
    "exact": lambda lowest: {"WindowCenter": 300, "WindowWidth": 0.5, **EXACT},
    "sigmoid": lambda lowest: NARROW | SIGMOID,
    "shifted": lambda lowest: {**NARROW, "RescaleSlope": 1, "RescaleIntercept": -1000},
    "rising, exact": lambda lowest: {
        **NARROW,
        "RescaleSlope": 0.25,
        "RescaleIntercept": -50.5,
        **EXACT,
    },
    "falling, exact": lambda lowest: {
        **NARROW,
        "RescaleSlope": -0.25,
        "RescaleIntercept": 550,
        **EXACT,
    },
    "falling, sigmoid": lambda lowest: {
        **NARROW,
        "RescaleSlope": -0.25,
        "RescaleIntercept": 550,
        **SIGMOID,
    },
    "LUT": lambda lowest: {"VOILUTSequence": lut(lowest + 100, SQUARES, 16)},
    "falling LUT": lambda lowest: {"VOILUTSequence": lut(lowest + 100, SQUARES[::-1], 16)},
    "LUT of 8": lambda lowest: {
        "VOILUTSequence": eight_bits(lut(lowest + 700, SQUARES // 257, 8)[0])
    },
    "LUT before window": lambda lowest: {"VOILUTSequence": lut(lowest, SQUARES, 16), **NARROW},
    "LUT of rescaled": lambda lowest: {
        "VOILUTSequence": lut(2 * lowest + 3000, SQUARES, 16),
        "RescaleSlope": 2,
        "RescaleIntercept": 1000,
    },
    "modality LUT": lambda lowest: {"ModalityLUTSequence": lut(lowest + 50, SQUARES, 16)},
    "modality LUT, window": lambda lowest: {
        "ModalityLUTSequence": lut(lowest, SQUARES[::-1], 16),
        "WindowCenter": 40_000,
        "WindowWidth": 20_000,
    },
    "modality LUT, sigmoid": lambda lowest: {
        "ModalityLUTSequence": lut(lowest, SQUARES[::-1], 16),
        "WindowCenter": 40_000,
        "WindowWidth": 20_000,
        **SIGMOID,
    },
}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name, signed):
    lowest = -2048 if signed else 0
    syntaxes = itertools.cycle(SYNTAXES)
    for polarity, bits in itertools.product(POLARITIES, [12, 16]):
        ds = dataset(STORED + lowest, bits, signed=signed, **TRANSFORMS[name](lowest))
        ds.PhotometricInterpretation, shape = polarity
        if shape:
            ds.PresentationLUTShape = shape
        if bits == 16:
            ds.SOPClassUID, ds.Modality = ComputedRadiographyImageStorage, "CR"
        else:
            ds.SOPClassUID, ds.Modality = DigitalXRayImageStorageForPresentation, "DX"
        syntax = next(syntaxes)
        if syntax.is_encapsulated:
            ds.compress(syntax, generate_instance_uid=False)
        assert difference(bytes_of(ds, syntax)) < CLOSE, (polarity, bits, syntax.name)


def test_films_of_the_grid():
    """All that highdicom 0.28 reads and that the reasons below do not concern."""
    compared = 0
    for encoding in covering(every()):
        unread = encoding.syntax in ("big endian", "JPEG lossless", "JPEG lossless SV1")
        unread |= encoding.syntax in ("JPEG baseline", "JPEG extended", "JPEG XL")
        lut_in = encoding.voi.startswith("LUT") or encoding.modality == "LUT"
        slope = encoding.modality in ("rising", "falling")
        if unread or lut_in or encoding.layout != "plain" or (slope and encoding.voi == "LINEAR"):
            continue
        assert difference(written(encoding)) < CLOSE, encoding
        compared += 1
    assert compared >= 15


# ---------------------------------------------------------------- files of other people

FOLDERS = [
    Path(pydicom.data.__file__).parent / "test_files",
    Path(pydicom.data.__file__).parent / "charset_files",
    Path(data_store.__file__).parent / "data",
]
OTHERWISE = {
    *("6154", "6247", "6278"),  # LINEAR windows of rescaled values, see below
    *("MR2_J2KI.dcm", "MR2_J2KR.dcm", "MR2_UNCI.dcm", "MR2_UNCR.dcm"),  # the same
    "mlut_18.dcm",  # has bits above BitsStored, see below
    "eCT_Supplemental.dcm",  # states its windows by frame, as no film does
}


def test_files_of_the_collections():
    compared, unread = set(), 0
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()):
        try:
            shown = read_radiograph(path, ignore_rules=RULES).pixels
        except DicomError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = dcmread(path, stop_before_pixels=True).SamplesPerPixel
        if samples != 1 or path.name in OTHERWISE:
            continue
        try:
            wanted = by_highdicom(path)
        except (RuntimeError, ValueError):  # no decoder; big endian
            unread += 1
            continue
        assert np.abs(shown - wanted).max() < CLOSE, path.name
        compared.add(path)
    assert (len(compared), unread) == (73, 8)


# ---------------------------------------------------------------- where highdicom shows otherwise

WORDS = STORED | (np.arange(STORED.size).reshape(STORED.shape) % 16) << 12
PADDED = np.where(np.arange(STORED.shape[1]) < 30, 4095, STORED // 2)
IN_WINDOW = {"WindowCenter": 1000.5, "WindowWidth": 2001}
DARK = {"VOILUTSequence": lut(0, np.arange(4096) * 4 + 10_000, 16)}

# name: the film, and what the standard shows
OTHERWISE_SHOWN = {
    # the two contradict each other in DX (C.8.11.3.1.2), and highdicom follows the second; skosteo
    # shows bone bright, as C.7.6.3.1.2 has it for every MONOCHROME1
    "MONOCHROME1, IDENTITY": (
        dataset(STORED, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY"),
        1 - STORED / 4095,
    ),
    # highdicom knows no padding (C.7.5.1.1.2)
    "padding": (
        dataset(PADDED, PixelPaddingValue=4095, **IN_WINDOW),
        np.where(PADDED == 4095, 0, np.clip(PADDED / 2000, 0, 1)),
    ),
    # highdicom divides center and width by the slope, but LINEAR takes 1 from the width before
    "LINEAR window of rescaled values": (
        dataset(STORED, RescaleSlope=0.25, RescaleIntercept=-50, **NARROW),
        np.clip((STORED / 4 - 50 - 299.5) / 249 + 0.5, 0, 1),
    ),
    # the range of a LUT is that of its bits (C.11.2.1.1); highdicom takes that of its entries
    "VOI LUT that is dark": (dataset(STORED, **DARK), (STORED * 4 + 10_000) / 65535),
    # highdicom leaves what two LUTs make as it is, and MONOCHROME1 not inverted
    "VOI LUT of a modality LUT": (
        dataset(
            STORED,
            PhotometricInterpretation="MONOCHROME1",
            ModalityLUTSequence=lut(0, np.arange(4096) * 8, 16),
            VOILUTSequence=lut(0, np.arange(32_761) * 2, 16),
        ),
        1 - STORED * 16 / 65535,
    ),
    # highdicom leaves the overlay of older files in the values (PS3.5 8.1.1)
    "bits above BitsStored": (dataset(WORDS, **IN_WINDOW), np.clip(STORED / 2000, 0, 1)),
}


@pytest.mark.parametrize("case", OTHERWISE_SHOWN)
def test_where_highdicom_leaves_the_standard(case):
    ds, wanted = OTHERWISE_SHOWN[case]
    data = bytes_of(ds)
    np.testing.assert_allclose(read_radiograph(data).pixels, wanted, atol=CLOSE)
    assert np.abs(by_highdicom(BytesIO(data)) - wanted).max() > 1e-3
