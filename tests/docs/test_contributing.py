"""The pages for contributors name what is there."""

import re
from pathlib import Path

import pytest

from tests.test_layers import LEVEL

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / "docs/contributing").glob("*.md"), *(ROOT / "docs/why").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_paths_exist(page):
    named = re.findall(r"`((?:skosteo|tests|docs)/[\w./]+)`", page.read_text())
    missing = [path for path in named if not (ROOT / path).exists()]
    assert [path for path in missing if not re.search("NAME|ROOM", path)] == []


def test_every_room_is_described():
    rooms = {room.split(".")[0] for room in LEVEL} - {"exceptions", "splits", "__main__"}
    house = (ROOT / "docs/contributing/house.md").read_text()
    assert [room for room in sorted(rooms) if f"`{room}`" not in house] == []


def test_every_benchmark_has_its_line():
    page = (ROOT / "docs/contributing/tests.md").read_text()
    names = [path.stem for path in (ROOT / "tests/benchmarks").glob("[a-z]*.py")]
    assert [name for name in names if f"| `{name}` |" not in page] == []
