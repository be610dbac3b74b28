"""Small files that claim to be huge, nest without end or hide something behind the film."""

import io
import os
import zlib
from collections.abc import Callable
from struct import pack
from typing import NamedTuple

import numpy as np
from imagecodecs import jpeg2k_encode, jpegls_encode, jpegxl_encode
from PIL import Image

from tests.hostile.seeds import (
    meta_end,
    noise,
    seed,
    with_checksums,
    with_elements,
    with_size,
)

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
VOI_LUTS, PIXEL_DATA = 0x00283010, 0x7FE00010
EMPTY = pack("<HH2sH", 0x0019, 0x1001, b"LO", 0)
MEGABYTE = 2**20
HUGE = 32768
CODECS = ("JPEG baseline", "JPEG extended", "JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K")
RLE = ("RLE of 8 bits", "RLE of 16 bits")


class Bomb(NamedTuple):
    """A file, in parts, and what is to become of it."""

    like: str  # the good film of the same encoding
    parts: Callable[[], list[bytes | int]]  # a number stands for so many bytes of zero
    kind: str = "refused"
    ignore_rules: tuple[str, ...] = ()


def write(path, parts):
    """Write the parts; zeros take no room on the disk."""
    with open(path, "wb") as stream:
        for part in parts:
            if isinstance(part, bytes):
                stream.write(part)
            else:
                stream.truncate(stream.tell() + part)
                stream.seek(0, os.SEEK_END)
    return path


def tag(number):
    return pack("<HH", number >> 16, number & 0xFFFF)


def head(number, length):
    """Tag and length of an item or a delimiter."""
    return tag(number) + pack("<I", length)


def long(number, vr, length):
    """Head of an element whose length has 32 bits."""
    return tag(number) + pack("<2sHI", vr, 0, length)


def private(vr, length):
    return long(0x00191001, vr, length)


def before_image(*parts):
    """The explicit film with something before its group 0028."""
    film = seed("explicit")
    at = film.index(b"\x28\0\x02\0US")
    return [film[:at], *parts, film[at:]]


def endless(depth, sequence):
    """Sequences inside one another, of undefined length."""
    opened = sequence + head(ITEM, UNDEFINED)
    return opened * depth + (head(ITEM_END, 0) + head(SEQUENCE_END, 0)) * depth


def measured(depth):
    """Sequences inside one another, each with its length."""
    levels = reversed(range(0, 20 * depth, 20))
    return b"".join(private(b"SQ", inside + 8) + head(ITEM, inside) for inside in levels)


def deflated(*data_set):
    """A deflated film of this data set, where a number stands for so many megabytes of zero."""
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    whole = seed("deflated")[: meta_end(seed("deflated"))]
    for part in data_set:
        if isinstance(part, bytes):
            whole += deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH)
        else:
            deflate.compress(bytes(MEGABYTE)), deflate.flush(zlib.Z_FULL_FLUSH)
            zeros = deflate.compress(bytes(MEGABYTE)) + deflate.flush(zlib.Z_FULL_FLUSH)
            whole += zeros * part
    return [whole + deflate.flush()]


def in_fragments(*parts):
    """The JPEG 2000 film with something among its fragments, behind the first."""
    film = seed("JPEG 2000")
    at = film.index(head(SEQUENCE_END, 0))
    return [film[:at], *parts, film[at:]]


def both(name, rows, columns):
    """Header and codestream agree on a size that the data cannot have."""
    return [with_elements(with_size(seed(name), rows, columns), Rows=rows, Columns=columns)]


def with_frame(name, frame, rows, columns):
    """The film with other compressed data."""
    film = with_elements(seed(name), Rows=rows, Columns=columns)
    at = film.index(tag(PIXEL_DATA)) + 12
    frame += b"\0" * (len(frame) % 2)
    return [film[:at] + head(ITEM, 0) + head(ITEM, len(frame)) + frame + head(SEQUENCE_END, 0)]


def chunk(kind, content):
    return pack(">I", len(content)) + kind + content + bytes(4)


