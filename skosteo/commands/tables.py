"""Tables of the commands: read from CSV, their columns checked, their films found."""

import argparse
import warnings
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import guess
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.columns import is_numbers, read_numbers
from skosteo.clinical.identifiers import names_patient
from skosteo.clinical.values import warn_of_values
from skosteo.commands.image_paths import image_paths
from skosteo.exceptions import InputError
from skosteo.fusion.columns import renumbering
from skosteo.persistence.content import parts
from skosteo.persistence.model_file import no_model_file
from skosteo.scoring import Scorer

ROWS = 256  # that are scored, and whose films are in memory, at a time
# Marks of a cell that is not known; blanks are besides
_NOT_KNOWN = ["NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A"]


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says where the table and its films are."""
    add = parser.add_argument
    add("table", type=Path, help="CSV file with commas, one row per radiograph")
    add("--encoding", default="utf-8", help="of the table, such as gb18030 (default: utf-8)")
    add(
        "--images",
        type=Path,
        help="folder that the image names are relative to; a name that "
        "leads out of it ends the run before it begins; without it they are paths as they stand",
    )
    add("--outside-images", action="store_true",
        help="image names and links may lead out of --images")  # fmt: skip


def read_csv(path: Path, encoding: str, words: Collection[str | None] = ()) -> pd.DataFrame:
    """Read a table; the columns named as words stay text, with their leading zeros.

    Raises
    ------
    InputError
        There is no such table, or it is none.
    """
    try:
        _check_commas(path, encoding)
        types = {word: str for word in words if word is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, dtype=types, encoding=encoding, index_col=False)
    except InputError:
        raise
    except pd.errors.ParserWarning:
        raise InputError(
            "Rows of the table have more cells than its headings. Remove the comma at the end of "
            "its lines, or give each column a heading."
        ) from None
    except FileNotFoundError:
        raise InputError("There is no such table; check its path.") from None
    except LookupError:
        raise InputError(
            f"--encoding {encoding!r} is not known; give one of Python's, such as utf-8, "
            "gb18030 or latin-1."
        ) from None
    except UnicodeError:
        raise InputError(
            f"The table is not written in {encoding}. Give its --encoding: gb18030 for "
            "Chinese Windows, cp1252 for Western, utf-16 for Excel's Unicode text."
        ) from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        kind = type(error).__name__
        raise InputError(
            f"The table cannot be read as CSV ({kind}). Give one file, with commas, in UTF-8."
        ) from None
    return table


def _check_commas(path: Path, encoding: str) -> None:
    """Refuse a table whose cells are parted by semicolons, as where a comma begins the decimals."""
    with path.open(encoding=encoding) as lines:
        headings = lines.readline()
    if headings.count(";") > headings.count(","):
        raise InputError(
            "The table is separated by semicolons, and may have commas in its numbers. Save it "
            "with commas between the cells and points before the decimals."
        )


def read_words(
    path: Path, encoding: str, column: str, not_known: Collection[str] = ()
) -> pd.Series:
    """Read one column as it stands; cells of these words, and blanks beside them, are missing."""
    table = pd.read_csv(
        path, usecols=[column], dtype=str, encoding=encoding, keep_default_na=False,
        na_values=[*not_known], na_filter=bool(not_known),
    )  # fmt: skip
    return table[column]


def read_cohort(given: argparse.Namespace, image_column: str | None) -> pd.DataFrame:
    """Read the table of a command whose rows have an outcome; the columns of its options are there.

    As text are outcomes, which stay as they stand, identifiers and names of films.
    """
    table = read_csv(given.table, given.encoding, (image_column, given.patient, given.target))
    if given.target in table:  # "None" is a word there: who has none of the outcome is well
        table[given.target] = read_words(given.table, given.encoding, given.target, _NOT_KNOWN)
    for name in ("target", "t_score", "patient", "test", "site", "clinical", "subgroups"):
        named = getattr(given, name, None) or []
        for column in [named] if isinstance(named, str) else named:
            check_column(table, column, f"--{name.replace('_', '-')}")
    _check_patient(table, given)
    return table


def _check_patient(table: pd.DataFrame, given: argparse.Namespace) -> None:
    """Refuse a table whose patients seem to have several rows, if nobody says which is whose."""
    if given.patient is not None or given.no_patient:
        return
    site = getattr(given, "site", None)
    for column in table.columns:
        if column == site or not names_patient(column):
            continue
        known = table[column].dropna()
        if known.nunique() < len(known):
            raise InputError(
                f"Column {column!r} has {known.nunique()} different values in {len(known)} rows, "
                f"as where patients come more than once. Give --patient {column!r}, so that nobody "
                "is on both sides of a split; or --no-patient, if each row is a patient of its own."
            )


def check_values(model: Any, table: pd.DataFrame, rows: NDArray[np.intp], n_rows: int) -> None:
    """Read what the clinical parts of a model see, before any film is.

    So a text among numbers is an error about its row, of the `n_rows` of the user's table of which
    these are `rows`, and values in a wrong unit are warned of once.
    """
    for part in parts(model) if len(table) else ():
        fitted = isinstance(part, ClinicalPreprocessor) and hasattr(part, "columns_")
        if fitted and part._reader.finds_all(table):
            with renumbering(rows, n_rows):
                part.transform(table)


def check_numbers(table: pd.DataFrame, rows: NDArray[np.intp], n_rows: int) -> None:
    """Refuse texts in columns of numbers, and warn of units; rows are named as `check_values` does.

    A study reads its parts later, fold by fold.
    """
    for column in table:
        if is_numbers(table[column], str(column)):
            with renumbering(rows, n_rows):
                read_numbers(table[column], str(column))
    warn_of_values(table, stacklevel=2)


def score_in_parts(
    scorer: Scorer, table: pd.DataFrame
) -> Iterator[tuple[int, Callable[[], pd.DataFrame]]]:
    """Position of the first of some rows, and what scores these: one part at least.

    Errors name the rows of the whole table.
    """

    def score(rows: NDArray[np.intp]) -> pd.DataFrame:
        with renumbering(rows, len(table)):
            return scorer(table.iloc[rows])

    for start in range(0, max(1, len(table)), ROWS):
        yield start, partial(score, np.arange(start, min(start + ROWS, len(table))))


def film_paths(table: pd.DataFrame, column: str, given: argparse.Namespace) -> pd.Series:
    """Paths of the films that a column names, inside of --images."""
    return image_paths(table[column], given.images, outside=given.outside_images)


def check_model(path: Path) -> None:
    """Raise an InputError if there is no file of a model."""
    if not path.is_file():
        raise InputError(no_model_file(path))


def check_column(table: pd.DataFrame, column: str, option: str, hint: str = "") -> None:
    """Raise an InputError if the column that an option names is not there."""
    if column not in table:
        their = f"{guess(column, table.columns)} Its columns are {table.columns.tolist()}."
        if any(map(_is_no_heading, table.columns)):
            their = (
                ". Its first line seems to be a row, not headings: put a line of headings first."
            )
        raise InputError(f"The table has no column {column!r} ({option}){their}{hint}")


def _is_no_heading(name: str) -> bool:
    """Whether a heading is blank, a number or a date: it may be a cell of the first patient."""
    marks = set(name.removeprefix("Unnamed: "))
    return marks <= set("0123456789 +-.,:/年月日") and not marks.isdisjoint("0123456789")
