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
        "dark": "no pixel is brighter than a quarter of white",
        "bright": "no pixel that is not black is darker than three quarters of white",
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
# Stems of the terms of PS3.16 annex L and of what people type instead, without accents, in English,
# German, French, Spanish, Italian, Polish and Chinese. A word that is in none of the lists refuses
# nothing. Letters that are none of Latin 1, as in Polish, may be written as anything: \w?.
_SPINE = re.compile(r"SPINE|LUMBAR|CERVIC|\b[BLH]WS\b|COLUMNA|RACHI|WIRBEL|KR\w?GOS\w?UP|椎|脊|腰")
_CHEST = re.compile(
    r"CHEST|\bCXR\b|THORA|TORAX|TORAC|LUNG|PULM|RIB|STERN|HEART|CLAVIC|KLATK|P\w?UC[A-Z]?\b|胸|肺|肋|心"
)
_ELSEWHERE = re.compile(
    r"ABDO|PELV|BASSIN|BECKEN|SKULL|CRAN[IE]|FEMUR|THIGH|KNEE|KNIE|RODILLA|GENOU|GINOCCH|PATELLA|ANKLE"
    r"|FOOT|FEET|HEEL|CALCANE|TIB|FIBULA|HAND|MANO|WRIST|FINGER|THUMB|ELBOW|HUMER|SHOULDER|SCAPULA"
    r"|BREAST|MANDIB|MAXILL|TEETH|ORBIT|SINUS|COCCYX|SACRUM|BLADDER|KIDNEY|EXTREMIT(Y|AE?T)"
    r"|\b(KUB|HEAD|NECK|HIPS?|LEGS?|TOES?|(UPPER|FORE)?ARMS?|JAW|NOSE|RADIUS|ULNA)\b"
    r"|SCHULTER|SCHAE?DEL|\bKOPF|\bHALS|HUE?FT|\bFUSS|SPRUNGGEL|SCHENKEL|(OBER|UNTER)ARM|ELLE?N?BOGEN"
    r"|KIEFER|KREUZBEIN|STEISSBEIN|DAUMEN|\bZEHE|\bFERSE|\bBAUCH|\bNIERE|MAMMA"
    r"|BRZUCH|BRZUSZN|MIEDNIC|CZASZK|KOLAN|\bBARK|BIODR|\bUD[OA]\b|PODUDZI|\bSTOP[AY]\b|\bR\w?K[AI]\b"
    r"|\bD\w?ON(I|IE)?\b|NADGARST|OKIE?C|RAMIE|\bPALEC|ZATOK|ZUCHW"
    r"|[腹盆膝肩髋髖头頭颅顱颈頸手腕肘足脚踝股胫脛腓肱桡橈趾鼻颌乳腿臂]|跟骨|尺骨|[上下四]肢|关节|關節"
)
_NOT_FRONTAL = re.compile(
    r"\b(CHEST)?[LR]{0,2}(LAT|LATERAL[EI]?S?)\b|\bLL\b|\bPROFILO?\b|\bPERFIL\b|\bDWARS\b"
    r"|\bOBLI|\bDECUB|\b[LR][AP]O\b"
    r"|\b(THORAX)?SEITL|\bSEIT(EN)?(AUFN|BILD|ANSICHT|LAGE)|\bZWEITE EBENE|SCHRAE?G"
    r"|BOCZN|\bBOK(IEM)?\b|\bSKOSN|[侧側斜][位面卧臥]|胸部?[侧側]"
)
_FRONTAL = re.compile(
    r"\b(P ?A|A ?P)\d?\b|\bFRONT|\bFACE\b|\bFRENTE\b|POSTERO ?ANT|ANTERO ?POST"
    r"|\b(2|TWO|ZWEI|DEUX|DOS|DUE) ?(V|EBEN|PRO|INCID)|TYLNO ?PRZED|PRZEDNIO ?TYL"
    r"|正[侧側位面]|[后後]前|前[后後]|仰[卧臥]"
)


