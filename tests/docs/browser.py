"""The built documentation in a real browser: does it stay on the machine, and fit the screen?

``python -m tests.docs.browser pictures`` opens every page of ``docs/_build/html`` at two widths,
light and dark, prints what is wrong, and leaves a picture of each in the folder. It needs chromium,
and ``pip install playwright``.
"""

import sys
from pathlib import Path

from tests.study.report.browser import WIDTHS, chromium

SITE = Path(__file__).parents[2] / "docs/_build/html"
# Text that is cut, but for what scrolls by itself
_CUT = """
() => [...document.querySelectorAll('article :is(h1, h2, p, dt, li, img)')]
  .filter(e => !e.closest('pre, table, .math, .sd-row'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => 'cut: ' + e.textContent.trim().slice(0, 40)).slice(0, 3)
"""


def look(tab, page, picture):
    """Say what is wrong with a page, and take a picture of it."""
    noted = []
    hear = {
        "request": lambda it: noted.append(it.url) if it.url.startswith("http") else None,
        "requestfailed": lambda it: noted.append(f"not there: {it.url}"),
        "pageerror": lambda it: noted.append(f"error: {it}"),
    }
    for event, listener in hear.items():
        tab.on(event, listener)
    tab.goto(page.as_uri(), wait_until="load")
    noted += tab.evaluate(_CUT)
    tab.screenshot(path=picture, full_page=True)
    for event, listener in hear.items():
        tab.remove_listener(event, listener)
    return noted


def main(folder):
    """Look at all pages; print what is wrong and how many there are."""
    from playwright.sync_api import sync_playwright

    pages = [page for page in sorted(SITE.rglob("*.html")) if "_static" not in page.parts]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            for name, width in WIDTHS.items():
                view = {"width": width, "height": 900}
                tab = browser.new_page(viewport=view, color_scheme=scheme)
                for page in pages:
                    where = str(page.relative_to(SITE))
                    picture = folder / f"{where.replace('/', '_')}_{scheme}_{name}.png"
                    for wrong in look(tab, page, picture):
                        print(f"{where}, {scheme}, {name}: {wrong}")
                tab.close()
        browser.close()
    print(f"{len(pages)} pages")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
