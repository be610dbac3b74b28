"""scikit-learn follows the indices of a tree without a look; a file's are looked at before."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from skosteo import load_model, save_model
from skosteo.exceptions import ModelFileError
from skosteo.persistence.archive import write_archive
from skosteo.presets import clinical_baseline
from tests.persistence.hostile import array, members_of


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forest")
    X = pd.DataFrame(np.random.default_rng(0).normal(60, 9, (200, 2)), columns=["age", "bmi"])
    models = {
        name: clinical_baseline(name, random_state=0, **few).fit(X, X["age"] > 60)
        for name, few in (
            ("random_forest", {"n_estimators": 2}),
            ("hist_gradient_boosting", {"max_iter": 2}),
        )
    }
    for name, model in models.items():
        save_model(model, folder / f"{name}.skops")
    return {name: members_of((folder / f"{name}.skops").read_bytes()) for name in models}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("random_forest", "left_child", 10**6),
        ("random_forest", "right_child", -7),
        ("random_forest", "left_child", 0),  # a circle
        ("random_forest", "feature", 10**6),
        ("random_forest", "feature", -3),
        ("hist_gradient_boosting", "left", 10**6),
        ("hist_gradient_boosting", "right", 0),
        ("hist_gradient_boosting", "feature_idx", 10**6),
        ("hist_gradient_boosting", "is_categorical", 1),
    ],
)
def test_a_node_that_leads_out_is_refused(forest, name, field, value, tmp_path):
    members = dict(forest[name])
    for member, data in members.items():
        if b"'%s'" % field.encode() in data[:1000]:
            nodes = np.load(io.BytesIO(data))
            nodes[field][0] = value
            members[member] = array(nodes)
    (tmp_path / "model.skops").write_bytes(write_archive(members, {}))
    with pytest.raises(ModelFileError, match="tree whose nodes lead out of it"):
        load_model(tmp_path / "model.skops")


def test_a_tree_without_its_nodes_is_refused(forest, tmp_path):
    members = dict(forest["random_forest"])
    for member, data in members.items():
        if b"'left_child'" in data[:1000]:
            members[member] = array(np.load(io.BytesIO(data))[:1])
    (tmp_path / "model.skops").write_bytes(write_archive(members, {}))
    with pytest.raises(ModelFileError, match="tree whose nodes lead out of it"):
        load_model(tmp_path / "model.skops")


def test_a_tree_of_other_columns_is_refused(forest, tmp_path):
    members = dict(forest["random_forest"])
    schema = json.loads(members["schema.json"])
    changed = _with_columns(schema, 1)
    members["schema.json"] = json.dumps(changed).encode()
    (tmp_path / "model.skops").write_bytes(write_archive(members, {}))
    with pytest.raises(ModelFileError, match="other columns than its forest"):
        load_model(tmp_path / "model.skops")


def _with_columns(item, n):
    """The schema of a forest that says it takes n columns; its trees stay as they are."""
    if isinstance(item, list):
        return [_with_columns(part, n) for part in item]
    if not isinstance(item, dict):
        return item
    item = {name: _with_columns(part, n) for name, part in item.items()}
    if item.get("__class__") == "RandomForestClassifier":
        state = item["content"]["content"]
        state["n_features_in_"] = {
            "__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
            "content": str(n), "is_json": True, "__id__": 10**6,
        }  # fmt: skip
    return item
