"""The threshold that a model's own ``predict`` goes by, and what kind of model it is."""

import warnings
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from skosteo.evaluation._scored import as_proportion
from skosteo.exceptions import InputError
from skosteo.recalibration.classifier import RecalibratedClassifier

_WITH_THRESHOLD = FixedThresholdClassifier | TunedThresholdClassifierCV


def threshold_of(model: Any, given: float | None) -> tuple[float, str]:
    """Threshold to judge a model at: that given, its own, or .5; and which it is, in words."""
    if given is not None:
        return as_proportion(given, "threshold"), "as stated"
    last = _deciding(model)
    if not isinstance(last, _WITH_THRESHOLD):
        return 0.5, "the model has none of its own"
    if not decides_by_risk(model):
        raise InputError(
            "The model's threshold is none of the probability of its second class. Give one: "
            "validate(..., threshold=0.1), or --threshold 0.1."
        )
    fixed = isinstance(last, FixedThresholdClassifier)
    at = last.threshold if fixed else last.best_threshold_
    return as_proportion(0.5 if at == "auto" else float(at), "The threshold"), "the model's own"


def decides_by_risk(model: Any) -> bool:
    """Whether a model's ``predict`` compares the probability of its second class."""
    last = _deciding(model)
    if not isinstance(last, _WITH_THRESHOLD):
        return True
    of_second = getattr(last, "pos_label", None) in (None, last.classes_[1])
    return of_second and last.response_method != "decision_function"


def with_threshold_of(model: Any, updated: RecalibratedClassifier) -> Any:
    """Let an updated model decide at the threshold of the model, where that has one of its own."""
    if not isinstance(_deciding(model), _WITH_THRESHOLD):
        return updated
    if not decides_by_risk(model):
        warnings.warn(
            "The model's threshold is none of the probability of its second class, and an update "
            "moves that alone: the updated model decides at .5. Give it a threshold by "
            "FixedThresholdClassifier(FrozenEstimator(update.model), threshold=...).",
            UserWarning,
            stacklevel=4,
        )
        return updated
    labels = updated.classes_.tolist()
    decides = FixedThresholdClassifier(
        FrozenEstimator(updated),
        threshold=threshold_of(model, None)[0],
        pos_label=labels[1],
        response_method="predict_proba",
    )
    return decides.fit(np.zeros((2, 1)), labels)  # which looks at the labels alone


def name_of(model: Any) -> str:
    """Kind of a model, without what only freezes, recalibrates or cuts it."""
    model = _deciding(model)
    while isinstance(model, _WITH_THRESHOLD | RecalibratedClassifier):
        model = _deciding(model.estimator)
    return type(model).__name__


def _deciding(model: Any) -> Any:
    """Return what decides in a pipeline, a frozen model or a search."""
    while True:
        if isinstance(model, Pipeline):
            model = model.steps[-1][1]
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model
