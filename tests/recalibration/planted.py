"""Models whose probabilities are off by a known line, and patients to see it on."""

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin


class Says(ClassifierMixin, BaseEstimator):
    """Says the probability that stands in the first column; it learns the labels only."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        positive = np.asarray(X)[:, 0].astype(float)
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)]


def patients(rng, n, slope=1.0, intercept=0.0, films=1, alike=0.0):
    """Columns of what `Says` says; labels; true risks; groups.

    The true log odds are ``intercept + slope * (those said)``. With ``alike`` the films of a
    patient share label and probability that often.
    """
    group = np.repeat(np.arange(n), films)
    said = rng.normal(-1, 1.2, n * films)
    risk = expit(intercept + slope * said)
    y = (rng.random(n * films) < risk).astype(int)
    first = np.arange(n * films) // films * films
    source = np.where(rng.random(n * films) < alike, first, np.arange(n * films))
    return expit(said[source])[:, None], y[source], risk[source], group
