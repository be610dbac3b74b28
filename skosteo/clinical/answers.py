"""Columns whose names promise the answer itself: density, T-score, the diagnosis, its drugs."""

import re
from unicodedata import normalize

from skosteo.clinical.report_text import GIVEAWAY_TERMS, compile_terms
from skosteo.clinical.variables import recognise

# Where a T-score is measured, as columns name it
_SITE = r"(?:lumbar|spine|hip|neck|femur|femoral|fn|ls|l ?\d(?: ?l? ?\d)?)"

# Read after every separator has become a blank. Densities of lipoproteins, urine and soft tissue
# are none of bone, and total protein is no total hip.
_NAMES = compile_terms(
    (
        r"osteop[oe]|bmd|(?<![a-z])(?:bmc|de?xa)(?![a-z])|骨[质質]量|[tz]值",
        r"bone ?(?:mineral|mass|densit|drug)|zoledron",
        r"^(?!.*(?:lipo|urin|lung|pulmon|breast|mammo|nodul|capill)).*densi(?:t|dad)",
        rf"(?<![a-z])[tz] ?(?:score|value|{_SITE})",
        rf"(?<![a-z])[tz] ?total(?: ?(?:score|value|left|right|{_SITE}))*$",
        rf"(?<![a-z])(?:{_SITE}|total) [tz]$",
        r"(?<![a-z])m?g cm ?2(?!\d)",
        *GIVEAWAY_TERMS,
    )
)


def names_answer(column: object) -> bool:
    """Whether a column's name promises the answer; names of clinical variables do not."""
    if not isinstance(column, str) or recognise(column):
        return False
    name = re.sub(r"[\W_]+", " ", normalize("NFKC", column)).strip()
    return any(pattern.search(name) for pattern in _NAMES)
