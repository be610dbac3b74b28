"""What a compressed frame says of itself, read before a decoder may believe it."""

from typing import NamedTuple

from skosteo.dicom.elements import AGAIN
from skosteo.exceptions import DicomError

# JPEG 2000: parts of an image so many or so small that their bookkeeping alone fills the memory.
# A film has one tile or some hundred, code-blocks of 64 x 64 or 32 x 32, precincts of 128 or more.
_MAX_TILES, _MIN_BLOCK, _MIN_PRECINCT = 4096, 16, 32
_SOC_SIZ, _SOI, _END = b"\xff\x4f\xff\x51", b"\xff\xd8", b"\xff\xd9"
_SOF_LS, _SOF_LOSSLESS = 0xF7, 0xC3
_COD, _COC, _SOT, _SOD = b"\xff\x52", b"\xff\x53", b"\xff\x90", b"\xff\x93"
_MAX_SEGMENTS = 100_000


class Frame(NamedTuple):
    """Size of a frame as its own header states it."""

    rows: int
    columns: int
    samples: int
    bits: int
    lossless: bool = False  # JPEG's own lossless process


def read_jpeg_header(data: bytes) -> Frame:
    """Read the frame header of JPEG (ITU-T T.81 B.2.2), or of JPEG-LS (T.87 C.2.2), its twin.

    Raises
    ------
    DicomError
        There is no such header, or no end marker.
    """
    _check_end(data)
    try:
        position = data.index(_SOI, 0, 2) + 2
        while True:
            while data[position : position + 2] == b"\xff\xff":  # fill bytes
                position += 1
            if data[position] != 0xFF:
                raise _no_header()
            marker = data[position + 1]
            # SOF0 to SOF15, without the three of that range that are none, and SOF55
            if marker == _SOF_LS or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
                bits, samples = data[position + 4], data[position + 9]
                rows, columns = _number(data, position + 5, 2), _number(data, position + 7, 2)
                return Frame(rows, columns, samples, bits, marker == _SOF_LOSSLESS)
            position += 2 + _number(data, position + 2, 2)
    except (IndexError, ValueError):
        raise _no_header() from None


def read_jpeg_2000_header(data: bytes) -> Frame:
    """Read the image and tile size of JPEG 2000 (ISO/IEC 15444-1 A.5.1), and its coding style.

    Raises
    ------
    DicomError
        There is no such header, or no end marker, or the image is cut into absurdly many parts.
    """
    _check_end(data)
    try:
        # some writers wrap the codestream in the boxes of a JP2 file
        start = data.index(_SOC_SIZ, 0, 4096) + 8
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


def _smallest_parts(data: bytes, position: int) -> tuple[int, int]:
    """Smallest sides of code-blocks and of precincts, in the main and all tile-part headers.

    They stand in COD and COC segments (A.6.1, A.6.2); the walk begins behind SIZ.
    """
    block = precinct = 2**15
    tile_end = 0
    for _ in range(_MAX_SEGMENTS):
        marker = data[position : position + 2]
        if marker in (_END, b""):
            return block, precinct
        if marker == _SOD:  # the packets of a tile-part, which its SOT has measured
            position = max(tile_end, position + 2)
            continue
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


def _check_end(data: bytes) -> None:
    # entropy-coded data cannot hold the marker, and few bytes follow it
    if _END not in data[-1024:]:
        raise DicomError("the compressed image has no end marker: it is cut off", AGAIN)


def _no_header() -> DicomError:
    return DicomError("the compressed image has no valid frame header", AGAIN)
