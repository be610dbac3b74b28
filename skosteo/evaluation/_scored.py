"""Checked rows of an evaluation: labels, patients, weights and the scores of each model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._validation import check_groups, to_pandas
from skosteo.exceptions import InputError

Scores = NDArray[np.float64]
Threshold = float | ArrayLike  # a proportion, or one per row


def as_positive(y_true: ArrayLike) -> NDArray[np.bool_]:
    """Mark each row of the greater of two labels; InputError for anything not binary."""
    label = np.asarray(to_pandas(y_true))
    if label.ndim == 2 and label.shape[1] == 1:
        label = label[:, 0]
    if label.ndim != 1 or len(label) == 0:
        raise InputError(
            f"y_true has shape {label.shape}; it is one label per row, shape (n,) with n > 0."
        )
    missing = pd.isna(label)
    if missing.any():
        raise InputError(
            f"y_true has no label in {missing.sum()} of {len(label)} rows, the first in row "
            f"{missing.argmax() + 1}. Leave out rows whose outcome is not known."
        )
    try:
        classes = np.unique(label)
    except TypeError:
        raise InputError("y_true mixes numbers and strings; use one kind of label.") from None
    if len(classes) == 1:
        raise InputError(
            f"y_true has one class in all {len(label)} rows; AUC, sensitivity and specificity need "
            "both. Was a fold drawn without stratification?"
        )
    if len(classes) > 2:
        raise InputError(
            f"y_true has {len(classes)} distinct values in {len(label)} rows; it takes two. If it "
            "holds T-scores, give y_true=(t_score <= -2.5); for a class against the rest, "
            "y_true=(label == name)."
        )
    return label == classes[1]


def as_score(y_prob: ArrayLike, n: int) -> Scores:
    """Take one finite score per row; of the two columns of ``predict_proba`` the second."""
    try:
        score = np.asarray(to_pandas(y_prob), dtype=float)
    except (TypeError, ValueError):
        raise InputError(
            "y_prob is not numeric; it is the probability of the positive class, as from "
            "predict_proba(X)[:, 1], not the predicted label."
        ) from None
    if score.ndim == 2 and score.shape[1] == 1:
        score = score[:, 0]
    if len(score.shape) not in (1, 2) or len(score) != n or score.shape[1:] not in ((), (2,)):
        raise InputError(
            f"y_prob has shape {score.shape} for {n} labels; it is ({n},), or ({n}, 2) as "
            "predict_proba gives it, or a mapping of model name to such an array."
        )
    bad = ~np.isfinite(score).reshape(n, -1).all(axis=1)
    if bad.any():
        raise InputError(
            f"y_prob is not finite in {bad.sum()} of {n} rows, the first in row {bad.argmax() + 1}."
        )
    if score.ndim == 2:
        if not np.allclose(score.sum(axis=1), 1, atol=1e-3):
            raise InputError(
                "The two columns of y_prob do not sum to 1, so they are not predict_proba's. For "
                "two models, give a mapping of model name to probabilities."
            )
        score = score[:, 1]
    return score


def as_probability(y_prob: ArrayLike, n: int) -> Scores:
    """Take one probability per row, as `as_score` does; InputError outside 0 to 1."""
    probability = as_score(y_prob, n)
    low, high = probability.min(), probability.max()
    if low < 0 or high > 1:
        remedy = (
            "If they are in per cent, divide by 100."
            if low >= 0 and high <= 100
            else "If they come from decision_function, use predict_proba or calibrate the model."
        )
        raise InputError(
            f"y_prob runs from {low:.3g} to {high:.3g}; probabilities lie within 0 and 1. {remedy}"
        )
    return probability


def as_patient(groups: ArrayLike | None, n: int) -> NDArray[np.intp]:
    """Codes 0, 1, ... of the patients; every row its own where ``groups`` is None."""
    codes = check_groups(groups, n)
    return np.arange(n) if codes is None else codes


def as_fold(
    folds: ArrayLike | None, positive: NDArray[np.bool_], patient: NDArray[np.intp]
) -> NDArray[np.intp] | None:
    """Codes 0, 1, ... of the folds.

    InputError for one fold, one that lacks a class, and patients in more folds than others: their
    rows are split, or folds of several repeats have one name.
    """
    if folds is None:
        return None
    try:
        fold = np.asarray(to_pandas(folds))
    except ValueError:  # such as the pairs of rows that a splitter yields
        raise InputError("folds is to be one label for each row: the fold it lies in.") from None
    if fold.shape != positive.shape or pd.isna(fold).any():
        raise InputError(
            f"folds has shape {fold.shape} for {len(positive)} rows; give the fold of each row, "
            "without missing values."
        )
    codes = np.unique(fold, return_inverse=True)[1]
    sizes = np.stack([np.bincount(codes), np.bincount(codes, positive)])
    lacking = int(((sizes[1] == 0) | (sizes[1] == sizes[0])).sum())
    if lacking or sizes.shape[1] < 2:
        what = f"{lacking} with one class alone" if lacking else "where 2 or more are needed"
        raise InputError(
            f"folds names {sizes.shape[1]} fold{'s' * (sizes.shape[1] > 1)}, {what}. Give the fold "
            "of each row in a cross-validation stratified by outcome."
        )
    fold_of_patient = np.unique(np.stack([codes, patient]), axis=1)
    in_folds = np.bincount(fold_of_patient[1])
    if in_folds.min() < in_folds.max():
        raise InputError(
            f"Some patients lie in {in_folds.min()} of the folds and others in {in_folds.max()}. "
            "A patient lies in one fold of each repeat: split by patient, and give the folds of "
            "each repeat names of their own, such as '0.1' and '1.1'."
        )
    return codes


def as_weight(sample_weight: ArrayLike | None, n: int) -> Scores:
    """Weights relative to the greatest, so that equal ones are exactly 1, as none are."""
    if sample_weight is None:
        return np.ones(n)
    try:
        weight = np.asarray(to_pandas(sample_weight), dtype=float)
    except (TypeError, ValueError):
        raise InputError("sample_weight is not numeric; it is one number per row.") from None
    if weight.shape != (n,):
        raise InputError(
            f"sample_weight has shape {weight.shape} for {n} rows; it is one number per row."
        )
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any() or not weight.any():
        what = (
            f"missing, infinite or negative in {bad.sum()} of {n} rows, the first in row "
            f"{bad.argmax() + 1}"
            if bad.any()
            else f"0 in all {n} rows"
        )
        raise InputError(f"sample_weight is {what}. Give 0 to rows that do not count.")
    return weight / weight.max()


def as_models(
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame, n: int
) -> dict[str, Scores]:
    """Take the probabilities of each model by its name; a single array is called "model"."""
    y_prob = to_pandas(y_prob)
    if isinstance(y_prob, pd.DataFrame) and not y_prob.columns.is_unique:
        raise InputError("y_prob has two columns of the same name; give each model its own.")
    models = y_prob if isinstance(y_prob, (Mapping, pd.DataFrame)) else {"model": y_prob}
    if len(models.keys()) == 0:
        raise InputError("y_prob names no model; give at least one name with its probabilities.")
    probability = {}
    for name, values in models.items():
        try:
            probability[str(name)] = as_probability(values, n)
        except InputError as error:
            raise InputError(f"Model {name!r}: {error}") from None
    if len(probability) < len(models.keys()):
        raise InputError("y_prob has two models of the same name as text; give each its own.")
    return probability


@dataclass(frozen=True)
class Scored:
    """Rows that were checked once, with what each model says of them."""

    positive: NDArray[np.bool_]  # the label; both classes occur
    patient: NDArray[np.intp]  # codes 0, 1, ...
    weight: Scores  # above 0, and 1 for the heaviest row
    models: dict[str, Scores]  # score or probability of the positive class
    fold: NDArray[np.intp] | None = None  # codes 0, 1, ... of the folds of a cross-validation

    @classmethod
    def of_models(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
        groups: ArrayLike | None = None,
        folds: ArrayLike | None = None,
    ) -> "Scored":
        """Check the probabilities of one or several named models."""
        positive = as_positive(y_true)
        n = len(positive)
        models, patient = as_models(y_prob, n), as_patient(groups, n)
        return cls(positive, patient, np.ones(n), models, as_fold(folds, positive, patient))

    @classmethod
    def of_scores(
        cls,
        y_true: ArrayLike,
        *y_prob: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        check: Callable[[ArrayLike, int], Scores] = as_score,
    ) -> "Scored":
        """Check the scores of models without names, and keep the rows of weight above 0."""
        positive = as_positive(y_true)
        n = len(positive)
        patient, weight = as_patient(groups, n), as_weight(sample_weight, n)
        scores = {str(number): check(score, n) for number, score in enumerate(y_prob)}
        rows = cls(positive, patient, weight, scores)
        used = weight > 0
        if used.all():
            return rows
        if len(np.unique(positive[used])) < 2:
            raise InputError(
                "sample_weight leaves 1 class with weights above 0; AUC and calibration need both."
            )
        return rows.at(used)

    @property
    def score(self) -> Scores:
        """Scores of the first model."""
        return next(iter(self.models.values()))

    def at(self, rows: NDArray[np.bool_]) -> "Scored":
        """Return some of the rows, their patients numbered anew, without folds."""
        patient = np.unique(self.patient[rows], return_inverse=True)[1]
        models = {name: score[rows] for name, score in self.models.items()}
        return Scored(self.positive[rows], patient, self.weight[rows], models)


def as_thresholds(
    threshold: Threshold | Mapping[str, Threshold], models: Iterable[str], n: int
) -> dict[str, float | Scores]:
    """Take a threshold, or one per row, by model or for all alike; InputError outside 0 to 1."""
    models = list(models)
    if isinstance(threshold, Mapping):
        given = {str(name): value for name, value in threshold.items()}
        lacking = [name for name in models if name not in given]
        if lacking or len(given) > len(models):
            unknown = [name for name in given if name not in models]
            raise InputError(
                f"threshold lacks {lacking} and names {unknown} that y_prob does not; give one "
                "for each model, or one for all."
            )
    else:
        given = dict.fromkeys(models, threshold)
    return {name: _as_threshold(given[name], n) for name in models}


def _as_threshold(threshold: Threshold, n: int) -> float | Scores:
    if np.ndim(threshold) == 0:
        return as_proportion(cast(float, threshold), "threshold")
    try:
        at = np.asarray(to_pandas(threshold), dtype=float)
    except (TypeError, ValueError):
        raise InputError("threshold is not numeric; it is a proportion, or one per row.") from None
    if at.shape != (n,):
        raise InputError(
            f"threshold has shape {at.shape} for {n} rows; give one proportion, or one per row."
        )
    bad = ~((at >= 0) & (at <= 1))
    if bad.any():
        raise InputError(
            f"threshold is missing, or not from 0 to 1, in {bad.sum()} of {n} rows, the first in "
            f"row {bad.argmax() + 1}. It is a proportion per row; divide per cents by 100."
        )
    return at


def thresholds_text(thresholds: Mapping[str, float | Scores]) -> str:
    """Return the thresholds of all models for a note: "threshold 0.6, 0.3"."""
    values = list(thresholds.values())
    if any(isinstance(at, np.ndarray) for at in values):
        return "thresholds of each row"
    return f"threshold {', '.join(f'{at:g}' for at in dict.fromkeys(map(float, values)))}"


def as_proportion(value: float, name: str, *, inside: bool = False) -> float:
    """Take a proportion from 0 to 1, with ``inside`` neither of them."""
    if not isinstance(value, Real) or not 0 <= value <= 1 or (inside and value in (0, 1)):
        number = isinstance(value, Real)
        hint = " Is it in per cent?" if number and 1 < value <= 100 else ""
        allowed = "above 0 and below 1" if inside else "0 to 1"
        raise InputError(f"{name} is {value!r}; it is a proportion, {allowed}.{hint}")
    return float(value)
