"""Names of images in a table to paths that stay inside their folder."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skosteo._validation import is_missing
from skosteo.exceptions import InputError


def image_paths(names: pd.Series, folder: Path | None, *, outside: bool = False) -> pd.Series:
    """Join each name to its folder; missing names stay missing.

    Parameters
    ----------
    names : Series of str, shape (n,)
        Relative to `folder`, or absolute paths within it.
    folder : path or None
        None takes every name as a path of its own, as it stands.
    outside : bool, default=False
        Whether ``..``, absolute paths and links may lead out of `folder`.

    Raises
    ------
    InputError
        There is no such folder, or a name leads out of it. No file is opened for that.
    """
    if folder is None:
        return names
    if not folder.is_dir():
        raise InputError(
            "--images is no folder; give the one that the image names are relative to."
        )
    paths: list[Any] = [None if is_missing(name) else str(folder / str(name)) for name in names]
    home = os.path.realpath(folder)
    away = np.array([path is not None and not _is_within(path, home) for path in paths])
    if away.any() and not outside:
        raise InputError(
            f"{away.sum()} of {len(names)} image names lead out of --images, by '..', as an "
            f"absolute path or through a link; the first is in row {away.argmax() + 1}. Correct "
            "them, or give --outside-images if you know who wrote the table and made the links."
        )
    return pd.Series(paths, index=names.index, dtype=object)


def _is_within(path: str, home: str) -> bool:
    if "\0" in path:  # no file has such a name, and it is counted as one that is not there
        return True
    return Path(os.path.realpath(path)).is_relative_to(home)
