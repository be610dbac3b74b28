"""The threshold that a model's own ``predict`` goes by, wherever it is in the model."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import Scorer, load_model, save_model, update_model, validate
from skosteo.exceptions import InputError
from skosteo.recalibration.threshold import decides_by_risk
from tests.recalibration.planted import patients


def estimates(found):
    return found.frame().set_index("figure")["estimate"]


def test_a_model_has_its_own_threshold():
    X, y, _, _ = patients(np.random.default_rng(5), 400)
    inner = LogisticRegression()
    fixed = FixedThresholdClassifier(inner, threshold=0.12).fit(X, y)
    tuned = TunedThresholdClassifierCV(inner, random_state=0).fit(X, y)
    at = {
        0.12: fixed,
        tuned.best_threshold_: make_pipeline(StandardScaler(), tuned).fit(X, y),
        0.5: FixedThresholdClassifier(inner).fit(X, y),
        0.3: FrozenEstimator(FixedThresholdClassifier(inner, threshold=0.3).fit(X, y)),
        0.2: GridSearchCV(FixedThresholdClassifier(inner), {"threshold": [0.2]}).fit(X, y),
    }
    for threshold, model in at.items():
        found = validate(model, X, y)
        right = (model.predict(X) == y)[y == 1].mean()
        assert estimates(found)["sensitivity"] == pytest.approx(right), threshold
        assert "(the model's own)" in repr(found)
        assert "External validation of LogisticRegression" in repr(found)
    assert validate(fixed, X, y, threshold=0.4).threshold == 0.4
    assert "has none of its own" in repr(validate(inner.fit(X, y), X, y))
    for other in (
        FixedThresholdClassifier(inner, threshold=0.1, response_method="decision_function"),
        FixedThresholdClassifier(inner, threshold=0.1, pos_label=0),
    ):
        assert not decides_by_risk(other.fit(X, y))
        with pytest.raises(InputError, match="none of the probability"):
            validate(other.fit(X, y), X, y)


@pytest.mark.parametrize("labels", [(0, 1), ("healthy", "ill")])
def test_an_update_decides_at_the_threshold_of_the_model(labels, tmp_path):
    X, y, risk, _ = patients(np.random.default_rng(0), 3000, 0.5, -1)
    table, outcome = pd.DataFrame({"said": logit(X[:, 0])}), np.array(labels)[y]
    home = np.array(labels)[(np.random.default_rng(1).random(3000) < X[:, 0]).astype(int)]
    inner = LogisticRegression().fit(table, home)
    for model in (
        FixedThresholdClassifier(FrozenEstimator(inner), threshold=0.261, pos_label=labels[1]),
        TunedThresholdClassifierCV(inner, random_state=0, cv=2),
    ):
        model.fit(table, home)
        at = model.threshold if hasattr(model, "threshold") else model.best_threshold_
        update = update_model(model, table, outcome)
        assert update.chosen == "slope and intercept"
        save_model(update.model, tmp_path / "updated.skops")
        for updated in (update.model, load_model(tmp_path / "updated.skops")):
            p = updated.predict_proba(table)[:, 1]
            assert np.abs(p - risk).mean() < 0.02
            assert (updated.predict(table) == np.array(labels)[(p >= at).astype(int)]).all()
            assert updated.feature_names_in_.tolist() == ["said"]
        assert validate(update.model, table, outcome).threshold == at
        scores = Scorer(tmp_path / "updated.skops")(table)
        assert ((scores["predicted"] == labels[1]) == (scores["probability"] >= at)).all()
        assert (at <= scores["probability"]).sum() != (scores["probability"] >= 0.5).sum()
        again = update_model(update.model, table, outcome).model
        assert again is update.model
    assert validate(model, table, outcome, threshold=0.1).update.model.threshold == at


def test_an_update_says_that_a_threshold_of_another_figure_is_lost():
    X, y, _, _ = patients(np.random.default_rng(0), 3000, 0.5, -1)
    inner = LogisticRegression()
    model = FixedThresholdClassifier(inner, threshold=-1, response_method="decision_function")
    model.fit(logit(X), np.random.default_rng(1).random(3000) < X[:, 0])
    with pytest.warns(UserWarning, match="decides at .5"):
        update = update_model(model, logit(X), y == 1)
    p = update.model.predict_proba(logit(X))[:, 1]
    assert (update.model.predict(logit(X)) == (p >= 0.5)).all()
