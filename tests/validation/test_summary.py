"""What is said of a validation: no verdict, no effect and no update where there is none."""

import numpy as np
from scipy.special import expit

from skosteo import update_model, validate
from tests.recalibration.planted import Says, patients

SAYS = Says().fit(None, [0, 1])


def test_an_update_turned_round_is_no_update():
    X, y, _, _ = patients(np.random.default_rng(8), 500)
    found = validate(SAYS, X, 1 - y)
    assert found.update.recalibrated.slope_ == 0
    said = found.summary()[-1]
    assert "every patient would get the same risk, the proportion of cases" in said
    assert "check the coding of the outcome" in said
    assert "sensitivity" not in said


def test_an_update_that_is_none_has_no_effects():
    """Found among sites of 300 whose risks are a fifth too low, where the folds do not agree."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        X, _, risk, _ = patients(rng, 300)
        y = (rng.random(300) < np.clip(1.2 * risk, 0, 1)).astype(int)
        found = validate(SAYS, X, y)
        if found.update.chosen == "original" and len(found.chosen) > 1:
            break
    n = 10 - found.chosen["original"]
    said = f"kept as it is, although {n} of 10 updates by nine tenths of the patients would"
    assert said in found.summary()[-1]
    assert "sensitivity" not in found.summary()[-1]


def test_without_an_interval_there_is_no_verdict():
    X, y = expit(np.linspace(-2, 1, 60))[:, None], np.repeat([1, 0], [3, 57])
    said = validate(SAYS, X, y, groups=np.arange(60) // 3).summary()[2]
    assert said.endswith("; there is no interval to judge it by.")
    said = validate(SAYS, np.full((60, 1), 0.2), np.repeat([1, 0], [18, 42])).summary()
    assert said[3].endswith("; no flexible curve fits these risks.")
    nothing = validate(SAYS, np.zeros((60, 1)), np.repeat([1, 0], [18, 42])).summary()
    assert "agrees" not in nothing[2]


def test_eleven_cases_have_an_update_that_is_not_judged():
    X, y, _, _ = patients(np.random.default_rng(9), 2000, intercept=-1.5)
    few = np.r_[np.flatnonzero(y == 1)[:11], np.flatnonzero(y == 0)[:150]]
    found = validate(SAYS, X[few], y[few])
    assert found.update.chosen == update_model(SAYS, X[few], y[few]).chosen != "original"
    assert found.after is None
    assert f"Update: the {found.update.chosen} would be learned anew, by all patients" in repr(
        found
    )
    assert "Without one of them a class has 9 patients left" in repr(found)
    assert {"update", "update_tests"} & set(found.tables) == {"update_tests"}
