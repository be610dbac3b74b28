"""The one door for writing: a file is either whole or not there."""

import os
import tempfile
from pathlib import Path


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that no reader ever sees half of it.

    The bytes go to a temporary file in the same folder, which then takes the place of `path` in
    one step. Whoever writes last wins; a crash leaves the old file. The file can be read by its
    owner only, since it may hold a patient's data.

    Parameters
    ----------
    path : str or path-like
        Where to write; its folder must exist.
    data : bytes
        The whole content.

    Raises
    ------
    OSError
        The folder is missing, cannot be written to or is full; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomic(Path(folder, "a.bin"), b"film")
    ...     Path(folder, "a.bin").read_bytes()
    b'film'
    """
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
