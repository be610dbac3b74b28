"""Renders the report of a study; its prose is in the templates, its computed parts are here."""

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from skosteo import _page
from skosteo._plotting import lacks_signs
from skosteo.clinical.text_components import N_COMPONENTS
from skosteo.clinical.variables import display_name, find_column, is_report_text
from skosteo.evaluation._format import proportion_text
from skosteo.study.adequacy import WIDTHS, proportions_of_cases
from skosteo.study.design import Settings, versions
from skosteo.study.models import ALL_BASELINES, CLINICAL, FUSIONS, TEXT_CONTROLS, TITLES
from skosteo.study.report import checklists, tables
from skosteo.study.report.abstract import (
    abstract,
    has_thresholds_of_folds,
    judged,
    light_rules,
    lights,
    limits,
    moved_threshold,
    n_sites,
    of_patients,
    percent,
    strange_values,
    warnings_first,
)
from skosteo.study.report.figures import explanations

if TYPE_CHECKING:
    from jinja2 import Environment

Pictures = dict[int | str, tuple[bytes, str]]

_NETS = {"clinical", *TEXT_CONTROLS, *(set(TITLES) - set(CLINICAL))}
_AS_THEY_ARE = ("hist_gradient_boosting", "xgboost", "attention_fusion")


def render_page(study: Any, pictures: Pictures, unsaved: str = "") -> str:
    """Render the report of a study as one HTML file.

    `unsaved` says why the final model is in no file, where it is in none.
    `pictures` are figures as files, PNG or SVG, with their media types. Texts of the study are
    shown as they are, whatever signs they hold. The page holds its pictures and no script, and its
    content policy forbids scripts and every request. It prints on A4; parts of the annex that are
    closed are left out of print.
    """
    given = {"study": study, "pictures": pictures, "unsaved": unsaved}
    return render("page.html.jinja", **given, figure_file="figures/figure_{}.svg")


def render(template: str, **given: Any) -> str:
    """Render one of the templates; see `render_page`."""
    return _page.render(_environment(), template, **given)


@cache
def _environment() -> "Environment":
    environment = _page.make_environment(
        "skosteo.study.report",
        *(
            abstract,
            auc_test_text,
            balanced_text,
            has_categories,
            baselines_text,
            checklist,
            clusters_text,
            each_fold_text,
            exclusions_text,
        ),
        *(explanation_text, fusion_text, has, has_image_models, has_nets, has_report_text, judged),
        *(has_thresholds_of_folds, holm_text, lacks_signs_text, light_rules, lights, limits),
        *(map_is_behind_frozen_backbone, moved_text, n_sites, names_text, of_patients),
        *(operating_text, percent, predictors_text, sample_size_note, sample_size_text),
        *(sites_shown, split_text, strange_values),
        *(takes_missing_values, threshold_text, titles_of, versions_text, warnings_first, weighted),
    )
    environment.globals["tables"] = tables
    return environment


# ---------------------------------------------------------------- the study in words


def names_text(names: Any) -> str:
    """Join names as a sentence does."""
    *first, last = map(str, names)
    return f"{', '.join(first)} and {last}" if first else last


def predictors_text(study: Any) -> str:
    """Name the clinical predictors."""
    return names_text(map(_within, map(display_name, study.settings.clinical_columns)))


def _within(text: str) -> str:
    """Return a name as it stands within a sentence: "age (years)", but "BMI"."""
    name, _, unit = text.partition(", ")
    text = f"{name} ({unit})" if unit else name
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def balanced_text(study: Any) -> str:
    """Say what folds are balanced for: sex too where it is known."""
    sex = find_column(study.design.X[list(study.settings.clinical_columns)], "sex")
    return "outcome" if sex is None else "outcome and sex"


def has_categories(study: Any) -> bool:
    """Whether a clinical column holds words that are no report text."""
    X, columns = study.design.X, study.settings.clinical_columns
    return any(not is_numeric_dtype(X[c]) and not is_report_text(c) for c in columns)


