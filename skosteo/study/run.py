"""`run_study`: from a table of radiographs and values to the paper's tables and figures."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skosteo._extras import require
from skosteo._files import scratch_folder
from skosteo.clinical.flow import ExclusionLog, Flow, check_flow
from skosteo.dicom import check_ignore_rules
from skosteo.evaluation import check_leakage
from skosteo.evaluation.leakage import LeakageReport
from skosteo.fusion.memory import table_digest
from skosteo.image.films import Films
from skosteo.study.design import (
    Design,
    Fold,
    Settings,
    check_out_of_fold,
    make_design,
    versions,
)
from skosteo.study.films import read_films
from skosteo.study.final import fit_final_model
from skosteo.study.fitting import fit_models
from skosteo.study.folder import StudyFolder, check_cache_beside
from skosteo.study.imputation import drawn_models
from skosteo.study.inputs import (
    DEFAULT_RULE,
    Inputs,
    all_groupings,
    check_free_text,
    check_no_leak,
    joined_flow,
    validate_device,
    validate_inputs,
    validate_numbers,
    validate_rule,
    validate_texts,
)
from skosteo.study.models import (
    Choice,
    StudyModel,
    comparator_of,
    family_of,
    make_models,
    masks_text,
    primary_of,
    sees_all_clinical,
)
from skosteo.study.results import Study
from skosteo.study.store import Store


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
    primary: str | None = None,
    comparator: str | None = None,
    internal_validation: str = "auto",
    test: ArrayLike | None = None,
    n_folds: int = 5,
    n_repeats: int = 5,
    operating_point: str | float = DEFAULT_RULE,
    imputations: int = 0,
    subgroups: Sequence[str] | pd.DataFrame = (),
    site: str | None = None,
    prevalence: float | None = None,
    title: str | None = None,
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

    The report is about one model, the primary one, fitted on all rows but those of a test set, if
    there is one. It and every other model are judged on the same rows, of patients whom they have
    not seen, with their risks recalibrated alike and thresholds chosen by one rule.

    Parameters
    ----------
    X : DataFrame of shape (n, n_columns)
        One row per radiograph: their column and the clinical columns; of pandas, polars or pyarrow.
    y : array-like of shape (n,)
        Two classes; the greater one is positive.
    groups : array-like of shape (n,), default=None
        Patient of each row. None takes every row as a patient of its own.
    out : path, default=None
        Folder for the report and for what is finished of it: after a crash the same call goes on
        there. It may hold nothing that this study did not write. None writes nothing.
    preset : {"quick", "paper"}, default="quick"
        "quick": small nets on a frozen backbone, minutes on a workstation. "paper": the paper's
        recipe, a GPU's work.
    models : iterable of str or (str, classifier), or mapping, default=None
        Names of the paper's models and of baselines, listed in `skosteo.study.models.TITLES`
        ("xgboost" and "texture" only where they are named, for they need an extra, and
        "ensemble", for it fits six models), and models of one's own, which see all columns: a
        change in their code needs a new name, or a study that goes on does not see it. None: those
        of the preset that the columns allow. Where one sees report text, a clinical model of the
        text alone and one without it are added.
    image_column : str or None, default="image"
        Column of the radiographs; None: a study without them.
    clinical_columns : sequence of str, default=None
        Columns of the clinical models; None: all but those of radiographs and site.
    primary : str, default=None
        Name of the model that the report is about. None: "multimodal", else "image", "clinical" or
        the first in the order of the tables; "age_sex_bmi" only where it is alone.
    comparator : str, default=None
        Name of the model that it has to beat. None: "age_sex_bmi", or what takes its place. With
        the parts of a fusion, "image" and "clinical", these are the prespecified comparisons; all
        others are exploratory.
    internal_validation : {"auto", "repeated_cv", "split"}, default="auto"
        "repeated_cv": all patients, by cross-validation in `n_repeats` repeats. "split": a test
        set, one part in ``n_folds + 1``, as the paper has. "auto": a split where the test set
        would have 100 patients with the outcome and 100 without, or where `test` is given.
    test : array-like of bool, shape (n,), default=None
        Rows to test on, such as those of a later year or another hospital.
    n_folds : int, default=5
        Folds of the rows that are not for the test, with as many patients of either outcome and
        sex in each.
    n_repeats : int, default=5
        Repeats of the cross-validation, each with other folds, for the models of the prespecified
        comparisons; others have the first.
    operating_point : str or float, default="sensitivity .90"
        Rule by which the threshold of every model is chosen on out-of-fold predictions:
        "sensitivity .90", "specificity .90", "Youden's index"; or a risk, such as .1, which is the
        threshold of all.
    imputations : int, default=0
        Multiple imputations of missing numbers, as a sensitivity analysis: the primary model and
        its comparator are fitted again with each, and pooled by Rubin's rules. 5 at least, 20 are
        usual.
    subgroups : sequence of str, or DataFrame of n rows, default=()
        Columns of X, or a table, by which scores are split: device, projection. Sex, age band,
        site and what the headers of the radiographs state come by themselves. Columns of X are
        clinical ones too, unless `clinical_columns` leaves them out.
    site : str, default=None
        Column of X that says the hospital: patient ids that several use are looked at.
    prevalence : float, default=None
        Proportion of positives where the model is to be used, for the report's predictive values,
        referrals and net benefit. The final model's risks and threshold stay those of X.
    title, outcome : str, default=None
        Heading of the report, by default of what the columns are; what is predicted, by default the
        name of y.
    limits : sequence of str, default=()
        Sentences that a reader must see first: that data are synthetic, that the outcome is not
        osteoporosis or is self-reported.
    published : bool, default=False
        Show the paper's published figures beside.
    flow : Flow, default=None
        What `select_cohort` left out before: the ``flow`` of its cohort.
    ignore_rules : iterable of str, default=()
        Rules by which no radiograph is refused; see `read_radiograph`.
    cache_dir : path, default=None
        Folder for decoded radiographs, which are patients' images; not within `out`. None: a
        temporary one.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    n_jobs : int, default=None
        Fits, and radiographs decoded, at a time, as in joblib.
    random_state : int, default=0
        Seed of splits, nets and examples shown.
    verbose : int, default=1
        1 shows progress.

    Returns
    -------
    Study
        ``table(1)`` to ``table(5)``, ``figure(2)`` to ``figure(7)``, ``comparison()``,
        ``subgroups()``, ``final_model_``, ``save(out)``.

    Raises
    ------
    InputError
        Anything about the arguments that cannot be worked with; rows that leak, see
        `check_leakage`; too few patients; a folder with anything that this study did not write.
    MissingExtraError
        A model is a net and torch is not installed, or ``out`` is given and matplotlib is not.
    OSError
        The folder cannot be written to or is full: what is finished stays.

    Notes
    -----
    Radiographs that cannot be read or are refused are left out and counted, as is every reason.
    What is kept in ``out`` are probabilities by position of the row, training histories, the four
    radiographs explained, and for SHAP the ranks of clinical values: no name, path, identifier or
    value of a patient.

    A split-sample of few patients is the least certain judgement of a model that they allow [1]_:
    in 100 synthetic cohorts of 200 patients the AUC of a test set was .10 off the AUC of the model
    on 20,000 others (root of the mean square), that of five times five folds .05, and the optimism
    that a bootstrap takes away was .04 too small for forests. In cross-validation the AUC is the
    mean over folds, with an interval that holds what training again would change, see
    `skosteo.evaluation.evaluate`: there it held the AUC on the others in 92 (logistic regression)
    and 97 (forest) of the cohorts. The other intervals are of the patients judged and of these
    models: of 50 synthetic studies of 200 patients that of the specificity held the final model's
    on 20,000 others in 46, that of observed / expected in 47, that of the sensitivity in 36 only,
    since the threshold was chosen on as few cases as judge it. Where no model can tell
    anything, the comparison of the primary model found a difference (P < .05) in 7 of 200
    studies.
    In each fold of a cross-validation, what recalibrates risks and the threshold are learned from
    the out-of-fold predictions of the other folds, and not from the fold's own outcomes. The models
    that made those predictions have learned from the fold, so that these two or three numbers are
    not wholly independent of it; a cross-validation within each fold, at five times the cost, would
    be.

    References
    ----------
    .. [1] Steyerberg 2018, doi:10.1016/j.jclinepi.2018.07.010

    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> from skosteo.datasets import draw_patients
    >>> from skosteo.study import run_study
    >>> people = draw_patients(200, clinical_signal=0.9, random_state=0)
    >>> values = people[["age", "sex", "bmi", "calcium_mmol_l"]]
    >>> study = run_study(
    ...     values, people["osteoporosis"], groups=people["patient_id"], image_column=None,
    ...     models=["age_sex_bmi", "logistic"], n_repeats=2, verbose=0,
    ...     limits=["SYNTHETIC patients."],
    ... )
    >>> study.table(2)["AUC"]
    Logistic: age, sex, BMI          ...
    Logistic: all clinical columns   ...
    Name: AUC, dtype: object
    """
    if out is not None:
        require("plots", "The report of a study")  # before the work, not after it
        StudyFolder(out)
        check_cache_beside(out, cache_dir)
    validate_texts(title, limits)
    validate_numbers(n_folds, n_repeats, imputations, prevalence, random_state, n_jobs)
    rule = validate_rule(operating_point, internal_validation)
    validate_device(device)
    columns: dict[str, Any] = {"image_column": image_column, "site": site}
    columns["clinical_columns"] = clinical_columns
    given = validate_inputs(X, y, groups, test=test, subgroups=subgroups, **columns)
    check_flow(flow, len(given.y))
    settings = Settings(
        title=title or _title(image_column, given.clinical),
        outcome=outcome or str(getattr(y, "name", None) or "outcome"),
        limits=tuple(limits),
        preset=preset,
        seed=int(random_state),
        n_folds=int(n_folds),
        n_repeats=int(n_repeats),
        operating_point=rule,
        imputations=int(imputations),
        drawn_test=test is None,
        image_column=image_column,
        clinical_columns=tuple(given.clinical),
        site=site,
        prevalence=prevalence,
        published=published,
    )
    with ExitStack() as stack:
        reading: dict[str, Any] = {
            "cache_dir": cache_dir or stack.enter_context(scratch_folder()),
            "ignore_rules": tuple(sorted(check_ignore_rules(ignore_rules))),
        }
        work = {"n_jobs": n_jobs, "verbose": verbose}
        chosen = make_models(models, given.X, settings, device=device, **reading)
        about = primary_of(chosen, primary)
        against = comparator_of(chosen, about, comparator)
        how: dict[str, Any] = {"n_folds": settings.n_folds, "n_repeats": settings.n_repeats}
        how |= {"validation": internal_validation, "seed": settings.seed}
        plan = Plan(settings, chosen, about, against, how)
        study = _fitted(given, plan, flow, site, out, reading, work)
    if out is not None:
        study.save(out)
    return study


