"""The page in a real browser; see `tests.study.report.browser`."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.study.report import browser
from tests.study.report.pages import attacked, page_of

pytestmark = [
    pytest.mark.skipif(browser.chromium() is None, reason="needs chromium"),
    pytest.mark.skipif(not importlib.util.find_spec("playwright"), reason="needs playwright"),
]


@pytest.fixture(scope="module")
def report(of_films, tmp_path_factory):
    return Path(shutil.copy(of_films.out / "report.html", tmp_path_factory.mktemp("page")))


def test_nothing_is_wrong_at_a_desk_and_on_a_phone(report):
    assert browser.findings(report) == []


def test_the_tab_key_reaches_every_link_and_table_and_shows_where_it_is(report):
    stops = browser.tab_stops(report)
    assert stops[0][:2] == ("A", "#content")  # the skip link
    assert [stop[1] for stop in stops[1:4]] == ["#participants", "#methods", "#discrimination"]
    html = report.read_text("utf-8")
    tables = [stop for stop in stops if stop[0] == "DIV"]  # those of the annex are closed
    assert len(tables) == html.split('class="annex"')[0].count("<table") >= 6
    assert len([stop for stop in stops if stop[0] == "SUMMARY"]) == html.count("<details")
    assert all("scrolls sideways" in name for _, name, _ in tables)
    assert all(visible for *_, visible in stops)


def test_an_attack_runs_nothing(of_values, tmp_path):
    attack = '"><script>document.title="owned"</script><img src="http://x.invalid/a" onerror=a()>'
    path = tmp_path / "report.html"
    path.write_text(page_of(attacked(of_values.study, attack)), "utf-8")
    # its pictures are none: that is all that may be wrong
    assert all("image not there" in finding for finding in browser.findings(path))
    with browser.opened(path) as (tab, _):
        assert tab.title() == f"Report {attack}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("--quiet: #4d4d4d", "--quiet: #bbbbbb", "faint"),
        ("<h1>", "<h3>", "h1"),
        ("max-width: 90vw", "max-width: 40vw; min-width: 0 !important", "cut: Table"),
        ('alt="', 'alt="" title="', "image without alt"),
        ("data:image/png;base64,", "data:image/png;base64,AAAA", "image not there"),
        ("<main", '<p style="width: 50rem">x</p><main', "wider than the screen"),
        ("<main", '<img src="http://x.invalid/a.png" alt="a"><main', "console"),
        ('href="#methods"', 'href="#method"', "link to #method"),
    ],
)
def test_each_fault_would_be_found(report, tmp_path, old, new, message):
    html = report.read_text("utf-8")
    assert old in html
    broken = tmp_path / "report.html"
    broken.write_text(html.replace(old, new), "utf-8")
    assert any(message in finding for finding in browser.findings(broken))
