"""What a study keeps of each model and fold, so that one that was interrupted goes on.

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
    """What one model learnt on one fold.

    Attributes
    ----------
    validation, test : ndarray of float
        Probability of the positive class for the fold's validation rows, and for the test rows.
    seconds : float
        Time of the fit.
    histories : dict of str to DataFrame
        Of each net in the model, a row per epoch.
    explained : dict of str to dict of str to ndarray
        What `skosteo.explain` found, by kind.
    notes : tuple of str
        What could not be done, in words.
    """

    validation: NDArray[np.float64]
    test: NDArray[np.float64]
    seconds: float
    histories: dict[str, pd.DataFrame] = field(default_factory=dict)
    explained: dict[str, Arrays] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Store:
    """A folder of results by model and fold.

    Parameters
    ----------
    out : path
        Folder of the study's report; results lie in its folder "work". It is made if needed.
    digest : str
        Stands for rows, splits and versions: another study's results are not taken for these.

    Raises
    ------
    InputError
        The folder holds another report, or is no folder.
    """

    def __init__(self, out: str | PathLike, digest: str) -> None:
        out = Path(out)
        self.folder = out / FOLDER
        manifest = self.folder / _MANIFEST
        if out.exists() and not out.is_dir():
            raise InputError("out is a file; give a folder, which may not exist yet.")
        said = _read_manifest(manifest)
        if said is None and (out / "report.html").exists():
            raise InputError(
                "out holds a report.html that no study wrote, or whose folder 'work' is gone. Give "
                "another folder, or move that report away."
            )
        if said is not None and said != digest:
            raise InputError(
                "out holds the study of other rows, films, labels, patients or folds, of another "
                "seed, or of other versions. Give another folder, or delete this one to begin anew."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        if said is None:
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
        said = json.loads(path.read_text())
    except FileNotFoundError:
        # one that was killed at once has left nothing, or half of this file
        if not path.parent.is_dir() or all(
            other.name.startswith(UNFINISHED) for other in path.parent.iterdir()
        ):
            return None
        said = None
    except (OSError, ValueError):
        said = None
    if not isinstance(said, dict) or said.get("kind") != _KIND:
        raise InputError("out has a folder 'work' that is not of a study. Give another folder.")
    return str(said.get("digest"))


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
    return FoldResult(
        validation=arrays["validation"],
        test=arrays["test"],
        seconds=float(arrays["seconds"]),
        histories=histories,
        explained=explained,
        notes=tuple(arrays["notes"].tolist()),
    )
