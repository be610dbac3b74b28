"""The threshold that a model's own ``predict`` goes by, wherever it is in the model."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import validate
from skosteo.exceptions import InputError
from skosteo.validation.threshold import decides_by_risk
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
