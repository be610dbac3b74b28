"""Fits the models of a study, fold by fold and in parallel; finished fits are not repeated."""

import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from tqdm.auto import tqdm

from skosteo.exceptions import InputError
from skosteo.fusion.out_of_fold import fit_with_metadata
from skosteo.fusion.probability import ProbabilityFusionClassifier
from skosteo.study.design import Design
from skosteo.study.explaining import explain
from skosteo.study.models import StudyModel
from skosteo.study.store import FoldResult, Store

Results = dict[str, list[FoldResult]]


class _Job(NamedTuple):
    """A model to be fitted on a fold."""

    model: StudyModel
    fold: int
    explain: tuple[str, ...]

    @property
    def entry(self) -> str:
        """Name of its result in the store."""
        return "-".join([self.model.key, str(self.fold), *self.explain])


def fit_models(
    design: Design,
    models: Iterable[StudyModel],
    explained: Mapping[str, tuple[str, ...]],
    *,
    store: Store | None,
    seed: int,
    n_jobs: int | None,
    verbose: int,
) -> Results:
    """Fit every model on every fold, and predict the rows that it has not seen.

    Models of one key are fitted once. `explained` says what to explain of the first fold's, by
    key; `store` keeps each result as soon as it is there, and `seed` draws the patients that are
    explained. The results are by key, in the order of the folds.
    """
    distinct = {model.key: model for model in models}
    jobs = [
        _Job(model, fold, explained.get(key, ()) if fold == 0 else ())
        for fold in range(len(design.folds))
        for key, model in distinct.items()
    ]
    done = {job.entry: None if store is None else store.load(job.entry) for job in jobs}
    missing = [job for job in jobs if done[job.entry] is None]
    bar = tqdm(total=len(jobs), initial=len(jobs) - len(missing), unit="fit", disable=not verbose)
    with bar, warnings.catch_warnings():
        # loky takes a worker's import of torch for a leak, starts another, and says so
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        tasks = (joblib.delayed(_finish)(design, job, store, seed) for job in missing)
        for job, result in parallel(tasks):
            done[job.entry] = result
            bar.set_postfix_str(job.model.title)
            bar.update()
    results: dict[str, list[Any]] = {key: [] for key in distinct}
    for job in jobs:  # fold by fold
        results[job.model.key].append(done[job.entry])
    return results


def _finish(design: Design, job: _Job, store: Store | None, seed: int) -> tuple[_Job, FoldResult]:
    try:
        result = _fit_and_predict(design, job, seed)
    except Exception as error:
        error.add_note(f"Model {job.model.title!r}, fold {job.fold + 1} of {len(design.folds)}.")
        raise
    if store is not None:  # in the worker: what is finished outlives the process that asked
        store.save(job.entry, result)
    return job, result


def _fit_and_predict(design: Design, job: _Job, seed: int) -> FoldResult:
    train, validation = design.folds[job.fold]
    X, metadata = job.model.part(design.X), {"groups": design.patient[train]}
    start = time.perf_counter()
    fitted = fit_with_metadata(clone(job.model.estimator), X.iloc[train], design.y[train], metadata)
    seconds = time.perf_counter() - start
    rows = {"train": train, "validation": validation, "test": design.test}
    parts = {name: X.iloc[some] for name, some in rows.items()}
    explained, notes = explain(fitted, parts, job.explain, seed)
    on_validation, on_test = (_predicted(fitted, parts[name]) for name in ("validation", "test"))
    return FoldResult(on_validation, on_test, seconds, _histories(fitted), explained, notes)


def _predicted(fitted: Any, X: pd.DataFrame) -> NDArray[np.float64]:
    probability = np.asarray(fitted.predict_proba(X)[:, 1], dtype=np.float64)
    wrong = ~((probability >= 0) & (probability <= 1))
    if wrong.any():
        raise InputError(
            f"predict_proba gives no probability, a number from 0 to 1, for {wrong.sum()} of "
            f"{len(wrong)} rows. Put an imputer before it, or calibrate it."
        )
    return probability


def _histories(fitted: Any) -> dict[str, pd.DataFrame]:
    """Training histories of the nets in a model, by the part that each is."""
    if isinstance(fitted, ProbabilityFusionClassifier):
        parts = {
            "image branch": fitted.image_,
            "clinical branch": fitted.clinical_,
            "fusion": fitted.final_estimator_,
        }
    else:
        parts = {"net": fitted}
    last = {name: part[-1] if isinstance(part, Pipeline) else part for name, part in parts.items()}
    return {name: part.history_ for name, part in last.items() if hasattr(part, "history_")}
