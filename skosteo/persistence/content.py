"""The parts of a model: what of them is in a file, and what never is."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from numbers import Real
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.cluster import FeatureAgglomeration
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.model_selection._search import BaseSearchCV

from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from skosteo.training.net_state import KeptNet

# What only a fit needs, or a machine: folders, callbacks, scorers, reports of the last rows read
_LEFT_OUT = {"cache_dir": None, "memory": None, "callbacks": None}
_REMOVED = (
    *("_skl_callbacks", "_metadata_request", "_curve_scorer", "report_"),
    # a line per row of the fit, which no prediction needs
    *("oob_decision_function_", "oob_prediction_", "oof_probability_"),
    *("transduction_", "labeled_iter_"),
    *("x_scores_", "y_scores_", "_x_scores", "_y_scores", "outliers_", "inlier_mask_"),
    "cv_results_",
)
# Where scikit-learn's estimators keep the rows of their fit, or words of texts; the test of these
# lists fits all of its classifiers and transformers
_KEEPS = {
    "_fit_X": "the rows it was fitted on",
    "support_vectors_": "rows it was fitted on",
    "X_train_": "the rows it was fitted on",
    "X_fit_": "the rows it was fitted on",
    "X_": "the rows it was fitted on",
    "component_indices_": "rows it was fitted on",  # of Nystroem, beside the rows
    "subcluster_centers_": "rows it was fitted on",  # of Birch, where a cluster has one
    "quantiles_": "the values it was fitted on",  # of QuantileTransformer
    "vocabulary_": "the words of the texts it was fitted on",
}


def parts(model: Any) -> Iterator[Any]:
    """Go through all objects of skosteo, scikit-learn and XGBoost that a model is made of.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> [type(part).__name__ for part in parts(make_pipeline(StandardScaler()))]
    ['Pipeline', 'StandardScaler']
    """
    seen, waiting = set(), [model]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple | set):
            waiting += item
        elif isinstance(item, np.ndarray):
            waiting += item.ravel().tolist() if item.dtype == object else []
        elif not isinstance(item, type) and type(item).__module__.split(".")[0] in _OURS:
            yield item
            waiting += [v for name, v in getattr(item, "__dict__", {}).items() if name != "net_"]


_OURS = {"skosteo", "sklearn", "xgboost"}


def travelling_copy(model: Any) -> Any:
    """Return a copy of a model without anything that must not leave the house.

    Raises
    ------
    InputError
        A part of it keeps the rows that it was fitted on, or is a search.
    """
    model = copy.deepcopy(model)
    for part in parts(model):
        if isinstance(part, BaseSearchCV):
            raise InputError(
                f"{type(part).__name__} is a search, with all that it tried. Save what it found: "
                "save_model(search.best_estimator_, path)."
            )
        if isinstance(part, TunedThresholdClassifierCV) and not isinstance(part.scoring, str):
            raise InputError(
                "TunedThresholdClassifierCV has a scoring that is no word. Save what it found: "
                "FixedThresholdClassifier(FrozenEstimator(tuned.estimator_), "
                "threshold=tuned.best_threshold_), fitted on any rows."
            )
        for name, what in _KEEPS.items():
            if name in getattr(part, "__dict__", {}):
                raise InputError(
                    f"{type(part).__name__} keeps {what}, of patients. A file must not hold them: "
                    "take another estimator in its place, such as SimpleImputer, "
                    "LogisticRegression or ClinicalPreprocessor."
                )
    forget(model)
    return model


def forget(model: Any) -> None:
    """Remove from all parts of a model, in place, what only a fit or a machine needs."""
    for part in parts(model):
        state = getattr(part, "__dict__", {})
        if isinstance(state.get("func"), partial) and not state["func"].args:
            # of gradient boosting with categories; in a file are no calls
            state |= {"func": state["func"].func, "kw_args": state["func"].keywords}
        for name in list(state):
            if name in _LEFT_OUT:
                state[name] = _LEFT_OUT[name]
            elif name in _REMOVED or (name == "labels_" and _of_rows(part)):
                del state[name]
            elif name == "cv" and not isinstance(state[name], str | Real):
                state[name] = None  # folds, or rows by their numbers
            elif isinstance(state[name], dict) and any(isinstance(k, bool) for k in state[name]):
                # equal keys; of bool("False") JSON would make True
                state[name] = {
                    int(k) if isinstance(k, bool) else k: v for k, v in state[name].items()
                }
            elif name.endswith("pretrained") and isinstance(state[name], str | PathLike):
                state[name] = False


def restore(model: Any) -> None:
    """Make again, in place, what of a loaded model is not in its file and predictions need."""
    for part in parts(model):
        if isinstance(part, TunedThresholdClassifierCV):
            part._curve_scorer = part._get_curve_scorer()


def _of_rows(part: Any) -> bool:
    """Whether an estimator finds clusters of rows, and not of columns."""
    return isinstance(part, ClusterMixin) and not isinstance(part, FeatureAgglomeration)


def nets(model: Any) -> list["KeptNet"]:
    """Return all fitted nets of a model."""
    return [part for part in parts(model) if "_built_from" in getattr(part, "__dict__", {})]


def unbuild(net: "KeptNet") -> None:
    """Put a net back, in place, into the arrays of its weights; the next call builds it again."""
    state = net.__getstate__()
    net.__dict__.pop("net_", None)
    net.__setstate__(state)


def share_weights(model: Any) -> None:
    """Let all nets of a model hold equal weights, such as a frozen backbone's, in one array.

    A file has each array once; a net that is built copies it.
    """
    held: dict[tuple, np.ndarray] = {}
    for net in nets(model):
        unbuild(net)
        for name, weight in net._weights.items():
            content = hashlib.sha256(weight.tobytes()).digest()
            net._weights[name] = held.setdefault((weight.dtype, weight.shape, content), weight)
