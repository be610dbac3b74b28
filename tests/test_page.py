"""What every page shares: cells of a table as text, escaped and set in their place."""

import re

import numpy as np
import pandas as pd
import pytest

from skosteo._page import make_environment
from tests.study.report.pages import Reader

TABLE = '{% from "blocks.html.jinja" import table with context %}{{ table(frame, "c") }}'


def table_of(frame):
    return (
        make_environment("skosteo").from_string(TABLE).render(frame=frame, next_number=lambda _: 1)
    )


def cells(html):
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1780, "1,780"), (np.int64(12), "12"), (0.84149, "0.841"), (np.nan, "\u2013"),
     (None, "\u2013"), (pd.NA, "\u2013"), (True, "yes"), (".84 [.79, .88]", ".84 [.79,\u00a0.88]"),
     ("+.02, P = .15", "+.02, P\u00a0=\u00a0.15"), ("P < .001", "P\u00a0&lt;\u00a0.001"),
     (123456.7, "123,457"),
     (-0.25, "-0.250"), ("", "")],
)  # fmt: skip
def test_what_a_cell_shows(value, shown):
    html = table_of(pd.DataFrame({"a": pd.Series([value], dtype=object)}))
    assert cells(html)[-1] == shown


def test_figures_stand_right_and_words_left():
    frame = pd.DataFrame(
        {"n": [1, "suppressed"], "auc": [".9 [.8, 1]", None], "p": ["< .001", "not estimable"],
         "word": ["a", "b"]}
    )  # fmt: skip
    headings = Reader(table_of(frame)).all("th")
    assert [h.get("class") for h in headings if h["scope"] == "col"] == ["right"] * 3 + [None]


def test_every_level_of_an_index_is_a_heading_and_none_is_repeated():
    index = pd.MultiIndex.from_tuples([("sex", "F"), ("sex", "M")], names=["what", "level"])
    html = table_of(pd.DataFrame({"n": [3, 4]}, index=index))
    assert re.findall(r'<th scope="row".*?>(.*?)</th>', html) == ["sex", "F", "M"]
    assert html.index(">what<") < html.index(">level<") < html.index(">n<")


def test_a_table_without_notes_has_no_place_for_them():
    assert "notes" not in table_of(pd.DataFrame({"n": [1]}))


def test_a_page_finds_its_own_templates_and_the_shared_ones():
    environment = make_environment("skosteo.study.report")
    assert environment.get_template("departures.html.jinja") is not None
    assert "default-src 'none'" in environment.get_template("head.html.jinja").render()


def test_texts_are_escaped():
    assert "&lt;b&gt;" in table_of(pd.DataFrame({"<b>": ["<i>"]}))
    assert "<i>" not in table_of(pd.DataFrame({"<b>": ["<i>"]}))