def _title(image_column: str | None, clinical: Sequence[str]) -> str:
    seen = {"chest X-rays": image_column is not None, "clinical values": len(clinical) > 0}
    parts = " and ".join(what for what, there in seen.items() if there)
    return f"Screening for osteoporosis from {parts or 'given columns'}"


class Plan(NamedTuple):
    """What is fixed before anything is fitted."""

    settings: Settings
    models: dict[str, StudyModel]
    primary: str
    comparator: str | None
    design: dict[str, Any]  # what `make_design` is asked for

    def designed(self, given: Inputs) -> Design:
        """Split rows, with enough patients in each fold for every model."""
        design = make_design(given, **self.design)
        if {"multimodal", "ensemble"} & set(self.models):
            check_out_of_fold(design)
        return design


def _fitted(
    given: Inputs,
    plan: Plan,
    flow: Flow | None,
    site: str | None,
    out: str | PathLike | None,
    reading: dict[str, Any],
    work: dict[str, Any],
) -> Study:
    """Read the radiographs, divide the rows, look for leaks, then fit; only fits are written."""
    settings, chosen = plan.settings, plan.models
    plan.designed(given)  # too few patients are told before films are read
    if any(map(sees_all_clinical, chosen.values())):
        check_free_text(given.X, given.clinical)
    patients = pd.DataFrame({"patient": given.patient})
    rows, films = ExclusionLog(patients, "patient" if given.grouped else None), None
    if settings.image_column is not None:
        films = read_films(given.X[settings.image_column], rows, **reading, **work)
    kept = np.flatnonzero(rows.kept)
    used = given.take(kept)
    design = plan.designed(used)
    groupings = all_groupings(used, None if films is None else films.facts)
    leakage = _checked_leakage(used, design, chosen.values(), films, settings.image_column, site)
    check_no_leak(leakage, kept, text_is_masked=all(map(masks_text, chosen.values())))
    digest, store = _digest(design, settings, films), None
    if out is not None:
        StudyFolder(out, digest).claim()
        store = Store(out, digest)
    family = family_of(chosen, plan.primary, plan.comparator)
    repeated = {chosen[name].key for name in family}
    drawn = {}
    if settings.imputations:
        drawn = drawn_models(design, [chosen[name] for name in family[:2]], settings)
    every = [*chosen.values(), *drawn.values()]
    results = fit_models(design, every, repeated, store=store, **work)
    primary = chosen[plan.primary]
    final, results[primary.key] = fit_final_model(
        design, primary, results[primary.key], settings.operating_point,
        store=store, seed=settings.seed,
    )  # fmt: skip
    flow = joined_flow(flow, rows, used.y, settings.outcome)
    return Study(
        design, chosen, results, settings, flow, leakage, groupings, digest, final, family, drawn
    )


