"""The final model of a study, which can leave the house: what the whole report is about.

It is the primary model, fitted again on all rows but those of the test set. Its risks are
recalibrated, and its threshold is chosen, on the out-of-fold predictions that the study has of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from skosteo.fusion.probability import ProbabilityFusionClassifier
from skosteo.persistence.content import forget
from skosteo.recalibration import RecalibratedClassifier
from skosteo.study.assessed import learn
from skosteo.study.design import Design
from skosteo.study.explaining import explain
from skosteo.study.fitting import ModelResult, fit_on, predicted
from skosteo.study.models import StudyModel
from skosteo.study.store import FoldResult, Store


@dataclass(frozen=True, eq=False)
class FinalModel:
    """The final model; made by `fit_final_model`."""

    title: str  # of the study's model
    # a FixedThresholdClassifier around a RecalibratedClassifier around the fitted model
    model: FixedThresholdClassifier
    rule: str | float  # by which the threshold was chosen
    fit: FoldResult  # probabilities of the test set, time, explanations
    notes: tuple[str, ...]  # what could not be learned, in words

    @property
    def recalibrated(self) -> RecalibratedClassifier:
        """What recalibrates the risks."""
        return self.model.estimator.estimator


def fit_final_model(
    design: Design,
    model: StudyModel,
    result: ModelResult,
    rule: str | float,
    *,
    store: Store | None,
    seed: int,
) -> tuple[FinalModel, ModelResult]:
    """Fit a model of a study on all rows but those of the test set, and explain it.

    Parameters
    ----------
    design : Design
        Rows, labels and patients.
    model : StudyModel
        Which model.
    result : ModelResult
        Its predictions, of which those out of fold are learned from.
    rule : str or float
        One of `RULES`, or a risk, for the threshold.
    store : Store or None
        Keeps the fitted model and its explanations, so that both are made once.
    seed : int
        Draws the patients that are explained.

    Returns
    -------
    final : FinalModel
    result : ModelResult
        That given, with what the final model says of the test set.
    """
    entry = f"{model.key}-final"
    fitted = None if store is None else store.load_model(model.key)
    fit = None if store is None or fitted is None else store.load(entry)
    if fit is None:
        fitted, fit = _fitted(design, model, fitted, seed)
        if store is not None:
            store.save_model(model.key, fitted)
            store.save(entry, fit)
    recalibrated, threshold, notes = learn(design, result, rule)
    recalibrated.set_params(estimator=FrozenEstimator(fitted)).estimator_ = fitted
    final = FixedThresholdClassifier(
        FrozenEstimator(recalibrated),
        threshold=threshold,
        response_method="predict_proba",
        pos_label=1,
    ).fit(model.part(design.X).iloc[design.development], design.y[design.development])
    forget(final)  # folders of films that are gone when the study ends
    if design.has_test:
        result = replace(result, test=fit.probability)
    return FinalModel(model.title, final, rule, fit, notes), result


def _fitted(design: Design, model: StudyModel, fitted: Any, seed: int) -> tuple[Any, FoldResult]:
    X, seconds = model.part(design.X), 0.0
    if fitted is None:
        fitted, seconds = fit_on(design, model, design.development)
    test = np.array([]) if not design.has_test else predicted(fitted, X.iloc[design.test])
    learned = X.iloc[design.development]
    shown = X.iloc[design.test] if design.has_test else learned
    explained, notes = explain(fitted, learned, shown, kinds_of(fitted, model), seed)
    return fitted, FoldResult(test, seconds, explained=explained, notes=notes)


def kinds_of(fitted: Any, model: StudyModel) -> Sequence[str]:
    """Say what of a model can be explained: films, clinical values, and how both are fused."""
    if isinstance(fitted, ProbabilityFusionClassifier):
        return ("shap", "grad_cam", "fusion")
    return {"image": ("grad_cam",), "clinical": ("shap",)}.get(model.name, ())
