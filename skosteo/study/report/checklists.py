"""The items of TRIPOD+AI and CLAIM that a study can fill by itself, and those left to its author.

``checklists.csv`` names the items by number, in words of our own (their full text is in the
papers), with the facts that fill each. ``facts.csv`` says what each fact means, and holds the
sentence, a template, by which a study states it; some only an author can state.
"""

from collections.abc import Mapping
from importlib.resources import files

import pandas as pd

from skosteo._validation import guess
from skosteo.exceptions import InputError

TRIPOD_AI = "TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378)"
CLAIM = "CLAIM 2024 (Tejani et al. 2024, doi:10.1148/ryai.240300)"


def _read(name: str) -> pd.DataFrame:
    with files("skosteo.study.report").joinpath(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)


_ITEMS = _read("checklists.csv").replace({"TRIPOD+AI": TRIPOD_AI, "CLAIM": CLAIM})
FACTS = _read("facts.csv").set_index("name")


def fill(facts: Mapping[str, str]) -> pd.DataFrame:
    """Fill both checklists with what a study knows of itself: sentences by name, of `FACTS`.

    The items come with ``checklist``, ``item`` (its number), ``topic``, ``status``: "filled" or
    "for the author", and ``text``, "" where it is for the author. An item that asks for several
    facts is filled if one is known. Filled does not mean complete: whoever signs the checklist
    reads it first.

    Examples
    --------
    >>> table = fill({"missing_data": "Median of the training fold."})
    >>> table.loc[table["status"] == "filled", ["item", "topic", "text"]].values.tolist()
    [['11', 'missing data', 'Median of the training fold.'],
     ['12', 'missing data', 'Median of the training fold.']]
    """
    for name in facts:
        if name not in FACTS.index:
            raise InputError(f"No checklist asks for the fact {name!r}{guess(name, FACTS.index)}")
    known = {name: text.strip() for name, text in facts.items() if text.strip()}
    table = _ITEMS[["checklist", "item", "topic"]].copy()
    texts = [
        " ".join(known[name] for name in names.split() if name in known)
        for names in _ITEMS["facts"]
    ]
    table["status"] = ["filled" if text else "for the author" for text in texts]
    table["text"] = texts
    return table
