"""What a file of a model may hold: a short list of types, and nothing that reads beyond its ends.

skops makes nothing but what it trusts, sklearn's estimators, NumPy's and SciPy's arrays, and what
is listed here. It does not look into what it makes; the trees of forests, whose indices
scikit-learn follows without a check, are looked at here.
"""

import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from sklearn.tree._tree import NODE_DTYPE

from skosteo.exceptions import ModelFileError

TRUSTED = [
    "numpy.dtype",
    *(
        f"skosteo.{name}"
        for name in (
            "_validation.logits",
            "clinical.bmi.BodyMassIndex",
            "clinical.classifier.ClinicalOsteoClassifier",
            "clinical.columns.Category",
            "clinical.columns.Numbers",
            "clinical.preprocessor.ClinicalPreprocessor",
            "clinical.reading.TableReader",
            "clinical.regressor.ClinicalOsteoRegressor",
            "clinical.risk_indices.RiskIndexClassifier",
            "clinical.text_components.ReportText",
            "fusion.feature.FeatureFusionClassifier",
            "fusion.final_estimators.MeanOfLogits",
            "fusion.fold_ensemble.FoldEnsembleClassifier",
            "fusion.probability.ProbabilityFusionClassifier",
            "fusion.regressor.FusionOsteoRegressor",
            "fusion.study_reader.StudyReader",
            "image.classifier.ImageOsteoClassifier",
            "image.embedder.RadiographEmbedder",
            "image.reader.RadiographReader",
            "image.regressor.ImageOsteoRegressor",
            "image.texture.RadiographTexture",
            "recalibration.classifier.RecalibratedClassifier",
        )
    ),
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
]

# of skops: no method, partial or operator, and no constructor with arguments of the file's choice
_LOADERS = {
    f"{name}Node"
    for name in (
        "Bytearray", "Bytes", "Cached", "DType", "Dict", "Function", "Json", "List", "Loss",
        "MaskedArray", "NdArray", "Object", "RandomGenerator", "RandomState", "Set", "Slice",
        "SparseMatrix", "Tree", "Tuple", "Type",
    )
}  # fmt: skip
_PROTOCOL = 2
# what skops reads twice is twice in memory
_MAX_READ = 2**24


def check_schema(schema: Any, archive: ZipFile) -> None:
    """Refuse a schema of skops that asks for more than a model is made of.

    Raises
    ------
    ModelFileError
        A kind of content that no model has, two contents for one place, or a tree whose nodes lead
        out of it.
    """
    if not isinstance(schema, dict) or schema.get("protocol") != _PROTOCOL:
        raise ModelFileError("schema.json is of another release of skops. Install a newer skosteo.")
    known: dict[Any, Any] = {}
    trees, n_read = [], 0
    for state in _states(schema):
        loader = state["__loader__"]
        if loader not in _LOADERS:
            raise ModelFileError(f"The file asks for a {str(loader)[:40]!r}, as no model does.")
        if loader == "CachedNode":
            continue
        if known.setdefault(state.get("__id__"), state) is not state:
            raise ModelFileError("The file gives two contents one number.")
        if "file" in state:
            if not str(state["file"]).endswith((".npy", ".bin")):
                raise ModelFileError("The file takes a text for an array.")
            n_read += archive.getinfo(state["file"]).file_size
        if loader == "SliceNode" and not _of_integers(state["content"]):
            raise ModelFileError("The file holds a slice of other things than integers.")
        if loader == "TreeNode":
            trees.append(state)
    size = sum(member.file_size for member in archive.infolist())
    if n_read > 2 * size + _MAX_READ:
        raise ModelFileError("The file asks for the same arrays again and again.")
    for tree in trees:
        _check_tree(tree, known, archive)


def _of_integers(ends: Any) -> bool:
    """Whether a slice is of integers, or open: skops makes its ends as they stand."""
    named = isinstance(ends, dict) and set(ends) == {"start", "stop", "step"}
    return named and all(end is None or type(end) is int for end in ends.values())


def _states(schema: Any) -> Iterator[dict[str, Any]]:
    """All parts of a schema that skops makes something of."""
    waiting = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "__loader__" in item:
                yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _check_tree(state: dict[str, Any], known: dict[int, Any], archive: ZipFile) -> None:
    """Refuse a tree of scikit-learn whose nodes lead out of it, or in a circle."""

    def value(part: Any) -> Any:
        part = known[part["__id__"]]
        if part["__loader__"] == "JsonNode":
            return json.loads(part["content"])
        with archive.open(part["file"]) as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    try:
        arguments = known[state["__reduce__"]["args"]["__id__"]]["content"]
        n_features, n_classes, n_outputs = map(value, arguments)
        content = known[state["content"]["__id__"]]["content"]
        nodes, count, values = (value(content[n]) for n in ("nodes", "node_count", "values"))
        fits = (
            nodes.dtype == NODE_DTYPE
            and nodes.shape == (int(count),)
            and n_classes.dtype == np.intp
            and n_classes.shape == (int(n_outputs),)
            and values.shape == (int(count), int(n_outputs), int(n_classes.max(initial=1)))
            and n_classes.min(initial=1) >= 1
        )
        is_leaf = nodes["left_child"] == -1
        children = nodes["left_child"], nodes["right_child"]
        fits = fits and _leads_down(is_leaf, children, nodes["feature"], int(n_features))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        fits = False
    if not fits:
        raise ModelFileError("The file holds a tree whose nodes lead out of it.")


def _leads_down(
    is_leaf: NDArray, children: tuple[NDArray, NDArray], feature: NDArray, n_features: int
) -> bool:
    """Whether every node that is no leaf has two children behind it, and a feature to part by."""
    inner = np.flatnonzero(~is_leaf)
    within = all((c[inner] > inner).all() and (c[inner] < len(is_leaf)).all() for c in children)
    parts_by = feature[inner]
    return len(is_leaf) > 0 and within and bool(((parts_by >= 0) & (parts_by < n_features)).all())


def check_forest(part: Any) -> None:
    """Refuse an estimator of trees that were made for other columns than it takes.

    Parameters
    ----------
    part : object
        Any estimator of a model that was loaded.
    """
    n_features = getattr(part, "n_features_in_", None)
    members = np.asarray(getattr(part, "estimators_", ()), dtype=object).ravel()
    in_forest = type(part).__module__.startswith(
        ("sklearn.ensemble._forest", "sklearn.ensemble._gb")
    )
    trees = [part, *members] if in_forest else [part]
    for tree in trees:
        if hasattr(tree, "tree_") and tree.tree_.n_features != n_features:
            raise ModelFileError("The file holds a tree of other columns than its forest takes.")
    for predictor in np.asarray(getattr(part, "_predictors", ()), dtype=object).ravel():
        nodes = predictor.nodes
        children = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
        is_leaf = nodes["is_leaf"].astype(bool)
        by_category = nodes["bitset_idx"][nodes["is_categorical"].astype(bool)]
        bits = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
        if (
            not _leads_down(is_leaf, children, nodes["feature_idx"], int(n_features or 0))
            or (by_category >= bits).any()
        ):
            raise ModelFileError("The file holds a tree whose nodes lead out of it.")
