"""What missing values cost: multiple imputation within each fold, and complete cases alone.

Numbers that are missing are drawn from their distribution given the other numbers, m times, by
scikit-learn's `IterativeImputer`, which is fitted on the training rows of each fold. Each
imputation is fitted and judged like a model of its own, and Rubin's rules pool what they say.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import t
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from skosteo.evaluation import compare, evaluate, pool_estimates
from skosteo.evaluation._format import interval_text, signed_text
from skosteo.exceptions import InputError
from skosteo.study.assessed import Assessed
from skosteo.study.design import Design, Settings
from skosteo.study.models import StudyModel

AS_IT_IS, COMPLETE = "missing values filled as in the models", "patients without missing values"


class DrawnValues(TransformerMixin, BaseEstimator):
    """Draw the missing values of numeric columns from their distribution given the others."""

    def __init__(self, columns: Sequence[str], random_state: int) -> None:
        self.columns = columns
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: ArrayLike | None = None) -> Self:
        """Learn the distributions; draws stay within the range of the values seen."""
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer

        seen = X[list(self.columns)].astype(float)
        self.imputer_ = IterativeImputer(
            sample_posterior=True,
            min_value=seen.min().to_numpy(),
            max_value=seen.max().to_numpy(),
            random_state=self.random_state,
        ).fit(seen)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the table with values drawn where they are missing."""
        drawn = self.imputer_.transform(X[list(self.columns)].astype(float))
        return X.assign(**dict(zip(self.columns, drawn.T, strict=True)))


def drawn_models(
    design: Design, models: Sequence[StudyModel], settings: Settings
) -> dict[str, StudyModel]:
    """Models as they are after each imputation, by name; none where nothing is missing.

    Raises
    ------
    InputError
        A column has no value among the training rows of a fold.
    """
    made, m, seed = {}, settings.imputations, settings.seed
    for model in models:
        seen = model.part(design.X)
        clinical = [c for c in seen if c in settings.clinical_columns]
        numbers = [c for c in clinical if pd.api.types.is_numeric_dtype(seen[c])]
        if not seen[numbers].isna().any(axis=None):
            continue
        for train, _ in [*design.folds, (design.development, design.test)]:
            empty = [c for c in numbers if seen[c].iloc[train].isna().all()]
            if empty:
                raise InputError(
                    f"imputations={m}: the columns {empty} have no value among the training rows "
                    "of a fold, from which one could be drawn. Leave them out of clinical_columns."
                )
        for number in range(m):
            drawn = make_pipeline(DrawnValues(tuple(numbers), seed + number), model.estimator)
            made[f"{model.name}/{number}"] = replace(
                model,
                name=f"{model.name}/{number}",
                title=f"{model.title}, imputation {number + 1}",
                estimator=drawn,
                key=joblib.hash((model.key, tuple(numbers), seed + number)),
            )
    return made


def missing_values_matter(
    rows: Assessed,
    drawn: Assessed,
    clinical: pd.DataFrame,
    primary: str,
    comparator: str | None,
    m: int,
) -> pd.DataFrame:
    """AUC of the primary model, and its difference from the comparator, by what fills values.

    `rows` are those of the models as they are, in the first repeat, `drawn` those of the
    imputations.
    """
    complete = clinical.notna().all(axis=1).to_numpy()[rows.row]
    lines = {AS_IT_IS: _line(rows, primary, comparator)}
    some = rows.at(complete)
    if some.can_be_judged:
        lines[f"{COMPLETE}: {complete.sum():,} rows"] = _line(some, primary, comparator)
    lines[f"{m} imputations, by Rubin's rules"] = _pooled(rows, drawn, primary, comparator, m)
    return pd.DataFrame.from_dict(lines, orient="index")


def _line(rows: Assessed, primary: str, comparator: str | None) -> dict[str, str]:
    other = None if comparator is None else rows.risk[comparator]
    area, difference = _figures(rows, rows.risk[primary], other)
    line = {"AUC": interval_text(*area)}
    if difference is not None:
        line["difference"] = signed_text(*difference)
    return line


def _pooled(
    rows: Assessed, drawn: Assessed, primary: str, comparator: str | None, m: int
) -> dict[str, str]:
    # a model that sees no column with missing values is the same in every imputation
    def risks(name: str) -> list[Any]:
        return [
            drawn.risk[f"{name}/{i}"] if f"{name}/0" in drawn.risk else rows.risk[name]
            for i in range(m)
        ]

    others = [None] * m if comparator is None else risks(comparator)
    pairs = zip(risks(primary), others, strict=True)
    areas, differences = zip(*(_figures(rows, *pair) for pair in pairs), strict=True)
    pooled = _pool([logit(np.clip(area, 1e-9, 1 - 1e-9)) for area in areas], rows)
    line = {"AUC": interval_text(*expit(pooled))}
    if comparator is not None:
        possible = np.clip(_pool(differences, rows), -1, 1)
        line["difference"] = signed_text(*possible)
    return line


def _figures(rows: Assessed, one: pd.Series, other: pd.Series | None) -> tuple[Any, Any]:
    """AUC of a risk, and its difference from that of another, each with limits."""
    given: dict[str, Any] = {"groups": rows.patient, "folds": rows.fold}
    area = evaluate(rows.y, one, **given).frame().iloc[0]
    limits = tuple(area[["estimate", "low", "high"]])
    if other is None:
        return limits, None
    difference = compare(rows.y, {"one": one, "other": other}, **given).frame().iloc[0]
    return limits, tuple(difference[["difference", "low", "high"]])


def _pool(intervals: Sequence[Any], rows: Assessed) -> tuple[float, float, float]:
    """Pool estimates with their limits, which are of Student's t over folds, or normal."""
    df = np.inf if rows.fold is None else len(np.unique(rows.fold)) - 1
    width = 2 * t.ppf(0.975, df)
    variances = [((high - low) / width) ** 2 for _, low, high in intervals]
    known = None if rows.fold is None else df
    pooled = pool_estimates([estimate for estimate, *_ in intervals], variances, known)
    return pooled.estimate, pooled.low, pooled.high
