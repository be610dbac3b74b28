"""Columns that say which patient a row is of, known by their headings."""

import re

from skosteo._validation import plain_name

# Whole headings, without case, blanks and punctuation
_IDENTIFIER = re.compile(
    r"(patients?|pat|subjects?|subj|person|participant|case|record|medicalrecord|mr|study)"
    r"(id|ids|no|nr|num|number|code|key|identifier)"
    r"|patient|subject|hospital(no|nr|num|number)|mrn|pid|uid|seqn|accession(no|number)?|nhc|nhsnumber|ssn"
    r"|(id)?paciente|numerodehistoria|historiaclinica|patientennummer|fallnummer|versichertennummer"
    r"|(患者|病人|住院|门诊|就诊|病历|病案|检查|影像|登记|身份证)(id|号|编号|号码|序号)|病历|身份证"
)


def names_patient(heading: object) -> bool:
    """Whether a column of this heading is an identifier: it says who, and nothing of bone.

    Examples
    --------
    >>> [names_patient(heading) for heading in ("Patient ID", "mrn", "住院号", "age")]
    [True, True, True, False]
    """
    plain = plain_name(heading)
    return _IDENTIFIER.fullmatch(plain) is not None
