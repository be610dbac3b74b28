"""The final model of a study, which can leave the house, and what it does on the test part.

It is the study's reference model, fitted again on all rows that are not for the test. Its risks are
put right, and its threshold is chosen, on the out-of-fold predictions that the study has of it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from skosteo.clinical import table_one
from skosteo.evaluation import operating_point
from skosteo.exceptions import InputError
from skosteo.fusion.out_of_fold import fit_with_metadata
from skosteo.persistence.content import forget
from skosteo.recalibration import RecalibratedClassifier
from skosteo.study.design import RULES, Design
from skosteo.study.models import StudyModel
from skosteo.study.store import FoldResult, Store
from skosteo.validation import ExternalValidation, validate

RULE = "sensitivity .90"


@dataclass(frozen=True, eq=False)
class FinalModel:
    """The final model; made by `fit_final_model`."""

    title: str  # of the study's model
    # a FixedThresholdClassifier around a RecalibratedClassifier around the fitted model
    model: FixedThresholdClassifier
    rule: str  # by which the threshold was chosen, in words
    judged: ExternalValidation  # on the test part
    notes: tuple[str, ...]  # what could not be learned, in words

    @property
    def recalibrated(self) -> RecalibratedClassifier:
        """What puts the risks right."""
        return self.model.estimator.estimator


def fit_final_model(
    design: Design,
    model: StudyModel,
    results: Sequence[FoldResult],
    described: Sequence[str],
    *,
    store: Store | None,
) -> FinalModel:
    """Fit a model of a study on all rows but those of the test, and judge it on these.

    Parameters
    ----------
    design : Design
        Rows, labels and patients.
    model : StudyModel
        Which model.
    results : sequence of FoldResult
        Its results by fold, whose validation predictions are the out-of-fold ones.
    described : sequence of str
        Columns that describe the cohort.
    store : Store or None
        Keeps the fitted model, so that it is fitted once.
    """
    rows, X = design.development, model.part(design.X)
    out_of_fold = np.full(len(design.y), np.nan)
    for (_, validation), result in zip(design.folds, results, strict=True):
        out_of_fold[validation] = result.validation
    y, patient = design.y[rows], design.patient[rows]
    fitted = None if store is None else store.load_model(model.key)
    if fitted is None:
        metadata = {"groups": patient}
        fitted = fit_with_metadata(clone(model.estimator), X.iloc[rows], y, metadata)
        if store is not None:
            store.save_model(model.key, fitted)
    risk, notes = _recalibrated(fitted, out_of_fold[rows], y)
    threshold, rule = _threshold(y, risk.put_right(out_of_fold[rows]))
    final = FixedThresholdClassifier(
        FrozenEstimator(risk), threshold=threshold, response_method="predict_proba", pos_label=1
    ).fit(X.iloc[rows], y)
    development = None
    if described:
        development = table_one(design.X.iloc[rows][list(described)], groups=patient)
    test = design.test
    judged = validate(
        final, X.iloc[test], design.y[test], design.patient[test], development=development
    )
    forget(final)  # folders of films that are gone when the study ends
    return FinalModel(model.title, final, rule, judged, notes)


def _recalibrated(
    fitted: Any, out_of_fold: NDArray[np.float64], y: NDArray[np.intp]
) -> tuple[RecalibratedClassifier, tuple[str, ...]]:
    risk = RecalibratedClassifier(FrozenEstimator(fitted))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        risk.learn(fitted, np.array([0, 1]), out_of_fold, y == 1, np.ones(len(y)))
    return risk, tuple(str(one.message) for one in said)


def _threshold(y: NDArray[np.intp], risk: NDArray[np.float64]) -> tuple[float, str]:
    try:
        return operating_point(y, risk, **RULES[RULE]).threshold, RULE
    except InputError:
        return 0.5, f"{RULE} is reached by no threshold; a risk of .5"