def check_ignore_rules(ignore_rules: Iterable[str]) -> frozenset[str]:
    """Check the names of rules to lift.

    Parameters
    ----------
    ignore_rules : iterable of str
        Names of `RULES`.

    Returns
    -------
    frozenset of str
        The same names.

    Raises
    ------
    InputError
        If it is a single string or holds another name.

    Examples
    --------
    >>> sorted(check_ignore_rules(["view", "blank"]))
    ['blank', 'view']
    """
    if isinstance(ignore_rules, str):
        raise InputError(
            f"ignore_rules={ignore_rules!r} is one string; give a list: [{ignore_rules!r}]"
        )
    try:
        if iter(ignore_rules) is ignore_rules:  # it would be empty the next time
            raise TypeError
        names = frozenset(ignore_rules)
    except TypeError:
        raise InputError(
            f"ignore_rules is a {type(ignore_rules).__name__}; give a list of names of rules"
        ) from None
    if unknown := sorted(map(repr, names - set(RULES))):
        raise InputError(f"ignore_rules has {', '.join(unknown)}; the rules are {', '.join(RULES)}")
    return names


def refuse(rule: str, ignore_rules: frozenset[str], reason: str, remedy: str) -> None:
    """Raise unless the rule is lifted."""
    if rule not in ignore_rules:
        raise DicomError(reason, f"{remedy}, or lift the rule with ignore_rules=[{rule!r}]", rule)


def check_dimensions(rows: int, columns: int, ignore_rules: frozenset[str]) -> None:
    """Refuse what is too small or too large for a film, before anything is decoded."""
    if rows < 1 or columns < 1:
        raise DicomError(f"the image has {rows} rows and {columns} columns", "export it again")
    small, large = min(rows, columns), max(rows, columns)
    if small < MIN_SIDE or large > MAX_SIDE or rows * columns > MAX_PIXELS:
        refuse(
            "dimensions",
            ignore_rules,
            f"the image has {rows} rows and {columns} columns; a film has {MIN_SIDE} to "
            f"{MAX_SIDE} of each and at most {MAX_PIXELS} pixels",
            "give the film in its original size",
        )


def check_header(header: Header, ignore_rules: frozenset[str]) -> None:
    """Refuse what the header says is no frontal chest film, or names somebody in its pixels."""
    modality = header.text("Modality") or _SOP_CLASS.get(header.text("SOPClassUID"), "")
    if modality not in ("CR", "DX", "RG"):
        came = f"says {modality}" if modality in MODALITIES else "does not say CR or DX"
        refuse(
            "modality",
            ignore_rules,
            f"the modality is not that of a film: the header {came}; allowed are CR, DX and RG",
            "give a chest film",
        )
    if (
        header.text("PresentationIntentType") == "FOR PROCESSING"
        or header.text("SOPClassUID") == _FOR_PROCESSING
    ):
        refuse(
            "for_processing",
            ignore_rules,
            "the image is FOR PROCESSING: raw detector values, not meant to be displayed",
            "give the image FOR PRESENTATION of the same exposure",
        )
    if header.text("BurnedInAnnotation").startswith("Y"):
        refuse(
            "burned_in",
            ignore_rules,
            "the header says that annotations are burned into the pixels (0028,0301)",
            "give the film without them, or black them out",
        )
    _check_body_part(header, ignore_rules)
    _check_view(header, ignore_rules)


def _check_body_part(header: Header, ignore_rules: frozenset[str]) -> None:
    part = header.words("BodyPartExamined")
    named = _SPINE.search(part) or (not _CHEST.search(part) and _ELSEWHERE.search(part))
    if named:
        refuse(
            "body_part",
            ignore_rules,
            f"the header names another part of the body than the chest ({named[0]})",
            "give a chest film",
        )


def _check_view(header: Header, ignore_rules: frozenset[str]) -> None:
    view = header.view_position()
    if view is None:
        view = _view_in_words(header)
    if view not in (None, "PA", "AP"):
        refuse(
            "view",
            ignore_rules,
            f"the header says that the view is {view}; allowed are PA and AP",
            "give the frontal film of the study",
        )


def _view_in_words(header: Header) -> str | None:
    """View that the texts of the header speak of, the most specific first; None: of none."""
    for names in (("ViewPosition",), ("SeriesDescription", "ProtocolName")):
        words = header.words(*names)
        if _FRONTAL.search(words):  # a series of both views names both, and none of this one
            return None
        if _NOT_FRONTAL.search(words):
            return "not frontal"
    return None
