"""The one door for writing: a file is either whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# what a process that is killed may leave behind begins with this
UNFINISHED = ".writing-"


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a binary stream whose content becomes `path` when the block ends without an error.

    The bytes go to a temporary file in the same folder, which then takes the place of `path` in
    one step, so that no reader ever sees half of it. Whoever writes last wins; a crash leaves the
    old file. The file can be read by its owner only, since it may hold a patient's data.

    Parameters
    ----------
    path : str or path-like
        Where to write; its folder must exist.

    Yields
    ------
    binary stream
        Open for writing.

    Raises
    ------
    OSError
        The folder is missing, cannot be written to or is full; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_writer(Path(folder, "a.bin")) as stream:
    ...         for part in (b"fi", b"lm"):
    ...             _ = stream.write(part)
    ...     Path(folder, "a.bin").read_bytes()
    b'film'
    """
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` in one step; see `atomic_writer`.

    Parameters
    ----------
    path : str or path-like
        Where to write; its folder must exist.
    data : bytes
        The whole content.

    Raises
    ------
    OSError
        As from `atomic_writer`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomic(Path(folder, "a.bin"), b"film")
    ...     Path(folder, "a.bin").read_bytes()
    b'film'
    """
    with atomic_writer(path) as stream:
        stream.write(data)
