"""A report in a real browser: is everything there, readable, reachable by keyboard, and quiet?

``python -m tests.study.report.browser report.html folder`` prints what is wrong, and leaves
screenshots of a desk and of a phone and the print in the folder.
"""

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

WIDTHS = {"desk": 1280, "phone": 375}

# Luminance and contrast by WCAG 2.2; backgrounds are taken from the nearest element that has one
_CONTRAST = """
() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => {
    const [r, g, b] = rgb(c).map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor, parts = rgb(c);
      if (parts.length < 4 || parts[3] > 0) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const faint = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const a = light(getComputedStyle(e).color), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faint.push(`${e.tagName} ${ratio.toFixed(2)}`);
  }
  return faint;
}
"""
_STRUCTURE = """
() => {
  const found = [], all = s => [...document.querySelectorAll(s)];
  if (!document.documentElement.lang) found.push('no lang');
  if (all('h1').length !== 1) found.push('not one h1');
  let last = 0;
  for (const h of all('h1, h2, h3, h4')) {
    const level = +h.tagName[1];
    if (level > last + 1) found.push('heading skipped before ' + h.textContent);
    last = level;
  }
  const ids = all('[id]').map(e => e.id);
  if (new Set(ids).size !== ids.length) found.push('an id twice');
  for (const a of all('a')) {
    const href = a.getAttribute('href');
    if (!href.startsWith('#') || !document.getElementById(href.slice(1)))
      found.push('link to ' + href);
  }
  for (const i of all('img')) {
    if (!i.complete || !i.naturalWidth) found.push('image not there: ' + i.alt);
    if (!i.alt.trim()) found.push('image without alt');
  }
  for (const t of all('table')) {
    if (!t.closest('[role=region][aria-label][tabindex="0"]')) found.push('table out of region');
    if (t.querySelector('th:not([scope])')) found.push('th without scope');
  }
  if (all('script, iframe, object, embed, form, [onclick], [onerror], [onload]').length)
    found.push('something active');
  return found;
}
"""
_OVERFLOW = """
() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room && document.body.scrollWidth <= room) return [];
  return [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.scroll') && !e.matches('.skip'))
    .filter(e => e.getBoundingClientRect().right > room + 1)
    .map(e => e.tagName + '.' + e.className).slice(0, 5).concat(['wider than the screen']);
}
"""
_CUT = """
() => [...document.querySelectorAll('.scroll')]
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => 'cut: ' + e.getAttribute('aria-label').split(',')[0])
"""
_STOPS = """
() => [...document.querySelectorAll('a, summary, [tabindex="0"]')]
  .filter(e => e.checkVisibility()).length
"""
_FOCUSED = """
() => {
  const e = document.activeElement, shown = getComputedStyle(e);
  return [e.tagName, e.getAttribute('href') || e.getAttribute('aria-label') || '',
          shown.outlineStyle !== 'none' && shown.outlineWidth !== '0px'];
}
"""


def chromium():
    """Path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def opened(path, width=1280):
    """Open a file in Chromium, and note what it says and asks for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 900})
        noted = []
        tab.on("console", lambda message: noted.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: noted.append(f"error: {error}"))
        url = Path(path).resolve().as_uri()
        tab.on(
            "request",
            lambda request: (
                None
                if request.url.split("#")[0] == url or request.url.startswith("data:")
                else noted.append(f"request: {request.url}")
            ),
        )
        tab.goto(url, wait_until="load")
        try:
            yield tab, noted
        finally:
            browser.close()


def findings(path):
    """Say what is wrong with a page, in both widths; an empty list if nothing is."""
    found = []
    for name, width in WIDTHS.items():
        with opened(path, width) as (tab, noted):
            tab.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
            wrong = [*tab.evaluate(_STRUCTURE), *tab.evaluate(_OVERFLOW), *noted]
            wrong += tab.evaluate(_CUT) if name == "desk" else []  # on a phone tables scroll
            wrong += [f"faint: {text}" for text in tab.evaluate(_CONTRAST)]
            found += [f"{name}: {text}" for text in wrong]
    return found


def tab_stops(path):
    """Walk through a page with the Tab key: (tag, what it is, whether its focus shows)."""
    with opened(path) as (tab, _):
        n = tab.evaluate(_STOPS)
        stops = []
        for _ in range(n):
            tab.keyboard.press("Tab")
            stops.append(tuple(tab.evaluate(_FOCUSED)))
        return stops


def pictures(path, folder):
    """Leave a picture of the page in each width, and its print."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, width in WIDTHS.items():
        with opened(path, width) as (tab, _):
            tab.screenshot(path=folder / f"{name}.png", full_page=True)
            tab.pdf(path=folder / "print.pdf", prefer_css_page_size=True)


if __name__ == "__main__":
    report, folder = sys.argv[1:3]
    wrong = findings(report)
    sys.stdout.write("\n".join(wrong or ["nothing wrong"]) + "\n")
    hidden = [stop for stop in tab_stops(report) if not stop[2]]
    sys.stdout.write(f"stops of the Tab key without a visible focus: {len(hidden)}\n")
    pictures(report, folder)
