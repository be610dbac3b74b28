"""TRIPOD+AI and CLAIM: every item once, filled where the study knows, open where it does not."""

import pytest

from skosteo.exceptions import InputError
from skosteo.study.report.checklists import _ITEMS, CLAIM, FACTS, TRIPOD_AI, fill

# Sub-items as printed in Collins 2024: items with letters, and their last letter
LETTERS = {3: "c", 5: "b", 6: "c", 8: "c", 9: "c", 12: "g", 18: "f", 20: "c", 23: "b", 27: "c"}
# What no program can know
AUTHOR = {
    TRIPOD_AI: ["3a", "3c", "8b", "8c", "17", "18a", "18b", "18c", "18d", "19", "25"],
    CLAIM: ["3", "5", "15", "16", "18", "34", "41", "42", "44"],
}


def test_every_item_stands_once_and_in_order():
    table = fill({}).groupby("checklist")["item"].apply(list)
    expected = []
    for number in range(1, 28):
        letters = [chr(c) for c in range(ord("a"), ord(LETTERS.get(number, " ")) + 1)]
        expected += [f"{number}{letter}" for letter in letters] or [str(number)]
    assert table[TRIPOD_AI] == expected
    assert table[CLAIM] == [str(number) for number in range(1, 45)]


def test_without_facts_all_is_for_the_author():
    table = fill({})
    assert (table["status"] == "for the author").all()
    assert (table["text"] == "").all()


def test_with_all_facts_only_the_authors_own_items_are_open():
    table = fill({name: f"About {name}." for name in FACTS.index}).set_index(["checklist", "item"])
    for checklist, items in AUTHOR.items():
        assert (table.loc[checklist].loc[items, "status"] == "for the author").all()
    filled = table[table["status"] == "filled"]
    assert filled["text"].str.startswith("About ").all()
    assert len(filled) > 60


@pytest.mark.parametrize("name", FACTS.index)
def test_each_fact_reaches_an_item_and_is_documented(name):
    table = fill({name: " A sentence. "})
    assert set(table.loc[table["status"] == "filled", "text"]) == {"A sentence."}
    assert len(FACTS.loc[name, "meaning"]) > 10


def test_facts_of_one_item_are_joined():
    table = fill({"split": "Five folds.", "split_level": "By patient."}).set_index("item")
    assert table.loc["12a", "text"] == "Five folds. By patient."


def test_blank_is_not_known():
    assert (fill({"split": "  "})["status"] == "for the author").all()


def test_a_name_that_no_item_asks_for():
    with pytest.raises(InputError, match="'splits'; did you mean 'split'"):
        fill({"splits": "Five folds."})


def test_every_fact_that_an_item_asks_for_is_defined():
    assert {name for names in _ITEMS["facts"] for name in names.split()} == set(FACTS.index)
