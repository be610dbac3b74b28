"""The card of a study's final model, in Markdown: its use, what it was shown to do, its limits."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skosteo.clinical import table_one
from skosteo.evaluation._format import proportion_text
from skosteo.evaluation.calibration import at_prevalence
from skosteo.image.film_estimator import FilmEstimator
from skosteo.persistence.content import parts
from skosteo.study.design import versions
from skosteo.study.report.abstract import (
    has_thresholds_of_folds,
    judged,
    limits,
    percent,
    texts,
)
from skosteo.study.report.content import split_text
from skosteo.study.report.tables import decimal

_USE = (
    "To find adults who may be sent to a bone density scan (DXA), from what is at hand already. "
    "**It is not to be used to rule out low bone mineral density** (compare 21 CFR 892.1171), nor "
    "to diagnose, nor for children. For research only; it is not a medical device."
)
# What a study cannot know, and whoever gives the model away must
_OPEN = (
    "Who made the model, and whom to ask",
    "Ethics approval, and the licence of the model",
    "How patients and films were chosen: places, dates, machines, consent",
    "Reference standard: site of measurement, machine, reference population",
    "Patients for whom it must not be used, and known failures in the clinic",
    "Validation at another hospital (`skosteo validate`)",
    "Who watches over its use, and when it is to be updated",
)
_FIGURES = (
    *("prevalence", "AUC", "sensitivity", "specificity", "PPV", "NPV", "mean risk"),
    *("observed / expected", "calibration slope", "calibration intercept", "ICI", "net benefit"),
)
_COHORT = "## Development cohort"
_EXAMPLE = 0.1  # prevalence elsewhere, where none is stated
_OF_FOLDS = (
    " Rates are those at the threshold of each fold, chosen on the others, not at the one above."
)


def model_card(study: Any) -> str:
    """Write the card of a study's final model."""
    settings, final, design = study.settings, study.final, study.design
    risk, figures = final.recalibrated, texts(study)
    counts = design.counts().loc["all"]
    n_development = len(set(design.patient[design.development]))
    seen = _seen(study)
    sections = {
        f"# {_plain(settings.title)}": [f"Final model: {_plain(final.title)}."],
        "## Intended use": [_USE],
        "## What it answers": [
            f"The risk of: {_plain(settings.outcome)}. It may see {', '.join(seen)}.",
            f"Its risks are recalibrated on out-of-fold predictions: slope "
            f"{decimal(risk.slope_, 3)}, intercept {decimal(risk.intercept_, 3)} on the log odds.",
            f"Positive is a risk of {proportion_text(final.model.threshold)} or more, chosen on "
            f"the same predictions by this rule: {final.rule}.",
            _elsewhere(study),
            *map(_plain, final.notes),
        ],
        "## Limits": _items(map(_plain, limits(study))),
        "## What it was shown to do": [
            f"Judged on {judged(study)[0]:,} patients by predictions for those whom a model had "
            f"not seen, with 95 % confidence intervals by patient. ({split_text(study)}.)"
            + _OF_FOLDS
            * has_thresholds_of_folds(study),
            _table(["figure", "value"], [[n, figures[n]] for n in _FIGURES if n in figures]),
        ],
        _COHORT: [
            f"{n_development:,} patients, in aggregates; small cells are suppressed. The study has "
            f"{counts['patients']:,} patients in all.",
            *_development(study),
        ],
        "## Left open": [
            "What follows a study cannot know. Fill it in before the model is given away.",
            _items(f"{item}: ..." for item in _OPEN)[0],
        ],
        "## Made with": [
            ", ".join(f"{name} {number}" for name, number in versions().items()) + ".",
            f"Seed {settings.seed}. Digest of rows, films, labels and folds: {study.digest}.",
        ],
    }
    return "\n\n".join("\n\n".join([title, *body]) for title, body in sections.items()) + "\n"


def _elsewhere(study: Any) -> str:
    """Say where the risks are right, and how they are moved to another prevalence."""
    among, there = study.final.recalibrated.prevalence_, study.settings.prevalence or _EXAMPLE
    at = at_prevalence(np.array([study.final.model.threshold]), there, among)[0]
    return (
        f"Risks and threshold are those of patients of whom {percent(among)} have the outcome, "
        f"whatever prevalence the report states. Where {percent(there)} have it, move both in what "
        "`load_model` gives: "
        f"`model.estimator.estimator.set_params(prevalence={there:g})`, and "
        f"`model.set_params(threshold={at:.4g})`, by which the same patients are positive (see "
        "`RecalibratedClassifier` and the guide's page on recalibration)."
    )


def _seen(study: Any) -> list[str]:
    """Say what the final model may see: the radiograph, clinical columns."""
    model, fitted = study.models[study.primary], study.final.recalibrated.estimator_
    film = any(isinstance(part, FilmEstimator) for part in parts(fitted))
    columns = study.settings.clinical_columns if model.columns is None else model.columns
    if model.name == "texture" or isinstance(fitted, FilmEstimator):
        columns = ()
    return ["the chest radiograph"] * film + [*map(_plain, columns)]


def development_of(card: str) -> pd.DataFrame | None:
    """Read the development cohort back from a card; None where it holds none."""
    _, _, after = card.partition(f"\n{_COHORT}\n")
    lines = [line for line in after.split("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[_read(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rows = [row for row in cells[2:] if len(row) == 3]  # below the heading and its line
    if not rows:
        return None
    index = pd.MultiIndex.from_tuples(
        [tuple(row[:2]) for row in rows], names=["characteristic", "level"]
    )
    return pd.DataFrame({"all": [row[2] for row in rows]}, index=index)


def _development(study: Any) -> list[str]:
    """Describe the patients that the model was made from, by the columns as they are called."""
    rows, columns = study.design.development, list(study.settings.clinical_columns)
    if not columns:
        return []
    shown = study.design.X.iloc[rows][columns]
    everyone = table_one(shown, groups=study.design.patient[rows])["all"]
    pairs = zip(everyone.index.tolist(), everyone.tolist(), strict=True)
    lines = [[*index, value] for index, value in pairs]
    return [_table(["characteristic", "level", "patients"], lines)]


def _items(lines: Iterable[str]) -> list[str]:
    return ["\n".join(f"* {line}" for line in lines)]


def _table(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _plain(text: Any) -> str:
    """Text of a study as Markdown shows it: no HTML, no cell that ends another."""
    return _escaped(" ".join(str(text).split()))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", r"\|")


def _cell(text: Any) -> str:
    """Text of a table's cell, from which `_read` has it back to the last blank and line break."""
    return re.sub(r"^\s|\s$|(?<=\s)\s|[^\S ]", lambda c: f"&#{ord(c[0])};", _escaped(str(text)))


def _read(cell: str) -> str:
    text = re.sub(r"&#(\d+);", lambda code: chr(int(code[1])), cell.strip())
    return text.replace(r"\|", "|").replace("&lt;", "<").replace("&amp;", "&")
