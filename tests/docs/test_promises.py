"""The page of promises names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_promise_names_tests_that_exist():
    page = (ROOT / "docs/why/promises.md").read_text()
    promises = [line for line in page.splitlines() if re.match(r"\| (?!promise|-)", line)]
    assert len(promises) > 60
    for promise in promises:
        paths = re.findall(r"`(tests/[\w/.]+)`", promise.split(" | ")[-1])
        assert paths, promise
        assert all((ROOT / path).exists() for path in paths), promise
