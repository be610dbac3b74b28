"""`run_study`: from a table of films and values to the paper's tables and figures."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from os import PathLike
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo.clinical.flow import ExclusionLog, Flow
from skosteo.evaluation.leakage import check_leakage
from skosteo.fusion.out_of_fold import table_digest
from skosteo.study.about import About, versions
from skosteo.study.design import Design, make_design
from skosteo.study.films import read_films
from skosteo.study.inputs import (
    check_flow,
    check_groupings,
    check_no_ids,
    check_no_leak,
    check_numbers,
    check_rows,
    check_said,
    checked,
    clinical_of,
    given_groupings,
    joined_flow,
    leave_out_films,
    stated_groupings,
)
from skosteo.study.models import Choice, StudyModel, make_models
from skosteo.study.running import run_models
from skosteo.study.store import Store
from skosteo.study.study import Study
from skosteo.training.fit import resolve_device

_SIZE = 224  # pixels of the films that are looked at before any model is


def run_study(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    out: str | PathLike | None = None,
    preset: str = "quick",
    models: Iterable[Choice] | Mapping[str, Any] | None = None,
    image_column: str | None = "image",
    clinical_columns: Sequence[str] | None = None,
    test: ArrayLike | None = None,
    n_folds: int = 5,
    subgroups: Sequence[str] | pd.DataFrame = (),
    site: str | None = None,
    prevalence: float | None = None,
    title: str = "Screening for osteoporosis from chest X-rays and clinical values",
    outcome: str | None = None,
    limits: Sequence[str] = (),
    published: bool = False,
    flow: Flow | None = None,
    ignore_rules: Iterable[str] = (),
    cache_dir: str | PathLike | None = None,
    device: str = "auto",
    n_jobs: int | None = None,
    random_state: int = 0,
    verbose: int = 1,
) -> Study:
    """Run the paper's study on one's own patients: every table, every figure, one report.

    One part of the patients is kept for the test; the others are split into folds. Every model is
    fitted on all folds but one, judges the rows of that one, and the test part. No patient is on
    both sides of any split, and thresholds are chosen on rows that are not tested on.

    Parameters
    ----------
    X : DataFrame of shape (n, n_columns)
        One row per film: the column of films and the clinical columns.
    y : array-like of shape (n,)
        Two classes; the greater one is positive.
    groups : array-like of shape (n,), default=None
        Patient of each row. None takes every row as a patient of its own.
    out : path, default=None
        Folder for the report and for what is finished of it: after a crash the same call goes on
        there. None writes nothing.
    preset : {"quick", "paper"}, default="quick"
        "quick": small nets on a frozen backbone, minutes on a workstation. "paper": the paper's
        recipe, a GPU's work.
    models : iterable of str or (str, classifier), or mapping, default=None
        Names of the paper's models and of baselines, listed in `skosteo.study.models.TITLES`, and
        models of one's own, which see all columns: a change in their code needs a new name, or a
        study that goes on does not see it. None: those of the preset that the columns allow.
    image_column : str or None, default="image"
        Column of the films; None: a study without films.
    clinical_columns : sequence of str, default=None
        Columns of the clinical models; None: all but those of films and site.
    test : array-like of bool, shape (n,), default=None
        Rows to test on, such as those of a later year or another hospital. None draws one part in
        ``n_folds + 1``, stratified.
    n_folds : int, default=5
        Folds of the other rows.
    subgroups : sequence of str, or DataFrame of n rows, default=()
        Columns of X, or a table, by which scores are split: device, projection. Sex, age band,
        site and what the headers of the films state come by themselves. Columns of X are clinical
        ones too, unless `clinical_columns` leaves them out.
    site : str, default=None
        Column of X that says the hospital: patient ids that several use are looked at.
    prevalence : float, default=None
        Share of positives where the model is to be used, for predictive values.
    title, outcome : str
        Heading of the report; what is predicted, by default the name of y.
    limits : sequence of str, default=()
        Sentences that a reader must see first: that data are synthetic, that the outcome is not
        osteoporosis or is self-reported.
    published : bool, default=False
        Show the paper's published figures beside.
    flow : Flow, default=None
        What `select_cohort` left out before: the ``flow`` of its cohort.
    ignore_rules : iterable of str, default=()
        Rules by which no film is refused; see `read_radiograph`.
    cache_dir : path, default=None
        Folder for decoded films, which are patients' images. None: a temporary one.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    n_jobs : int, default=None
        Fits, and films decoded, at a time, as in joblib.
    random_state : int, default=0
        Seed of splits, nets and examples shown.
    verbose : int, default=1
        1 shows progress.

    Returns
    -------
    Study
        ``table(1)`` to ``table(5)``, ``figure(2)`` to ``figure(7)``, ``report()``,
        ``comparison()``, ``subgroups()``, ``save(out)``.

    Raises
    ------
    InputError
        Anything about the arguments that cannot be worked with; rows that leak, see
        `check_leakage`; too few patients; a folder with another report.
    OSError
        The folder cannot be written to or is full: what is finished stays.

    Notes
    -----
    Films that cannot be read or are refused are left out and counted, as is every reason. What is
    kept in ``out`` are probabilities by position of the row, training histories, the four films
    explained, and for SHAP the ranks of clinical values: no name, path, identifier or value of a
    patient.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> from skosteo.datasets import make_cohort
    >>> from skosteo.study import run_study
    >>> cohort = make_cohort(200, clinical_signal=0.9, random_state=0)
    >>> study = run_study(
    ...     cohort.data.drop(columns="image"), cohort.target, groups=cohort.groups,
    ...     image_column=None, models=["age_sex_bmi", "logistic"], limits=["SYNTHETIC patients."],
    ...     verbose=0,
    ... )
    >>> study.table(2)["accuracy"]
    Logistic: age, sex, BMI          ...
    Logistic: all clinical columns   ...
    Name: accuracy, dtype: object
    """
    check_said(title, limits, prevalence)
    check_numbers(random_state, n_jobs)
    random_state = int(random_state)
    resolve_device(device)
    X, labels, patient, known = checked(X, y, groups)
    columns = clinical_of(X, image_column, site, clinical_columns)
    check_no_ids(X, columns, groups)
    groupings = given_groupings(X, columns, subgroups, site)
    check_flow(flow, len(X))
    if test is not None:
        check_rows(X, test, "test")
    tested = None if test is None else np.asarray(test)
    rows = ExclusionLog(pd.DataFrame({"patient": patient}), "patient" if known else None)
    with ExitStack() as stack:
        cache = cache_dir or stack.enter_context(tempfile.TemporaryDirectory())
        films = None
        if image_column is not None:
            films = read_films(
                X[image_column],
                size=_SIZE,
                cache_dir=cache,
                ignore_rules=ignore_rules,
                n_jobs=n_jobs,
                verbose=verbose,
            )
            leave_out_films(films, rows)
        kept = np.flatnonzero(rows.kept)
        pixels = None if films is None else _kept_pixels(films.pixels, kept)
        facts = None if films is None else films.facts.iloc[kept]
        design = make_design(
            X.iloc[kept],
            labels[kept],
            patient[kept] if known else None,
            test=None if tested is None else tested[kept],
            n_folds=n_folds,
            seed=random_state,
        )
        about = About(
            title=title,
            outcome=outcome or str(getattr(y, "name", None) or "outcome"),
            limits=tuple(limits),
            preset=preset,
            seed=random_state,
            n_folds=n_folds,
            drawn_test=test is None,
            image_column=image_column,
            clinical_columns=tuple(columns),
            prevalence=prevalence,
            published=published,
        )
        stated = stated_groupings(design.X, columns, facts)
        given = groupings.iloc[kept].reset_index(drop=True)
        stated = stated.drop(columns=[name for name in given if name in stated])
        groupings = pd.concat([stated, given], axis=1)
        check_groupings(groupings, design.y)
        chosen = make_models(
            models,
            design.X,
            preset=preset,
            image_column=image_column,
            clinical_columns=columns,
            device=device,
            cache_dir=cache,
            ignore_rules=ignore_rules,
            seed=random_state,
        )
        # models of one's own see all columns
        seen = X.columns if any(model.own for model in chosen.values()) else columns
        aside = [] if site is None else [site]
        leakage = check_leakage(
            design.X[[c for c in dict.fromkeys([*seen, *aside]) if c != image_column]],
            design.y,
            design.patient if known else None,
            splits=[*design.folds, (design.development, design.test)],
            image_column=None,
            site=site,
            films=pixels,
        )
        check_no_leak(leakage, kept)
        store = None if out is None else Store(out, _digest(design, about, pixels))
        results = run_models(
            design,
            chosen.values(),
            _to_explain(chosen),
            store=store,
            seed=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
    study = Study(
        design,
        chosen,
        results,
        about,
        joined_flow(flow, rows, labels, about.outcome),
        leakage,
        groupings,
    )
    if out is not None:
        study.save(out)
    return study


def _kept_pixels(pixels: NDArray[np.uint8], kept: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Pixels of the rows that are kept; of all, without a copy: they may be mapped from a file."""
    return pixels if len(kept) == len(pixels) else pixels[kept]


def _to_explain(models: Mapping[str, StudyModel]) -> dict[str, tuple[str, ...]]:
    """Say what to explain: the fusion, or else the models of films and of values alone."""
    if "multimodal" in models:
        return {models["multimodal"].key: ("shap", "grad_cam", "fusion")}
    alone = {"image": ("grad_cam",), "clinical": ("shap",)}
    return {models[name].key: what for name, what in alone.items() if name in models}


def _digest(design: Design, about: About, pixels: NDArray[np.uint8] | None) -> str:
    """Stand for the rows, the splits and all that decides a result but for the models.

    A film is what it shows, wherever it lies.
    """
    table = design.X.drop(columns=[] if about.image_column is None else about.image_column)
    films = [] if pixels is None else [blake2b(film.tobytes()).digest() for film in pixels]
    return joblib.hash(
        (
            table_digest(table),
            films,
            design.y,
            design.patient,
            design.test,
            design.folds,
            about.seed,
            versions(),
        )
    )
