"""The clinical branch: a hospital's table checked, made a cohort, described, and preprocessed."""

from skosteo.clinical.cohort import Cohort, select_cohort
from skosteo.clinical.flow import Flow
from skosteo.clinical.labels import label, t_score
from skosteo.clinical.preprocessor import ClinicalPreprocessor
from skosteo.clinical.report_text import GIVEAWAY_TERMS
from skosteo.clinical.summary import table_one
from skosteo.clinical.values import check_values
from skosteo.clinical.variables import recognise

__all__ = [
    "GIVEAWAY_TERMS",
    "ClinicalPreprocessor",
    "Cohort",
    "Flow",
    "check_values",
    "label",
    "recognise",
    "select_cohort",
    "t_score",
    "table_one",
]
