"""What a compressed frame says of itself, read before a decoder may believe it."""

from typing import NamedTuple

from skosteo.dicom.elements import AGAIN
from skosteo.exceptions import DicomError

# JPEG 2000: parts of an image so many or so small that their bookkeeping alone fills the memory.
# A film has one tile or some hundred, code-blocks of 64 x 64 or 32 x 32, precincts of 128 or more.
_MAX_TILES, _MIN_BLOCK, _MIN_PRECINCT = 4096, 16, 32
_SOC_SIZ, _SOI, _END, _SOS = b"\xff\x4f\xff\x51", b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_SOF_LS, _SOF_LOSSLESS = 0xF7, 0xC3
# SOF0 to SOF15 without the three of that range that are none, and SOF55
_SOF = {*range(0xC0, 0xD0), _SOF_LS} - {0xC4, 0xC8, 0xCC}
# Segments that may stand before them: tables, APPn, comment. A decoder takes anything else for
# rubbish and looks for the next marker in it, where another frame header might wait.
_JPEG_SEGMENTS = {0xC4, 0xCC, 0xDB, 0xDD, 0xF8, 0xFE, *range(0xE0, 0xF0)}
_COD, _COC, _SOT, _SOD = b"\xff\x52", b"\xff\x53", b"\xff\x90", b"\xff\x93"
# of parts 1, 2 and 15 (ISO/IEC 15444); likewise
_JPEG_2000_SEGMENTS = {0x50, 0x52, 0x53, 0x55, 0x57, 0x58, 0x59, *range(0x5C, 0x62), 0x63, 0x64}
_JPEG_2000_SEGMENTS |= {0x74, 0x75, 0x77, 0x78, 0x90}
_MAX_SEGMENTS = 1000  # before the frame header of JPEG; a film has some ten
_MAX_PARTS = 100_000  # segments and tile-parts of JPEG 2000
_MAX_SCANS = 32  # a progressive JPEG has ten or so, all others one for each colour at most
_JP2, _JXL = b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL "
_MAX_BOXES = 100
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width to height


class Frame(NamedTuple):
    """Size of a frame as its own header states it."""

    rows: int
    columns: int
    samples: int
    bits: int
    lossless: bool = False  # JPEG's own lossless process


def read_jpeg_header(data: bytes) -> Frame:
    """Read the frame header of JPEG (ITU-T T.81 B.2.2) or JPEG-LS (T.87 C.2.2); count the scans."""
    try:
        position = data.index(_SOI, 0, 2) + 2
        for _ in range(_MAX_SEGMENTS):
            while data[position : position + 2] == b"\xff\xff":  # fill bytes
                position += 1
            start, marker = data[position], data[position + 1]
            if start == 0xFF and marker in _SOF:
                bits, samples = data[position + 4], data[position + 9]
                rows, columns = _number(data, position + 5, 2), _number(data, position + 7, 2)
                break
            if start != 0xFF or marker not in _JPEG_SEGMENTS:
                raise _no_header()
            position += 2 + _number(data, position + 2, 2)
        else:
            raise _no_header()
    except (IndexError, ValueError):
        raise _no_header() from None
    if (scans := data.count(_SOS, position)) > _MAX_SCANS:
        raise DicomError(f"the JPEG image has {scans} scans, over {_MAX_SCANS}", AGAIN)
    return Frame(rows, columns, samples, bits, marker == _SOF_LOSSLESS)


def without_boxes(data: bytes) -> bytes:
    """Return the codestream of a JP2 or JPEG XL file, or what is one already.

    ISO/IEC 15444-1 I.5, ISO/IEC 18181-2 9. PS3.5 A.4.4 allows no boxes for JPEG 2000, but some
    writers leave them; what they say does not hold in DICOM.
    """
    if not data.startswith((_JP2, _JXL)):
        return data
    position, parts = 0, b""
    for _ in range(_MAX_BOXES):
        length, kind, head = _number(data, position, 4), data[position + 4 : position + 8], 8
        if length == 1:
            length, head = _number(data, position + 8, 8), 16
        content = data[position + head : position + length if length else None]
        if kind in (b"jp2c", b"jxlc"):
            return content
        if kind == b"jxlp":  # a part, behind its number; the highest bit marks the last
            parts += content[4:]
            if content[:1] >= b"\x80":
                return parts
        if length < head:
            break
        position += length
    raise _no_header()


