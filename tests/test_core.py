"""The core works without torch and matplotlib; what needs them says which extra to take."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.core import FACTS


@cache
def found(extra):
    """What came of all facts, in one process where the libraries cannot be found."""
    command = [sys.executable, "-m", "tests.core", extra]
    root = Path(__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("extra", "fact"),
    [(e, fact) for e, facts in FACTS.items() for fact in (*facts, "nothing of them was imported")],
)
def test_the_core_and(extra, fact):
    assert not found(extra)[fact], found(extra)[fact]
