"""Small patients and cheap models for the tests of a study."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier


def patients(n=150, seed=0, rows_each=1):
    """Table, labels and patients: age, sex and BMI that tell something of the label."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.resize([0, 0, 1], n))
    table = pd.DataFrame(
        {
            "age": np.clip(rng.normal(62 + 8 * y, 9), 30, 95).round(),
            "sex": np.where(rng.random(n) < 0.5 + 0.2 * y, "F", "M"),
            "bmi": rng.normal(26 - 2 * y, 3).round(1),
            "weight_kg": rng.normal(75 - 6 * y, 9).round(1),
        }
    )
    table = table.loc[np.repeat(np.arange(n), rows_each)].reset_index(drop=True)
    return table, np.repeat(y, rows_each), np.repeat(np.arange(n), rows_each)


def filmed_patients(folder, n=72, seed=0):
    """The same with a PNG film each, brighter in its upper half where y is 1."""
    table, y, patient = patients(n, seed)
    rng = np.random.default_rng(seed + 1)
    films = rng.integers(0, 120, (n, 72, 64)).astype(np.uint8)
    films[y == 1, :36] += 40
    table["image"] = [str(folder / f"film_{i}.png") for i in range(n)]
    for path, film in zip(table["image"], films, strict=True):
        Image.fromarray(film).save(path)
    return table, y, patient


class Says(ClassifierMixin, BaseEstimator):
    """The probability that a column holds."""

    def __init__(self, column="p"):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = X[self.column].to_numpy(float)
        return np.stack([1 - p, p], axis=1)


class Remembers(ClassifierMixin, BaseEstimator):
    """The label of the nearest row that it has seen, by one column."""

    def __init__(self, column="noise"):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.nearest_ = KNeighborsClassifier(1).fit(X[[self.column]].to_numpy(), y)
        return self

    def predict_proba(self, X):
        return self.nearest_.predict_proba(X[[self.column]].to_numpy())


class Counts(ClassifierMixin, BaseEstimator):
    """The share of positive training rows, a little by age; each fit leaves a file in a folder."""

    def __init__(self, folder=None, seconds=0.0, shift=0.0):
        self.folder = folder
        self.seconds = seconds
        self.shift = shift

    def fit(self, X, y):
        time.sleep(self.seconds)
        self.classes_, self.share_ = np.unique(y), float(np.mean(y))
        self.age_ = X["age"].mean()
        Path(self.folder, f"{os.getpid()}-{time.monotonic_ns()}").touch()
        return self

    def predict_proba(self, X):
        p = self.share_ + self.shift + (X["age"].to_numpy(float) - self.age_) / 200
        p = np.clip(p, 0, 1)
        return np.stack([1 - p, p], axis=1)


class Warns(Counts):
    """The same, with a warning of the process that it is fitted in, and no file."""

    def fit(self, X, y):
        self.classes_, self.share_, self.age_ = np.unique(y), float(np.mean(y)), X["age"].mean()
        warnings.warn(f"fitted in {os.getpid()}", UserWarning, stacklevel=2)
        return self


class Fails(ClassifierMixin, BaseEstimator):
    """Fits, and then gives NaN."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan)


def fits_in(folder):
    return len(list(Path(folder).iterdir()))


def files_in(folder):
    """Content of every file, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }
