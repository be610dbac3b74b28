"""The clinical side: from the table that a hospital exports to a cohort, and to a matrix."""

from skosteo.clinical.preprocessor import GIVEAWAY_TERMS, ClinicalPreprocessor

__all__ = ["GIVEAWAY_TERMS", "ClinicalPreprocessor"]
