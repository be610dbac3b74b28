"""Data to try skosteo on: a synthetic cohort with a planted signal, and two real data sets."""

from .cohort import make_cohort
from .hannover import fetch_hannover_cxr
from .nhanes import fetch_nhanes

__all__ = ["fetch_hannover_cxr", "fetch_nhanes", "make_cohort"]
