"""What may be told of a film beside its pixels: numbers, and words of closed lists."""

import math
import re
from typing import Any

from skosteo.dicom.header import Header

# PS3.3 C.7.3.1.1.1, those that hold images
MODALITIES = {"CR", "DX", "RG", "CT", "MR", "US", "MG", "PT", "NM", "XA", "RF", "PX", "OT", "SC"}
_PHOTOMETRIC = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422"}
_PHOTOMETRIC |= {"YBR_ICT", "YBR_RCT"}
_MAKERS = {
    "Agfa": r"AGFA", "Canon": r"CANON|TOSHIBA", "Carestream": r"CARESTREAM|KODAK",
    "Fujifilm": r"FUJI", "GE": r"\bGE\b|GEMS|GENERAL ELECTRIC", "Hologic": r"HOLOGIC|LORAD",
    "Konica Minolta": r"KONICA|MINOLTA", "Philips": r"PHILIPS", "Samsung": r"SAMSUNG",
    "Shimadzu": r"SHIMADZU", "Siemens": r"SIEMENS", "Swissray": r"SWISSRAY",
    "Varian": r"VARIAN|VAREX",
}  # fmt: skip


def stated_facts(header: Header) -> dict[str, Any]:
    """Facts of `Radiograph` that a DICOM header states; None where it does not."""
    photometric = header.text("PhotometricInterpretation")
    laterality = header.text("ImageLaterality") or header.text("Laterality")
    return {
        "spacing_mm": _spacing(header),
        "view_position": header.view_position(),
        "laterality": laterality if laterality in ("L", "R", "B", "U") else None,
        "modality": _of_list(header.text("Modality"), MODALITIES),
        "manufacturer": _maker(header.text("Manufacturer")),
        "bits": header.integer("BitsStored"),
        "photometric_interpretation": photometric if photometric in _PHOTOMETRIC else None,
    }


def _of_list(word: str, allowed: set[str]) -> str | None:
    return (word if word in allowed else "other") if word else None


def _maker(words: str) -> str | None:
    if not words:
        return None
    return next((name for name, words_of in _MAKERS.items() if re.search(words_of, words)), "other")


def _spacing(header: Header) -> tuple[float, float] | None:
    """Distance of rows and of columns in mm; what is no distance is as good as nothing stated."""
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            rows, columns = header.decimals(name)
        except ValueError:
            continue
        if 0 < rows < math.inf and 0 < columns < math.inf:
            return rows, columns
    return None
