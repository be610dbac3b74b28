"""Pages of the API reference, written from the list in ``api_reference.py`` before a build."""

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from api_reference import CONSTANTS, NAMES, SECTIONS
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

# scikit-learn writes these into every class; its metadata routing is explained once, in the guide
_REQUESTS = re.compile(r"set_\w+_request|get_metadata_routing")
_SHARED = "get_params, set_params, get_metadata_routing and set_*_request"


def public(name: str) -> Any:
    """Return the object of a dotted name."""
    module, _, last = name.rpartition(".")
    return getattr(import_module(module), last)


def write(folder: Path) -> None:
    """Write ``index.rst`` and a page a name; pages of names that are gone are removed."""
    folder.mkdir(exist_ok=True)
    pages = {f"{name}.rst": page(name) for name in NAMES} | {"index.rst": index()}
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for file, text in pages.items():
        path = folder / file
        if not path.exists() or path.read_text() != text:  # else Sphinx would read it again
            path.write_text(text)


def index() -> str:
    """Return the page that lists all names by section, each with its first sentence."""
    parts = [heading("API reference"), "Every public name. What is not here may change any day.\n"]
    for section in SECTIONS:
        rows = "\n".join(f"   {name}" for name in section.names)
        parts += [heading(section.title, "-"), section.about + "\n"]
        parts += [f".. autosummary::\n   :nosignatures:\n\n{rows}\n"]
        parts += [f".. toctree::\n   :hidden:\n   :caption: {section.title}\n\n{rows}\n"]
    return "\n".join(parts)


def page(name: str) -> str:
    """Return the page of a name: numpydoc makes it of the docstring, and of those of methods."""
    thing, title = public(name), heading(name.rpartition(".")[2])
    if inspect.isroutine(thing):
        return f"{title}\n.. autofunction:: {name}\n"
    if not inspect.isclass(thing):
        rows = thing.items() if isinstance(thing, Mapping) else ()
        entries = "".join(f"\n``{key}``\n   {text}\n" for key, text in rows)
        return f"{title}\n.. autodata:: {name}\n   :no-value:\n{entries}"
    bases = [base.__name__ for base in thing.__mro__ if base.__module__.split(".")[0] != "skosteo"]
    options = f"   :members:\n   :inherited-members: {', '.join(bases)}\n"
    text = f"{title}\n.. autoclass:: {name}\n{options}"
    if hasattr(thing, "get_params"):
        text += f"\n{_SHARED} are those of every :class:`sklearn.base.BaseEstimator`.\n"
    return text


def heading(text: str, line: str = "=") -> str:
    """Return a title of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


class Name(SphinxRole):
    """What stands in single backticks: a link where it names something public, else code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the node."""
        name = self.text.removesuffix("()")
        known = [full for full in NAMES if full == name or full.endswith("." + name)]
        if not known:
            return [nodes.literal(self.text, self.text)], []
        role = self.env.domains.python_domain.role("obj")
        text = f"{self.text} <{known[0]}>"
        return role("py:obj", self.rawtext, text, self.lineno, self.inliner, {}, [])


def skip(app: Sphinx, kind: str, name: str, thing: object, skipped: bool, options: Any) -> Any:
    """Leave out what scikit-learn, and Python's named tuples, write into every class."""
    alias = (getattr(thing, "__doc__", None) or "").startswith("Alias for field number")
    return True if alias or _REQUESTS.fullmatch(name) else None


def describe(app: Sphinx, kind: str, name: str, thing: object, options: Any, lines: list) -> None:
    """Give constants a description."""
    if name in CONSTANTS:
        lines[:] = [CONSTANTS[name], ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages, and tell Sphinx of the rest."""
    write(Path(app.srcdir, "api"))
    app.add_role("name", Name())
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", describe, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
