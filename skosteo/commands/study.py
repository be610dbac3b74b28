"""``skosteo study``: from a CSV and a folder of images to a report."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from skosteo.clinical.flow import Flow
from skosteo.clinical.giveaways import is_of_relatives, name_gives_away
from skosteo.clinical.variables import recognise
from skosteo.commands.outcome import add_outcome_arguments, known_rows, read_outcome
from skosteo.commands.tables import (
    add_table_arguments,
    check_column,
    check_numbers,
    film_paths,
    read_cohort,
)
from skosteo.exceptions import InputError
from skosteo.study.inputs import DEFAULT_RULE, VALIDATIONS, is_sex_or_age
from skosteo.study.run import run_study

ABOUT = "the paper's tables and figures for one's own patients"
# options that `run_study` takes as they are
_AS_GIVEN = (
    *("out", "title", "preset", "models", "primary", "comparator", "site", "internal_validation"),
    *("n_folds", "n_repeats", "imputations", "prevalence", "limits", "published", "ignore_rules"),
    *("cache_dir", "device", "n_jobs", "random_state"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    add_table_arguments(parser)
    add = parser.add_argument
    add_outcome_arguments(parser)
    add("--out", type=Path, required=True, help="folder of the report; goes on there after a crash")
    add("--image-column", default="image", help="column of image names (default: image)")
    add("--no-images", action="store_true", help="study the clinical values alone")
    add("--clinical", nargs="+", metavar="COLUMN", help="clinical columns (default: those known)")
    add("--subgroups", nargs="+", default=[], metavar="COLUMN", help="such as device, projection")
    add("--site", metavar="COLUMN", help="column that says the hospital")
    add("--test", metavar="COLUMN", help="column that is 1 for the rows to test on")
    add("--preset", choices=["quick", "paper"], default="quick", help="small nets, or the paper's")
    add("--models", nargs="+", metavar="NAME", help="models (default: those of the preset)")
    add("--primary", metavar="NAME", help="model that the report is about (default: multimodal)")
    add("--comparator", metavar="NAME", help="model that it has to beat (default: age_sex_bmi)")
    add("--internal-validation", choices=VALIDATIONS, default="auto",
        help="how models are judged (default: by a test set if it is large enough)")  # fmt: skip
    add("--folds", dest="n_folds", type=int, default=5, help="beside a test set (default: 5)")
    add("--repeats", dest="n_repeats", type=int, default=5,
        help="of the cross-validation (default: 5)")  # fmt: skip
    add("--operating-point", default=DEFAULT_RULE, metavar="RULE",
        help="rule for thresholds: sensitivity .90 (default), specificity .90, Youden's index; or "
             "a risk, such as .1")  # fmt: skip
    add("--imputations", type=int, default=0, help="of missing values, in a sensitivity analysis")
    add("--prevalence", type=float,
        help="proportion of positives where the model is to be used, for the report alone: risks "
             "and threshold of the saved model stay those of these patients; its card says how to "
             "move them")  # fmt: skip
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
    table = read_cohort(given, given.image_column)
    found = read_outcome(table, given)
    outcome = given.outcome or found.name
    image_column = None if given.no_images else given.image_column
    if image_column is not None:
        check_column(table, image_column, "--image-column", " For a study without, --no-images.")
        table[image_column] = film_paths(table, image_column, given)
    known, n_rows = np.flatnonzero(found.positive.notna()), len(table)
    table, target, flow = known_rows(table, found, given.patient, outcome)
    clinical = _clinical_columns(table, given, image_column)
    check_numbers(table[[*dict.fromkeys(clinical)]], known, n_rows)
    # sex and age among the clinical columns come by themselves, age in bands
    asked = [c for c in given.subgroups if not (c in clinical and is_sex_or_age(c))]
    if not given.quiet:
        print(  # noqa: T201
            "When all fits are done, the final model, figures and tables follow."
        )
    aside = [column for column in (image_column, given.site) if column is not None]
    study = run_study(
        table[[*dict.fromkeys([*clinical, *aside])]],
        target.to_numpy(),
        groups=None if given.patient is None else table[given.patient],
        image_column=image_column,
        clinical_columns=clinical,
        test=None if given.test is None else _as_bool(table, given.test),
        operating_point=_rule(given.operating_point),
        subgroups=table[asked],
        outcome=outcome,
        flow=flow,
        verbose=not given.quiet,
        **{name: getattr(given, name) for name in _AS_GIVEN},
    )
    print(repr(study) + _left_out(study.flow))  # noqa: T201
    print(  # noqa: T201
        f"\nreport.html, its tables and figures, and the final model are in {given.out}"
    )


def _clinical_columns(
    table: pd.DataFrame, given: argparse.Namespace, image_column: str | None
) -> list[str]:
    """Columns of --clinical, or those whose names are known; what is not used is said."""
    aside = {given.target, given.t_score, given.patient, given.test, given.site, image_column}
    clinical = given.clinical or [
        column for column in table if column not in aside and recognise(column) is not None
    ]
    unused = [str(c) for c in table if c not in {*aside, *clinical, *given.subgroups}]
    telling = [c for c in unused if name_gives_away(c) and not is_of_relatives(c)]
    others = [c for c in unused if c not in telling]
    if telling:
        print(  # noqa: T201
            f"Columns left out, since their names promise the outcome: {', '.join(telling)}"
        )
    if others:
        print(  # noqa: T201
            f"Columns that are not used (name them by --clinical): {', '.join(others)}"
        )
    return clinical


def _left_out(flow: Flow) -> str:
    """Say how many rows were left out, and why; nothing where none was."""
    steps = flow.frame()
    out = steps[steps["excluded"] > 0]
    if out.empty:
        return ""
    why = "; ".join(f"{step}: {n}" for step, n in zip(out["step"], out["excluded"], strict=True))
    return f"\n\nLeft out: {out['excluded'].sum()} of {steps['remaining'].iloc[0]} rows ({why})"


def _rule(given: str) -> str | float:
    try:
        return float(given)
    except ValueError:
        return given  # the name of one


def _as_bool(table: pd.DataFrame, column: str) -> np.ndarray:
    values = table[column]
    if not values.isin([0, 1]).all():
        raise InputError(
            f"--test {column!r} holds other than 0 and 1; it is 1 for rows to test on."
        )
    return values.astype(bool).to_numpy()
