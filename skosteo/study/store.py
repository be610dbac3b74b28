"""On-disk store of fitted results by model and fold, so that an interrupted study goes on.

An entry holds probabilities, training histories and explanations, as plain arrays: loading it runs
no code, and nothing in it names a patient.
"""

import json
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._files import UNFINISHED, write_atomic
from skosteo.exceptions import InputError

Arrays = dict[str, NDArray]

FOLDER = "work"
_MANIFEST = "study.json"
_KIND = "skosteo study"


@dataclass(frozen=True)
class FoldResult:
    """What one model learnt on one fold."""

    validation: NDArray[np.float64]  # probability of the positive class, validation rows
    test: NDArray[np.float64]  # and test rows
    seconds: float  # time of the fit
    histories: dict[str, pd.DataFrame] = field(default_factory=dict)  # a row per epoch, by net
    explained: dict[str, Arrays] = field(default_factory=dict)  # by kind; see `skosteo.explain`
    notes: tuple[str, ...] = ()  # what could not be done, in words


class Store:
    """Results by model and fold in the folder "work" of `out`, which is made if needed.

    `digest` stands for rows, splits and versions: another study's results are not taken for these.
    """

    def __init__(self, out: str | PathLike, digest: str) -> None:
        out = Path(out)
        self.folder = out / FOLDER
        manifest = self.folder / _MANIFEST
        if out.exists() and not out.is_dir():
            raise InputError("out is a file; give a folder, which may not exist yet.")
        known = _read_manifest(manifest)
        if known is None and (out / "report.html").exists():
            raise InputError(
                "out holds a report.html that no study wrote, or whose folder 'work' is gone. Give "
                "another folder, or move that report away."
            )
        if known is not None and known != digest:
            raise InputError(
                "out holds the study of other rows, films, labels, patients or folds, of another "
                "seed, or of other versions. Give another folder, or delete this one to begin anew."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        if known is None:
            text = json.dumps({"kind": _KIND, "digest": digest}, indent=1)
            write_atomic(manifest, text.encode())

    def load(self, name: str) -> FoldResult | None:
        """Return a result, or None where there is none, or, with a warning, a damaged one."""
        try:
            data = (self.folder / f"{name}.npz").read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(BytesIO(data), allow_pickle=False) as entry:
                return _unpacked({key: entry[key] for key in entry.files})
        except Exception as error:  # whatever damage leads numpy and zlib to
            kind = type(error).__name__
            warnings.warn(
                f"A finished fit that out/{FOLDER} holds is damaged ({kind}): it is done again. "
                "Check the disk.",
                stacklevel=2,
            )
            return None

    def save(self, name: str, result: FoldResult) -> None:
        """Keep a result, in one step."""
        stream = BytesIO()
        np.savez_compressed(stream, **_packed(result))
        write_atomic(self.folder / f"{name}.npz", stream.getvalue())


def _read_manifest(path: Path) -> str | None:
    try:
        known = json.loads(path.read_text())
    except FileNotFoundError:
        # one that was killed at once has left nothing, or half of this file
        if not path.parent.is_dir() or all(
            other.name.startswith(UNFINISHED) for other in path.parent.iterdir()
        ):
            return None
        known = None
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or known.get("kind") != _KIND:
        raise InputError("out has a folder 'work' that is not of a study. Give another folder.")
    return str(known.get("digest"))


def _packed(result: FoldResult) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "validation": result.validation,
        "test": result.test,
        "seconds": np.array(result.seconds),
        "notes": np.array(result.notes, dtype=str),
    }
    for net, history in result.histories.items():
        for column in history:
            arrays[f"histories/{net}/{column}"] = history[column].to_numpy()
    for kind, found in result.explained.items():
        for name, array in found.items():
            arrays[f"explained/{kind}/{name}"] = array
    return arrays


def _unpacked(arrays: Arrays) -> FoldResult:
    histories: dict[str, pd.DataFrame] = {}
    explained: dict[str, Arrays] = {}
    for key, array in arrays.items():
        match key.split("/"):
            case ["histories", net, column]:
                histories.setdefault(net, pd.DataFrame())[column] = array
            case ["explained", kind, name]:
                explained.setdefault(kind, {})[name] = array
    probability, seconds = (arrays["validation"], arrays["test"]), float(arrays["seconds"])
    notes = tuple(arrays["notes"].tolist())
    return FoldResult(*probability, seconds, histories, explained, notes)
