"""The items of TRIPOD+AI and CLAIM that a study can answer by itself, and those of its author.

``checklists.csv`` names the items by number, in words of our own (their full text is in the
papers), with the facts that answer each. ``facts.csv`` says what each fact means, where in the
report it stands, whether it is all of an answer, and holds the sentence, a template, by which a
study states it; some only an author can state.
"""

from collections.abc import Mapping
from importlib.resources import files

import pandas as pd

from skosteo._validation import guess
from skosteo.exceptions import InputError

TRIPOD_AI = "TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378)"
CLAIM = "CLAIM 2024 (Tejani et al. 2024, doi:10.1148/ryai.240300)"
YES, PARTLY, OPEN = "yes", "partly", "for the author"


def _read(name: str) -> pd.DataFrame:
    with files("skosteo.study.report").joinpath(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)


_ITEMS = _read("checklists.csv").replace({"TRIPOD+AI": TRIPOD_AI, "CLAIM": CLAIM})
FACTS = _read("facts.csv").set_index("name")


def fill(facts: Mapping[str, str]) -> pd.DataFrame:
    """Answer both checklists with what a study knows of itself: sentences by name, of `FACTS`.

    The items come with ``checklist``, ``item`` (its number), ``topic``, ``status``, ``text``, and
    ``where``, the part of the report. The status is "yes" where the study answers all that the item
    asks for, "partly" where the author has to add to it, and "for the author", without a text.
    Whoever signs the checklist reads it first.

    Examples
    --------
    >>> table = fill({"split": "Five folds.", "limits": "Small."})
    >>> table.loc[table["text"] != "", ["item", "topic", "status"]].values.tolist()
    [['12a', 'use of the data: parts and their purpose', 'partly'],
     ['26', 'limitations', 'partly'],
     ['19', 'how data were divided', 'yes'],
     ['40', 'limitations', 'partly']]
    """
    for name in facts:
        if name not in FACTS.index:
            raise InputError(f"No checklist asks for the fact {name!r}{guess(name, FACTS.index)}")
    known = {name: text.strip() for name, text in facts.items() if text.strip()}
    answers = [_answer(names.split(), known) for names in _ITEMS["facts"]]
    table = _ITEMS[["checklist", "item", "topic"]].copy()
    table[["status", "text", "where"]] = pd.DataFrame(answers, index=table.index)
    return table


def _answer(asked: list[str], known: Mapping[str, str]) -> tuple[str, str, str]:
    """Status, text and place of one item."""
    found = [name for name in asked if name in known]
    if not found:
        return OPEN, "", ""
    whole = found == asked and (FACTS.loc[found, "answer"] == YES).all()
    text = " ".join(known[name] for name in found)
    return YES if whole else PARTLY, text, str(FACTS.loc[found[0], "where"])
