"""Whether a study has enough patients, and what of their values is missing."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from skosteo.clinical.reading import REPORT_TEXTS, kind_of
from skosteo.clinical.text_components import N_COMPONENTS
from skosteo.clinical.variables import display_name
from skosteo.evaluation import development_sample_size, validation_sample_size
from skosteo.evaluation.sample_size import ALL
from skosteo.study.design import Design, Settings

# of the 95 % intervals that a validation is to give, from limit to limit
WIDTHS = {"oe_width": 0.2, "slope_width": 0.2, "auc_width": 0.1}


def missing_values(design: Design, settings: Settings) -> pd.DataFrame:
    """Missing values of each clinical column by outcome; a column without one has no line."""
    lines = {}
    for column in settings.clinical_columns:
        missing = design.X[column].isna().to_numpy()
        if missing.any():
            sides = {settings.outcome: design.y == 1, f"no {settings.outcome}": design.y == 0}
            lines[display_name(column)] = {
                name: f"{missing[side].sum():,}/{side.sum():,} ({100 * missing[side].mean():.1f} %)"
                for name, side in sides.items()
            }
    return pd.DataFrame.from_dict(lines, orient="index")


def sample_size(
    design: Design, settings: Settings, columns: Sequence[str], auc: float
) -> pd.DataFrame:
    """Return how many patients are wanted, by criterion, beside those that there are.

    Parameters
    ----------
    design, settings : Design, Settings
        Of the study.
    columns : sequence of str
        Clinical columns that the model sees.
    auc : float
        Its area under the ROC curve as it was measured.

    Notes
    -----
    `development_sample_size` with a parameter for a number, levels less one for a category, a few
    for report text and one for the film: a net or a forest has many more, so that this is the
    least. `validation_sample_size` at `WIDTHS`, and at the stated prevalence where there is one. No
    number is wanted ("not estimable") where the model does not tell patients apart.
    """
    counts: dict[Any, dict[Any, int]] = design.counts().to_dict("index")
    known = [counts[name] for name in ("development", "test") if design.has_test]
    there = known or [counts["all"]] * 2
    cases = proportions_of_cases(design, settings)
    lines, wanted = {}, {}
    if 0.5 < auc < 1:
        n_parameters = n_parameters_of(design, settings, columns)
        developed = development_sample_size(n_parameters, cases[0], auc)
        wanted = {
            f"development, {n_parameters} parameters": developed,
            "validation": validation_sample_size(cases[1], auc, **WIDTHS),
        }
    for (part, sizes), here in zip(wanted.items(), there, strict=False):
        for line in sizes[sizes["criterion"] != ALL].to_dict("records"):
            met = "yes" if here["patients"] >= line["n"] else "no"
            lines[f"{part}: {line['criterion']}"] = (
                line["n"], line["events"], here["patients"], here["positive patients"], met
            )  # fmt: skip
    names = ["patients needed", "events needed", "patients here", "events here", "met"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=names)


def proportions_of_cases(design: Design, settings: Settings) -> tuple[float, float]:
    """Proportions of cases that development and validation are reckoned for."""
    counts = design.counts()
    parts = counts.loc[["development", "test"] if design.has_test else ["all", "all"]]
    here, judged = parts["positive patients"] / parts["patients"]
    return float(here), float(judged if settings.prevalence is None else settings.prevalence)


def n_parameters_of(design: Design, settings: Settings, columns: Sequence[str]) -> int:
    """Count the parameters of a logistic model of the film's risk and the clinical columns."""
    n = int(settings.image_column is not None)
    for column in columns:
        kind = kind_of(design.X, column, REPORT_TEXTS)
        levels = design.X[column].nunique()
        n += {"text": N_COMPONENTS, "category": max(levels - 1, 1)}.get(kind, 1)
    return max(n, 1)
