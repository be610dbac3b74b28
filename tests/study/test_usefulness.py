"""What the primary model brings, against counts by hand and planted truths."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skosteo.study.assessed import Assessed
from skosteo.study.usefulness import EVERYONE, confident_errors, film_beside, per_thousand


def rows_of(y, risks, threshold=0.2):
    n = len(y)
    risk = pd.DataFrame(risks)
    at = pd.DataFrame(threshold, index=risk.index, columns=risk.columns)
    return Assessed(
        np.arange(n), np.zeros(n, int), None, np.asarray(y), np.arange(n), risk, risk, at
    )


def test_of_a_thousand_people():
    """100 cases, 80 above the threshold; 300 controls, 90 above it."""
    y = np.repeat([1, 0], [100, 300])
    risk = np.concatenate([np.repeat([0.5, 0.1], [80, 20]), np.repeat([0.3, 0.05], [90, 210])])
    rows = rows_of(y, {"m": risk})
    here = per_thousand(rows, {"m": "Model"}, None)
    assert here.loc["Model"].tolist() == pytest.approx([425, 200, 50, 425 / 200])
    assert here.loc[EVERYONE].tolist() == pytest.approx([1000, 250, 0, 4])
    there = per_thousand(rows, {"m": "Model"}, 0.1).loc["Model"]
    assert there.tolist() == pytest.approx([80 + 270, 80, 20, 350 / 80])


def test_where_no_case_is_found_referrals_per_case_are_not_estimable():
    rows = rows_of([0, 0, 1, 1], {"m": [0.1, 0.1, 0.1, 0.1]})
    assert np.isnan(per_thousand(rows, {"m": "Model"}, None).loc["Model"].iloc[-1])


def test_a_film_that_adds_is_told_from_one_that_does_not():
    rng = np.random.default_rng(0)
    n = 600
    age, film = rng.normal(size=(2, n))
    y = (rng.random(n) < 1 / (1 + np.exp(1 - age - 1.2 * film))).astype(int)
    risks = {
        "age": 1 / (1 + np.exp(1 - age)),
        "film": 1 / (1 + np.exp(1 - film)),
        "noise": rng.uniform(0.1, 0.6, n),
    }
    view = pd.Series(np.where(np.arange(n) < 590, "PA", "AP"))
    rows = rows_of(y, risks)
    adds = film_beside(rows, "age", "film", view)
    assert adds.index.tolist() == ["all patients", "PA"]  # of ten AP films nothing can be said
    assert (adds["P, one-sided"] == "< .001").all()
    assert adds["difference"].str.startswith("+").all()
    nothing = film_beside(rows, "age", "noise", None)
    assert float(nothing["P, one-sided"].iloc[0].replace("< ", "")) > 0.05


def test_the_most_confident_errors_of_either_kind():
    y = [0, 1, 0, 1, 0, 1, 0, 1]
    risk = [0.9, 0.1, 0.8, 0.2, 0.1, 0.9, 0.7, 0.3]
    rows = replace(rows_of(y, {"m": risk}), row=np.arange(10, 18))
    found = confident_errors(rows, "m", {"m": "Model"})
    assert found["row"].tolist() == [10, 12, 16, 11, 13, 17]
    assert found["outcome"].tolist() == ["no"] * 3 + ["yes"] * 3
    assert found["Model"].tolist() == [".900", ".800", ".700", ".100", ".200", ".300"]
