"""``skosteo validate``: a saved model judged on the patients of another hospital."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._extras import require
from skosteo.clinical.flow import ExclusionLog
from skosteo.commands.outcome import add_outcome_arguments, known_rows, read_outcome
from skosteo.commands.tables import (
    add_table_arguments,
    check_column,
    check_model,
    check_values,
    film_paths,
    read_cohort,
    score_in_parts,
)
from skosteo.evaluation.subgroups import level_codes
from skosteo.exceptions import InputError
from skosteo.persistence import read_card
from skosteo.recalibration.threshold import threshold_of
from skosteo.scoring import NOT, PARTLY, Scorer
from skosteo.study.inputs import joined_flow
from skosteo.study.report.model_card import development_of
from skosteo.validation.external import judge
from skosteo.validation.page import check_folder

ABOUT = "a saved model judged on the patients of another hospital"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    add = parser.add_argument
    add("model", type=Path, help="file of the model, .skops")
    add_table_arguments(parser)
    add_outcome_arguments(parser)
    add("--out", type=Path, required=True, help="folder of the page and its tables")
    add("--image-column", help="column of image names (default: the model's)")
    add("--subgroups", nargs="+", default=[], metavar="COLUMN", help="such as device, projection")
    add("--threshold", type=float, help="risk from which a row is positive (default: the model's)")
    add("--jobs", dest="n_jobs", type=int, help="radiographs read at a time")


def run(given: argparse.Namespace) -> None:
    """Validate a model from parsed arguments, and print what came out."""
    require("plots", "The page of a validation")  # before the work, not after it
    check_folder(given.out)
    check_model(given.model)
    scorer = Scorer(given.model, image_column=given.image_column, n_jobs=given.n_jobs)
    column = scorer.image_column
    threshold_of(scorer.model, given.threshold)  # slips are told before a film is read
    table = read_cohort(given, column)
    for name in given.subgroups:
        level_codes(table[name], f"--subgroups {name!r}")
    if column is not None:
        check_column(table, column, "--image-column")
        table[column] = film_paths(table, column, given)
    outcome = read_outcome(table, given)
    if given.positive is not None:
        _check_words(scorer.model.classes_, table[given.target], given)
    known, n_rows = np.flatnonzero(outcome.positive.notna()), len(table)
    table, target, flow = known_rows(table, outcome, given.patient, outcome.name)
    check_values(scorer.model, table, known, n_rows)
    scores = pd.concat([score() for _, score in score_in_parts(scorer, table)])
    answered = (scores["status"] != NOT).to_numpy()
    rows = ExclusionLog(table, given.patient)
    why = _reasons(scores)
    for reason in why[~answered].unique():
        rows.exclude(reason, (why == reason).to_numpy() & ~answered)
    kept = np.flatnonzero(rows.kept)
    if not len(kept):
        raise InputError(
            "The model answers no row. Look at the films, and at the columns it needs."
        )
    labels = np.asarray(scorer.model.classes_)[target.to_numpy()]
    card = read_card(given.model)
    found = judge(
        scorer.model,
        table.drop(columns=[] if column is None else column).iloc[kept],
        pd.Series(labels[kept], name=outcome.name),
        None if given.patient is None else table[given.patient].iloc[kept],
        scores["probability"].to_numpy()[kept],
        subgroups=table[given.subgroups].iloc[kept],
        threshold=given.threshold,
        development=None if card is None else development_of(card),
        flow=joined_flow(flow, rows, target.to_numpy()[kept], outcome.name),
    )
    found.save(given.out)
    print(repr(found))  # noqa: T201
    if in_part := (scores["status"] == PARTLY).sum():
        print(f"Rows that not all branches answer: {in_part:,} of {len(kept):,}.")  # noqa: T201
    print(f"\nvalidation.html and its tables are in {given.out}")  # noqa: T201


def _check_words(classes: NDArray, values: pd.Series, given: argparse.Namespace) -> None:
    """Refuse an outcome whose words are those of the model, turned round."""
    if not all(isinstance(label, str) for label in classes):
        return
    first, second = (label.strip().casefold() for label in classes)
    ill = {word.strip().casefold() for word in given.positive}
    well = {word.strip().casefold() for word in given.negative or ()}
    if given.negative is None:
        well = {str(word).strip().casefold() for word in values.dropna()} - ill
    if first in ill or second in well:
        raise InputError(
            f"The model gives the probability of {classes[1]!r}, which sorts behind "
            f"{classes[0]!r}, and --positive names another word. Give --positive {classes[1]} to "
            "judge that; a model of the other probability is fitted to labels such as 0 and 1, of "
            "which the greater one means ill."
        )


def _reasons(scores: pd.DataFrame) -> pd.Series:
    """Why a row without an answer is left out, in words that are the same for many."""
    rules = "radiograph breaks the rule '" + scores["rule"] + "'"
    other = np.where(scores["reason"] == "", "nothing for the model to see",
                     "radiograph missing or cannot be read")  # fmt: skip
    return rules.where(scores["rule"] != "", other)
