"""The drawing of the paper's net, and the page's words about it for those who do not see it."""

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def drawing():
    return runpy.run_path(str(DOCS / "drawings/network.py"))


@pytest.fixture(scope="module")
def found(drawing):
    return drawing["sizes"]()


def test_the_sizes_are_the_papers(found):
    assert found.shapes["F"] == "2048 \u00d7 7 \u00d7 7"
    assert found.shapes["F_w"] == found.shapes["F_sa"] == "2048 \u00d7 4 \u00d7 4"
    assert found.shapes["head"] == "1024 \u2013 512 \u2013 256 \u2013 1"


def test_the_page_says_in_words_what_is_drawn(found):
    words = re.search(r":alt: (.*)", (DOCS / "guide/image_model.md").read_text())[1]
    assert f"{found.parameters['all']} parameters" in words
    assert found.shapes["F_w"].replace("\u00d7", "by") in words


def test_it_is_written_as_a_picture(drawing, tmp_path):
    drawing["draw"](tmp_path / "network.svg")
    assert ElementTree.parse(tmp_path / "network.svg").getroot().tag.endswith("svg")
