"""The flow says the same in a table and in words."""

import re

import pandas as pd
import pytest

from skosteo.clinical.cohort import select_cohort


@pytest.fixture
def flow():
    table = pd.DataFrame(
        {
            "age": [45, 60, 70, 80, 90, None],
            "tumour": [None, "yes", "no", None, "no", "yes"],
            "t": [-3, -3, -2.5, 0, None, -1],
            "patient": ["a", "a", "a", "b", "c", "d"],
        }
    )
    return select_cohort(table, t_score="t", exclude="tumour", patient="patient").flow


def test_frame_counts_rows_and_patients(flow):
    expected = pd.DataFrame(
        [
            ("rows in the table", 0, 6, 0, 0, 4),
            ("age below 50 years or not known", 2, 4, 1, 1, 3),
            # a's second study goes, the third stays
            ("tumour (not known: kept)", 1, 3, 1, 0, 3),
            ("30 % or more of 1 clinical values missing", 0, 3, 0, 0, 3),
            ("no DXA result", 1, 2, 0, 1, 2),
        ],
        columns=[
            "step",
            "excluded",
            "remaining",
            "unknown",
            "excluded_patients",
            "remaining_patients",
        ],
    )
    pd.testing.assert_frame_equal(flow.frame(), expected)


def test_outcome_names_both_groups(flow):
    assert flow.outcome.to_dict("index") == {
        "osteoporosis (T <= -2.5)": {"rows": 1, "patients": 1},
        "no osteoporosis (T > -2.5)": {"rows": 1, "patients": 1},
    }


def test_words_say_every_count(flow):
    words = str(flow)
    assert words.startswith("6 rows in the table; age below 50 years or not known: 2 excluded, 4")
    left = [int(n) for n in re.findall(r"(\d+) left", words)]
    assert left == flow.frame()["remaining"].tolist()[1:]
