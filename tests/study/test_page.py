"""The page as text: everything shown as it is, numbered, within one file, and inert."""

import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from skosteo.exceptions import InputError
from skosteo.study.page import Figure, Page, Section, Table, Text, render_page
from tests.study.pages import long_page, picture, small_page


class Reader(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(*blocks):
    return render_page(Page("t", "s", ["l"], [("a", "b")], [Section("c", blocks)]))


def cells(html):
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>1</script>",
    "{{ 7 * 7 }}",
    "a & b &lt; c",
    "</title><b>",
    "data:text/html,<script>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_becomes_html(attack):
    plain = Reader(render_page(small_page("words", "words")))
    page = Reader(render_page(small_page(attack, attack)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
    text = " ".join(page.words)
    # title, subtitle, limit, fact, heading twice, paragraph, bullet, table, figure, checklists
    assert text.count(attack) >= 12


def test_one_file_without_script_or_request():
    page = Reader(render_page(long_page()))
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "background")
    ]
    assert all(re.match(r"#|data:", address) for address in addresses)
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert "url(" not in render_page(long_page())
    assert "@import" not in render_page(long_page())


def test_the_limits_stand_before_all_numbers():
    html = render_page(long_page())
    assert html.index("SYNTHETIC cohort") < html.index("1,780 films") < html.index("<table")


def test_contents_lead_to_each_section():
    page = Reader(render_page(long_page()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [attributes["href"][1:] for attributes in page.all("a")]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert len([link for link in links if link.startswith("part")]) == 5


def test_tables_and_figures_are_numbered_in_order():
    html = render_page(long_page())
    numbers = re.findall(r"<b>(Table|Figure) (\d+)\.</b>", html)
    assert numbers == [
        ("Table", "1"), ("Table", "2"), ("Figure", "1"), ("Table", "3"), ("Figure", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1780, "1,780"), (np.int64(12), "12"), (0.84149, "0.841"), (np.nan, "\u2013"),
     (None, "\u2013"), (pd.NA, "\u2013"), (True, "yes"), (".84 [.79, .88]", ".84 [.79,\u00a0.88]"),
     ("+.02, P = .15", "+.02, P\u00a0=\u00a0.15"), ("P < .001", "P\u00a0&lt;\u00a0.001"),
     (123456.7, "123,457"),
     (-0.25, "-0.250"), ("", "")],
)  # fmt: skip
def test_what_a_cell_shows(value, shown):
    html = page_of(Table(pd.DataFrame({"a": pd.Series([value], dtype=object)}), "c"))
    assert cells(html)[-1] == shown


def test_figures_stand_right_and_words_left():
    frame = pd.DataFrame(
        {"n": [1, "suppressed"], "auc": [".9 [.8, 1]", None], "p": ["< .001", "not estimable"],
         "word": ["a", "b"]}
    )  # fmt: skip
    headings = Reader(page_of(Table(frame, "c"))).all("th")
    assert [h.get("class") for h in headings if h["scope"] == "col"] == ["right"] * 3 + [None]


def test_every_level_of_an_index_is_a_heading():
    index = pd.MultiIndex.from_tuples([("sex", "F"), ("sex", "M")], names=["what", "level"])
    html = page_of(Table(pd.DataFrame({"n": [3, 4]}, index=index), "c"))
    assert re.findall(r'<th scope="row".*?>(.*?)</th>', html) == ["sex", "F", "sex", "M"]
    assert html.index(">what<") < html.index(">level<") < html.index(">n<")


def test_pictures_are_within():
    data = picture("png")
    image = Reader(page_of(Figure(data, "image/png", "Two curves", "c"))).all("img")[0]
    kind, content = image["src"].split(",")
    assert kind == "data:image/png;base64"
    assert b64decode(content) == data
    assert image["alt"] == "Two curves"


@pytest.mark.parametrize(
    ("figure", "message"),
    [(Figure(b"x", "text/html", "a", "c"), r"Figure 1 is 1 bytes of 'text/html'"),
     (Figure(b"", "image/png", "a", "c"), "0 bytes"),
     (Figure(b"x", "image/png", " ", "c"), "no alt text")],
)  # fmt: skip
def test_what_is_no_figure(figure, message):
    with pytest.raises(InputError, match=message):
        page_of(figure)


def test_an_open_item_is_named_so():
    html = render_page(long_page())
    assert "2 of 52 items filled by the study; 50 are for the author." in html
    assert html.count('class="open">for the author<') == 50 + 42


def test_the_same_page_twice_is_the_same_text():
    page = Page("t", "s", [], [], [Section("c", [Text("a")])])
    assert render_page(page) == render_page(page)
