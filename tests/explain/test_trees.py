import sys

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from skosteo.exceptions import InputError
from skosteo.explain.coalitions import coalition_means, every_coalition
from skosteo.explain.trees import is_trees, tree_method, tree_values

pytest.importorskip("shap")

MODELS = [
    DecisionTreeClassifier(max_depth=4, random_state=0),
    RandomForestClassifier(10, random_state=0),
    ExtraTreesClassifier(10, random_state=0),
    GradientBoostingClassifier(n_estimators=10, random_state=0),
    HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5),
    XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1),
]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    # steps of a tenth: many values lie on a threshold, or next to one
    X = rng.normal(size=(200, 4)).round(1)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_values_are_those_of_all_coalitions(model, table):
    X, y = table
    model.fit(X[:100], y[:100])
    rows, background = X[100:110], X[110:140]
    assert is_trees(model)
    output = "probability" if tree_method(model, "probability") == "trees" else "log_odds"
    said = model.predict_proba(rows)[:, 1]
    values, base = tree_values(model, rows, background, said, output)

    def function(matrix):
        p = model.predict_proba(matrix)[:, 1].astype(float)
        return p if output == "probability" else np.log(p / (1 - p))

    masks, weights = every_coalition(4)
    worth = coalition_means(function, rows, background, np.arange(4), masks)
    np.testing.assert_allclose(values, worth @ weights, atol=1e-5)
    assert base == pytest.approx(worth[0, 0], abs=1e-5)


@pytest.mark.parametrize("model", MODELS[-2:], ids=lambda m: type(m).__name__)
def test_trees_that_take_gaps_are_explained_with_them(model, table):
    X, y = table
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    said = model.fit(X, y).predict_proba(X[:50])[:, 1]
    values, base = tree_values(model, X[:50], X[100:150], said, "log_odds")
    np.testing.assert_allclose(values.sum(1) + base, np.log(said / (1 - said)), atol=1e-5)


def test_votes_have_no_log_odds(table):
    forest = RandomForestClassifier(5).fit(*table)
    with pytest.raises(InputError, match="output='probability'"):
        tree_values(forest, table[0], table[0], table[1], "log_odds")


def test_without_shap_it_says_what_to_install(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    model = DecisionTreeClassifier().fit(*table)
    with pytest.raises(ImportError, match=r"skosteo\[explain\]"):
        tree_values(model, table[0], table[0], table[1], "probability")
