"""Folder of fitted branches: who may write there, and what a branch is known by."""

import os
import stat
from importlib.metadata import version
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from joblib import hash as content_hash
from sklearn.utils.validation import check_memory

from skosteo.dicom.sources import content_of, is_path, is_source
from skosteo.exceptions import InputError
from skosteo.image.film_cache import content_digest


def open_memory(memory: str | PathLike | Memory | None) -> Memory:
    """Return the memory of a folder that nobody else may write to; it is made where it is missing.

    A `joblib.Memory` is taken as it is; None remembers nothing.

    Raises
    ------
    InputError
        Others own the folder, or may write to it: its pickles would run their code.
    """
    if isinstance(memory, str | PathLike):
        memory = fspath(memory)
        Path(memory).mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.stat(memory)
        writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        # Windows has other rights
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or writable):
            raise InputError(
                "memory= is a folder that others own or may write to. What is kept there are "
                "pickles, and opening one that somebody planted runs his code. Name a new folder, "
                "or make it yours alone (chmod 700)."
            )
    return check_memory(memory)


def branch_digest(branch: Any, table: Any) -> str:
    """Stand for all that decides a fit beside parameters, labels, weights, patients and folds.

    That is the content of the table, of its files and of those that parameters name, such as
    weights, and the versions of what computes. A file is known by its path, size, times and inode,
    as in the cache of films: an exchanged one has another time of change of its inode.
    """
    named = [value for value in branch.get_params().values() if isinstance(value, str | PathLike)]
    versions = [version(name) for name in ("skosteo", "scikit-learn", "torch")]
    return content_hash([table_digest(table), [_stamped(name) for name in named], versions])


def table_digest(part: Any) -> str:
    """Stand for the content of a table, and of the files that it names."""
    if not isinstance(part, pd.DataFrame):
        return content_hash(np.asarray(part))
    columns = [
        part[column].to_numpy()
        if part[column].dtype.kind in "biuf"
        else [_stamped(item) for item in part[column]]
        for column in part
    ]
    # a category has its order, and numbers as text are no numbers
    kinds = [
        (str(column), str(part[column].dtype), list(getattr(part[column].dtype, "categories", ())))
        for column in part
    ]
    return content_hash([kinds, columns])


def _stamped(item: Any) -> Any:
    """Stand for a file by its stamp, and for a film that is no path by its content.

    Anything else is returned as it is.
    """
    if is_source(item) and not is_path(item):
        return content_digest(content_of(item))
    if not isinstance(item, str | PathLike):
        return item
    try:
        status = os.stat(item)
    except (OSError, ValueError):  # a text that is no file's name
        return fspath(item)
    if not stat.S_ISREG(status.st_mode):
        return fspath(item)
    return (
        fspath(item),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    )
