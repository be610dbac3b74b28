"""Reports as text, and studies that differ from a fitted one in what they say."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from skosteo.study.report.content import render_page
from skosteo.study.report.figures import available


class Reader(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(" ".join(data.split()))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(filter(None, self.words))


def picture(kind="svg"):
    """Two curves, as a file."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(6, 4.2), layout="constrained")
    ax = canvas.subplots()
    x = np.linspace(0, 1, 50)
    ax.plot(x, x**0.3, color="#1b3a5c", label="multimodal  .84 [.79, .88]")
    ax.plot(x, x**0.5, "--", color="#c8553d", label="image  .78 [.73, .83]")
    ax.set(xlabel="1 - specificity", ylabel="Sensitivity")
    ax.legend(frameon=False)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def changed(study, *, fields=None, **settings):
    """Return the same study with other settings; `fields` are others of its own."""
    given = {"settings": replace(study.settings, **settings)} | (fields or {})
    return replace(study, **given)


def page_of(study):
    """Return the report of a study with a small picture in the place of each figure."""
    return render_page(study, dict.fromkeys(available(study), (b"x", "image/png")))


def captions(html, kind):
    """Captions of the tables or figures of a page, by their numbers."""
    found = re.findall(
        rf"<b>{kind} (\d+)\.</b>(.*?)(?:</span>)?</(?:fig)?caption>", html, re.DOTALL
    )
    return {int(number): " ".join(text.split()) for number, text in found}


def attacked(study, attack):
    """Return a study of one model with a text put in wherever a user may put one."""
    name = study.primary
    model = replace(study.models[name], title=f"Model {attack}")
    final = replace(study.final, fit=replace(study.final.fit, notes=(f"shap: {attack}",)))
    fields = {
        "models": {name: model},
        "results": {model.key: study.results[model.key]},
        "family": (name,),
        "final": final,
        "groupings": study.groupings.rename(columns=lambda column: f"{column} {attack}"),
    }
    return changed(
        study, fields=fields, title=f"Report {attack}", outcome=f"ill {attack}",
        limits=(f"Synthetic. {attack}",),
    )  # fmt: skip
