"""Command line: ``python -m skosteo study``, from a CSV and a folder of images to a report."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skosteo._validation import guess
from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.clinical.variables import recognise
from skosteo.exceptions import InputError, SkosteoError
from skosteo.study.inputs import is_sex_or_age
from skosteo.study.run import run_study

# options that `run_study` takes as they are
_AS_GIVEN = (
    *("out", "preset", "models", "site", "n_folds", "prevalence", "limits", "published"),
    *("ignore_rules", "cache_dir", "device", "n_jobs", "random_state"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    add = parser.add_argument
    add("table", type=Path, help="CSV file, one row per radiograph")
    add("--target", required=True, help="column of 0 and 1; rows without it are left out, counted")
    add("--out", type=Path, required=True, help="folder of the report; goes on there after a crash")
    add("--patient", help="column of the patient; needed where a patient has several rows")
    add("--images", type=Path, help="folder that the image names are relative to")
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
    outcome = given.outcome or given.target
    table, flow = _with_target(_read_table(given), given, outcome)
    image_column = None if given.no_images else given.image_column
    if image_column is not None:
        _check_column(table, image_column, "--image-column", " For a study without, --no-images.")
        table[image_column] = _image_paths(table[image_column], given.images)
    clinical = _clinical_columns(table, given, image_column)
    # sex and age among the clinical columns come by themselves, age in bands
    asked = [c for c in given.subgroups if not (c in clinical and is_sex_or_age(c))]
    aside = [column for column in (image_column, given.site) if column is not None]
    words = {} if given.title is None else {"title": given.title}
    study = run_study(
        table[[*dict.fromkeys([*clinical, *aside])]],
        table[given.target].to_numpy(),
        groups=None if given.patient is None else table[given.patient],
        image_column=image_column,
        clinical_columns=clinical,
        test=None if given.test is None else _as_bool(table, given.test),
        subgroups=table[asked],
        outcome=outcome,
        flow=flow,
        verbose=not given.quiet,
        **{name: getattr(given, name) for name in _AS_GIVEN},
        **words,
    )
    _print(repr(study))
    _print(f"\nreport.html, its tables and its figures are in {given.out}")


def _clinical_columns(
    table: pd.DataFrame, given: argparse.Namespace, image_column: str | None
) -> list[str]:
    """Columns of --clinical, or those whose names are known; what is not used is said."""
    aside = {given.target, given.patient, given.test, given.site, image_column}
    clinical = given.clinical or [
        column for column in table if column not in aside and recognise(column) is not None
    ]
    unused = [str(c) for c in table if c not in {*aside, *clinical, *given.subgroups}]
    if unused:
        _print(f"Columns that are not used (name them by --clinical): {', '.join(unused)}")
    return clinical


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m skosteo``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m skosteo",
        description="Screening for osteoporosis from chest X-rays and clinical values.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    about = "the paper's tables and figures for one's own patients"
    one = commands.add_parser("study", help=about, description=about)
    add_arguments(one)
    given = parser.parse_args(arguments)
    try:
        run(given)
    except (SkosteoError, OSError) as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        print(f"skosteo: {_message(error)}{notes}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print(  # noqa: T201
            "skosteo: interrupted; the same command goes on from what is finished", file=sys.stderr
        )
        return 130
    return 0


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, SkosteoError):
        return f"{error.strerror or error}; what is finished stays, and the same command goes on"
    return str(error)


def _print(text: str) -> None:
    print(text)  # noqa: T201


def _read_table(given: argparse.Namespace) -> pd.DataFrame:
    try:
        # as text: identifiers and names of films keep their leading zeros
        words = [given.image_column, *([] if given.patient is None else [given.patient])]
        table = pd.read_csv(given.table, dtype=dict.fromkeys(words, str))
    except FileNotFoundError:
        raise InputError("There is no such table; check its path.") from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        kind = type(error).__name__
        raise InputError(
            f"The table cannot be read as CSV ({kind}). Give one file, with commas, in UTF-8."
        ) from None
    named = {f"--{name}": [getattr(given, name)] for name in ("target", "patient", "test", "site")}
    named |= {"--clinical": given.clinical or [], "--subgroups": given.subgroups}
    for option, columns in named.items():
        for column in columns:
            if column is not None:
                _check_column(table, column, option)
    return table


def _check_column(table: pd.DataFrame, column: str, option: str, hint: str = "") -> None:
    if column not in table:
        if table.shape[1] == 1 and ";" in str(table.columns[0]):
            hint = " It seems to be separated by semicolons: export it with commas."
        raise InputError(
            f"The table has no column {column!r} ({option}){guess(column, table.columns)} Its "
            f"columns are {table.columns.tolist()}.{hint}"
        )


def _with_target(
    table: pd.DataFrame, given: argparse.Namespace, outcome: str
) -> tuple[pd.DataFrame, Flow]:
    """Leave out, and count, the rows whose outcome is not known."""
    target = table[given.target]
    known = sorted(target.dropna().unique().tolist(), key=str)
    if len(known) < 2:
        raise InputError(
            f"--target {given.target!r} has {len(known)} value in all rows; 0 and 1 are needed."
        )
    if not set(known) <= {0, 1}:
        if len(known) == 2:
            came = f"the values {known}"
            remedy = f"Say who is ill by (table[{given.target!r}] == {known[-1]!r}).astype(int)"
        else:
            came = f"{len(known)} different values"
            remedy = f"From T-scores make it (table[{given.target!r}] <= -2.5).astype(int)"
        raise InputError(
            f"--target {given.target!r} has {came}; it takes two, 0 and 1. {remedy} in pandas, or "
            "see skosteo.clinical.select_cohort."
        )
    rows = ExclusionLog(table, given.patient)
    if target.isna().any():
        rows.exclude("outcome not known", target.isna().to_numpy())
    kept = table[rows.kept].reset_index(drop=True)
    positive = target[rows.kept].astype(int)
    kept[given.target] = positive.to_numpy()
    return kept, Flow(rows.frame(), rows.outcome(positive, (outcome, f"no {outcome}")))


def _image_paths(names: pd.Series, folder: Path | None) -> pd.Series:
    if folder is None:
        return names
    if not folder.is_dir():
        raise InputError(
            "--images is no folder; give the one that the image names are relative to."
        )
    paths: list[Any] = [name if pd.isna(name) else str(folder / str(name)) for name in names]
    return pd.Series(paths, index=names.index, dtype=object)


def _as_bool(table: pd.DataFrame, column: str) -> np.ndarray:
    values = table[column]
    if not values.isin([0, 1]).all():
        raise InputError(
            f"--test {column!r} holds other than 0 and 1; it is 1 for rows to test on."
        )
    return values.astype(bool).to_numpy()
