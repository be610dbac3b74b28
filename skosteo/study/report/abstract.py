"""The first page of a report: what was done and found, its limits, and four lights.

The rules of the lights are in `sample_size_light`, `leakage_light`, `missing_light` and
`calibration_light`, one each, and in words in `light_rules`.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from skosteo.clinical.small_levels import FEWEST
from skosteo.clinical.values import values_in_words
from skosteo.evaluation._format import NOT_ESTIMABLE, p_text, proportion_text, signed_text
from skosteo.evaluation.calibration import at_prevalence
from skosteo.study.design import ENOUGH_EVENTS
from skosteo.study.report.tables import from_other
from skosteo.study.usefulness import ALL_PATIENTS, ODDS_RATIO, ONE_SIDED
from skosteo.validation.figures import OBSERVED_EXPECTED, printed

SLOPE = "calibration slope"
SOME_MISSING, MUCH_MISSING = 0.05, 0.30  # proportions of a variable; the paper leaves out above .30
_NEAR, _TOLD = (0.8, 1.25), (0.5, 2.0)  # of observed / expected and slope: estimate, limits
_WORDS = {"green": "Good", "amber": "Caution", "red": "Problem"}


class Light(NamedTuple):
    """How far one topic can be relied on: green, amber or red, and why."""

    topic: str
    colour: str
    reason: str

    @property
    def word(self) -> str:
        """The colour in a word, for whoever cannot see it."""
        return _WORDS[self.colour]


# ---------------------------------------------------------------- lights


def lights(study: Any) -> list[Light]:
    """Return the four lights of a study."""
    return [
        sample_size_light(study),
        leakage_light(study),
        missing_light(study),
        calibration_light(study),
    ]


def light_rules() -> dict[str, str]:
    """Say in a sentence by which limits each light is judged."""
    some, much = (f"{100 * limit:.0f} %" for limit in (SOME_MISSING, MUCH_MISSING))
    near, told = (f"{low:g} to {high:g}" for low, high in (_NEAR, _TOLD))
    return {
        "Sample size": (
            "good where every criterion of Riley et al. is met; caution where half or more are, or "
            f"none can be reckoned; else a problem, as is a class of fewer than {FEWEST} patients."
        ),
        "Leakage": "good where nothing is found; caution at a suspicion; a problem at a leak.",
        "Missing data": (
            f"good where no variable of the primary model is missing in more than {some} of the "
            f"rows; a problem where one is in more than {much}; else caution."
        ),
        "Calibration": (
            "of the recalibrated risks; good where observed / expected and slope are both within "
            f"{near}, and their intervals within {told}; a problem where one is outside {near} "
            "and its interval excludes 1, or is not estimable; else caution."
        ),
    }


def sample_size_light(study: Any) -> Light:
    """Green where every criterion is met, amber where half or more are, red below.

    Amber where no criterion could be reckoned, red where fewer than 10 patients of a class are
    judged.
    """
    criteria = study.sample_size()
    met = int((criteria["met"] == "yes").sum())
    fewest = min(judged(study)[1:])
    colour = "green" if met == len(criteria) else "amber" if 2 * met >= len(criteria) else "red"
    reason = f"{met} of {len(criteria)} criteria for the number of patients are met."
    if criteria.empty:
        colour, reason = "amber", "Not estimable: the AUC is .5 or less, or 1."
    if met < len(criteria):
        short = criteria[criteria["met"] != "yes"]
        name = short["patients needed"].astype(float).idxmax()
        needed, here = short.loc[name, ["patients needed", "patients here"]]
        reason += (
            f" The most demanding, {name}, asks for {needed:,.0f} patients; {here:,.0f} are here."
        )
    if fewest < FEWEST:
        colour = "red"
        reason += f" Fewer than {FEWEST} patients with or without the outcome are judged."
    return Light("Sample size", colour, reason)


def leakage_light(study: Any) -> Light:
    """Red where something leaks, amber where something is suspect, else green."""
    found = study.leakage.frame()["severity"].value_counts()
    looked = "patients on both sides of a split and columns that give the outcome away"
    if study.settings.image_column is not None:
        looked = f"radiographs that are in twice, {looked}"
    for severity, colour in (("leak", "red"), ("suspect", "amber")):
        if severity in found:
            n = int(found[severity])
            reason = f"{n} finding{'s' * (n > 1)} of severity '{severity}': see Participants."
            return Light("Leakage", colour, reason)
    return Light("Leakage", "green", f"Looked for and not found: {looked}.")


def missing_light(study: Any) -> Light:
    """Green where each variable of the model is missing in 5 % at most, red above 30 % of any."""
    columns = study.models[study.primary].columns
    columns = study.settings.clinical_columns if columns is None else columns
    missing = study.design.X[list(columns)].isna().mean()
    worst = float(missing.max()) if len(missing) else 0.0
    much = int((missing > MUCH_MISSING).sum())
    if worst <= SOME_MISSING:
        reason = "No variable of the primary model is missing in more than 5 % of the patients."
        return Light("Missing data", "green", reason)
    if much == 0:
        reason = f"The variable with most missing values lacks {100 * worst:.0f} % of them."
        return Light("Missing data", "amber", reason)
    are = "variables of the primary model are" if much > 1 else "variable of the primary model is"
    return Light("Missing data", "red", f"{much} {are} missing in more than 30 % of the patients.")


def calibration_light(study: Any) -> Light:
    """Judge observed / expected and slope, after recalibration, both ideally 1.

    Red: one is not estimable, or outside .8 to 1.25 with an interval that excludes 1. Amber: one is
    outside otherwise, or has an interval that reaches beyond .5 to 2. Else green.
    """
    figures = study.figures().set_index("figure")
    off = vague = False
    for name in (OBSERVED_EXPECTED, SLOPE):
        estimate, low, high = figures.loc[name, ["estimate", "low", "high"]].to_numpy(float)
        outside = not _NEAR[0] <= estimate <= _NEAR[1]
        off |= bool(np.isnan(estimate) or (outside and not low <= 1 <= high))
        vague |= bool(outside or not (low >= _TOLD[0] and high <= _TOLD[1]))
    said = f"{OBSERVED_EXPECTED} {texts(study)[OBSERVED_EXPECTED]}, slope {texts(study)[SLOPE]}"
    if off:
        return Light("Calibration", "red", f"The recalibrated risks are off: {said}.")
    if vague:
        reason = f"The recalibrated risks are too uncertain, or somewhat off: {said}."
        return Light("Calibration", "amber", reason)
    return Light("Calibration", "green", f"Observed and recalibrated risks agree: {said}.")


# ---------------------------------------------------------------- the abstract


def abstract(study: Any) -> list[tuple[str, str]]:
    """Return the lines of the abstract: what each is about, and its sentences."""
    settings, titles = study.settings, study.titles
    classes = study.design.classes
    model = f"{titles[study.primary]}, specified before any model was fitted."
    if study.comparator is not None:
        model += f" Comparator: {titles[study.comparator]}."
    return [
        ("Design", design_text(study)),
        ("Patients", patients_text(study)),
        ("Outcome", f"{settings.outcome} (coded {classes[1]}; without it {classes[0]})."),
        ("Primary model", model),
        ("Discrimination", discrimination_text(study)),
        ("At the threshold", threshold_text(study)),
        ("Calibration", calibration_text(study)),
        ("Limits", " ".join(sentences_of_limits(study))),
    ]


def texts(study: Any) -> dict[str, str]:
    """Figures of the final model as they are printed; with counts where rows are judged once."""
    return dict(printed(study.figures(), counts=len(study.design.repeats) == 1))


def judged(study: Any) -> tuple[int, int, int]:
    """Patients that models are judged on: all, with the outcome, and without."""
    design = study.design
    rows = design.test if design.has_test else np.arange(len(design.y))
    y, patient = design.y[rows], design.patient[rows]
    with_it, without = (len(np.unique(patient[y == code])) for code in (1, 0))
    return len(np.unique(patient)), with_it, without


def design_text(study: Any) -> str:
    """Say how models were developed and judged."""
    settings = study.settings
    if not study.design.has_test:
        return (
            f"Development with internal validation: {settings.n_repeats} "
            f"repeat{'s' * (settings.n_repeats > 1)} of {settings.n_folds}-fold cross-validation "
            "by patient."
        )
    if settings.drawn_test:
        n = n_sites(study)
        source = f"{n:,} hospitals" if n > 1 else "source"
        return f"Development, and validation on a test set drawn by patient from the same {source}."
    return "Development, and validation on a test set specified by the investigator."


def n_sites(study: Any) -> int:
    """Count the hospitals of the patients; 1 where no column says them."""
    site = study.settings.site
    return 1 if site is None else max(1, int(study.design.X[site].nunique()))


def patients_text(study: Any) -> str:
    """Count patients, radiographs and events, in development and test set."""
    counts = study.design.counts()
    names = {"development": "development", "test": "test set"}
    parts = [(names[name], counts.loc[name]) for name in names if name in counts.index]
    said = [f"{part}: {of_patients(study, n)}" for part, n in parts or [("", counts.loc["all"])]]
    return "; ".join(text.removeprefix(": ") for text in said).capitalize() + "."


def of_patients(study: Any, n: Any) -> str:
    """Say one row of the counts of a design in words."""
    patients, rows, cases = n["patients"], n["rows"], n["positive patients"]
    what = "radiographs" if study.settings.image_column is not None else "rows"
    of = f" with {rows:,} {what}" if what == "radiographs" or rows != patients else ""
    return f"{patients:,} patients{of}, {cases:,} ({100 * cases / patients:.1f} %) with the outcome"


def discrimination_text(study: Any) -> str:
    """AUC of the primary model, and its difference from the comparator."""
    said = f"AUC {texts(study)['AUC']}"
    if study.comparator is None:
        return f"{said}."
    other = study.titles[study.comparator]
    frame = study.comparison().frame().query("metric == 'AUC'").set_index("model_a")
    found = frame.loc[other]
    reports = study.scores([study.comparator], ["AUC"])
    p = "" if np.isnan(found["pvalue_holm"]) else f", {p_text(found['pvalue_holm'])}"
    if p and len(frame) > 1:
        p += f" by Holm (of {len(frame)} comparisons), interval not adjusted"
    difference = f"Difference {signed_text(*from_other(found))}{p}."
    return f"{said}; comparator {reports.iloc[0, 0]}. {difference}{increment_text(study)}"


def increment_text(study: Any) -> str:
    """Say what the risk from the film adds to the comparator's; nothing where it was not asked."""
    added = study.added_value()
    if ALL_PATIENTS not in added.index or added.loc[ALL_PATIENTS, ODDS_RATIO] == NOT_ESTIMABLE:
        return ""
    ratio, p = added.loc[ALL_PATIENTS, [ODDS_RATIO, ONE_SIDED]]
    p = f"P {p}" if p.startswith("<") else f"P = {p}"
    return (
        " Exploratory: beside the comparator's risk, that from the radiograph has an odds ratio "
        f"per SD of {ratio}, one-sided {p}."
    )


