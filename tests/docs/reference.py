"""The list of public names that the documentation is made of."""

import sys
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS))
from api_reference import NAMES  # noqa: E402

sys.path.remove(str(DOCS))

__all__ = ["NAMES", "public"]


def public(name):
    """Object of a dotted name."""
    module, _, last = name.rpartition(".")
    return getattr(import_module(module), last)
