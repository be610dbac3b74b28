"""The structure of a file is believed nowhere: hand-written bytes, as PS3.5 7 lays them out."""

from io import BytesIO
from struct import pack

import numpy as np
import pytest
from pydicom.dataset import Dataset

from skosteo.dicom import read_radiograph
from skosteo.dicom.elements import Elements
from skosteo.exceptions import DicomError
from tests.films import bytes_of, dataset, gradient

UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = b"\xe0\x7f\x10\0"


def item(content, length=None):
    return pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


ITEM_END, SEQUENCE_END = pack("<HHI", 0xFFFE, 0xE00D, 0), pack("<HHI", 0xFFFE, 0xE0DD, 0)


def private(vr, length, content):
    """A private element of a 32-bit length, as it stands before the pixel data."""
    return pack("<HH2sHI", 0x0099, 0x1001, vr, 0, length) + content


def with_element(element):
    """A film with `element` put before its group 0028."""
    data = bytes_of(dataset(gradient()))
    at = data.index(b"\x28\0\x02\0US")
    return data[:at] + element + data[at:]


def nested(depth):
    head = private(b"SQ", UNDEFINED, pack("<HHI", 0xFFFE, 0xE000, UNDEFINED))
    return head * depth + (ITEM_END + SEQUENCE_END) * depth


WHOLE = {
    "empty sequence": private(b"SQ", 0, b""),
    "sequence with a length": private(b"SQ", 8 + 16, item(private(b"OB", 4, b"abcd"))),
    "sequence without": private(b"SQ", UNDEFINED, item(private(b"OB", 4, b"abcd")) + SEQUENCE_END),
    "item without": private(
        b"SQ", UNDEFINED, item(private(b"OB", 4, b"abcd") + ITEM_END, UNDEFINED) + SEQUENCE_END
    ),
    "unknown, implicit inside (PS3.5 6.2.2)": private(
        b"UN",
        UNDEFINED,
        item(pack("<HHI", 0x0099, 0x1001, 4) + b"abcd" + ITEM_END, UNDEFINED) + SEQUENCE_END,
    ),
    "nested 15 levels": nested(15),
    "a delimiter in a value": private(b"OB", 8, SEQUENCE_END),
    "pixel data in a value": private(b"OB", 12, PIXEL_DATA + b"OW\0\0\4\0\0\0"),
    "two million bytes": private(b"OB", 2_000_000, bytes(2_000_000)),
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_is_not_asked_for_is_passed_over(case):
    plain = read_radiograph(bytes_of(dataset(gradient()))).pixels
    np.testing.assert_array_equal(read_radiograph(with_element(WHOLE[case])).pixels, plain)


def test_a_table_of_unknown_vr_holds_implicit_elements():
    """As a relay writes it that does not know the sequence (PS3.5 6.2.2)."""
    entries = np.arange(4096)[::-1].astype("<u2").tobytes()
    inside = pack("<HHIHHH", 0x0028, 0x3002, 6, 4096, 0, 12)
    inside += pack("<HHI", 0x0028, 0x3006, len(entries)) + entries
    for content, length in (
        (item(inside), len(item(inside))),
        (item(inside + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED),
    ):
        voi_luts = pack("<HH2sHI", 0x0028, 0x3010, b"UN", 0, length) + content
        data = bytes_of(dataset(gradient()))
        at = data.index(PIXEL_DATA)
        pixels = read_radiograph(data[:at] + voi_luts + data[at:]).pixels
        np.testing.assert_allclose(pixels, 1 - gradient() / 4095, atol=1e-6)


DAMAGED = {
    "longer than the file": (private(b"OB", 0x7FFFFFFF, b"abcd"), r"\(0099,1001\) ends behind"),
    "no end of the sequence": (private(b"SQ", UNDEFINED, item(b"")), "out of step|cut off|deeply"),
    "nested 10,000 levels": (nested(10_000), "more than 32 levels"),
    "a million empty items": (
        private(b"SQ", UNDEFINED, item(b"") * 1_000_000 + SEQUENCE_END),
        "more than 100000 data elements",
    ),
    "a VR that is none": (pack("<HH2sHI", 0x0099, 0x1001, b"1a", 4, 0), "out of step"),
    "a huge value that is read": (
        pack("<HH2sHI", 0x0018, 0x0015, b"UT", 0, 300_000) + bytes(300_000),
        r"\(0018,0015\) has 300000 bytes",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_structure(case):
    element, reason = DAMAGED[case]
    with pytest.raises(DicomError, match=reason):
        read_radiograph(with_element(element))


def test_only_wanted_values_are_read_from_the_stream():
    class Watched(BytesIO):
        read_bytes = b""

        def read(self, count=-1):
            data = super().read(count)
            self.read_bytes += data
            return data

    ds = dataset(gradient())
    ds.PatientName = "Unread^Name"
    data = bytes_of(ds)
    stream = Watched(data)
    stream.seek(data.index(b"\x08\0\x16\0UI"))
    elements = Elements(stream, len(data), explicit=True, little=True)
    tags = [element.tag for element in elements.walk()]
    assert tags[-1] == 0x7FE00010
    assert b"Unread" not in stream.read_bytes


def test_values_of_a_sequences_first_item():
    ds = Dataset()
    first, second = Dataset(), Dataset()
    first.CodeValue, second.CodeValue = "one", "two"
    ds.ViewCodeSequence = [first, second]
    for undefined in (False, True):
        ds["ViewCodeSequence"].value[0].is_undefined_length_sequence_item = undefined
        ds["ViewCodeSequence"].is_undefined_length = undefined
        buffer = BytesIO()
        ds.save_as(buffer, implicit_vr=False, little_endian=True)
        buffer.seek(0)
        elements = Elements(buffer, len(buffer.getvalue()), explicit=True, little=True)
        (element,) = elements.walk()
        values = elements.first_item(element, {0x00080100})
        assert values == {0x00080100: (b"SH", b"one ")}