def threshold_text(study: Any) -> str:
    """Sensitivity and specificity by the rule, and referrals for each case found."""
    said, rule = texts(study), study.settings.operating_point
    at, source, judged_at = proportion_text(study.final_model_.threshold), "set beforehand", ""
    if isinstance(rule, str):
        source = f"chosen for {rule} on out-of-fold predictions"
    if has_thresholds_of_folds(study):
        judged_at = " (judged at the threshold of each fold)"
    each = study.per_thousand().loc[study.titles[study.primary], "referrals per case found"]
    prevalence = study.settings.prevalence
    there = "" if prevalence is None else f", where {percent(prevalence)} have the outcome"
    referrals = f" {each:.1f} referrals (such as for DXA) per case found{there}."
    referrals = referrals if each > 0 else ""
    return (
        f"Threshold {at}, {source}: sensitivity {said['sensitivity']}, specificity "
        f"{said['specificity']}{judged_at}.{referrals}"
    )


def has_thresholds_of_folds(study: Any) -> bool:
    """Whether each fold is judged at a threshold of its own, chosen on the other folds."""
    return isinstance(study.settings.operating_point, str) and not study.design.has_test


def percent(proportion: float) -> str:
    """Return a proportion as a percentage, such as "40.3 %"."""
    return f"{100 * proportion:.3g} %"


