"""Where a film may come from: a path, its bytes, an open file, or what opens one."""

import os
from io import BytesIO
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, BinaryIO

from skosteo.exceptions import DicomError, InputError, MissingFileError

NO_FILE = "the file does not exist"
LARGEST = 2**27  # bytes that are read from an open file; no film has more
_BYTES = bytes | bytearray | memoryview
_CHECK = "check who may read it"


def is_path(source: Any) -> bool:
    """Whether this names a file on disk; a path of fsspec opens its file itself."""
    known = isinstance(source, str | PosixPath | WindowsPath)
    return known or (isinstance(source, os.PathLike) and not hasattr(source, "open"))


def is_source(source: Any) -> bool:
    """Whether this may be a film for `read_radiograph`."""
    return is_path(source) or isinstance(source, _BYTES) or _is_file(source)


def content_of(source: Any) -> bytes:
    """Content of a film that is no path; an open file is read from its beginning."""
    if isinstance(source, _BYTES):
        return bytes(source)
    try:
        if hasattr(source, "read"):
            content = _whole(source)
        else:  # zipfile.Path; an OpenFile of fsspec knows its mode
            with source.open(*(() if getattr(source, "mode", None) == "rb" else ("rb",))) as stream:
                content = _whole(stream)
    except FileNotFoundError:
        refusal: DicomError | InputError = _missing()
    except InputError as error:
        refusal = error
    except Exception as error:  # of a disk, a network or an archive
        refusal = _unopened(error)
    else:
        if len(content) <= LARGEST:
            return content
        refusal = DicomError(f"the file has over {LARGEST} bytes, more than a film", "give a film")
    refusal.__context__ = None  # which may quote a path
    try:
        raise refusal
    finally:
        del refusal  # or it and this frame keep each other, and the content, in memory


def opened(source: Any) -> BinaryIO:
    """Open a film as a stream of its own."""
    if not is_path(source):
        return BytesIO(content_of(source))
    try:
        path = Path(source)
        if path.exists() and not path.is_file():  # a pipe would block for ever
            raise DicomError("the path is a folder or a device", "give one file")
        return path.open("rb")
    except FileNotFoundError:
        raise _missing() from None
    except DicomError:
        raise
    except (OSError, ValueError) as error:
        raise _unopened(error) from None


def _is_file(source: Any) -> bool:
    return any(callable(getattr(source, name, None)) for name in ("read", "open"))


def _whole(stream: Any) -> bytes:
    if not stream.seekable():
        raise InputError("the film is a stream that cannot go back; give its content: read()")
    position = stream.tell()
    stream.seek(0)
    content = stream.read(LARGEST + 1)
    stream.seek(position)
    if not isinstance(content, bytes):
        raise InputError("the film is a file opened as text; open it with mode 'rb'")
    return content


def _missing() -> MissingFileError:
    return MissingFileError(NO_FILE, "check the path and the working directory")


def _unopened(error: Exception) -> DicomError:
    return DicomError(f"the file cannot be opened ({type(error).__name__})", _CHECK)
