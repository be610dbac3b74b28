"""The code of the pages runs as it stands, each page by itself, in an empty folder."""

import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn

from skosteo.commands import main
from skosteo.datasets import make_cohort
from skosteo.datasets.cohort import CLINICAL, draw_patients

PAGES = Path(__file__).parents[2] / "docs"
README = PAGES.parent / "README.md"
# Fences of other languages are not run: a line of a shell is ``sh``, what needs a GPU or a hospital
# a ``{code-block} python``
FENCE = re.compile(r"^(`{3,})(python|console)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
SLOW = {"start/first_result.md"}  # a whole study
ELSEWHERE = {"guide/engines.md"}  # each engine in a process of its own: tests/test_engines.py


def snippets(text):
    """Code of all ``python`` fences, and the commands of ``console`` ones as calls.

    The lines between are blank, so that lines keep their numbers.
    """
    lines = [""] * text.count("\n")
    for fence in FENCE.finditer(text):
        first, code = text.count("\n", 0, fence.start(3)), fence[3].splitlines()
        if fence[2] == "console":
            command = re.fullmatch(r"\$ skosteo (.*)", " ".join(code).replace("\\ ", ""))
            code = [f"assert main({shlex.split(command[1])}) == 0"]
        lines[first : first + len(code)] = code
    return "\n".join(lines)


def pages():
    for path in sorted(PAGES.rglob("*.md")):
        name = str(path.relative_to(PAGES))
        if (
            name not in ELSEWHERE
            and not name.startswith("_build")
            and FENCE.search(path.read_text())
        ):
            yield pytest.param(path, id=name, marks=pytest.mark.slow if name in SLOW else ())


def run(page):
    code = compile(snippets(page.read_text()), str(page), "exec")
    with sklearn.config_context():  # a page may set scikit-learn's options
        exec(code, {"__name__": "__main__", "main": main})
    plt.close("all")


@pytest.mark.parametrize("page", list(pages()))
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)


def test_the_code_of_the_readme_runs_beside_its_csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    films = make_cohort(10, directory=tmp_path / "films", random_state=0).data["image"]
    patients = draw_patients(80, random_state=0)
    table = patients[[*CLINICAL, "osteoporosis"]].assign(patient=patients["patient_id"])
    table.assign(image=np.resize(films, 80)).to_csv("cohort.csv", index=False)
    run(README)


def test_what_is_run_and_what_is_not():
    text = "a\n```python\nx = 1\n```\n```{code-block} python\ny\n```\n```text\nz\n```\n"
    text += "```console\n$ skosteo predict 'a b' \\\n    --quiet\n```\n"
    assert snippets(text).split("\n") == [
        *["", "", "x = 1", "", "", "", "", "", "", "", ""],
        *["assert main(['predict', 'a b', '--quiet']) == 0", "", ""],
    ]
