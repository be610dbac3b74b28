"""The code of the pages runs as it stands, each page by itself, in an empty folder."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import sklearn

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "docs").rglob("*.md")
    if "_build" not in path.parts and "```python\n" in path.read_text()
)


def snippets(text):
    """Code of all ``python`` fences; the lines between are blank, so that lines keep their numbers.

    A fence that cannot run, such as one that needs a GPU, is a ``{code-block} python``.
    """
    fence, lines = None, []
    for line in text.splitlines():
        if fence is None and (opened := re.match(r"(`{3,})(.*)", line)):
            fence = opened[1], opened[2] == "python"
            line = ""
        elif fence and line.startswith(fence[0]):
            fence = None
        lines.append(line if fence and fence[1] else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT / "docs")))
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = compile(snippets(page.read_text()), str(page), "exec")
    with sklearn.config_context():  # a page may set scikit-learn's options
        exec(code, {"__name__": "__main__"})
    plt.close("all")


def test_a_fence_that_is_not_to_run_is_left_out():
    text = "a\n```python\nx = 1\n```\n```{code-block} python\ny\n```\n```text\nz\n```"
    assert snippets(text).split() == ["x", "=", "1"]
    assert snippets(text).splitlines()[2] == "x = 1"
