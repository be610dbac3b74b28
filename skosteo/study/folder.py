"""The folder of a study: its manifest, by which only files that the study wrote are replaced."""

import json
import os
import re
from collections.abc import Collection, Iterator
from os import PathLike
from pathlib import Path

from skosteo._files import UNFINISHED, write_atomic
from skosteo.exceptions import InputError

FOLDER = "work"
_MANIFEST = "study.json"
_KIND = "skosteo study"
_FOLDERS = (FOLDER, "tables", "figures")
# Whatever a manifest says, a study writes no other files than these
_WRITTEN = re.compile(
    r"report\.html|settings\.json|model\.skops|model_card\.md|tables/\w+\.csv|figures/figure_\w+\.(svg|png)"
)
_ENTRY = re.compile(r"work/(study\.json|[\w-]+\.(npz|skops))")


class StudyFolder:
    """The folder `out` of a study: refused where it holds anything that the study did not write.

    Parameters
    ----------
    out : str or path-like
        The folder, which may not exist yet.
    digest : str, default=None
        Stands for rows, splits and versions: the folder of another study is refused. None, where
        it is not known yet, leaves that out.

    Raises
    ------
    InputError
        `out` is a file, or holds what this study did not write. Names that begin with a dot do
        not count: they are the system's, or left by a process that was killed.
    """

    def __init__(self, out: str | PathLike, digest: str | None = None) -> None:
        self.out, self._digest = Path(out), digest
        if self.out.exists() and not self.out.is_dir():
            raise InputError("out is a file; give a folder, which may not exist yet.")
        known = _read_manifest(self.out / FOLDER)
        if known is not None and digest not in (None, known.get("digest")):
            raise InputError(
                "out holds the study of other rows, films, labels, patients or folds, of another "
                "seed, or of other versions. Give another folder, or delete this one to begin anew."
            )
        self._is_new = known is None
        named = [] if known is None else known.get("files", [])
        names = named if isinstance(named, list) else []
        self._files = {str(name) for name in names if _WRITTEN.fullmatch(str(name))}
        self._check_nothing_else()

    def claim(self) -> None:
        """Make the folder, and the manifest that says whose it is."""
        if self._is_new:
            self._write()

    def announce(self, names: Collection[str]) -> None:
        """Note files that are about to be written, by their path within the folder."""
        new = set(names) - self._files
        self._files |= new
        if new or self._is_new:
            self._write()

    def drop_others(self, names: Collection[str]) -> None:
        """Remove the files of an earlier run that are none of these."""
        gone = self._files - set(names)
        for name in gone:
            (self.out / name).unlink(missing_ok=True)
        if gone:
            self._files -= gone
            self._write()

    def _write(self) -> None:
        (self.out / FOLDER).mkdir(parents=True, exist_ok=True)
        manifest = {"kind": _KIND, "digest": self._digest, "files": sorted(self._files)}
        write_atomic(self.out / FOLDER / _MANIFEST, json.dumps(manifest, indent=1).encode())
        self._is_new = False

    def _check_nothing_else(self) -> None:
        strange = list(self._strangers())
        if strange:
            inside = sorted({name.split("/")[0] for name in strange if "/" in name})
            where = f", some of them in {' and '.join(map(repr, inside))}" if inside else ""
            what = "file, folder or link" if len(strange) == 1 else "files, folders or links"
            raise InputError(
                f"out holds {len(strange)} {what} that this study did not write{where}. "
                "Give a folder that is empty or does not exist yet: nothing of yours is replaced."
            )

    def _strangers(self) -> Iterator[str]:
        """Whatever is not the study's own, by its path within the folder; none of it is opened."""
        for entry in _listed(self.out):
            if entry.name in _FOLDERS and entry.is_dir(follow_symlinks=False):
                within = ((inner, f"{entry.name}/{inner.name}") for inner in _listed(entry))
                yield from (name for inner, name in within if not self._is_own(inner, name))
            elif not self._is_own(entry, entry.name):
                yield entry.name

    def _is_own(self, entry: os.DirEntry[str], name: str) -> bool:
        own = name in self._files or (not self._is_new and _ENTRY.fullmatch(name))
        return bool(own) and entry.is_file(follow_symlinks=False)


def check_cache_beside(out: str | PathLike, cache_dir: str | PathLike | None) -> None:
    """Refuse a cache within the folder of a study, which holds the study alone."""
    if cache_dir is not None and Path(cache_dir).resolve().is_relative_to(Path(out).resolve()):
        raise InputError(
            "cache_dir lies within out, which holds nothing but the study. Give it a folder of its "
            "own beside."
        )


def _listed(folder: str | PathLike[str]) -> list[os.DirEntry[str]]:
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def _read_manifest(work: Path) -> dict | None:
    path = work / _MANIFEST
    # one that was killed at once has left nothing, or half of this file
    if not os.path.lexists(work) or (
        work.is_dir() and all(other.name.startswith(UNFINISHED) for other in work.iterdir())
    ):
        return None
    try:
        known = json.loads(path.read_text()) if path.is_file() else None
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or known.get("kind") != _KIND:
        raise InputError("out has a folder 'work' that is not of a study. Give another folder.")
    return known
