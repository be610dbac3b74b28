"""``skosteo predict``: a saved model's probability for each row of a CSV."""

import argparse
import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from skosteo._files import atomic_writer, write_atomic, write_csv
from skosteo.commands.tables import (
    add_table_arguments,
    check_column,
    check_model,
    check_values,
    film_paths,
    read_csv,
    read_words,
    score_in_parts,
)
from skosteo.exceptions import InputError
from skosteo.scoring import COLUMNS, NOT, PARTLY, Scorer

ABOUT = (
    "probabilities of a saved model for the rows of a table; a film that cannot be read is a row "
    "that says so, not the end"
)
_MANIFEST = "run.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    add = parser.add_argument
    add("model", type=Path, help="file of the model, .skops")
    add_table_arguments(parser)
    add("--out", type=Path, required=True,
        help="file of the scores, .csv or .parquet; goes on there after a crash")  # fmt: skip
    add("--id", metavar="COLUMN", help="column that names each row in the scores (default: its "
        "number); nothing else of the table is written")  # fmt: skip
    add("--image-column", help="column of image names (default: the model's)")
    add("--jobs", dest="n_jobs", type=int, help="radiographs read at a time")
    add("--quiet", action="store_true", help="no progress bar")


def run(given: argparse.Namespace) -> None:
    """Score a table from parsed arguments, and print what came out."""
    _check_out(given.out)
    check_model(given.model)
    scorer = Scorer(given.model, image_column=given.image_column, n_jobs=given.n_jobs)
    column = scorer.image_column
    if column is None and given.image_column is not None:
        raise InputError("The model reads no images: leave --image-column out.")
    table = read_csv(given.table, given.encoding, (given.id, column))
    for option, name in (("--id", given.id), ("--image-column", column)):
        if name is not None:
            check_column(table, name, option)
    if given.id in COLUMNS:
        raise InputError(f"--id {given.id!r} is a column of the scores; rename it in the table.")
    name, ids = "row", pd.Series(range(1, len(table) + 1))
    if given.id is not None:
        name, ids = given.id, read_words(given.table, given.encoding, given.id)
        _warn_of_twins(ids, name)
    if column is not None:
        table[column] = film_paths(table, column, given)
    check_values(scorer.model, table, np.arange(len(table)), len(table))
    parts = given.out.with_name(f"{given.out.name}.parts")
    _claim(parts, _digest(given))
    scores = pd.concat(list(_scored(table, scorer, parts, quiet=given.quiet)), ignore_index=True)
    scores.insert(0, name, ids)
    if given.out.suffix == ".parquet":
        with atomic_writer(given.out) as stream:
            scores.to_parquet(stream, index=False)
    else:
        write_csv(given.out, scores, index=False)
    shutil.rmtree(parts)
    counts = scores["status"].value_counts()
    print(  # noqa: T201
        f"Rows: {len(scores):,}; not scored: {counts.get(NOT, 0):,}; in part: "
        f"{counts.get(PARTLY, 0):,}. The scores are in {given.out}"
    )


def _warn_of_twins(ids: pd.Series, name: str) -> None:
    twins = ids.duplicated(keep=False).sum()
    if twins:
        warnings.warn(
            f"--id {name!r} has the same value in {twins} rows as in others: it does not tell "
            "these apart. The scores are in the order of the table.",
            UserWarning,
            stacklevel=2,
        )


def _scored(
    table: pd.DataFrame, scorer: Scorer, parts: Path, *, quiet: bool
) -> Iterator[pd.DataFrame]:
    """Scores of some rows at a time, taken from `parts` where an earlier run has left them."""
    types = scorer(table[:0]).dtypes
    with tqdm(total=len(table), unit="row", disable=quiet) as bar:
        for start, score in score_in_parts(scorer, table):
            part = parts / f"{start}.csv"
            if not part.exists():
                text = score().to_csv(index=False)
                write_atomic(part, text.encode("utf-8", "surrogatepass"))
            scores = _read(part, types)
            yield scores
            bar.update(len(scores))


def _read(part: Path, types: pd.Series) -> pd.DataFrame:
    text = part.read_text(encoding="utf-8", errors="surrogatepass")
    scores = pd.read_csv(
        StringIO(text), dtype=types.to_dict() | {"probability": str},
        keep_default_na=False, na_values={"probability": [""], "predicted": [""]},
    )  # fmt: skip
    return scores.astype({"probability": float})  # to the last digit


def _check_out(out: Path) -> None:
    if out.suffix not in (".csv", ".parquet"):
        raise InputError("--out is to end in .csv or .parquet.")
    if out.exists():
        raise InputError("--out is there already: give another name, or delete it.")
    if not out.parent.is_dir():
        raise InputError("--out lies in a folder that does not exist; make it first.")
    if out.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise InputError("--out .parquet needs `pip install pyarrow`; .csv does not.") from None


def _digest(given: argparse.Namespace) -> str:
    """Stand for the model, the table and how its films are found."""
    digest = hashlib.sha256()
    for path in (given.model, given.table):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    images = None if given.images is None else str(given.images.resolve())
    digest.update(json.dumps([given.encoding, images, given.image_column]).encode())
    return digest.hexdigest()


def _claim(parts: Path, digest: str) -> None:
    """Make the folder of what is finished; go on in that of the same run only."""
    manifest = parts / _MANIFEST
    try:
        parts.mkdir()
    except FileExistsError:
        known = manifest.read_text() if manifest.is_file() else None
        if known != digest and any(entry.name != _MANIFEST for entry in parts.iterdir()):
            raise InputError(
                f"{parts.name} beside --out holds what another run has left, of another model, "
                "table or folder of images. Delete it, or give another --out."
            ) from None
    write_atomic(manifest, digest.encode())