def split_text(study: Any) -> str:
    """Say how rows were divided."""
    design, settings = study.design, study.settings
    if not design.has_test:
        return (
            f"{settings.n_repeats} repeat{'s' * (settings.n_repeats > 1)} of "
            f"{settings.n_folds}-fold cross-validation of all "
            f"{len(design.y):,} rows, by patient, stratified by {balanced_text(study)}"
        )
    drawn = "drawn" if settings.drawn_test else "specified by the investigator"
    return (
        f"{len(design.test):,} rows for the test set, {drawn}; {len(design.development):,} rows in "
        f"{settings.n_folds} folds; by patient, stratified by {balanced_text(study)}"
    )


def each_fold_text(study: Any) -> str:
    """Say where thresholds and recalibration come from."""
    if study.design.has_test:
        return "the out-of-fold predictions of the development patients"
    return "the out-of-fold predictions of the other folds"


def auc_test_text(study: Any) -> str:
    """Say how AUCs were compared."""
    if study.design.has_test:
        return "DeLong's paired test"
    return "the corrected resampled t test over the folds"


def holm_text(study: Any) -> str:
    """Say how many comparisons Holm's correction is for; nothing where there is one."""
    n = len(study.family) - 1
    return f" by Holm for {n} comparisons, with intervals that are not adjusted" if n > 1 else ""


def moved_text(study: Any) -> str:
    """Say what the threshold of the final model is at the stated prevalence."""
    here, there = percent(study.assessed().y.mean()), percent(study.settings.prevalence)
    return (
        f"the model's threshold of {threshold_text(study)}, a risk among patients of whom {here} "
        f"have the outcome, is {proportion_text(moved_threshold(study))} where {there} have it"
    )


def operating_text(study: Any) -> str:
    """Say by which rule thresholds were chosen."""
    rule = study.settings.operating_point
    if not isinstance(rule, str):
        return f"a risk of {proportion_text(rule)}, set beforehand"
    reaches = {"sensitivity .90": "a sensitivity of .90", "specificity .90": "a specificity of .90"}
    return reaches.get(rule, f"the greatest {rule}")


def threshold_text(study: Any) -> str:
    """Threshold of the final model, as a proportion."""
    return proportion_text(study.final_model_.threshold)


def versions_text() -> str:
    """List the versions of the libraries."""
    return ", ".join(f"{name} {number}" for name, number in versions().items())


def exclusions_text(study: Any) -> str:
    """Say how many rows were left out."""
    steps = study.flow.frame()
    out = int(steps["excluded"].sum())
    first, last = int(steps["remaining"].iloc[0]), int(steps["remaining"].iloc[-1])
    if out == 0:
        return ""
    return f"Of {first:,} rows in the table, {out:,} were excluded and {last:,} remained."


def clusters_text(study: Any) -> str:
    """Say how rows cluster in patients; nothing where each patient has one."""
    y, patient = study.design.y, study.design.patient
    if len(np.unique(patient)) == len(patient):
        return ""
    parts = []
    for name, side in (("with", y == 1), ("without", y == 0)):
        sizes = Counter(patient[side].tolist())
        most = max(sizes.values())
        parts.append(
            f"{side.sum():,} rows {name} the outcome are of {len(sizes):,} patients, at most "
            f"{most:,} ({100 * most / side.sum():.0f} %) from one patient"
        )
    return f"Patients have several rows: {'; '.join(parts)}."


def sample_size_text(study: Any) -> str:
    """Count the criteria that are met; nothing where none could be reckoned."""
    met = study.sample_size()["met"] == "yes"
    return f"{int(met.sum())} of {len(met)} criteria are met" if len(met) else ""


def sample_size_note(study: Any) -> str:
    """Say what the criteria were reckoned for."""
    here, there = map(percent, proportions_of_cases(study.design, study.settings))
    stated = "" if study.settings.prevalence is None else ", the stated prevalence,"
    auc = study.figures().set_index("figure").loc["AUC", "estimate"]
    ratio, slope, area = (proportion_text(width, 1) for width in WIDTHS.values())
    return (
        "Parameters are those of a logistic regression: 1 for the radiograph, 1 for a number, one "
        f"less than its levels for a category, {N_COMPONENTS} for a column of report text. Neural "
        "networks and forests have more, and need more patients. Reckoned for an AUC of "
        f"{proportion_text(auc)} and {here} with the outcome in development, {there}{stated} in "
        f"validation; for 95 % intervals {ratio} wide of observed / expected, {slope} of the slope "
        f"and {area} of the AUC."
    )