def read_jpeg_2000_header(data: bytes) -> Frame:
    """Read image, tile and part sizes of JPEG 2000 (ISO/IEC 15444-1 A.5.1); refuse absurd ones."""
    try:
        start = data.index(_SOC_SIZ, 0, 4) + 8
        right, bottom, left, top, tile_width, tile_height = (
            _number(data, start + 4 * i, 4) for i in range(6)
        )
        tiles = -(-right // tile_width) * -(-bottom // tile_height)
        samples, bits = _number(data, start + 32, 2), (data[start + 34] & 0x7F) + 1
        block, precinct = _smallest_parts(data, start - 4 + _number(data, start - 4, 2))
    except (IndexError, ValueError, ZeroDivisionError):
        raise _no_header() from None
    if tiles > _MAX_TILES:
        raise DicomError(f"the JPEG 2000 image has {tiles} tiles, over {_MAX_TILES}", AGAIN)
    if block < _MIN_BLOCK or precinct < _MIN_PRECINCT:
        raise DicomError(
            f"the JPEG 2000 image has code-blocks of {block} and precincts of {precinct} pixels, "
            f"under {_MIN_BLOCK} and {_MIN_PRECINCT}",
            AGAIN,
        )
    return Frame(bottom - top, right - left, samples, bits)


def read_jpeg_xl_header(data: bytes) -> Frame:
    """Read size and kind of a JPEG XL image (ISO/IEC 18181-1 D); refuse what no film has."""
    bits = _Bits(data[:64])
    if bits.read(16) != 0x0AFF:
        raise _no_header()
    eighths = bits.read(1)
    rows = _side(bits, eighths)
    ratio = bits.read(3)
    columns = rows * _RATIOS[ratio - 1][0] // _RATIOS[ratio - 1][1] if ratio else None
    columns = columns or _side(bits, eighths)
    if bits.read(1):  # all at their defaults
        return Frame(rows, columns, 3, 8)
    # orientation, intrinsic size, preview and animation: beside the orientation none is a film's
    turned = bits.read(1) and bits.read(3) + 8 * bits.read(3)
    is_float = bits.read(1)
    depth = (8, 10, 12, None)[bits.read(2)] or bits.read(6) + 1
    bits.read(1)
    if turned or is_float or bits.read(2):  # channels beside the colours
        raise DicomError("the JPEG XL image is no plain picture of whole numbers", AGAIN)
    bits.read(1)
    coloured = bits.read(1) or (bits.read(1), bits.read(2))[1] != 1
    return Frame(rows, columns, 3 if coloured else 1, depth)


class _Bits:
    """Bits of JPEG XL, the lowest of a byte first; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def read(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value


def _side(bits: _Bits, eighths: int) -> int:
    if eighths:
        return 8 * (bits.read(5) + 1)
    return bits.read((9, 13, 18, 30)[bits.read(2)]) + 1


def check_end(data: bytes) -> None:
    """Refuse a compressed frame without the marker that ends JPEG and JPEG 2000 alike."""
    # entropy-coded data cannot hold the marker, and few bytes follow it
    if _END not in data[-1024:] and not data.rstrip(b"\0").endswith(_END):
        raise DicomError("the compressed image has no end marker: it is cut off", AGAIN)


def _smallest_parts(data: bytes, position: int) -> tuple[int, int]:
    """Smallest sides of code-blocks and of precincts, in the main and all tile-part headers.

    They stand in COD and COC segments (A.6.1, A.6.2); the walk begins behind SIZ.
    """
    block = precinct = 2**15
    tile_end = 0
    for _ in range(_MAX_PARTS):
        marker = data[position : position + 2]
        if marker in (_END, b""):
            return block, precinct
        if marker == _SOD:  # the packets of a tile-part, which its SOT has measured
            position = max(tile_end, position + 2)
            continue
        if marker[0] != 0xFF or marker[1] not in _JPEG_2000_SEGMENTS:
            raise ValueError
        if marker == _SOT:
            tile_end = position + (_number(data, position + 6, 4) or len(data))
        if marker in (_COD, _COC):
            style = data[position + 4 + (marker == _COC)]
            at = position + (9 if marker == _COD else 6)  # number of levels, then the block
            block = min(block, 4 << (data[at + 1] & 15), 4 << (data[at + 2] & 15))
            sizes = data[at + 5 : at + 6 + data[at]] if style & 1 else b""
            precinct = min(
                [precinct, *(1 << side for size in sizes for side in (size & 15, size >> 4))]
            )
        position += 2 + _number(data, position + 2, 2)
    raise ValueError


def _number(data: bytes, start: int, count: int) -> int:
    return int.from_bytes(data[start : start + count], "big")


def _no_header() -> DicomError:
    return DicomError("the compressed image has no valid frame header", AGAIN)
