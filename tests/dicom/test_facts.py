import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from skosteo.dicom import RULES, Radiograph, read_radiograph
from tests.films import CANARY, bytes_of, dataset, gradient

NAMES = [
    "rows",
    "columns",
    "spacing_mm",
    "view_position",
    "laterality",
    "modality",
    "manufacturer",
    "bits",
    "photometric_interpretation",
    "pixel_digest",
]


def facts(**elements):
    return read_radiograph(bytes_of(dataset(gradient(), **elements)), ignore_rules=RULES).facts


def test_what_a_film_states():
    told = facts(
        Modality="DX",
        Manufacturer="FUJIFILM Corporation",
        ViewPosition="PA",
        ImageLaterality="U",
        PixelSpacing=[0.15, 0.2],
        ImagerPixelSpacing=[0.16, 0.21],
        PhotometricInterpretation="MONOCHROME1",
    )
    digest = told.pop("pixel_digest")
    assert told == {
        "rows": 64,
        "columns": 80,
        "spacing_mm": (0.15, 0.2),
        "view_position": "PA",
        "laterality": "U",
        "modality": "DX",
        "manufacturer": "Fujifilm",
        "bits": 12,
        "photometric_interpretation": "MONOCHROME1",
    }
    assert len(digest) == 32


def test_what_is_not_stated_is_none():
    told = facts()
    assert list(told) == NAMES
    assert [name for name in NAMES if told[name] is None] == [
        "spacing_mm",
        "view_position",
        "laterality",
        "modality",
        "manufacturer",
    ]
    assert list(Radiograph(np.eye(3, dtype=np.float32)).facts) == NAMES


def test_words_of_no_list_are_not_told():
    told = facts(
        Modality="CANARY",
        Manufacturer=CANARY,
        ViewPosition="CANARY",
        ImageLaterality="CANARY",
        SeriesDescription=CANARY,
        BodyPartExamined="CANARY",
    )
    assert "canary" not in repr(told).lower()
    assert told["modality"] == told["manufacturer"] == "other"


@pytest.mark.parametrize(
    ("said", "maker"),
    [
        ("GE Healthcare", "GE"),
        ('"GE Healthcare"', "GE"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Agfa-Gevaert", "Agfa"),
        ("KODAK", "Carestream"),
        ("Philips Medical Systems", "Philips"),
        ("SIEMENS", "Siemens"),
        ("Gerhard", "other"),
    ],
)
def test_manufacturers(said, maker):
    assert facts(Manufacturer=said)["manufacturer"] == maker


@pytest.mark.parametrize("spacing", [["0", "0"], ["-1", "1"], ["0.1"], ["0.1", "x"], ["nan", "1"]])
def test_what_is_no_spacing_is_not_told(spacing):
    ds = dataset(gradient(), PixelSpacing=["1.5", "1.5"], ImagerPixelSpacing=[0.2, 0.3])
    data = bytes_of(ds).replace(b"1.5\\1.5 ", "\\".join(spacing).ljust(8).encode())
    assert read_radiograph(data).facts["spacing_mm"] == (0.2, 0.3)


@pytest.mark.parametrize("view", ["PA", "LL"])
def test_the_view_is_read_from_its_code(view):
    item = Dataset()
    item.CodeValue = {"PA": "R-40888", "LL": "399173006"}[view]
    assert facts(ViewCodeSequence=[item])["view_position"] == view


def test_the_digest_knows_the_pixels_and_nothing_else():
    one = facts()["pixel_digest"]
    ds = dataset(gradient(), PatientName="Somebody^Else", Manufacturer="SIEMENS")
    assert read_radiograph(bytes_of(ds, ImplicitVRLittleEndian)).facts["pixel_digest"] == one
    other = gradient()
    other[5, 5] += 1
    assert read_radiograph(bytes_of(dataset(other))).facts["pixel_digest"] != one
    turned = read_radiograph(bytes_of(dataset(gradient().reshape(80, 64))))
    assert turned.facts["pixel_digest"] != one
