"""An outcome from words or T-scores: nobody whose outcome is not known becomes healthy."""

import numpy as np
import pandas as pd
import pytest

from skosteo.commands.outcome import known_rows, of_t_scores, of_target
from skosteo.exceptions import InputError

WORDS = ["yes", "no", None, " ", "no ", "maybe", "n.a.", " yes"]


def column(values):
    return pd.Series(values, name="answer", dtype=object)


def test_only_what_is_named_is_ill_or_well():
    found = of_target(column(WORDS), ["yes"], ["no"])
    expected = [1, 0, np.nan, np.nan, 0, np.nan, np.nan, 1]
    np.testing.assert_array_equal(found.positive, expected)
    assert found.name == "answer"


def test_the_only_other_word_is_well():
    found = of_target(column(["yes", "no", None, "", "yes"]), ["yes"], None)
    np.testing.assert_array_equal(found.positive, [1, 0, np.nan, np.nan, 1])


def test_several_other_words_are_not_all_well():
    with pytest.raises(InputError, match="has 3 different values beside --positive"):
        of_target(column(WORDS), ["yes"], None)


@pytest.mark.parametrize("words", [("0", "1"), ("0.0", "1.0"), ("False", "TRUE"), (0, 1)])
def test_numbers_and_truths_need_no_option(words):
    found = of_target(column([words[1], words[0], None]), None, None)
    np.testing.assert_array_equal(found.positive, [1, 0, np.nan])


def test_t_scores_at_the_limit_and_missing():
    found = of_t_scores(pd.Series([-2.5, -2.4, None, 1], name="T"), "osteoporosis")
    np.testing.assert_array_equal(found.positive, [1, 0, np.nan, 0])
    found = of_t_scores(pd.Series(["-1.0", "-1.1", ""], name="T"), "low_bone_mass")
    np.testing.assert_array_equal(found.positive, [0, 1, np.nan])
    with pytest.raises(InputError, match="makes 1 class of 2 known rows"):
        of_t_scores(pd.Series([-1.0, -2.0, None], name="T"), "osteoporosis")


def test_rows_that_are_left_out_are_counted_with_their_patients():
    table = pd.DataFrame({"answer": WORDS, "id": [1, 2, 3, 1, 4, 5, 6, 7]})
    found = of_target(table["answer"], ["yes"], ["no"])
    kept, positive, flow = known_rows(table, found, "id", "fracture")
    assert kept["id"].tolist() == [1, 2, 4, 7]
    assert positive.tolist() == [1, 0, 0, 1]
    last = flow.frame().iloc[-1]
    assert (last["step"], last["excluded"], last["excluded_patients"]) == (
        "outcome not known",
        4,
        3,
    )
    assert flow.outcome["rows"].to_dict() == {"fracture": 2, "no fracture": 2}
