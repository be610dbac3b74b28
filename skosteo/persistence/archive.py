"""The file of a model: a zip whose members are what its manifest says, checked before it is read.

No member is compressed, so that none can be larger than the file; the list of members is bounded
before Python's zip library sees it.
"""

import hashlib
import io
import json
import re
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from skosteo.exceptions import ModelFileError

FORMAT = 1
MANIFEST, SCHEMA, CARD = "manifest.json", "schema.json", "README.md"

_NAME = re.compile(r"\d{1,6}\.(npy|bin)|manifest\.json|schema\.json|README\.md")
MAX_TEXT = 2**23
_MAX_TOKENS = 300_000
_MAX_DIRECTORY = 2**21
# end of the central directory (APPNOTE.TXT, 4.3.16): signature, disks, entries, size, offset,
# length of the comment
_END = struct.Struct("<4s4H2LH")
_REMEDY = "Ask for the file again, or save the model again by save_model."


def write_archive(members: Mapping[str, bytes], facts: Mapping[str, Any]) -> bytes:
    """Return the file: the members, and a manifest with facts and the SHA-256 of each.

    Examples
    --------
    >>> file = write_archive({"schema.json": b"{}"}, {"skosteo": "0.1.0"})
    >>> archive = read_archive(io.BytesIO(file))
    >>> archive.namelist()
    ['schema.json', 'manifest.json']
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    manifest = json.dumps({"format": FORMAT, **facts, "sha256": digests}, indent=1).encode()
    stream = io.BytesIO()
    with ZipFile(stream, "w", ZIP_STORED) as archive:
        for name, data in {**members, MANIFEST: manifest}.items():
            archive.writestr(ZipInfo(name), data)  # the time of 1980: equal models, equal files
    return stream.getvalue()


def read_archive(stream: BinaryIO) -> ZipFile:
    """Open a file of `write_archive`, once all about it is as it should be.

    Raises
    ------
    ModelFileError
        It is no such file, or not as it was written.
    """
    size = _check_ends(stream)
    try:
        archive = ZipFile(stream)
        _check_members(archive, size)
        digests = _check_manifest(archive)
        for name, digest in digests.items():
            _check_content(archive, name, digest)
    except (BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"The file is damaged ({type(error).__name__}). {_REMEDY}") from None
    return archive


def read_text(archive: ZipFile, name: str) -> bytes:
    """Return a text member, which is small."""
    if archive.getinfo(name).file_size > MAX_TEXT:
        raise ModelFileError(f"{name} is larger than {MAX_TEXT:,} bytes: no model needs that.")
    return archive.read(name)


def read_json(archive: ZipFile, name: str) -> Any:
    """Return what a JSON member holds, if it is of few enough parts."""
    text = read_text(archive, name)
    if sum(map(text.count, (b"{", b"[", b","))) > _MAX_TOKENS:
        raise ModelFileError(f"{name} has more than {_MAX_TOKENS:,} parts: no model needs that.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ModelFileError(f"{name} is no JSON. {_REMEDY}") from None


def _check_ends(stream: BinaryIO) -> int:
    """Look at the first and the last bytes; return the size of the file."""
    head = stream.read(4)
    size = stream.seek(0, io.SEEK_END)
    if head[:1] == b"\x80":
        raise ModelFileError(
            "The file is a pickle, which can run any code when it is opened. It is not opened: "
            "load the model where it was made, and save it by skosteo.save_model."
        )
    if head != b"PK\x03\x04" or size < 2 * _END.size:
        raise ModelFileError(f"The file is no model that skosteo has saved. {_REMEDY}")
    stream.seek(size - _END.size - 20)
    tail = stream.read()
    signature, *disks, n_bytes, offset, comment = _END.unpack(tail[20:])
    if signature != b"PK\x05\x06" or comment or any(disks[:2]):
        raise ModelFileError(f"The file ends too early, or goes on where it should end. {_REMEDY}")
    if tail.startswith(b"PK\x06\x07") or n_bytes > _MAX_DIRECTORY:
        raise ModelFileError("The file has more members than any model needs.")
    if offset + n_bytes + _END.size != size:
        raise ModelFileError(f"Bytes are missing from the file, or too many. {_REMEDY}")
    stream.seek(0)
    return size


def _check_members(archive: ZipFile, size: int) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if strange := next((name for name in names if not _NAME.fullmatch(name)), None):
        raise ModelFileError(f"The file has a member {strange[:40]!r}, as no model has.")
    if len(set(names)) < len(names):
        raise ModelFileError("The file has two members of one name.")
    if any(m.compress_type != ZIP_STORED or m.file_size != m.compress_size for m in members):
        raise ModelFileError("The file has compressed members, which may be of any size.")
    if sum(member.file_size for member in members) > size:
        raise ModelFileError("The members say that they are larger than the file.")
    if missing := {MANIFEST, SCHEMA} - set(names):
        raise ModelFileError(f"The file has no {min(missing)}. {_REMEDY}")


def _check_manifest(archive: ZipFile) -> dict[str, str]:
    """Return the digests of all other members."""
    manifest = read_json(archive, MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        raise ModelFileError(f"{MANIFEST} is not as skosteo writes it. {_REMEDY}")
    if manifest.get("format") != FORMAT:
        raise ModelFileError(
            f"The file is of format {str(manifest.get('format'))[:20]}, written by skosteo "
            f"{str(manifest.get('skosteo'))[:20]}; this release reads format {FORMAT}. Install a "
            "newer skosteo."
        )
    digests: dict[str, str] = manifest["sha256"]
    others = set(archive.namelist()) - {MANIFEST}
    if different := others ^ set(digests):
        raise ModelFileError(
            f"{len(different)} members are in the file and not in its manifest, or the other way "
            f"round. {_REMEDY}"
        )
    return digests


def _check_content(archive: ZipFile, name: str, digest: str) -> None:
    found = hashlib.sha256()
    with archive.open(name) as member:
        while block := member.read(2**16):
            found.update(block)
    if found.hexdigest() != digest:
        raise ModelFileError(f"{name} is not as it was written. {_REMEDY}")
    if name.endswith(".npy"):
        with archive.open(name) as member:
            _check_array(member, archive.getinfo(name).file_size, name)


def _check_array(member: Any, size: int, name: str) -> None:
    """Refuse an array that says it is larger than it is, before memory is taken for it."""
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ModelFileError(f"{name} is an array of format {version}. {_REMEDY}")
    shape, _, dtype = read[version](member)
    n_values = 1
    for length in shape:
        n_values *= length
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ModelFileError(f"{name} holds objects, or has a negative shape.")
    if n_values * dtype.itemsize != size - member.tell():
        raise ModelFileError(f"{name} says it is of shape {shape}, and is not of that size.")
