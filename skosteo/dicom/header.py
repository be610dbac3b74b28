"""What a DICOM file says of its image: the few elements that skosteo reads, by name and type."""

import re
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from struct import unpack
from typing import BinaryIO, NamedTuple
from unicodedata import combining, normalize

from skosteo.dicom.elements import AGAIN, Element, Elements, Values
from skosteo.exceptions import DicomError

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_MAX_INFLATED = 60 * 2**20  # bytes, a 16-bit film of 5,600 x 5,600
PIXEL_DATA = 0x7FE00010
SLACK = 2**20  # bytes beyond what a film needs that a file may carry
_BLOCK = 2**20
_PADDING = " \0\t\r\n"

# everything that is ever read from a DICOM file, beside the pixels
TAGS = {
    "TransferSyntaxUID": 0x00020010, "SOPClassUID": 0x00080016, "Modality": 0x00080060,
    "PresentationIntentType": 0x00080068, "Manufacturer": 0x00080070,
    "SeriesDescription": 0x0008103E, "BodyPartExamined": 0x00180015, "ProtocolName": 0x00181030,
    "ImagerPixelSpacing": 0x00181164, "ViewPosition": 0x00185101, "Laterality": 0x00200060,
    "ImageLaterality": 0x00200062, "SamplesPerPixel": 0x00280002,
    "PhotometricInterpretation": 0x00280004, "PlanarConfiguration": 0x00280006,
    "NumberOfFrames": 0x00280008, "Rows": 0x00280010, "Columns": 0x00280011,
    "PixelSpacing": 0x00280030, "BitsAllocated": 0x00280100, "BitsStored": 0x00280101,
    "HighBit": 0x00280102, "PixelRepresentation": 0x00280103, "PixelPaddingValue": 0x00280120,
    "PixelPaddingRangeLimit": 0x00280121, "BurnedInAnnotation": 0x00280301,
    "WindowCenter": 0x00281050, "WindowWidth": 0x00281051, "RescaleIntercept": 0x00281052,
    "RescaleSlope": 0x00281053, "VOILUTFunction": 0x00281056, "LUTDescriptor": 0x00283002,
    "LUTData": 0x00283006, "PresentationLUTShape": 0x20500020, "CodeValue": 0x00080100,
}  # fmt: skip
# sequences of which the first item is read
_SEQUENCES = {
    0x00283000: "ModalityLUTSequence", 0x00283010: "VOILUTSequence", 0x00540220: "ViewCodeSequence",
}  # fmt: skip
_ITEM_TAGS = frozenset(TAGS[name] for name in ("LUTDescriptor", "LUTData", "CodeValue"))
_TOP_TAGS = frozenset(TAGS.values()) - _ITEM_TAGS
_VIEW_WORDS = {"LAT": "LATERAL", "POSTEROANTERIOR": "PA", "ANTEROPOSTERIOR": "AP"}
_VIEWS = ("PA", "AP", "LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "LATERAL")
# SNOMED CT and the older SRT codes of PS3.16 CID 4010
_VIEW_CODES = {
    "272479007": "PA", "399348003": "AP", "399173006": "LL", "399198007": "RL",
    "399067008": "LATERAL", "R-40888": "PA", "R-10206": "AP", "R-10236": "LL", "R-10232": "RL",
    "R-102CD": "LATERAL",
}  # fmt: skip


class Header:
    """The elements of `TAGS` that a file, or the first item of a sequence, holds.

    Every accessor checks: a value of the wrong type or length is a `DicomError`, never a guess.
    """

    def __init__(
        self, values: Values, little: bool, items: Mapping[str, Values] | None = None
    ) -> None:
        self._values, self.little = values, little
        self._items = {name: Header(item, little) for name, item in (items or {}).items()}

    def item(self, name: str) -> "Header | None":
        """First item of a sequence, or None."""
        return self._items.get(name)

    def raw(self, name: str) -> bytes:
        """Bytes of a value as stored; none where it is absent."""
        return self._values.get(TAGS[name], (b"", b""))[1]

    def is_signed(self, name: str, implied: bool) -> bool:
        """Whether an integer that may be US or SS is signed; implicit VR does not say."""
        vr = self._values.get(TAGS[name], (b"", b""))[0]
        return vr == b"SS" if vr in (b"SS", b"US") else implied

    def texts(self, name: str) -> list[str]:
        """Values of a text, in ASCII: accents are dropped, and so is padding."""
        plain = normalize("NFKD", _readings(self.raw(name))[0]).encode("ascii", "ignore").decode()
        parts = [part.strip(_PADDING) for part in plain.split("\\")]
        return parts if any(parts) else []

    def text(self, name: str) -> str:
        """First value of a text in capitals, as codes (CS) are written; "" where it is absent."""
        return (self.texts(name) or [""])[0].upper()

    def words(self, *names: str) -> str:
        """Words of texts in any script, in capitals without accents, one blank between two."""
        text = " ".join(text for name in names for text in _readings(self.raw(name))).upper()
        plain = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
        return " ".join(re.findall(r"[^\W_]+", plain))

    def decimals(self, name: str) -> list[float]:
        """Values of a decimal string (DS)."""
        try:
            return [float(text) for text in self.texts(name)]
        except ValueError:
            raise DicomError(f"{name} is not a number", AGAIN) from None

    def integers(self, name: str, signed: bool = False) -> tuple[int, ...]:
        """Values of two-byte integers (US, SS)."""
        raw = self.raw(name)
        if len(raw) % 2:
            raise DicomError(f"{name} is not a whole number", AGAIN)
        return unpack(f"{'<' if self.little else '>'}{len(raw) // 2}{'h' if signed else 'H'}", raw)

    def integer(self, name: str, default: int | None = None) -> int:
        """Return the only value of a two-byte integer; the default where it is absent."""
        values = self.integers(name)
        if not values and default is not None:
            return default
        if len(values) != 1:
            raise DicomError(f"{name} has {len(values)} values, not 1", AGAIN)
        return values[0]

    def frames(self) -> int:
        """Return NumberOfFrames (IS), 1 where it is absent."""
        digits = self.text("NumberOfFrames") or "1"
        if not digits.isdecimal() or len(digits) > 12:
            raise DicomError("NumberOfFrames is not a whole number", AGAIN)
        return int(digits) or 1

    def view_position(self) -> str | None:
        """Return the view (PS3.3 C.8.1.1, C.8.11.5), of a closed list; None: not stated."""
        view = re.sub("[^A-Z]", "", self.text("ViewPosition"))
        view = _VIEW_WORDS.get(view, view)
        if view in _VIEWS:
            return view
        code = self.item("ViewCodeSequence")
        return None if code is None else _VIEW_CODES.get(code.text("CodeValue"))


def _readings(raw: bytes) -> list[str]:
    """Text of bytes in UTF-8, else in Latin 1 (ISO_IR 100) and as it may have been meant.

    Films name their character set too seldom to rely on that.
    """
    try:
        return [raw.decode()]
    except UnicodeDecodeError:
        polish = [raw.decode(name, "ignore") for name in ("iso8859-2", "cp1250")]
        chinese = re.findall("[\u4e00-\u9fff]+", raw.decode("gb18030", "ignore"))
        return [raw.decode("latin-1"), *polish, *chinese]


class DicomImage(NamedTuple):
    """A file's header, and where its pixel data lie."""

    header: Header
    syntax: str  # UID of the transfer syntax
    elements: Elements  # the stream to read the pixel data from
    pixel_data: Element


def open_dicom(stream: BinaryIO, size: int) -> DicomImage:
    """Read the header of a file with a preamble (PS3.10 7.1), up to its pixel data."""
    syntax = _transfer_syntax(stream, size)
    if syntax == DEFLATED:
        stream, size = _inflated(stream)
    little = syntax != BIG_ENDIAN
    elements = Elements(stream, size, _is_explicit(stream, syntax), little)
    values: Values = {}
    items: dict[str, Values] = {}
    for element in elements.walk():
        if element.tag == PIXEL_DATA:
            return DicomImage(Header(values, little, items), syntax, elements, element)
        if element.tag in _SEQUENCES:
            items[_SEQUENCES[element.tag]] = elements.first_item(element, _ITEM_TAGS)
        elif element.tag in _TOP_TAGS:
            values[element.tag] = element.vr, elements.value(element)
    raise DicomError(
        "the DICOM file holds no pixel data: it is a report or a plan, or is cut off",
        "give the image itself",
    )


def _transfer_syntax(stream: BinaryIO, size: int) -> str:
    """Read the file meta information (PS3.10 7.1) and stop behind it."""
    stream.seek(132)
    syntax = ""
    meta = Elements(stream, size, explicit=True, little=True)
    for element in meta.walk(group=2):
        if element.tag == TAGS["TransferSyntaxUID"]:
            syntax = meta.value(element).decode("ascii", "ignore").strip(" \0")
    if not syntax:
        raise DicomError("the file names no transfer syntax (0002,0010)", AGAIN)
    return syntax


def _is_explicit(stream: BinaryIO, syntax: str) -> bool:
    """Whether elements write out their VR, as the first one shows.

    The syntax decides where nothing follows; some writers name the other one by mistake.
    """
    position = stream.tell()
    vr = stream.read(6)[4:]
    stream.seek(position)
    return vr.isalpha() and vr.isupper() if vr else syntax != IMPLICIT


def _inflated(stream: BinaryIO) -> tuple[BinaryIO, int]:
    """Expand a deflated data set (PS3.5 A.5), after counting that it is no bomb."""
    position = stream.tell()
    try:
        size = sum(map(len, _inflate(stream)))
        stream.seek(position)
        whole, end = bytearray(size), 0
        for block in _inflate(stream):
            whole[end : end + len(block)] = block
            end += len(block)
    except zlib.error:
        raise DicomError("the deflated data set cannot be expanded", AGAIN) from None
    return BytesIO(whole), size


def _inflate(stream: BinaryIO) -> Iterator[bytes]:
    expand = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    while not expand.eof:
        compressed = expand.unconsumed_tail or stream.read(_BLOCK)
        if not compressed:
            raise DicomError("the deflated data set is cut off", AGAIN)
        block = expand.decompress(compressed, _BLOCK)
        total += len(block)
        if total > _MAX_INFLATED:
            raise DicomError(
                f"the deflated file expands to over {_MAX_INFLATED} bytes, more than a film needs",
                "export the film without compression",
            )
        yield block
    if len(expand.unused_data) + len(stream.read(SLACK + 1)) > SLACK:
        raise DicomError("other content follows the deflated data set", "cut it off")
