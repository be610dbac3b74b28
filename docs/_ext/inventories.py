"""Inventories of other projects' documentation, compiled from the lists in ``inventories/``.

Those of the projects themselves lie on their sites, which a build without a network cannot ask.
So each list holds the names that we refer to, after the pattern of the site: a line with its
address, a line with the page of a name, then a line a name: its role, the name, and its page where
the pattern does not hold.
"""

import zlib
from pathlib import Path


def compile_all(lists: Path, out: Path) -> dict[str, tuple[str, str]]:
    """Compile every list; return what ``intersphinx_mapping`` wants."""
    out.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for path in sorted(lists.glob("*.txt")):
        site, pattern, *names = path.read_text().splitlines()
        (out / f"{path.stem}.inv").write_bytes(
            f"# Sphinx inventory version 2\n# Project: {path.stem}\n# Version: \n"
            "# The remainder of this file is compressed using zlib.\n".encode()
            + zlib.compress("".join(entry(line, pattern) for line in names).encode())
        )
        mapping[path.stem] = (site, str(out / f"{path.stem}.inv"))
    return mapping


def entry(line: str, pattern: str) -> str:
    """Return a line of an inventory, version 2, for a line of a list."""
    role, name, *page = line.split()
    return f"{name} {role} 1 {(page or [pattern.format(name=name)])[0]} -\n"
