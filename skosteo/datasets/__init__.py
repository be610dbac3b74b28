"""Data to try skosteo on: a synthetic cohort with a planted signal, and two real data sets."""

from skosteo.datasets.cohort import make_cohort
from skosteo.datasets.hannover import fetch_hannover_cxr
from skosteo.datasets.nhanes import fetch_nhanes

__all__ = ["fetch_hannover_cxr", "fetch_nhanes", "make_cohort"]
