"""Reading of radiographs: one file to one `Radiograph`, or a `DicomError` that says why not.

A chest film reaches a researcher as DICOM of many kinds, or as PNG, JPEG or TIFF. Every kind ends
here as the same thing: what a viewer would show, in [0, 1], with bone bright. No message, fact or
log line names a path or quotes the header beyond numbers and words of closed lists, because both
can identify a patient.

Read the modules in this order: `reading` (the door), `sources` (paths, bytes and open files),
`elements` and `header` (what the file says, no length trusted), `rules` (what is refused),
`decode` and `codestream` (stored values), `display` (stored values to brightness), `picture` (PNG,
JPEG, TIFF), `facts` and `radiograph` (the result).
"""

from skosteo.dicom.radiograph import Radiograph
from skosteo.dicom.reading import read_facts, read_radiograph
from skosteo.dicom.rules import RULES, check_ignore_rules

__all__ = ["RULES", "Radiograph", "check_ignore_rules", "read_facts", "read_radiograph"]
