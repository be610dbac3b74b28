"""What a header says, as pydicom reads the same elements; and values that are not what they are."""

import zlib
from io import BytesIO
from struct import pack, unpack

import pytest
from pydicom import config, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from skosteo.dicom.header import _VIEW_CODES, TAGS, open_dicom
from skosteo.exceptions import DicomError
from tests.films import bytes_of, dataset, gradient, lut

SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


def opened(data):
    return open_dicom(BytesIO(data), len(data))


def header(syntax=ExplicitVRLittleEndian, **elements):
    with config.disable_value_validation():  # writers are not strict either
        return opened(bytes_of(dataset(gradient(), **elements), syntax)).header


def as_list(value):
    return list(value) if hasattr(value, "append") else [value]


# ---------------------------------------------------------------- beside pydicom


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "JPEG2000.dcm",
        "693_J2KI.dcm",
        "examples_overlay.dcm",
        "SC_rgb_rle_2frame.dcm",
    ],
)
def test_files_of_others_say_what_pydicom_reads(name):
    path = get_testdata_file(name, download=False)
    ds = dcmread(path)
    with open(path, "rb") as stream:
        image = opened(stream.read())
    found = image.header
    assert image.syntax == ds.file_meta.TransferSyntaxUID
    compared = set()
    for keyword in TAGS.keys() & set(ds.dir()):
        values = [] if ds[keyword].is_empty else as_list(ds[keyword].value)
        if ds[keyword].VR in ("US", "SS"):
            told = found.integers(keyword, signed=found.is_signed(keyword, implied=False))
            assert list(told) == values, keyword
        elif ds[keyword].VR == "DS":
            assert found.decimals(keyword) == [float(value) for value in values], keyword
        else:
            assert found.texts(keyword) == [str(value) for value in values], keyword
        compared.add(keyword)
    assert {"Rows", "BitsStored", "SOPClassUID", "PhotometricInterpretation"} <= compared
    assert found.frames() == int(ds.get("NumberOfFrames", 1))


def test_the_names_are_those_of_the_standard():
    for keyword, tag in TAGS.items():
        if keyword == "TransferSyntaxUID":  # of the meta information, which is no data set's
            continue
        ds = Dataset()
        setattr(ds, keyword, None)
        assert [int(element.tag) for element in ds] == [tag]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_encoding_of_a_header_says_the_same(syntax):
    found = header(
        syntax,
        PixelPaddingValue=700,
        WindowCenter=["40.5", "-100"],
        BodyPartExamined="Chest ",
        VOILUTSequence=lut(40_000, range(64), 12) + lut(7, range(5), 12),
    )
    assert (found.integer("Rows"), found.integer("Columns")) == (64, 80)
    assert found.integer("PixelPaddingValue") == 700
    assert found.decimals("WindowCenter") == [40.5, -100]
    assert found.text("BodyPartExamined") == "CHEST"
    assert found.item("VOILUTSequence").integers("LUTDescriptor") == (64, 40_000, 12)  # the first
    assert found.item("ModalityLUTSequence") is None


def test_a_syntax_that_names_the_wrong_vr_is_seen_through():
    data = bytes_of(dataset(gradient()))
    named = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0")
    assert opened(named).header.integer("Columns") == 80


# ---------------------------------------------------------------- texts and numbers


@pytest.mark.parametrize(
    ("stored", "texts"),
    [
        ("TÓRAX".encode(), ["TORAX"]),
        ("TÓRAX".encode("latin-1"), ["TORAX"]),
        (b"PA\\ AP \0", ["PA", "AP"]),
        (b" \\ ", []),
    ],
)
def test_texts_lose_accents_and_padding(stored, texts):
    data = bytes_of(dataset(gradient(), SeriesDescription="x" * 8))
    found = opened(data.replace(b"x" * 8, stored.ljust(8))).header
    assert found.texts("SeriesDescription") == texts


def test_what_is_absent_has_its_default_or_is_an_error():
    found = header()
    assert found.text("BodyPartExamined") == ""
    assert found.decimals("WindowCenter") == []
    assert found.integer("PlanarConfiguration", 0) == 0
    assert found.frames() == 1
    with pytest.raises(DicomError, match="PlanarConfiguration has 0 values, not 1"):
        found.integer("PlanarConfiguration")


@pytest.mark.parametrize("frames", ["x", "-1", "1.5", "9" * 13])
def test_a_number_of_frames_that_is_none(frames):
    data = bytes_of(dataset(gradient(), NumberOfFrames=1))
    said = pack("<2sH14s", b"IS", 14, frames.ljust(14).encode())
    found = opened(data.replace(b"IS\x02\x001 ", said)).header
    with pytest.raises(DicomError, match="NumberOfFrames is not a whole number"):
        found.frames()


def test_a_decimal_that_is_none_and_two_values_where_one_is_due():
    data = bytes_of(dataset(gradient(), WindowCenter="1234", WindowWidth=5))
    with pytest.raises(DicomError, match="WindowCenter is not a number"):
        opened(data.replace(b"1234", b"12,4")).header.decimals("WindowCenter")
    with pytest.raises(DicomError, match="Rows has 2 values, not 1"):
        header(Rows=[64, 64]).integer("Rows")


# ---------------------------------------------------------------- the view


def test_the_view_codes_are_those_of_the_standard():
    cid = codes.cid4010
    named = {
        "PA": cid.PosteroAnterior,
        "AP": cid.AnteroPosterior,
        "LL": cid.LeftLateral,
        "RL": cid.RightLateral,
        "LATERAL": cid.LateralProjection,
    }
    older = {new: old for old, new in mapping["SRT"].items()}
    wanted = {code.value: view for view, code in named.items()}
    wanted |= {older[code.value]: view for view, code in named.items()}
    assert wanted == _VIEW_CODES


@pytest.mark.parametrize(
    ("elements", "view"),
    [
        ({}, None),
        ({"ViewPosition": "pa "}, "PA"),
        ({"ViewPosition": "LAT"}, "LATERAL"),
        ({"ViewPosition": "Canary"}, None),
        ({"code": "R-40888"}, "PA"),
        ({"code": "399173006"}, "LL"),
        ({"code": "Canary"}, None),
        ({"ViewPosition": "AP", "code": "399173006"}, "AP"),  # the word comes first
    ],
)
def test_the_view_is_of_a_closed_list(elements, view):
    elements = dict(elements)
    if code := elements.pop("code", None):
        item = Dataset()
        item.CodeValue = code
        elements["ViewCodeSequence"] = [item]
    assert header(**elements).view_position() == view


# ---------------------------------------------------------------- files that are none


def test_a_deflated_file_that_expands_to_far_more_than_a_film():
    data = bytes_of(dataset(gradient()), DeflatedExplicitVRLittleEndian)
    start = 144 + unpack("<I", data[140:144])[0]  # behind the meta information
    press = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = press.compress(bytes(70 * 2**20)) + press.flush()
    with pytest.raises(DicomError, match="expands to over"):
        opened(data[:start] + bomb)


def test_a_file_without_pixels_or_without_a_syntax():
    ds = dataset(gradient())
    del ds.PixelData
    with pytest.raises(DicomError, match="no pixel data"):
        opened(bytes_of(ds))
    with pytest.raises(DicomError, match="names no transfer syntax"):
        opened(bytes(128) + b"DICM")