def sites_shown(study: Any) -> bool:
    """Whether scores by hospital are shown."""
    site = study.settings.site
    return n_sites(study) > 1 and display_name(site) in set(tables.levels_shown(study)["variable"])


def lacks_signs_text(study: Any) -> str:
    """Say that figures show boxes, where no font of this machine has the signs of the names."""
    names = [*study.titles.values(), *study.settings.clinical_columns, study.settings.outcome]
    names += [*study.groupings, *map(str, np.unique(study.groupings.astype(str)))]
    if not lacks_signs(" ".join(map(str, names))):
        return ""
    return (
        "Some names have Chinese, Japanese or Korean signs, and no font with them is installed "
        "where the report was made: the figures show boxes instead. Install Noto Sans CJK there, "
        "and write the report again."
    )


# ---------------------------------------------------------------- what is in the study


def has(study: Any, *names: str) -> bool:
    """Whether one of the models is in the study."""
    return any(name in study.models for name in names)


def has_image_models(study: Any) -> bool:
    """Whether one of the package's models of the study reads radiographs."""
    return any(name in TITLES and name not in CLINICAL for name in study.models)


def has_nets(study: Any) -> bool:
    """Whether one of the package's neural networks is in the study."""
    return has(study, *_NETS)


def has_report_text(settings: Settings) -> bool:
    """Whether text of radiology reports is among the clinical columns."""
    return any(map(is_report_text, settings.clinical_columns))


def takes_missing_values(study: Any) -> list[str]:
    """Titles of the models that take missing values as they are."""
    return [study.titles[name] for name in _AS_THEY_ARE if name in study.models]


def weighted(study: Any) -> list[str]:
    """Names of the models that weigh the classes."""
    found = []
    for name, model in study.models.items():
        parameters = model.estimator.get_params(deep=True).items()
        if any(key.endswith("class_weight") and value is not None for key, value in parameters):
            found.append(name)
    return found


def titles_of(study: Any, names: list[str]) -> str:
    """Join titles of models as a sentence does."""
    return names_text(study.titles[name] for name in names)


def fusion_text(study: Any) -> str:
    """Say how the primary model joins radiograph and values; nothing where it is no fusion."""
    ways = {
        "multimodal": "fused the probabilities of an image and a clinical branch",
        "feature_fusion": "joined the features of an image and a clinical branch",
        "learned_fusion": "joined the weighted features of an image and a clinical branch",
        "attention_fusion": "joined an image and a clinical branch by cross-attention",
        "ensemble": "averaged the probabilities of four fusions and two clinical models",
    }
    return f"The primary model {ways[study.primary]}." if study.primary in FUSIONS else ""


def explanation_text(study: Any) -> str:
    """Say what was explained; nothing where nothing was."""
    named = {"shap": "SHAP", "grad_cam": "Grad-CAM", "fusion": "weights of the fusion"}
    kinds = [named[kind] for kind in named if kind in explanations(study)]
    return f"{', '.join(kinds)}, of the final model." if kinds else ""


def map_is_behind_frozen_backbone(study: Any) -> bool:
    """Whether Grad-CAM shows the map of a backbone that the study did not train."""
    parameters = study.models[study.primary].estimator.get_params()
    return any(v is True for name, v in parameters.items() if name.endswith("freeze_backbone"))


def baselines_text(study: Any) -> str:
    """Name the baselines."""
    shown = [study.titles[name] for name in ALL_BASELINES if name in study.models]
    return names_text(shown) if shown else ""


# ---------------------------------------------------------------- checklists


def checklist(study: Any) -> pd.DataFrame:
    """Return the items of TRIPOD+AI and CLAIM, answered as far as the study can."""
    plain = _environment().overlay(autoescape=False)  # the page escapes it
    given = {"study": study, "settings": study.settings, "design": study.design}
    return checklists.fill(
        {
            str(name): " ".join(plain.from_string(template).render(given).split())
            for name, template in checklists.FACTS["sentence"].items()
        }
    )
