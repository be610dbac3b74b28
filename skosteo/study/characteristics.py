"""Table 1 of a study: patients by outcome and by set, so that no small count follows."""

import numpy as np
import pandas as pd

from skosteo.clinical import table_one
from skosteo.clinical.small_levels import SUPPRESSED
from skosteo.study.design import Design, Settings

EVERYONE = "all"


def characteristics(design: Design, settings: Settings) -> pd.DataFrame:
    """Describe the patients with and without the outcome, in development and test.

    Counts that are suppressed in one column are so in "all", or they would follow from it. "SMD" is
    the standardized mean difference between patients with and without the outcome.
    """
    sides = np.where(design.y == 1, settings.outcome, f"no {settings.outcome}")
    order = [settings.outcome, f"no {settings.outcome}"]
    groups = sides
    if design.has_test:
        part = np.full(len(design.y), "development", dtype=object)
        part[design.test] = "test"
        groups = part + ": " + sides
        order = [f"{name}: {side}" for name in ("development", "test") for side in order]
    shown = design.X[list(settings.clinical_columns)]
    if shown.shape[1] == 0:
        shown = pd.DataFrame({"rows": np.ones(len(design.y))})
    kinds = pd.Categorical(groups, categories=order)
    by = table_one(shown, by=kinds, groups=design.patient, labels=True)
    whole = table_one(shown, groups=design.patient, labels=True)[EVERYONE]
    smd = table_one(shown, by=sides, groups=design.patient, labels=True, smd=True)["SMD"]
    hidden = (by == SUPPRESSED).any(axis=1)
    by[EVERYONE] = whole.reindex(by.index).mask(hidden, SUPPRESSED)
    by["SMD"] = smd.reindex(by.index).fillna("").mask(hidden, "")
    return by if settings.clinical_columns else by.loc[["n"]]
