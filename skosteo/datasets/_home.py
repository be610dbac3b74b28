"""Find the files of a real data set on disk, check them, and download the missing ones."""

import hashlib
import os
from collections.abc import Collection, Mapping
from importlib.resources import files as package_files
from pathlib import Path

import pooch

from skosteo.exceptions import DatasetError

VARIABLE = "SKOSTEO_DATA"


def find_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the data sets: ``data_home``, else ``SKOSTEO_DATA``, else a cache of the user."""
    return Path(data_home or os.environ.get(VARIABLE) or pooch.os_cache("skosteo")).expanduser()


def read_checksums(name: str) -> dict[str, str]:
    """Read a list of ``sha256sum`` shipped with the package as file name to checksum."""
    text = (package_files(__package__) / name).read_text(encoding="utf-8")
    return {file: digest for digest, file in (line.split(maxsplit=1) for line in text.splitlines())}


def obtain(
    folder: Path,
    checksums: Mapping[str, str],
    urls: Mapping[str, str],
    *,
    page: str,
    rebuilt: Collection[str] = (),
) -> list[str]:
    """Make sure that all files of a data set lie in a folder and are the published ones.

    Files are named relative to the folder, which may be read-only when they are all there; missing
    ones are downloaded. Those ``rebuilt`` pass with any SHA-256, and are returned where it is not
    the one listed. ``page`` is where the message of an error sends the user.
    """
    missing = [name for name in checksums if not (folder / name).is_file()]
    for name in missing:
        known = None if name in rebuilt else f"sha256:{checksums[name]}"
        target = folder / name
        try:
            pooch.retrieve(urls[name], known, fname=target.name, path=target.parent)
        except (OSError, ValueError) as error:
            named = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
            raise DatasetError(
                f"{len(missing)} of {len(checksums)} files were not in {folder} ({named}), and the "
                f"download of {name} failed ({type(error).__name__}). Download them from {page} "
                f"into that folder, or set the environment variable {VARIABLE} (or data_home) to "
                f"the folder that holds {folder.name}/."
            ) from error
    differing = []
    for name, expected in checksums.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected and name not in rebuilt:
            raise DatasetError(
                f"{name} in {folder} is not the published file: its SHA-256 is {found}, expected "
                f"{expected}. Delete it and fetch again, or download it from {page}."
            )
        if found != expected:
            differing.append(name)
    return differing
