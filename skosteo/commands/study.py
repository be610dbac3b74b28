"""``skosteo study``: from a CSV and a folder of images to a report."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from skosteo.clinical.identifiers import names_patient
from skosteo.clinical.labels import MEANINGS
from skosteo.clinical.variables import recognise
from skosteo.commands.outcome import Outcome, known_rows, of_t_scores, of_target
from skosteo.commands.tables import add_table_arguments, check_column, film_paths, read_csv
from skosteo.exceptions import InputError
from skosteo.study.inputs import is_sex_or_age
from skosteo.study.run import run_study

ABOUT = "the paper's tables and figures for one's own patients"
# options that `run_study` takes as they are
_AS_GIVEN = (
    *("out", "title", "preset", "models", "site", "n_folds", "prevalence", "limits", "published"),
    *("ignore_rules", "cache_dir", "device", "n_jobs", "random_state"),
)
# Marks of a cell that is not known; blanks are besides
_NOT_KNOWN = ["NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    add_table_arguments(parser)
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
    add("--out", type=Path, required=True, help="folder of the report; goes on there after a crash")
    patient = parser.add_mutually_exclusive_group()
    patient.add_argument("--patient", metavar="COLUMN",
        help="column of the patient; needed where a patient has several rows")  # fmt: skip
    patient.add_argument("--no-patient", action="store_true",
        help="each row is a patient of its own")  # fmt: skip
    add("--image-column", default="image", help="column of image names (default: image)")
    add("--no-images", action="store_true", help="study the clinical values alone")
    add("--clinical", nargs="+", metavar="COLUMN", help="clinical columns (default: those known)")
    add("--subgroups", nargs="+", default=[], metavar="COLUMN", help="such as device, projection")
    add("--site", metavar="COLUMN", help="column that says the hospital")
    add("--test", metavar="COLUMN", help="column that is 1 for the rows to test on")
    add("--preset", choices=["quick", "paper"], default="quick", help="small nets, or the paper's")
    add("--models", nargs="+", metavar="NAME", help="models (default: those of the preset)")
    add("--folds", dest="n_folds", type=int, default=5, help="beside the test part (default: 5)")
    add("--prevalence", type=float, help="proportion of positives where the model is to be used")
    add("--title", help="heading of the report")
    add("--outcome", help="what the target means, in words (default: its column)")
    add("--limit", action="append", default=[], metavar="SENTENCE", dest="limits",
        help="what a reader must see first; may be given several times")  # fmt: skip
    add("--published", action="store_true", help="show the paper's published figures beside")
    add("--ignore-rules", nargs="+", default=[], metavar="RULE", help="rules that refuse no image")
    add("--cache", dest="cache_dir", type=Path, help="folder of decoded images (default: its own)")
    add("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")
    add("--jobs", dest="n_jobs", type=int, help="fits at a time")
    add("--seed", dest="random_state", type=int, default=0, help="seed of every draw (default: 0)")
    add("--quiet", action="store_true", help="no progress bars")


def run(given: argparse.Namespace) -> None:
    """Run a study from parsed arguments, and print what came out."""
    table = _read_table(given)
    found = _outcome(table, given)
    outcome = given.outcome or found.name
    image_column = None if given.no_images else given.image_column
    if image_column is not None:
        check_column(table, image_column, "--image-column", " For a study without, --no-images.")
        table[image_column] = film_paths(table, image_column, given)
    table, target, flow = known_rows(table, found, given.patient, outcome)
    clinical = _clinical_columns(table, given, image_column)
    # sex and age among the clinical columns come by themselves, age in bands
    asked = [c for c in given.subgroups if not (c in clinical and is_sex_or_age(c))]
    aside = [column for column in (image_column, given.site) if column is not None]
    study = run_study(
        table[[*dict.fromkeys([*clinical, *aside])]],
        target.to_numpy(),
        groups=None if given.patient is None else table[given.patient],
        image_column=image_column,
        clinical_columns=clinical,
        test=None if given.test is None else _as_bool(table, given.test),
        subgroups=table[asked],
        outcome=outcome,
        flow=flow,
        verbose=not given.quiet,
        **{name: getattr(given, name) for name in _AS_GIVEN},
    )
    print(repr(study))  # noqa: T201
    print(f"\nreport.html, its tables and its figures are in {given.out}")  # noqa: T201


def _clinical_columns(
    table: pd.DataFrame, given: argparse.Namespace, image_column: str | None
) -> list[str]:
    """Columns of --clinical, or those whose names are known; what is not used is said."""
    aside = {given.target, given.t_score, given.patient, given.test, given.site, image_column}
    clinical = given.clinical or [
        column for column in table if column not in aside and recognise(column) is not None
    ]
    unused = [str(c) for c in table if c not in {*aside, *clinical, *given.subgroups}]
    if unused:
        print(  # noqa: T201
            f"Columns that are not used (name them by --clinical): {', '.join(unused)}"
        )
    return clinical


def _read_table(given: argparse.Namespace) -> pd.DataFrame:
    # as text: outcomes stay as they stand, identifiers and film names keep their leading zeros
    words = (given.image_column, given.patient, given.target)
    table = read_csv(given.table, given.encoding, words)
    if given.target in table:  # "None" is a word there: who has none of the outcome is well
        table[given.target] = pd.read_csv(
            given.table, usecols=[given.target], dtype=str, encoding=given.encoding,
            keep_default_na=False, na_values=_NOT_KNOWN,
        )  # fmt: skip
    named = {f"--{name}": [getattr(given, name)] for name in ("target", "patient", "test", "site")}
    named["--t-score"] = [given.t_score]
    named |= {"--clinical": given.clinical or [], "--subgroups": given.subgroups}
    for option, columns in named.items():
        for column in columns:
            if column is not None:
                check_column(table, column, option)
    _check_patient(table, given)
    return table


def _check_patient(table: pd.DataFrame, given: argparse.Namespace) -> None:
    """Refuse a table whose patients seem to have several rows, if nobody says which is whose."""
    if given.patient is not None or given.no_patient:
        return
    for column in filter(names_patient, table.columns.drop(given.site, errors="ignore")):
        known = table[column].dropna()
        if known.nunique() < len(known):
            raise InputError(
                f"Column {column!r} has {known.nunique()} different values in {len(known)} rows, "
                f"as where patients come more than once. Give --patient {column!r}, so that nobody "
                "is on both sides of a split; or --no-patient, if each row is a patient of its own."
            )


def _outcome(table: pd.DataFrame, given: argparse.Namespace) -> Outcome:
    if given.target is not None:
        if given.label is not None:
            raise InputError("--label says what --t-score is made; --target has its own values.")
        if given.negative is not None and given.positive is None:
            raise InputError("--negative says who is well; say who is ill by --positive too.")
        return of_target(table[given.target], given.positive, given.negative)
    if given.positive is not None or given.negative is not None:
        raise InputError("--positive and --negative are for --target; --t-score takes --label.")
    return of_t_scores(table[given.t_score], given.label or "osteoporosis")


def _as_bool(table: pd.DataFrame, column: str) -> np.ndarray:
    values = table[column]
    if not values.isin([0, 1]).all():
        raise InputError(
            f"--test {column!r} holds other than 0 and 1; it is 1 for rows to test on."
        )
    return values.astype(bool).to_numpy()
