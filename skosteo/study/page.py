"""One self-contained HTML page: no script, no network, nothing of the data read as HTML."""

import math
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from jinja2 import Template

_IMAGES = ("image/png", "image/svg+xml", "image/jpeg")
_MISSING = "\N{EN DASH}"
_NO_FIGURE = [_MISSING, "", "-", "not estimable", "suppressed"]  # in the place of one
# What stays on one line
_INTERVAL = re.compile(r"\[([^\s\[\],]+), ([^\s\[\],]+)\]")
_P_VALUE = re.compile(r"\bP ([=<]) (?=[.\d])")


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of short texts."""

    items: Sequence[str]


@dataclass(frozen=True, eq=False)
class Table:
    """A table with its number, caption and notes.

    Parameters
    ----------
    frame : DataFrame
        Its index is the heading of each row. Numbers and texts that begin as numbers do stand
        right, others left; what is missing is a dash.
    caption : str
        What it shows.
    notes : sequence of str, default=()
        Small print below it.
    """

    frame: pd.DataFrame
    caption: str
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A picture with its number and caption.

    Parameters
    ----------
    data : bytes
        The file: PNG, JPEG or SVG.
    mime : {"image/png", "image/jpeg", "image/svg+xml"}
        Which of them.
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        What it shows, for all.
    """

    data: bytes
    mime: str
    alt: str
    caption: str


@dataclass(frozen=True, eq=False)
class Checklist:
    """A checklist as `skosteo.study.checklists.fill` returns it."""

    frame: pd.DataFrame


Block = Text | Bullets | Table | Figure | Checklist


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading, listed in the contents."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """What a page says.

    Parameters
    ----------
    title, subtitle : str
        Its heading.
    limits : sequence of str
        What a reader must know before any number; stands first, in a box.
    facts : sequence of (label, value)
        Data, splits, seeds, versions.
    sections : sequence of Section
        The rest, in order.
    """

    title: str
    subtitle: str
    limits: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def render_page(page: Page) -> str:
    """Write a page as HTML.

    Parameters
    ----------
    page : Page
        Texts are shown as they are, whatever signs they hold.

    Returns
    -------
    str
        The whole file: pictures within, no script, and a content policy that forbids scripts and
        every request. It prints on A4.

    Raises
    ------
    InputError
        A figure without a text for those who cannot see it, or that is no picture.

    Examples
    --------
    >>> page = Page("Study", "5 folds", ["Synthetic."], [("seed", "0")],
    ...             [Section("Data", [Text("a < b")])])
    >>> "<p>a &lt; b</p>" in render_page(page)
    True
    """
    numbers = {"table": 0, "figure": 0}
    sections = [
        {
            "id": f"part-{i}",
            "title": section.title,
            "blocks": [_block(block, numbers) for block in section.blocks],
        }
        for i, section in enumerate(page.sections, 1)
    ]
    return _template().render(page=page, sections=sections)


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # heavy

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("skosteo.study").joinpath("page.html.jinja").read_text("utf-8")
    return environment.from_string(source)


def _block(block: Block, numbers: dict[str, int]) -> dict[str, Any]:
    """Say how a block is to be shown, and count tables and figures."""
    if isinstance(block, Text):
        return {"kind": "text", "text": block.text}
    if isinstance(block, Bullets):
        return {"kind": "bullets", "items": block.items}
    if isinstance(block, Checklist):
        lists = block.frame.groupby("checklist", sort=False)
        return {
            "kind": "checklist",
            "lists": [
                {"name": name, "rows": rows.to_dict("records"), "open": _n_open(rows)}
                for name, rows in lists
            ],
        }
    kind = "table" if isinstance(block, Table) else "figure"
    numbers[kind] += 1
    shown = {"kind": kind, "number": numbers[kind], "caption": block.caption}
    if isinstance(block, Table):
        return shown | _cells(block.frame) | {"notes": block.notes}
    return shown | {"alt": block.alt, "source": _source(block, numbers[kind])}


def _n_open(rows: pd.DataFrame) -> int:
    return int((rows["status"] != "filled").sum())


def _source(figure: Figure, number: int) -> str:
    if figure.mime not in _IMAGES or not figure.data:
        raise InputError(
            f"Figure {number} is {len(figure.data)} bytes of {figure.mime!r}; a page takes one of "
            f"{', '.join(map(repr, _IMAGES))}."
        )
    if not figure.alt.strip():
        raise InputError(f"Figure {number} has no alt text; say in a sentence what it shows.")
    return f"data:{figure.mime};base64,{b64encode(figure.data).decode()}"


def _cells(frame: pd.DataFrame) -> dict[str, Any]:
    """Headings and rows of a table as text, and which columns stand right."""
    index = frame.index.to_frame(index=False)
    names = [_words(name) if name is not None else "" for name in frame.index.names]
    plain = frame.astype(object).to_numpy()
    return {
        "head": [*names, *map(_words, frame.columns)],
        "n_index": index.shape[1],
        "right": [_stands_right(frame.iloc[:, j]) for j in range(frame.shape[1])],
        "rows": [
            (list(map(_words, labels)), list(map(_words, cells)))
            for labels, cells in zip(index.to_numpy(dtype=object), plain, strict=True)
        ],
    }


def _words(value: Any) -> str:
    """One cell: counts with thousands apart, other numbers to three decimals."""
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    if value is None or value is pd.NA or value is pd.NaT:
        return _MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        number = float(value)
        if math.isnan(number):
            return _MISSING
        return f"{number:.3f}" if abs(number) < 1000 else f"{number:,.0f}"
    text = _INTERVAL.sub("[\\1,\N{NO-BREAK SPACE}\\2]", str(value))
    return _P_VALUE.sub("P\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)


def _stands_right(values: pd.Series) -> bool:
    words = values.dropna().map(_words)
    figures = words.str.match(r"[-\N{MINUS SIGN}+<]? ?\.?\d") | words.isin(_NO_FIGURE)
    return bool(len(words) and figures.all())
