"""The page as text: everything shown as it is, numbered, within one file, and inert."""

import re
from base64 import b64decode

import pytest

from skosteo.study.report.content import checklist, render_page
from tests.study.report.pages import Reader, attacked, captions, changed, page_of, picture


@pytest.fixture(scope="module")
def html(of_films):
    return (of_films.out / "report.html").read_text("utf-8")


ATTACKS = [
    "<script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "</style><script>1</script>",
    "{{ 7 * 7 }}",
    '"><img src=x onerror=alert(1)>',
    "a & b &lt; c",
    "</title><b>",
    "data:text/html,<script>",
]


@pytest.fixture(scope="module")
def plain(of_values):
    return Reader(page_of(attacked(of_values.study, "words")))


@pytest.mark.parametrize(
    "attack", [*ATTACKS[:4], *(pytest.param(text, marks=pytest.mark.slow) for text in ATTACKS[4:])]
)
def test_no_text_becomes_html(attack, plain, of_values):
    page = Reader(page_of(attacked(of_values.study, attack)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
    # title twice, outcome, limit, tables of models and of levels, a note, checklists
    assert page.text.count(attack) == plain.text.count("words") > 30


def test_one_file_without_script_or_request(html):
    page = Reader(html)
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
    assert "url(" not in html
    assert "@import" not in html


def test_contents_lead_to_each_section(html):
    page = Reader(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [attributes["href"][1:] for attributes in page.all("a")]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    nav = Reader(html.split("<nav")[1].split("</nav>")[0])
    assert [a["href"][1:] for a in nav.all("a")] == [
        a["id"] for a in page.all("h2") if a.get("id") not in ("limits", "abstract", "contents")
    ]


@pytest.mark.parametrize(("kind", "least"), [("Table", 8), ("Figure", 10)])
def test_tables_and_figures_are_numbered_in_order(kind, least, html):
    numbers = list(captions(html, kind))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= least
    assert html.count(f"<b>{kind} ") == len(numbers)


def test_pictures_are_within(of_values):
    data = picture("png")
    (image,) = Reader(render_page(of_values.study, {5: (data, "image/png")})).all("img")
    kind, content = image["src"].split(",")
    assert kind == "data:image/png;base64"
    assert b64decode(content) == data
    assert image["alt"].startswith("ROC curves of the models")


def test_an_open_item_is_named_so(of_values):
    html = page_of(of_values.study)
    n_open = 0
    for name, items in checklist(of_values.study).groupby("checklist"):
        n = items["status"].value_counts()
        said = (
            f"{len(items)} items: {n['yes']} yes, {n['partly']} partly, {n['for the author']} for"
        )
        assert said in html, name
        n_open += n["for the author"]
    assert html.count('class="open">for the author<') == n_open


def test_the_same_page_twice_is_the_same_text(of_values):
    assert page_of(of_values.study) == page_of(changed(of_values.study))