def png_with(*chunks):
    png = seed("PNG of 8 bits")
    return [with_checksums(png[:33] + b"".join(chunks) + png[33:])]


def png_of_much(kind, length):
    """The PNG with a critical chunk of so many zeros where its own pixels begin."""
    png = seed("PNG of 8 bits")
    at = 8 if kind == b"IHDR" else 33
    return [png[:at], pack(">I", length) + kind, length, bytes(4) + png[at:]]


def text(length, key=b"Comment"):
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(bytes(length)))


def profile(length):
    return chunk(b"iCCP", b"Profile\0\0" + zlib.compress(bytes(length)))


def tiff_with(number, kind, count, value):
    """The stored TIFF with one entry of its directory changed."""
    tiff = seed("TIFF, stored")
    at = tiff.index(pack("<H", number), 8)
    return [tiff[:at] + pack("<HHII", number, kind, count, value) + tiff[at + 12 :]]


def chained_tiff(pages):
    """The stored TIFF with its directory again and again, each copy a page."""
    tiff = seed("TIFF, stored")
    start = int.from_bytes(tiff[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(tiff[start : start + 2], "little")
    page = tiff[start:end]
    first = len(tiff)
    links = (first + number * (len(page) + 4) for number in range(1, pages))
    chain = b"".join(page + pack("<I", link) for link in links)
    return [tiff[:end] + pack("<I", first) + tiff[end + 4 :] + chain + page + bytes(4)]


def tiled_tiff(side):
    """A film of 96 x 80 in one LZW tile that says to be this wide and long."""
    tags = {256: 80, 257: 96, 258: 8, 259: 5, 262: 1, 277: 1, 322: side, 323: side}
    strips = {324: 10 + 12 * 10 + 4, 325: 64}
    entries = [pack("<HHII", number, 4, 1, value) for number, value in (tags | strips).items()]
    return [b"II*\0" + pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4 + 64)]


def commented_jpeg(count):
    picture = seed("JPEG picture")
    return [picture[:2] + b"\xff\xfe\0\2" * count + picture[2:]]


def progressive_jpeg(scans):
    """A JPEG of flat squares whose last scan, 75 bytes for all pixels, comes again and again."""
    squares = np.arange(700 * 700).reshape(700, 700) % 251
    buffer = io.BytesIO()
    film = Image.fromarray(squares.astype(np.uint8)).resize((5600, 5600), Image.Resampling.NEAREST)
    film.save(buffer, "JPEG", progressive=True)
    picture = buffer.getvalue()
    last = picture[picture.rindex(b"\xff\xc4") : -2]  # with its Huffman table
    return picture[:-2] + last * scans + picture[-2:]


def frame_of(film):
    """The compressed data of a film in one fragment."""
    offsets = film.index(tag(ITEM), film.index(tag(PIXEL_DATA)))
    start = film.index(tag(ITEM), offsets + 8) + 8
    return film[start : film.rindex(b"\xff\xd9") + 2]


def decoy_jpeg(marker):
    """A JPEG that says another size where a marker without length is taken for one with."""
    small, large = seed("JPEG baseline"), with_size(seed("JPEG baseline"), 30_000, 30_000)
    size = small[small.index(b"\xff\xc0") :][:19]
    application = b"\xff\xe0\xff\xff" + (bytes(65500) + size).ljust(65533, b"\0")
    frame = b"\xff\xd8" + marker + application + frame_of(large)[2:]
    return with_frame("JPEG baseline", frame, 96, 80)


def box(kind, content):
    """Box of a JP2 file (ISO/IEC 15444-1 I.4)."""
    return pack(">I", len(content) + 8) + kind + content


def decoy_jp2():
    """A JP2 file that has the header of a small film in a box before the large one."""
    small, large = seed("JPEG 2000"), with_size(seed("JPEG 2000"), 20_000, 20_000)
    boxes = [
        box(b"jP  ", b"\r\n\x87\n"),
        box(b"ftyp", b"jp2 \0\0\0\0jp2 "),
        box(b"free", frame_of(small)[:120]),
        jp2_header(20_000, 12),
        box(b"jp2c", frame_of(large)),
    ]
    return with_frame("JPEG 2000", b"".join(boxes), 96, 80)


def jp2_header(size, bits, *boxes):
    image = box(b"ihdr", pack(">IIHBBBB", size, size, 1, bits - 1, 7, 0, 0))
    return box(b"jp2h", image + box(b"colr", b"\1\0\0" + pack(">I", 17)) + b"".join(boxes))


def palette_jp2():
    """A JP2 file of 700 x 700 whose palette makes 255 images of one."""
    columns = range(255)
    palette = pack(">HB", 2, 255) + bytes([7] * 255) + bytes(columns) * 2
    mapping = b"".join(pack(">HBB", 0, 1, column) for column in columns)
    film = jpeg2k_encode(noise(8, 700, 700), codecformat="j2k", level=40)
    boxes = [
        box(b"jP  ", b"\r\n\x87\n"),
        box(b"ftyp", b"jp2 \0\0\0\0jp2 "),
        jp2_header(700, 8, box(b"pclr", palette), box(b"cmap", mapping)),
        box(b"jp2c", film),
    ]
    return with_frame("JPEG 2000", b"".join(boxes), 700, 700)


def style(blocks, precincts=b""):
    """Coding style of JPEG 2000, all or of one component (ISO/IEC 15444-1 A.6.1, A.6.2)."""
    sizes = b"\3" + blocks + b"\0\1" + precincts
    flag = bytes([len(precincts) > 0])
    default, component = flag + b"\0\0\1\0" + sizes, b"\0" + flag + sizes
    return [
        marker + pack(">H", len(content) + 2) + content
        for marker, content in ((b"\xff\x52", default), (b"\xff\x53", component))
    ]


def coded(segment, place):
    """The JPEG 2000 film of 3,000 x 3,000 with such a segment in the header of image or tile."""
    film = both("JPEG 2000", 3000, 3000)[0]
    frame, main, tile = (film.index(marker) for marker in (b"\xff\x4f", b"\xff\x52", b"\xff\x90"))
    film = film[: tile + 6] + bytes(4) + film[tile + 10 :]  # the tile reaches to the end
    start, end = {
        "instead": (main, main + 14),
        "behind": (main + 14, main + 14),
        "tile": (tile + 12, tile + 12),
    }[place]
    length = int.from_bytes(film[frame - 4 : frame], "little") + len(segment) - (end - start)
    return [film[: frame - 4] + pack("<I", length) + film[frame:start] + segment + film[end:]]


FEW_RUNS = pack("<16I", 2, 64, 82, *[0] * 13) + bytes(36)
EMPTY_FILM = np.zeros((5600, 5600), np.uint8)
NOTHING = {
    "JPEG 2000": lambda film: jpeg2k_encode(film, codecformat="j2k", level=40),
    "JPEG-LS": jpegls_encode,
    "JPEG XL": jpegxl_encode,
}
DIMENSIONS = ("dimensions",)
BOMBS = {
    # ---------------------------------------------------------------- expands without end
    "deflated to 1.5 GB": Bomb("deflated", lambda: deflated(1536)),
    "deflated to 1.5 GB behind a film": Bomb(
        "deflated", lambda: deflated(before_image()[0][meta_end(seed("explicit")) :], 1536)
    ),
    "PNG with a text of 100 MB": Bomb(
        "PNG of 8 bits", lambda: png_with(text(100 * MEGABYTE)), kind="film"
    ),
    "PNG with 100 texts of 1 MB": Bomb(
        "PNG of 8 bits",
        lambda: png_with(*[text(1_000_000, b"%d" % key) for key in range(100)]),
        kind="film",
    ),
    "PNG with a colour profile of 100 MB": Bomb(
        "PNG of 8 bits", lambda: png_with(profile(100 * MEGABYTE)), kind="film"
    ),
    **{
        f"PNG with 100 MB of {kind} for a few pixels": Bomb(
            "PNG of 8 bits", lambda kind=kind: png_of_much(kind.encode(), 100 * MEGABYTE)
        )
        for kind in ("IDAT", "PLTE", "IHDR")
    },
    # ---------------------------------------------------------------- claims to be huge
    **{
        f"{name}: the header says {HUGE} x {HUGE}{', lifted' * bool(ignore_rules)}": Bomb(
            name,
            lambda n=name: [with_elements(seed(n), Rows=HUGE, Columns=HUGE)],
            ignore_rules=ignore_rules,
        )
        for name in (*CODECS, *RLE, "explicit")
        for ignore_rules in ((), DIMENSIONS)
    },
    **{
        f"{name}: the codestream says {HUGE} x {HUGE}": Bomb(
            name, lambda n=name: [with_size(seed(n), HUGE, HUGE)], ignore_rules=DIMENSIONS
        )
        for name in CODECS
    },
    **{
        f"{name}: both say {HUGE} x {HUGE}": Bomb(name, lambda n=name: both(n, HUGE, HUGE))
        for name in CODECS
    },
    "100 bytes of RLE for 5,000 x 5,000": Bomb(
        "RLE of 16 bits", lambda: with_frame("RLE of 16 bits", FEW_RUNS, 5000, 5000)
    ),
    **{
        f"{name} of nothing: 5,600 x 5,600 in few bytes": Bomb(
            name, lambda n=name, e=encode: with_frame(n, e(EMPTY_FILM), 5600, 5600)
        )
        for name, encode in NOTHING.items()
    },
    "100,000 frames": Bomb(
        "explicit", lambda: [with_elements(seed("explicit"), NumberOfFrames=100_000)]
    ),
    **{
        f"100,000 frames, lifted, {name}": Bomb(
            name,
            lambda n=name: [with_elements(seed(n), NumberOfFrames=100_000)],
            ignore_rules=("multi_frame",),
        )
        for name in ("explicit", "RLE of 16 bits", "JPEG 2000")
    },
    "a lookup table of few entries": Bomb(
        "lookup tables",
        lambda: [
            seed("lookup tables").replace(pack("<H", 4096) + b"\0\0\x10\0", bytes(4) + b"\x10\0")
        ],
    ),
    "PNG of 30,000 x 30,000": Bomb(
        "PNG of 8 bits", lambda: [with_size(seed("PNG of 8 bits"), 30_000, 30_000)]
    ),
    "PNG of 30,000 x 30,000, lifted": Bomb(
        "PNG of 8 bits",
        lambda: [with_size(seed("PNG of 8 bits"), 30_000, 30_000)],
        ignore_rules=DIMENSIONS,
    ),
    "TIFF of 65,535 x 65,535": Bomb(
        "TIFF, stored", lambda: [with_size(seed("TIFF, stored"), 65_535, 65_535)]
    ),
    "TIFF of 65,535 x 65,535, lifted": Bomb(
        "TIFF, stored",
        lambda: [with_size(seed("TIFF, stored"), 65_535, 65_535)],
        ignore_rules=DIMENSIONS,
    ),
    "TIFF of 2**32 strips": Bomb("TIFF, stored", lambda: tiff_with(273, 4, 2**32 - 1, 8)),
    **{
        f"TIFF with a tile of {side:,} x {side:,}": Bomb(
            "TIFF of 8 bits", lambda side=side: tiled_tiff(side)
        )
        for side in (10_000, 40_000)
    },
    "JPEG picture of 65,535 x 65,535": Bomb(
        "JPEG picture", lambda: [with_size(seed("JPEG picture"), 65_535, 65_535)]
    ),
    "JPEG picture of 65,535 x 65,535, lifted": Bomb(
        "JPEG picture",
        lambda: [with_size(seed("JPEG picture"), 65_535, 65_535)],
        ignore_rules=DIMENSIONS,
    ),
    **{
        f"millions of {parts}, {kind} {place}": Bomb(
            "JPEG 2000", lambda segment=segment, place=place: coded(segment, place)
        )
        for parts, segments in {
            "precincts": style(b"\4\4", b"\x11" * 4),
            "code-blocks": style(b"\0\0"),
        }.items()
        for kind, segment in zip(("COD", "COC"), segments, strict=True)
        for place in ("instead", "behind", "tile")
        if (kind, place) != ("COC", "instead")
    },
    **{
        f"JPEG with another size behind marker {marker.hex()}": Bomb(
            "JPEG baseline", lambda marker=marker: decoy_jpeg(marker)
        )
        for marker in (b"\xff\x00", b"\xff\x01", b"\xff\xd0")
    },
    "JP2 with another size in a box": Bomb("JPEG 2000", decoy_jp2),
    "JP2 with a palette of 255 columns": Bomb("JPEG 2000", palette_jp2, kind="film"),
    # ---------------------------------------------------------------- nests, or goes on and on
    "10,000 sequences without length": Bomb(
        "explicit", lambda: before_image(endless(10_000, private(b"SQ", UNDEFINED)))
    ),
    "10,000 sequences without length in one that is read": Bomb(
        "explicit",
        lambda: before_image(endless(10_000, long(VOI_LUTS, b"SQ", UNDEFINED))),
    ),
    "10,000 sequences with lengths": Bomb(
        "explicit", lambda: before_image(measured(10_000)), kind="film"
    ),
    "a million empty items": Bomb(
        "explicit",
        lambda: before_image(
            private(b"SQ", UNDEFINED) + head(ITEM, 0) * 1_000_000 + head(SEQUENCE_END, 0)
        ),
    ),
    "a million elements": Bomb("explicit", lambda: before_image(EMPTY * 1_000_000)),
    "a million elements in an item that is read": Bomb(
        "explicit",
        lambda: before_image(
            long(VOI_LUTS, b"SQ", 8_000_008) + head(ITEM, 8_000_000) + EMPTY * 1_000_000
        ),
    ),
    "a million fragments": Bomb("JPEG 2000", lambda: in_fragments(head(ITEM, 0) * 1_000_000)),
    "TIFF of 20,000 pages": Bomb("TIFF, stored", lambda: chained_tiff(20_000)),
    "JPEG picture with a million comments": Bomb("JPEG picture", lambda: commented_jpeg(1_000_000)),
    "JPEG picture of 300 scans": Bomb("JPEG picture", lambda: [progressive_jpeg(300)]),
    "JPEG of 300 scans": Bomb(
        "JPEG baseline", lambda: with_frame("JPEG baseline", progressive_jpeg(300), 5600, 5600)
    ),
    "PNG with a million chunks": Bomb(
        "PNG of 8 bits", lambda: png_with(chunk(b"tEXt", b"a\0") * 1_000_000)
    ),
    # ---------------------------------------------------------------- carries something along
    "64 MB behind the pixels": Bomb("explicit", lambda: [seed("explicit"), 64 * MEGABYTE]),
    "64 MB behind the compressed pixels": Bomb(
        "JPEG 2000", lambda: [seed("JPEG 2000"), 64 * MEGABYTE]
    ),
    "64 MB of padding, so called": Bomb(
        "explicit",
        lambda: [
            seed("explicit"),
            long(0xFFFCFFFC, b"OB", 64 * MEGABYTE),
            64 * MEGABYTE,
        ],
    ),
    "64 MB in another fragment": Bomb(
        "JPEG 2000", lambda: in_fragments(head(ITEM, 64 * MEGABYTE), 64 * MEGABYTE)
    ),
    "200 MB in a private element": Bomb(
        "explicit",
        lambda: before_image(private(b"OB", 200 * MEGABYTE), 200 * MEGABYTE),
        kind="film",
    ),
    "200 MB in an element that is read": Bomb(
        "explicit",
        lambda: before_image(long(0x00181030, b"UT", 200 * MEGABYTE), 200 * MEGABYTE),
    ),
    "200 MB of PNG": Bomb("PNG of 8 bits", lambda: [seed("PNG of 8 bits"), 200 * MEGABYTE]),
    "100 MB of PNG": Bomb(
        "PNG of 8 bits", lambda: [seed("PNG of 8 bits"), 100 * MEGABYTE], kind="film"
    ),
}
