"""Data to try skosteo on: a synthetic cohort with a planted signal, and two real data sets."""

from skosteo.datasets.cohort import CLINICAL, draw_patients, make_cohort
from skosteo.datasets.hannover import fetch_hannover_cxr
from skosteo.datasets.nhanes import fetch_nhanes

__all__ = ["CLINICAL", "draw_patients", "fetch_hannover_cxr", "fetch_nhanes", "make_cohort"]
