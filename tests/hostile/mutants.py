"""Films damaged at random, always alike: each is to be read or refused, whatever the damage.

python -m tests.hostile.mutants
"""

import re
import sys
import zlib
from struct import pack
from typing import NamedTuple

import numpy as np
from pydicom.uid import UID_dictionary

from skosteo.dicom import RULES
from tests.hostile.child import Child, Outcome
from tests.hostile.seeds import (
    MAKERS,
    is_dicom,
    meta_end,
    seed,
    size_fields,
    with_checksums,
    with_elements,
    with_size,
)

ALL = range(10_000)
SLOWEST, LARGEST = 2, 300  # seconds, MB
SEEDS = list(MAKERS)
BOUNDARIES = (0, 1, 2, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000)
BOUNDARIES += (0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
SIZES = (0, 1, 63, 64, 95, 97, 192, 10_000, 10_001, 0x7FFF, 0xFFFF)
ELEMENTS = {
    "Rows": SIZES,
    "Columns": SIZES,
    "SamplesPerPixel": (0, 1, 2, 3, 4, 0xFFFF),
    "BitsAllocated": (0, 1, 8, 12, 16, 24, 32, 64, 0xFFFF),
    "BitsStored": (0, 1, 2, 7, 8, 10, 11, 13, 16, 17, 0xFFFF),
    "HighBit": (0, 1, 7, 10, 11, 12, 15, 16, 0xFFFF),
    "PixelRepresentation": (0, 1, 2),
    "PlanarConfiguration": (0, 1, 2),
    "NumberOfFrames": (-1, 0, 1, 2, 100, 2**31 - 1),
    "PhotometricInterpretation": ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_RCT", ""),
    "WindowCenter": (-1e308, 0, 1e308),
    "WindowWidth": (-1, 0, 0.5, 1, 1e-308, 1e308),
    "RescaleSlope": (-1e308, -1, 0, 1e-308, 1e308),
    "RescaleIntercept": (-1e308, 0, 1e308),
    "PixelPaddingValue": (0, 1, 4095, 65535),
    "Modality": ("CR", "MR", ""),
    "Laterality": ("L", ""),
}
SYNTAXES = sorted(uid for uid, kind in UID_dictionary.items() if kind[1] == "Transfer Syntax")


def within_header(rng, data):
    """Return a position that is as likely as not among the first or the last 1,024 bytes."""
    place = rng.integers(4)
    if place == 0:
        return int(rng.integers(min(1024, len(data))))
    if place == 1:
        return int(len(data) - 1 - rng.integers(min(1024, len(data))))
    return int(rng.integers(len(data)))


def some_bytes(rng):
    return rng.bytes(int(rng.integers(1, 65)))


def flipped(rng, data):
    changed = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        changed[within_header(rng, data)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def overwritten(rng, data):
    at, new = within_header(rng, data), some_bytes(rng)
    return data[:at] + new + data[at + len(new) :]


def cut(rng, data):
    return data[: within_header(rng, data)]


def inserted(rng, data):
    at = within_header(rng, data)
    return data[:at] + some_bytes(rng) + data[at:]


def deleted(rng, data):
    at = within_header(rng, data)
    return data[:at] + data[at + int(rng.integers(1, 65)) :]


def duplicated(rng, data):
    start, at = within_header(rng, data), within_header(rng, data)
    return data[:at] + data[start : start + int(rng.integers(1, 2000))] + data[at:]


def with_boundary(rng, data):
    """A length or number of 16 or 32 bits, of either byte order, at the end of its range."""
    at, value = within_header(rng, data), int(rng.choice(BOUNDARIES))
    order, code = rng.choice(["<", ">"]), "HI"[rng.integers(2)]
    new = pack(f"{order}{code}", value & 0xFFFF if code == "H" else value)
    return data[:at] + new + data[at + len(new) :]


def with_element(rng, data):
    """Another value of an element, all lengths right."""
    if not is_dicom(data):
        return with_dimension(rng, data)
    name = str(rng.choice(list(ELEMENTS)))
    return with_elements(data, **{name: ELEMENTS[name][rng.integers(len(ELEMENTS[name]))]})


def with_dimension(rng, data):
    """Another size in the compressed data, where there are any, and as often in the header too."""
    if not size_fields(data):
        return with_boundary(rng, data)
    rows, columns = (int(rng.choice(SIZES)) for _ in range(2))
    changed = with_size(data, rows, columns)
    if is_dicom(data) and rng.integers(2):
        return with_elements(changed, Rows=rows, Columns=columns)
    return changed


def with_syntax(rng, data):
    """Another transfer syntax than that of the data."""
    if not is_dicom(data):
        return flipped(rng, data)
    stated = re.search(rb"\x02\0\x10\0UI..[0-9.]*\0?", data, re.DOTALL)
    uid = str(rng.choice(SYNTAXES)).encode()
    uid += b"\0" * (len(uid) % 2)
    new = b"\x02\0\x10\0UI" + pack("<H", len(uid)) + uid
    return data[: stated.start()] + new + data[stated.end() :]


def spliced(rng, data):
    other = seed(SEEDS[rng.integers(len(SEEDS))])
    return data[: within_header(rng, data)] + other[within_header(rng, other) :]


DAMAGES = (
    flipped,
    overwritten,
    cut,
    inserted,
    deleted,
    duplicated,
    with_boundary,
    with_element,
    with_dimension,
    with_syntax,
    spliced,
)


def seed_of(number):
    return SEEDS[number % len(SEEDS)]


def damage_of(number):
    """Name of the first damage of this mutant."""
    rng = np.random.default_rng(number)
    if seed_of(number) == "deflated" and rng.integers(2):
        return flipped.__name__
    return DAMAGES[rng.integers(len(DAMAGES))].__name__


def mutant(number):
    """The file of this number: a seed with one damage, or seldom two."""
    rng = np.random.default_rng(number)
    name = seed_of(number)
    data = seed(name)
    if name == "deflated" and rng.integers(2):
        return _deflated_again(rng, data)
    data = _damaged(rng, data)
    # a checksum keeps out accidents, not attacks
    return with_checksums(data) if name.startswith("PNG") and rng.integers(2) else data


def _damaged(rng, data):
    data = DAMAGES[rng.integers(len(DAMAGES))](rng, data)
    return flipped(rng, data) if data and rng.integers(10) == 0 else data


def _deflated_again(rng, data):
    """Damage within the data set, which is deflated as it should be."""
    end = meta_end(data)
    inside = zlib.decompress(data[end:], -zlib.MAX_WBITS)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return data[:end] + deflate.compress(flipped(rng, inside)) + deflate.flush()


class Summary(NamedTuple):
    """What became of some mutants."""

    outcomes: dict[int, Outcome]
    baseline: float  # MB after the imports

    def numbers(self, kind):
        return [number for number, outcome in self.outcomes.items() if outcome.kind == kind]

    @property
    def others(self):
        """Kind of everything that was neither read nor refused, by number."""
        return {
            number: outcome.kind
            for number, outcome in self.outcomes.items()
            if outcome.kind not in ("film", "refused")
        }

    @property
    def seconds(self):
        return np.array([outcome.seconds for outcome in self.outcomes.values()])

    @property
    def peak(self):
        return max(outcome.peak for outcome in self.outcomes.values())

    def __str__(self):
        return (
            f"{len(self.outcomes)} mutants: {len(self.numbers('film'))} accepted, "
            f"{len(self.numbers('refused'))} refused, {len(self.others)} other\n"
            f"slowest {self.seconds.max():.3f} s, p99 {np.quantile(self.seconds, 0.99):.4f} s; "
            f"peak {self.peak:.0f} MB, {self.baseline:.0f} MB of them after the imports\n"
            f"other: {self.others}"
        )


def read_mutants(numbers, ignore_rules=()):
    with Child() as child:
        outcomes = {number: child.read(mutant(number), ignore_rules) for number in numbers}
        return Summary(outcomes, child.baseline)


if __name__ == "__main__":
    sys.stdout.write(f"{read_mutants(ALL)}\n\n")
    sys.stdout.write(f"with all rules lifted, {read_mutants(ALL[::5], RULES)}\n")
