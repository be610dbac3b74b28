"""The core works without torch, skorch and timm; what needs them says which extra to take."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.without_nets import FACTS


@pytest.fixture(scope="module")
def found():
    """What came of all facts, in one process where the three cannot be found."""
    command = [sys.executable, "-m", "tests.without_nets"]
    root = Path(__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("fact", [*FACTS, "nothing of them was imported"])
def test_without_nets(found, fact):
    assert not found[fact], found[fact]
