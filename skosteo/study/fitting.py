"""Fits the models of a study, split by split, in parallel; finished fits are not repeated."""

import os
import time
import warnings
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from skosteo.study.design import Design, Fold
from skosteo.study.models import StudyModel
from skosteo.study.store import FoldResult, Store

TEST = "test"  # name of the split into development and test


class _Job(NamedTuple):
    """A model to be fitted on one split."""

    model: StudyModel
    split: str
    rows: Fold  # to learn from, and to predict

    @property
    def entry(self) -> str:
        """Name of its result in the store."""
        return f"{self.model.key}-{self.split}"


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What the fits of one model predicted."""

    out_of_fold: NDArray[np.float64]  # probability by repeat and row; NaN where it is not judged so
    test: NDArray[np.float64] | None  # probability of the rows of the test set, if there is one
    folds: tuple[FoldResult, ...]  # of all repeats


def fit_models(
    design: Design,
    models: Iterable[StudyModel],
    repeated: Container[str],
    *,
    store: Store | None,
    n_jobs: int | None,
    verbose: int,
) -> dict[str, ModelResult]:
    """Fit every model on every split, and predict the rows that it has not seen.

    Models of one key are fitted once. Those whose keys are `repeated` are fitted on the folds of
    all repeats, others on those of the first. `store` keeps each result as soon as it is there. The
    results are by key.
    """
    distinct = {model.key: model for model in models}
    splits = {
        key: _splits(design, len(design.repeats) if key in repeated else 1) for key in distinct
    }
    jobs = [_Job(distinct[key], *split) for key in distinct for split in splits[key].items()]
    jobs.sort(key=lambda job: [*splits[job.model.key]].index(job.split))  # split by split
    done = {job.entry: None if store is None else store.load(job.entry) for job in jobs}
    missing = [job for job in jobs if done[job.entry] is None]
    bar = tqdm(total=len(jobs), initial=len(jobs) - len(missing), unit="fit", disable=not verbose)
    with bar, warnings.catch_warnings():
        # loky takes a worker's import of torch for a leak, starts another, and says so
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        tasks = (joblib.delayed(_finish)(design, job, store, os.getpid()) for job in missing)
        for job, result, told in parallel(tasks):
            for warning in told:
                warnings.warn_explicit(*warning)
            done[job.entry] = result
            bar.set_postfix_str(job.model.title)
            bar.update()
    return {
        key: _gathered(design, {name: done[f"{key}-{name}"] for name in splits[key]})
        for key in distinct
    }


def _splits(design: Design, n_repeats: int) -> dict[str, Fold]:
    """Return the splits that a model is fitted on, by name: folds, and development and test."""
    found = {
        f"{repeat + 1}-{fold + 1}": rows
        for repeat, folds in enumerate(design.repeats[:n_repeats])
        for fold, rows in enumerate(folds)
    }
    if design.has_test:
        found[TEST] = (design.development, design.test)
    return found


def _gathered(design: Design, done: dict[str, Any]) -> ModelResult:
    test = done.pop(TEST).probability if TEST in done else None
    folds = tuple(done.values())
    n_folds = len(design.folds)
    out_of_fold = np.full((len(folds) // n_folds, len(design.y)), np.nan)
    for number, result in enumerate(folds):
        repeat, fold = divmod(number, n_folds)
        out_of_fold[repeat, design.repeats[repeat][fold][1]] = result.probability
    return ModelResult(out_of_fold, test, folds)


def _finish(
    design: Design, job: _Job, store: Store | None, asked_by: int
) -> tuple[_Job, FoldResult, list[tuple]]:
    try:
        with _warnings_for(asked_by) as told:
            result = _fit_and_predict(design, job)
    except Exception as error:
        where = "on all rows but the test set" if job.split == TEST else f"fold {job.split}"
        error.add_note(f"Model {job.model.title!r}, {where}.")
        raise
    if store is not None:  # in the worker: what is finished outlives the process that asked
        store.save(job.entry, result)
    return job, result, [(str(w.message), w.category, w.filename, w.lineno) for w in told]


@contextmanager
def _warnings_for(process: int) -> Iterator[list[warnings.WarningMessage]]:
    """Hold the warnings of a worker for the process that asked: there they can be caught."""
    if os.getpid() == process:
        yield []
        return
    with warnings.catch_warnings(record=True) as told:
        yield told


def _fit_and_predict(design: Design, job: _Job) -> FoldResult:
    fitted, seconds = fit_on(design, job.model, job.rows[0])
    said = predicted(fitted, job.model.part(design.X).iloc[job.rows[1]])
    return FoldResult(said, seconds, _histories(fitted))


def fit_on(design: Design, model: StudyModel, rows: NDArray[np.intp]) -> tuple[Any, float]:
    """Fit a model on some rows: the fitted one, and the seconds that it took."""
    X, metadata = model.part(design.X).iloc[rows], {"groups": design.patient[rows]}
    start = time.perf_counter()
    fitted = fit_with_metadata(clone(model.estimator), X, design.y[rows], metadata)
    return fitted, time.perf_counter() - start


def predicted(fitted: Any, X: pd.DataFrame) -> NDArray[np.float64]:
    """Probability of the positive class, refused where it is none."""
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
