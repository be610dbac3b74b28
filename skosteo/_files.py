"""Writing of files: each is either whole or not there."""

import csv
import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    import pandas as pd

# what a process that is killed may leave behind begins with this
UNFINISHED = ".writing-"

# Temporary folders begin with this; while one is in use, its lock is held
_SCRATCH, _LOCK = "skosteo-scratch-", "in-use.lock"
_YOUNG_S = 60  # a folder so young may be about to be locked

# What a spreadsheet takes for the beginning of a formula, full-width signs of Chinese and Japanese
# keyboards included; blanks before it do not help
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")  # noqa: RUF001
# Where half of Europe's spreadsheets, which part at semicolons, begin another cell
_WITHIN = re.compile(r"([;\t\r\n][;\s\"]*)([=+\-@＝＋－＠])?")  # noqa: RUF001
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?%?", re.IGNORECASE)


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


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Give a temporary folder that is removed in the end.

    A killed process cannot remove its own, which may hold patients' films: those that no process
    uses any more are removed first.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*/{_LOCK}"):
        with suppress(OSError, Timeout):
            status = lock.parent.lstat()
            own = os.name != "posix" or status.st_uid == os.geteuid()
            if own and not lock.parent.is_symlink() and time.time() - status.st_mtime > _YOUNG_S:
                with FileLock(lock, timeout=0):
                    shutil.rmtree(lock.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as folder, FileLock(Path(folder, _LOCK)):
        yield folder


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


def write_csv(path: str | os.PathLike[str], frame: "pd.DataFrame", index: bool = True) -> None:
    """Write a table as CSV in one step, with nothing in it that a spreadsheet would run.

    A text that a spreadsheet takes for a formula, in a cell, a heading or the index, gets an
    apostrophe before it, which makes it text; so does one behind a semicolon, tab or line break
    within a cell. Numbers stay as they are, written as text too.

    Parameters
    ----------
    path : str or path-like
        Where to write; its folder must exist.
    frame : DataFrame
        The table.
    index : bool, default=True
        Whether to write the index, in the first columns.

    Raises
    ------
    OSError
        As from `atomic_writer`; an older file of this name is left as it was.

    Notes
    -----
    UTF-8 with a byte order mark, without which Excel reads other letters than ASCII wrongly;
    ``pandas.read_csv`` skips it. Missing values are empty.

    References
    ----------
    OWASP, CSV Injection. https://owasp.org/www-community/attacks/CSV_Injection

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.csv")
    ...     write_csv(file, pd.DataFrame({"model": ["=1+1", "fused"], "AUC": [-0.3, 0.9]}), False)
    ...     print(file.read_text("utf-8-sig"))
    model,AUC
    '=1+1,-0.3
    fused,0.9
    """
    plain = io.StringIO(frame.to_csv(index=index, lineterminator="\r\n"), newline="")
    inert = io.StringIO(newline="")
    writer = csv.writer(inert, lineterminator="\r\n")
    for row in csv.reader(plain):  # headings and the levels of an index too
        writer.writerow(map(_inert, row))
    write_atomic(path, inert.getvalue().encode("utf-8-sig"))


def _inert(cell: str) -> str:
    if _NUMBER.fullmatch(cell):
        return cell
    inner = cell.lstrip()
    inert = _WITHIN.sub(lambda found: f"{found[1]}'{found[2]}" if found[2] else found[0], inner)
    inert = cell[: len(cell) - len(inner)] + inert
    return f"'{inert}" if _FORMULA.match(cell) else inert
