"""HTML pages: one inert file each, with its tables and pictures inside.

What all pages share is in ``templates``: the head with its content policy, the style, and the
blocks that make tables and figures. A page is escaped, holds no script and asks nothing of the
network.
"""

import math
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skosteo.evaluation._format import NOT_ESTIMABLE

if TYPE_CHECKING:
    from jinja2 import Environment

_MISSING = "\N{EN DASH}"
_NO_FIGURE = [_MISSING, "", "-", NOT_ESTIMABLE, "suppressed"]  # in the place of one
# What stays on one line
_INTERVAL = re.compile(r"\[([^\s\[\],]+), ([^\s\[\],]+)\]")
_P_VALUE = re.compile(r"\bP ([=<]) (?=[.\d])")


def make_environment(package: str, *functions: Callable[..., Any]) -> "Environment":
    """Return the templates of a package and those that all share; they may call the functions."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # heavy

    folders = files(package), files("skosteo").joinpath("templates")

    def load(name: str) -> str | None:
        found = (folder.joinpath(name) for folder in folders)
        return next((file.read_text("utf-8") for file in found if file.is_file()), None)

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    public = (cells, data_uri, unbroken, *functions)
    environment.globals |= {function.__name__: function for function in public}
    return environment


def render(environment: "Environment", template: str, **given: Any) -> str:
    """Render a template; its tables and figures are numbered."""
    numbers = Counter[str]()

    def next_number(kind: str) -> int:
        numbers[kind] += 1
        return numbers[kind]

    return environment.get_template(template).render(next_number=next_number, **given)


def data_uri(data: bytes, mime: str) -> str:
    """Return a file as an address that holds it."""
    return f"data:{mime};base64,{b64encode(data).decode()}"


def cells(frame: pd.DataFrame) -> dict[str, Any]:
    """Headings and rows of a table as text, and which columns stand right."""
    index = frame.index.to_frame(index=False)
    names = [_words(name) if name is not None else "" for name in frame.index.names]
    plain = frame.astype(object).to_numpy()
    return {
        "head": [*names, *map(_words, frame.columns)],
        "n_index": index.shape[1],
        "right": [_stands_right(frame.iloc[:, j]) for j in range(frame.shape[1])],
        "rows": [
            (labels, list(map(_words, row)))
            for labels, row in zip(_labels(index), plain, strict=True)
        ],
    }


def _labels(index: pd.DataFrame) -> list[list[str]]:
    """Labels of the rows; of several, the first is not repeated from row to row."""
    found = [list(map(_words, labels)) for labels in index.to_numpy(dtype=object)]
    firsts = [labels[0] for labels in found]
    for labels, before in zip(found[1:], firsts, strict=False):
        if len(labels) > 1 and labels[0] == before:
            labels[0] = ""
    return found


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
    return unbroken(str(value))


def unbroken(text: str) -> str:
    """Keep an interval, and "P = .041", on one line."""
    text = _INTERVAL.sub("[\\1,\N{NO-BREAK SPACE}\\2]", text)
    return _P_VALUE.sub("P\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)


def _stands_right(values: pd.Series) -> bool:
    words = values.dropna().map(_words)
    figures = words.str.match(r"[-\N{MINUS SIGN}+<]? ?\.?\d") | words.isin(_NO_FIGURE)
    return bool(len(words) and figures.all())
