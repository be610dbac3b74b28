"""Branches of a probability fusion that note what they see, and rows for them."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from skosteo import ProbabilityFusionClassifier


class Spy(ClassifierMixin, BaseEstimator):
    """Notes what it was fitted on and what it was asked, in a list that its clones share."""

    log: list = []  # noqa: RUF012

    def __init__(self, name="spy"):
        self.name = name

    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_, self.seen_ = np.unique(y), X
        Spy.log.append(("fit", self.name, X, sample_weight, groups))
        return self

    def predict_proba(self, X):
        Spy.log.append(("predict", self.name, X, self.seen_, None))
        return np.column_stack([1 - X.iloc[:, 0], X.iloc[:, 0]])


def table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.resize([0, 0, 1, 1], n)
    X = pd.DataFrame({"image": rng.random(n), "age": rng.random(n), "bmi": rng.random(n)})
    return X, y, np.arange(n) // 2


def noise_and_signal(n, seed):
    """An image that says nothing, which a tree learns by heart, beside an age that does."""
    rng = np.random.default_rng(seed)
    y = np.resize([0, 1], n)
    return pd.DataFrame({"image": rng.normal(size=n), "age": rng.normal(0.9 * y)}), y


def spied(**changes):
    params = {"final_estimator": LogisticRegression(), "random_state": 0}
    return ProbabilityFusionClassifier(Spy("image"), Spy("clinical"), **params | changes)


def cheap_fusion(**changes):
    params = {
        "image": LogisticRegression(),
        "clinical": LogisticRegression(),
        "final_estimator": "logistic",
        "random_state": 0,
    }
    return ProbabilityFusionClassifier(**params | changes)
