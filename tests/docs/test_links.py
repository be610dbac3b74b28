"""Links of README and its neighbours lead somewhere; Sphinx checks those of the pages."""

import re
from pathlib import Path

import pytest
from jinja2 import Template

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "docs/_templates/as-markdown.html"


@pytest.mark.parametrize(
    ("suffix", "links"),
    [(".md", ["films.md"]), ("", []), (None, [])],  # Sphinx gives the index and the search none
)
def test_what_is_no_page_has_no_link_to_its_markdown(suffix, links):
    page = Template(TEMPLATE.read_text()).render(pagename="guide/films", page_source_suffix=suffix)
    assert re.findall('href="([^"]+)"', page) == links


@pytest.mark.parametrize("page", sorted(path.name for path in ROOT.glob("*.md")))
def test_relative_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
