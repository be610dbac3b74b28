"""TRIPOD+AI and CLAIM: every item once, answered where the study knows, open where it does not."""

import pytest

from skosteo.exceptions import InputError
from skosteo.study.report.checklists import (
    _ITEMS,
    CLAIM,
    FACTS,
    OPEN,
    PARTLY,
    TRIPOD_AI,
    YES,
    fill,
)

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
    assert (table["status"] == OPEN).all()
    assert (table[["text", "where"]] == "").all(axis=None)


def test_with_all_facts_only_the_authors_own_items_are_open():
    table = fill({name: f"About {name}." for name in FACTS.index}).set_index(["checklist", "item"])
    for checklist, items in AUTHOR.items():
        assert (table.loc[checklist].loc[items, "status"] == OPEN).all()
    answered = table[table["status"] != OPEN]
    assert answered["text"].str.startswith("About ").all()
    assert len(answered) > 60


@pytest.mark.parametrize("name", FACTS.index)
def test_each_fact_reaches_an_item_and_is_documented(name):
    table = fill({name: " A sentence. "})
    assert set(table.loc[table["status"] != OPEN, "text"]) == {"A sentence."}
    assert len(FACTS.loc[name, "meaning"]) > 10


def test_what_a_study_states_says_where_it_stands_and_whether_it_is_all():
    stated = FACTS[FACTS["sentence"] != ""]
    assert (stated["where"] != "").all()
    assert set(stated["answer"]) == {YES, PARTLY}


def test_facts_of_one_item_are_joined():
    table = fill({"split": "Five folds.", "split_level": "By patient."}).set_index("item")
    assert table.loc["12a", ["status", "text"]].tolist() == [YES, "Five folds. By patient."]


def test_an_item_is_partly_answered_where_a_fact_is_missing_or_is_not_all_of_it():
    table = fill({"split": "Five folds.", "limits": "Small."}).set_index("item")
    assert table.loc["12a", ["status", "text", "where"]].tolist() == [
        PARTLY, "Five folds.", "methods"
    ]  # fmt: skip
    assert table.loc["40", "status"] == PARTLY


def test_blank_is_not_known():
    assert (fill({"split": "  "})["status"] == OPEN).all()


def test_a_name_that_no_item_asks_for():
    with pytest.raises(InputError, match="'splits'; did you mean 'split'"):
        fill({"splits": "Five folds."})


def test_every_fact_that_an_item_asks_for_is_defined():
    assert {name for names in _ITEMS["facts"] for name in names.split()} == set(FACTS.index)