def moved_threshold(study: Any) -> float:
    """Threshold of the final model as a risk at the stated prevalence, by Bayes' theorem."""
    at, among = study.final_model_.threshold, study.assessed().y.mean()
    return float(at_prevalence(np.array([at]), study.settings.prevalence, among)[0])


def calibration_text(study: Any) -> str:
    """Observed / expected and slope of the risks that are given."""
    said = texts(study)
    return (
        f"Observed / expected {said[OBSERVED_EXPECTED]}, slope {said[SLOPE]}, after recalibration "
        "on out-of-fold predictions (ideal values: 1)."
    )


# ---------------------------------------------------------------- limits


def limits(study: Any) -> list[str]:
    """Return everything that limits what a study says, the investigator's sentences first."""
    return [*warnings_first(study), *sentences_of_limits(study)]


def warnings_first(study: Any) -> list[str]:
    """Return what a reader must know before any number."""
    settings = study.settings
    found = list(settings.limits)
    _, positive, negative = judged(study)
    if min(positive, negative) < ENOUGH_EVENTS:
        where = "test set" if study.design.has_test else "study"
        found.append(
            f"The {where} is small: {positive:,} patients with the outcome and {negative:,} "
            "without. Read the confidence intervals, not the estimates."
        )
    found += strange_values(study)
    if settings.preset == "quick" and settings.image_column is not None:
        found.append("The neural networks are small ones (preset 'quick'), not the paper's.")
    found.append("For research only; this is not a medical device.")
    return found


def strange_values(study: Any) -> list[str]:
    """Say what the models were warned of: a reader of the report sees no warnings."""
    return values_in_words(study.design.X[list(study.settings.clinical_columns)], fewest=FEWEST)


def sentences_of_limits(study: Any) -> Iterable[str]:
    """Return the two limits that every study has."""
    n = n_sites(study)
    if study.design.has_test and not study.settings.drawn_test:
        source = "One set of patients was tested on, and results elsewhere may differ."
    elif n > 1:
        source = (
            f"The patients are of {n:,} hospitals, which the splits do not keep apart: this is no "
            "external validation."
        )
    else:
        source = "All patients are of one source: this is no external validation."
    if study.design.has_test:
        intervals = (
            "The intervals are those of the patients judged; they do not reflect variability from "
            "refitting."
        )
    else:
        intervals = (
            "Only the interval of the AUC reflects what refitting would change; the others are "
            "those of the patients judged (in simulated studies of 200 patients, the interval of "
            "the sensitivity held the sensitivity of the final model in 72 of 100)."
        )
    return source, intervals
