"""The outcome of a study from a column of a CSV: 0 and 1, two words, or T-scores."""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from skosteo._validation import is_missing
from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.clinical.labels import MEANINGS, Kind, check_kind, label, read_t_scores
from skosteo.exceptions import InputError


def add_outcome_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which column is the outcome, and which the patient."""
    add = parser.add_argument
    outcome = parser.add_mutually_exclusive_group(required=True)
    outcome.add_argument("--target", metavar="COLUMN",
        help="column of the outcome, 0 and 1; rows without it are left out, counted")  # fmt: skip
    outcome.add_argument("--t-score", metavar="COLUMN", help="column of T-scores, labelled as said")
    add("--label", choices=list(MEANINGS),
        help="what T-scores are made: T <= -2.5, or T < -1 (default: osteoporosis)")  # fmt: skip
    add("--positive", nargs="+", metavar="VALUE", help="values of the target that mean ill")
    add("--negative", nargs="+", metavar="VALUE",
        help="values that mean well, where several do; all others are not known")  # fmt: skip
    patient = parser.add_mutually_exclusive_group()
    patient.add_argument("--patient", metavar="COLUMN",
        help="column of the patient; needed where a patient has several rows")  # fmt: skip
    patient.add_argument("--no-patient", action="store_true",
        help="each row is a patient of its own")  # fmt: skip


class Outcome(NamedTuple):
    """Which rows are positive: 1.0, 0.0, and NaN where it is not known; and what 1 means."""

    positive: pd.Series
    name: str


def read_outcome(table: pd.DataFrame, given: argparse.Namespace) -> Outcome:
    """Read the outcome as the arguments say."""
    if given.target is not None:
        if given.label is not None:
            raise InputError("--label says what --t-score is made; --target has its own values.")
        if given.negative is not None and given.positive is None:
            raise InputError("--negative says who is well; say who is ill by --positive too.")
        return of_target(table[given.target], given.positive, given.negative)
    if given.positive is not None or given.negative is not None:
        raise InputError("--positive and --negative are for --target; --t-score takes --label.")
    return of_t_scores(table[given.t_score], given.label or "osteoporosis")


def of_target(
    values: pd.Series, positive: Sequence[str] | None, negative: Sequence[str] | None
) -> Outcome:
    """Read a column of 0 and 1, or of the words that are named positive, and negative.

    A blank cell is not known, and where both kinds are named, every other word is not known.
    """
    name = str(values.name)
    words = values.map(lambda cell: None if is_missing(cell) else str(cell).strip())
    known = sorted(words.dropna().unique())
    if len(known) < 2:
        raise InputError(
            f"--target {name!r} has {len(known)} value in all rows; 0 and 1 are needed."
        )
    if positive is None:
        return Outcome(_of_numbers(words, name), name)
    _check_named(known, name, "--positive", positive)
    others = [word for word in known if word not in positive]
    if negative is not None:
        _check_named(known, name, "--negative", negative)
        if both := set(positive) & set(negative):
            raise InputError(f"--positive and --negative both name {sorted(both)}.")
        others = list(negative)
    elif len(others) != 1:
        raise InputError(
            f"--target {name!r} has {len(others)} different values beside --positive. Who is well, "
            "and whose outcome is only not known? Name the former by --negative VALUE ...; rows "
            "with any other value are counted and left out."
        )
    codes = dict.fromkeys(positive, 1.0) | dict.fromkeys(others, 0.0)
    return Outcome(words.map(codes), name)


def _of_numbers(words: pd.Series, name: str) -> pd.Series:
    truths = {"false": 0.0, "true": 1.0}
    numbers = words.str.casefold().map(truths).fillna(pd.to_numeric(words, errors="coerce"))
    known = sorted(words.dropna().unique())
    if numbers[words.notna()].isin([0, 1]).all():
        return numbers
    came = f"the values {known}" if len(known) == 2 else f"{len(known)} different values"
    remedy = "Say who is ill by --positive VALUE"
    remedy += "." if len(known) == 2 else ", and who is not by --negative VALUE."
    raise InputError(
        f"--target {name!r} has {came}; it takes two, 0 and 1. {remedy} For a column of T-scores "
        "give --t-score COLUMN instead of --target."
    )


def _check_named(known: Sequence[str], name: str, option: str, words: Sequence[str]) -> None:
    absent = [word for word in words if word not in known]
    if absent:
        raise InputError(
            f"{option} names {absent}, which no row of --target {name!r} holds. Write it as the "
            "table does."
        )


def of_t_scores(values: pd.Series, kind: Kind) -> Outcome:
    """Label T-scores as `skosteo.clinical.label` does; missing ones are not known."""
    check_kind(kind)
    scores = pd.Series(read_t_scores(values, f"--t-score {values.name!r}"), index=values.index)
    positive = label(scores.dropna(), kind).reindex(values.index).astype(float)
    if positive.nunique() < 2:
        raise InputError(
            f"--t-score {values.name!r} makes 1 class of {positive.notna().sum()} known rows with "
            f"--label {kind}; two are needed."
        )
    return Outcome(positive, MEANINGS[kind][0])


def known_rows(
    table: pd.DataFrame, found: Outcome, patient: str | None, meaning: str
) -> tuple[pd.DataFrame, pd.Series, Flow]:
    """Leave out, and count, the rows whose outcome is not known: table, label and flow."""
    unknown = found.positive.isna().to_numpy()
    rows = ExclusionLog(table, patient)
    if unknown.any():
        rows.exclude("outcome not known", unknown)
    positive = found.positive[rows.kept].astype(int).reset_index(drop=True)
    flow = Flow(rows.frame(), rows.outcome(positive, (meaning, f"no {meaning}")))
    return table[rows.kept].reset_index(drop=True), positive, flow
