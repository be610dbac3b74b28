"""What an update brings, judged on patients it was not learned from; figures as printed."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from skosteo import update_model, validate
from skosteo.evaluation import calibration_line
from skosteo.evaluation._scored import Scored
from skosteo.exceptions import InputError
from skosteo.validation.figures import held_out_update, printed
from tests.recalibration.planted import Says, patients

SAYS = Says().fit(None, [0, 1])
CLASSES = np.array([0, 1])


def test_the_update_is_judged_on_patients_it_has_not_seen():
    """Labels by chance: an update by all rows looks better than it is, held out it does not."""
    rng = np.random.default_rng(4)
    X, y = expit(rng.normal(0, 1.5, (60, 1))), rng.permutation(np.repeat([0, 1], 30))
    found = validate(SAYS, X, y)
    apparent = update_model(SAYS, X, y).model.predict_proba(X)[:, 1]
    frame = found.frame("update").set_index(["figure", "model"])["estimate"]
    slope = frame["calibration slope", "updated, held out"]
    assert roc_auc_score(y, found.after) < roc_auc_score(y, apparent)
    assert slope < calibration_line(y, apparent).slope
    twins = validate(SAYS, np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat(range(60), 2))
    assert np.array_equal(twins.after[::2], twins.after[1::2])  # both films in one fold


def test_each_tenth_is_put_right_by_the_other_nine():
    X, y, _, _ = patients(np.random.default_rng(0), 3000, 0.5, -1)
    risk, chosen = held_out_update(CLASSES, Scored.of_scores(y, X[:, 0]))
    assert chosen == ["slope and intercept"] * 10
    whole = update_model(SAYS, X, y).model.predict_proba(X)[:, 1]
    assert np.abs(risk - whole).max() < 0.05
    assert len(np.unique(np.round(risk - whole, 12))) > 1000  # but is not the same


def test_ten_patients_of_a_class_are_too_few_for_nine_tenths_of_them():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [200, 10])
    with pytest.raises(InputError, match="Without one of them a class has 9 patients left"):
        held_out_update(CLASSES, Scored.of_scores(y, rng.uniform(0.1, 0.9, 210)))


def test_how_figures_are_printed():
    names = [
        "AUC",
        "sensitivity",
        "PPV",
        "calibration slope",
        "calibration intercept",
        "ICI",
        "net benefit",
    ]
    nan = np.nan
    frame = pd.DataFrame(
        {
            "figure": names,
            "estimate": [0.812, 0.75, nan, 0.9, -0.5, 0.02, -0.01],
            "low": [0.7, 0.7, nan, nan, -0.75, nan, nan],
            "high": [0.9, 0.8, nan, nan, -0.25, nan, nan],
            "count": [30, 900, 0, 30, 30, 30, 30],
            "total": [90, 1200, 0, 90, 90, 90, 90],
        }
    )
    assert printed(frame).tolist() == [
        ".812 [.700, .900]",
        "900/1,200 = .750 [.700, .800]",
        "not estimable",
        "0.90 [\N{EM DASH}]",
        "\N{MINUS SIGN}0.50 [\N{MINUS SIGN}0.75, \N{MINUS SIGN}0.25]",
        ".020",
        "\N{MINUS SIGN}.010 [\N{EM DASH}]",
    ]
