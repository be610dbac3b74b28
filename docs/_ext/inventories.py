"""Inventories of other projects' documentation, compiled from the lists in ``inventories/``.

Those of the projects themselves lie on their sites, which a build without a network cannot ask.
So each list holds the names that we refer to, with their addresses after the pattern of the site:
a first line of project and version, then lines of Sphinx's inventory format, version 2.
"""

import zlib
from pathlib import Path


def compile_all(lists: Path, out: Path) -> dict[str, tuple[str, str]]:
    """Compile every list; return what ``intersphinx_mapping`` wants."""
    out.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for path in sorted(lists.glob("*.txt")):
        address, project, *entries = path.read_text().splitlines()
        head = (
            f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
            "# The remainder of this file is compressed using zlib.\n"
        )
        body = "\n".join(entries) + "\n"
        inventory = out / f"{path.stem}.inv"
        inventory.write_bytes(head.encode() + zlib.compress(body.encode()))
        mapping[path.stem] = (address, str(inventory))
    return mapping