def _checked_leakage(
    used: Inputs,
    design: Design,
    models: Iterable[StudyModel],
    films: Films | None,
    image_column: str | None,
    site: str | None,
) -> LeakageReport:
    # models of one's own see all columns
    seen = list(used.X) if any(model.own for model in models) else list(used.clinical)
    # the films are given decoded, and their column is none of the predictors
    seen += [column for column in (site, image_column) if column is not None]
    return check_leakage(
        design.X[[*dict.fromkeys(seen)]],
        design.y,
        design.patient if used.grouped else None,
        splits=_splits(design),
        image_column=image_column,
        site=site,
        films=None if films is None else films.to_array(),
    )


def _splits(design: Design) -> list[Fold]:
    test = [(design.development, design.test)] if design.has_test else []
    return [fold for folds in design.repeats for fold in folds] + test


def _digest(design: Design, settings: Settings, films: Films | None) -> str:
    """Stand for the rows, the splits and all that decides a result but for the models.

    A radiograph is what it shows, wherever it lies.
    """
    table = design.X.drop(columns=[] if settings.image_column is None else settings.image_column)
    shown = None if films is None else films.digests
    split = (design.y, design.patient, design.test, design.repeats)
    return joblib.hash((table_digest(table), shown, *split, settings.seed, versions()))
