"""On-disk store of fitted results by model and split, so that an interrupted study goes on.

An entry holds probabilities, training histories and explanations, as plain arrays: loading it runs
no code, and nothing in it names a patient.
"""

import hashlib
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._files import write_atomic
from skosteo.exceptions import InputError, SkosteoError
from skosteo.persistence import load_model, read_card, save_model
from skosteo.study.folder import FOLDER

Arrays = dict[str, NDArray]

_SEAL = "seal"


@dataclass(frozen=True)
class FoldResult:
    """What one fit of a model gave."""

    probability: NDArray[np.float64]  # of the positive class, of the rows that were to be predicted
    seconds: float  # time of the fit
    histories: dict[str, pd.DataFrame] = field(default_factory=dict)  # a row per epoch, by net
    explained: dict[str, Arrays] = field(default_factory=dict)  # by kind; see `skosteo.explain`
    notes: tuple[str, ...] = ()  # what could not be done, in words


class Store:
    """Results by model and split in the folder "work" of `out`, which `StudyFolder` has claimed.

    `digest` stands for rows, splits and versions. Each result is kept with a digest of its own over
    this, its name and its arrays: one that was changed, or is of another study, is not taken.
    """

    def __init__(self, out: str | PathLike, digest: str) -> None:
        self.folder = Path(out) / FOLDER
        self._digest = digest

    def load(self, name: str) -> FoldResult | None:
        """Return a result, or None where there is none, or, with a warning, a damaged one."""
        try:
            data = (self.folder / f"{name}.npz").read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(BytesIO(data), allow_pickle=False) as entry:
                arrays = {key: entry[key] for key in entry.files}
            if str(arrays.pop(_SEAL)) != self._seal(name, arrays):
                raise ValueError("not as it was kept")
            return _unpacked(arrays)
        except Exception as error:  # whatever damage leads numpy and zlib to
            kind = type(error).__name__
            warnings.warn(
                f"A finished fit that out/{FOLDER} holds is damaged or not of this study ({kind}): "
                "it is done again. Check the disk, and who may write there.",
                stacklevel=2,
            )
            return None

    def save(self, name: str, result: FoldResult) -> None:
        """Keep a result, in one step."""
        stream, arrays = BytesIO(), _packed(result)
        sealed: dict[str, Any] = arrays | {_SEAL: np.array(self._seal(name, arrays))}
        np.savez_compressed(stream, **sealed)
        write_atomic(self.folder / f"{name}.npz", stream.getvalue())

    def load_model(self, name: str) -> Any:
        """Return a fitted model, or None where there is none, or, with a warning, a damaged one."""
        path = self.folder / f"{name}.skops"
        if not path.exists():
            return None
        try:
            if read_card(path) != self._seal(name, {}):
                raise InputError("it is of another study")
            return load_model(path)
        except SkosteoError as error:
            warnings.warn(
                f"The final model that out/{FOLDER} holds is not taken, and is fitted again: "
                f"{error}",
                stacklevel=2,
            )
            return None

    def save_model(self, name: str, model: Any) -> None:
        """Keep a fitted model, in one step; not one of foreign parts, which no file takes."""
        with suppress(InputError):
            save_model(model, self.folder / f"{name}.skops", card=self._seal(name, {}))

    def _seal(self, name: str, arrays: Arrays) -> str:
        """Stand for the study, the model and split, and every array."""
        digest = hashlib.sha256(f"{self._digest}/{name}".encode())
        for key, array in sorted(arrays.items()):
            digest.update(f"{key} {array.dtype} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def _packed(result: FoldResult) -> Arrays:
    arrays: Arrays = {
        "probability": result.probability,
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
    seconds, notes = float(arrays["seconds"]), tuple(arrays["notes"].tolist())
    return FoldResult(arrays["probability"], seconds, histories, explained, notes)
