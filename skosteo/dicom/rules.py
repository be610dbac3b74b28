"""What is refused though it can be decoded, and how a user lifts a rule by its name."""

import re
from collections.abc import Iterable
from types import MappingProxyType

from skosteo.dicom.facts import MODALITIES
from skosteo.dicom.header import Header
from skosteo.exceptions import DicomError, InputError

RULES = MappingProxyType(
    {
        "modality": "the modality is not CR, DX or RG: CT, MR, ultrasound, a report, ...",
        "for_processing": "raw detector values, which are not meant to be displayed",
        "body_part": "the header names a part of the body other than the chest",
        "view": "the header says lateral, oblique or decubitus, not frontal",
        "burned_in": "the header says that text is burned into the pixels, often a name",
        "multi_frame": "several frames; lifted: the first is read",
        "color": "the pixels have colour; lifted: their luminance is read",
        "dimensions": "a side under 64 or over 10,000 pixels, or over 32 million pixels",
        "blank": "95 % of the pixels or more show one and the same grey",
        "saturated": "95 % of the pixels or more are pure black or white",
    }
)
MIN_SIDE, MAX_SIDE, MAX_PIXELS = 64, 10_000, 32_000_000

# SOP classes (PS3.4 B.5) that can stand for a modality that a file leaves out
_SOP_CLASS = {
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX",
}
_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
_FRONTAL = ("PA", "AP")
# stems of the terms of PS3.16 annex L and of what people type instead
_CHEST = re.compile(r"CHEST|THORA(?!CIC ?SPINE)|TORAX|TORACE|LUNG|PULM|RIB|STERN|HEART|CLAVIC")
_ELSEWHERE = re.compile(
    r"ABDO|PELV|SPINE|SKULL|FEMUR|KNEE|ANKLE|FOOT|CALCANE|TIBIA|FIBULA|HAND|WRIST|FINGER|THUMB"
    r"|ELBOW|HUMER|SHOULDER|SCAPULA|BREAST|MANDIB|MAXILL|TEETH|ORBIT|SINUS|COCCYX|SACRUM|BLADDER"
    r"|KIDNEY|EXTREMITY|\b(HEAD|NECK|HIP|LEG|TOE|ARM|FOREARM|JAW|NOSE|RADIUS|ULNA)\b"
)
# in English, German, French, Spanish and Italian
_SAYS_LATERAL = re.compile(r"\b(LAT|LATERALE?|LL|SEITLICH|SEITL|PROFIL|PERFIL|PROFILO)\b")
_SAYS_FRONTAL = re.compile(
    r"\b(PA|AP|FRONTALE?|FACE|FRENTE|POSTERO-?ANTERIOR|ANTERO-?POSTERIOR|2 ?VIEWS?|2 ?V)\b"
)


def check_accept(accept: Iterable[str]) -> frozenset[str]:
    """Return the names of the rules to lift, checked.

    Parameters
    ----------
    accept : iterable of str
        Names of `RULES`.

    Returns
    -------
    frozenset of str

    Raises
    ------
    InputError
        It is one string, or holds anything but names of rules.

    Examples
    --------
    >>> sorted(check_accept(["view", "blank"]))
    ['blank', 'view']
    """
    if isinstance(accept, str):
        raise InputError(f"accept={accept!r} is one string; give a list: [{accept!r}]")
    try:
        names = frozenset(accept)
    except TypeError:
        raise InputError(
            f"accept is a {type(accept).__name__}; give a list of names of rules"
        ) from None
    if unknown := sorted(map(repr, names - set(RULES))):
        raise InputError(f"accept has {', '.join(unknown)}; the rules are {', '.join(RULES)}")
    return names


def refuse(rule: str, accept: frozenset[str], reason: str, remedy: str) -> None:
    """Raise unless the rule is lifted."""
    if rule not in accept:
        raise DicomError(reason, f"{remedy}, or lift the rule with accept=[{rule!r}]", rule)


def check_dimensions(rows: int, columns: int, accept: frozenset[str]) -> None:
    """Refuse what is too small or too large for a film, before anything is decoded."""
    if rows < 1 or columns < 1:
        raise DicomError(f"the image has {rows} rows and {columns} columns", "export it again")
    small, large = min(rows, columns), max(rows, columns)
    if small < MIN_SIDE or large > MAX_SIDE or rows * columns > MAX_PIXELS:
        refuse(
            "dimensions",
            accept,
            f"the image has {rows} rows and {columns} columns; a film has {MIN_SIDE} to "
            f"{MAX_SIDE} of each and at most {MAX_PIXELS} pixels",
            "give the film in its original size",
        )


def check_header(header: Header, accept: frozenset[str]) -> None:
    """Refuse what the header says is no frontal chest film, or names somebody in its pixels."""
    modality = header.text("Modality") or _SOP_CLASS.get(header.text("SOPClassUID"), "")
    if modality not in ("CR", "DX", "RG"):
        came = f"says {modality}" if modality in MODALITIES else "does not say CR or DX"
        refuse(
            "modality",
            accept,
            f"the modality is not that of a film: the header {came}; allowed are CR, DX and RG",
            "give a chest film",
        )
    if (
        header.text("PresentationIntentType") == "FOR PROCESSING"
        or header.text("SOPClassUID") == _FOR_PROCESSING
    ):
        refuse(
            "for_processing",
            accept,
            "the image is FOR PROCESSING: raw detector values, not meant to be displayed",
            "give the image FOR PRESENTATION of the same exposure",
        )
    if header.text("BurnedInAnnotation") == "YES":
        refuse(
            "burned_in",
            accept,
            "the header says that annotations are burned into the pixels (0028,0301)",
            "give the film without them, or black them out",
        )
    _check_body_part(header, accept)
    _check_view(header, accept)


def _check_body_part(header: Header, accept: frozenset[str]) -> None:
    part = header.text("BodyPartExamined").upper()
    if (named := _ELSEWHERE.search(part)) and not _CHEST.search(part):
        refuse(
            "body_part",
            accept,
            f"the header names another part of the body than the chest ({named[0]}...)",
            "give a chest film",
        )


def _check_view(header: Header, accept: frozenset[str]) -> None:
    view = header.view_position()
    if view is None:
        # only where the view itself is not stated, and where the description names one view
        words = f"{header.text('SeriesDescription')} {header.text('ProtocolName')}".upper()
        words = words.replace(".", "").replace("_", " ")  # "a.p.", "CHEST_LAT"
        if _SAYS_LATERAL.search(words) and not _SAYS_FRONTAL.search(words):
            view = "LATERAL"
    if view not in (None, *_FRONTAL):
        refuse(
            "view",
            accept,
            f"the header says that the view is {view}; allowed are PA and AP",
            "give the frontal film of the study",
        )
