"""Walk the data elements of a DICOM stream without trusting a single length (PS3.5 7.1).

Only values that are asked for are read; all others, a patient's name among them, are passed over
and never reach memory. Nothing recurses, so that no nesting can exhaust the stack.
"""

from collections.abc import Collection, Iterator
from struct import Struct
from typing import BinaryIO, NamedTuple

from skosteo.exceptions import DicomError

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VR = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_MAX_ELEMENTS = 100_000  # a film has a few hundred
_MAX_DEPTH = 32
_MAX_VALUE = 2**18  # the largest value of a film beside its pixels, a LUT, has 2**17 bytes
AGAIN = "export the film again"


# value representation (empty in implicit VR) and value of each tag
Values = dict[int, tuple[bytes, bytes]]


class Element(NamedTuple):
    """Where a value lies: `length` bytes from `start`, or UNDEFINED."""

    tag: int
    vr: bytes  # b"" in implicit VR
    length: int
    start: int


class Elements:
    """The data elements of a stream of ``size`` bytes, from where it stands.

    With ``explicit``, value representations are written out; with ``little``, the low byte comes
    first. Every method raises a `DicomError` where elements break off, nest too deeply or are too
    many.
    """

    def __init__(self, stream: BinaryIO, size: int, explicit: bool, little: bool) -> None:
        self.stream, self.size = stream, size
        self.explicit, self.little = explicit, little
        order = "<" if little else ">"
        self._tag, self._u16, self._u32 = (Struct(order + code) for code in ("HH", "H", "I"))
        self._left = _MAX_ELEMENTS

    def walk(self, group: int | None = None) -> Iterator[Element]:
        """Yield each element of the top level, while it is of the group where one is given.

        The caller may move the stream in between.
        """
        while (position := self.stream.tell()) + 8 <= self.size:
            if group is not None and self._tag.unpack(self._read(4))[0] != group:
                self.stream.seek(position)
                return
            self.stream.seek(position)
            element = self._head(self.explicit)
            yield element
            self.stream.seek(element.start)
            self._skip(element, self.explicit)

    def value(self, element: Element) -> bytes:
        """Read the value of an element; one of undefined length is refused as too long."""
        if element.length > _MAX_VALUE:
            raise DicomError(
                f"element {_name(element.tag)} has {element.length} bytes, where {_MAX_VALUE} are "
                "the most that a film needs",
                AGAIN,
            )
        self.stream.seek(element.start)
        value = self.stream.read(element.length)
        if len(value) < element.length:
            raise _cut_off(element.tag)
        return value

    def first_item(self, element: Element, wanted: Collection[int]) -> Values:
        """Read the wanted values of a sequence's first item; none where it has no item."""
        values: Values = {}
        self.stream.seek(element.start)
        # PS3.5 6.2.2: an unknown value that is a sequence holds implicit elements
        explicit = self.explicit and element.vr != b"UN"
        if element.length == 0 or (item := self._head(explicit)).tag != ITEM:
            return values
        end = self.size if item.length == UNDEFINED else item.start + item.length
        while self.stream.tell() + 8 <= end:
            inner = self._head(explicit)
            if inner.tag in (ITEM_END, SEQUENCE_END):
                break
            if inner.tag in wanted:
                values[inner.tag] = inner.vr, self.value(inner)
            self.stream.seek(inner.start)
            self._skip(inner, explicit)
        return values

    def fragments(self, element: Element) -> tuple[list[tuple[int, int]], int]:
        """Start and length of each item of encapsulated pixel data, and where it ends (PS3.5 A.4).

        The first item is the basic offset table.
        """
        items = []
        self.stream.seek(element.start)
        while (item := self._head(explicit=False)).tag == ITEM:
            if item.length == UNDEFINED or item.start + item.length > self.size:
                raise _cut_off(element.tag)
            items.append((item.start, item.length))
            self.stream.seek(item.start + item.length)
        if item.tag != SEQUENCE_END:
            raise DicomError("the compressed pixel data is not a sequence of fragments", AGAIN)
        return items, item.start

    def _head(self, explicit: bool) -> Element:
        self._left -= 1
        if self._left < 0:
            raise DicomError(f"the file has more than {_MAX_ELEMENTS} data elements", AGAIN)
        head = self._read(8)
        group, number = self._tag.unpack_from(head)
        tag = group << 16 | number
        if not explicit or group == 0xFFFE:
            return Element(tag, b"", self._u32.unpack_from(head, 4)[0], self.stream.tell())
        vr = head[4:6]
        if vr in _LONG_VR:
            return Element(tag, vr, self._u32.unpack(self._read(4))[0], self.stream.tell())
        if not (vr.isalpha() and vr.isupper()):
            raise DicomError("the data elements are out of step: the file is damaged", AGAIN)
        return Element(tag, vr, self._u16.unpack_from(head, 6)[0], self.stream.tell())

    def _read(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise DicomError("the file is cut off within its header", AGAIN)
        return data

    def _skip(self, element: Element, explicit: bool) -> None:
        """Move behind the value that begins here.

        A value of stated length is jumped over, whatever is in it. A sequence or item of undefined
        length ends with a delimiter of its own, and what it holds must be walked to find that, in
        any depth: with a list of the open levels instead of recursion, which a file of nothing but
        nested sequences would drive to the end of the stack. With no level open, the value is over.
        """
        # one entry per open sequence or item: whether its elements write out their VR
        open_levels = []
        while True:
            if element.length == UNDEFINED:
                # PS3.5 6.2.2: an unknown value of undefined length holds implicit elements
                explicit = explicit and element.vr != b"UN"
                open_levels.append(explicit)
                if len(open_levels) > _MAX_DEPTH:
                    raise DicomError(f"sequences nest more than {_MAX_DEPTH} levels deep", AGAIN)
            elif element.tag in (ITEM_END, SEQUENCE_END) and open_levels:
                open_levels.pop()
            else:
                end = self.stream.tell() + element.length
                if end > self.size:
                    raise _cut_off(element.tag)
                self.stream.seek(end)
            if not open_levels:
                return
            explicit = open_levels[-1]
            element = self._head(explicit)


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _cut_off(tag: int) -> DicomError:
    # private groups are odd; their numbers are as good as any name
    return DicomError(f"element {_name(tag)} ends behind the end of the file: it is cut off", AGAIN)
