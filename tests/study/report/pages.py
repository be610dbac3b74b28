"""Reports as text, and studies that differ from a fitted one in what they say."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from skosteo.study import Study
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


def changed(study, *, models=None, results=None, groupings=None, **settings):
    """Return the same study with other models, results, groupings or settings."""
    return Study(
        study.design, models or study.models, results or study.results,
        replace(study.settings, **settings), study.flow, study.leakage,
        study.groupings if groupings is None else groupings, study.digest, study.final,
        study.family, study.drawn,
    )  # fmt: skip


def page_of(study):
    """Return the report of a study with a small picture in the place of each figure."""
    return render_page(study, dict.fromkeys(available(study), (b"x", "image/png")))


def captions(html, kind):
    """Captions of the tables or figures of a page, by their numbers."""
    found = re.findall(rf"<b>{kind} (\d+)\.</b>(.*?)</(?:fig)?caption>", html, re.DOTALL)
    return {int(number): " ".join(text.split()) for number, text in found}


def attacked(study, attack):
    """Return a study of one model with a text put in wherever a user may put one."""
    name, model = next(iter(study.models.items()))
    result, *others = study.results[model.key]
    return changed(
        study,
        models={name: replace(model, title=f"Model {attack}")},
        results={model.key: [replace(result, notes=(f"shap: {attack}",)), *others]},
        groupings=study.groupings.rename(columns=lambda column: f"{column} {attack}"),
        title=f"Report {attack}",
        outcome=f"ill {attack}",
        limits=(f"Synthetic. {attack}",),
    )
