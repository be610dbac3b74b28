"""Renders the report of a study; its prose is in the templates, its computed parts are here."""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skosteo import _page
from skosteo.clinical.small_levels import FEWEST
from skosteo.clinical.values import values_in_words
from skosteo.clinical.variables import is_report_text
from skosteo.evaluation._format import number_text, p_number_text, proportion_text
from skosteo.study.design import RULES, Settings, versions
from skosteo.study.final import FinalModel
from skosteo.study.models import CLINICAL, TITLES
from skosteo.study.report import checklists
from skosteo.study.report.figures import explanations
from skosteo.validation.figures import printed

if TYPE_CHECKING:
    from jinja2 import Environment

Pictures = dict[int | str, tuple[bytes, str]]

_FEW = 100  # positive or negative patients in the test part: fewer make wide intervals


def render_page(study: Any, pictures: Pictures, unsaved: str = "") -> str:
    """Render the report of a study as one HTML file.

    `unsaved` says why the final model is in no file, where it is in none.
    `pictures` are figures as files, PNG or SVG, with their media types. Texts of the study are
    shown as they are, whatever signs they hold. The page holds its pictures and no script, and its
    content policy forbids scripts and every request. It prints on A4.
    """
    return render("page.html.jinja", study=study, pictures=pictures, unsaved=unsaved)


def render(template: str, **given: Any) -> str:
    """Render one of the templates; see `render_page`."""
    return _page.render(_environment(), template, **given)


@cache
def _environment() -> "Environment":
    return _page.make_environment(
        "skosteo.study.report",
        *(calibration_table, characteristics, checklist, explanation_text, final_figures),
        *(fold_tests, further_measures, has_image_models, has_report_text, limits),
        *(map_is_behind_frozen_backbone, not_shown, operating_table, split_text, threshold_text),
        versions_text,
    )


# ---------------------------------------------------------------- texts


def limits(study: Any) -> list[str]:
    """Return what a reader must know before any number."""
    design, settings = study.design, study.settings
    y, patient = design.y[design.test], design.patient[design.test]
    positive, negative = (len(np.unique(patient[y == code])) for code in (1, 0))
    found = list(settings.limits)
    if min(positive, negative) < _FEW:
        found.append(
            f"The test part is small: {positive} patients with the outcome and {negative} without. "
            "Read the confidence intervals, not the estimates."
        )
    # what the models were warned of: a reader of the report sees no warnings
    found += values_in_words(design.X[list(settings.clinical_columns)], fewest=FEWEST)
    if settings.drawn_test:
        found.append(
            "The test patients were drawn from the same source as the others: this is no external "
            "validation."
        )
    if settings.preset == "quick" and settings.image_column is not None:
        found.append("The nets are the small ones of the preset 'quick', not the paper's.")
    found.append("For research only; this is not a medical device.")
    return found


def split_text(study: Any) -> str:
    """Say how rows were divided."""
    design, settings = study.design, study.settings
    drawn = "drawn" if settings.drawn_test else "named by whoever ran the study"
    return (
        f"{len(design.test):,} rows for the test, {drawn}; {len(design.development):,} rows in "
        f"{settings.n_folds} folds; by patient, stratified"
    )


def versions_text() -> str:
    """List the versions of the libraries."""
    return ", ".join(f"{name} {number}" for name, number in versions().items())


def not_shown(study: Any) -> list[str]:
    """Name the clinical columns without a line in Table 1, and how much of them is missing."""
    shown = set(study.table(1).index.get_level_values(0).str.rsplit(",", n=1).str[0])
    return [
        f"{column} (missing in {study.design.X[column].isna().sum():,} of {len(study.design.y):,})"
        for column in study.settings.clinical_columns
        if str(column) not in shown
    ]


def explanation_text(study: Any) -> str:
    """Say what was explained; nothing where nothing was."""
    named = {"shap": "SHAP", "grad_cam": "Grad-CAM", "fusion": "weights of the fusion"}
    kinds = [named[kind] for kind in named if kind in explanations(study)]
    return f"{', '.join(kinds)}; of fold 1's model." if kinds else ""


def map_is_behind_frozen_backbone(study: Any) -> bool:
    """Whether Grad-CAM shows the map of a backbone that the study did not train."""
    shown = next(name for name in ("multimodal", "image") if name in study.models)
    parameters = study.models[shown].estimator.get_params()
    return any(v is True for name, v in parameters.items() if name.endswith("freeze_backbone"))


def has_image_models(study: Any) -> bool:
    """Whether one of the package's models of the study reads radiographs."""
    return any(name in TITLES and name not in CLINICAL for name in study.models)


def has_report_text(settings: Settings) -> bool:
    """Whether text of radiology reports is among the clinical columns."""
    return any(map(is_report_text, settings.clinical_columns))


# ---------------------------------------------------------------- tables


def characteristics(study: Any) -> pd.DataFrame:
    """Return Table 1 without the lines that say that nothing is missing."""
    table = study.table(1)
    none = (table == "0").all(axis=1) & (table.index.get_level_values("level") == "missing")
    return table[~none]


def threshold_text(final: FinalModel) -> str:
    """Threshold of the final model, as a proportion."""
    return proportion_text(final.model.threshold)


def final_figures(final: FinalModel) -> pd.DataFrame:
    """Figures of the final model on the test part, as text."""
    return printed(final.judged.figures).rename("test part").to_frame()


def further_measures(study: Any) -> pd.DataFrame:
    """Return the measures that Table 2 lacks, on the test part."""
    table = study.report(names=study.names(2) or None).table(metrics="all")
    return table.drop(columns=["AUC", "accuracy", "sensitivity", "specificity"])


def fold_tests(study: Any) -> pd.DataFrame:
    """Return the paired t tests over the folds, p-values as text."""
    tests = study.fold_tests().set_index("model")
    for name in ("P", "P corrected"):
        tests[name] = tests[name].map(p_number_text)
    return tests


def operating_table(study: Any, names: list[str]) -> pd.DataFrame:
    """Return the thresholds that each rule chose, and what they do on the test part."""
    points = study.operating_points["threshold"].loc[names]
    shown = ["sensitivity", "specificity"]
    rates = {}
    for rule in RULES:
        there = [name for name in names if not np.isnan(points[name, rule])]
        if there:
            rates[rule] = study.report(names=there, rule=rule).table(metrics=shown)
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for name, rule in points.index:
        title = study.models[name].title
        line: dict[str, Any] = dict.fromkeys(["threshold", *shown])
        if not np.isnan(points[name, rule]):
            line = {"threshold": proportion_text(points[name, rule]), **rates[rule].loc[title]}
        lines[title, rule] = line
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(lines, names=["model", "chosen for"])
    return frame


def calibration_table(study: Any) -> pd.DataFrame:
    """Return slope and intercept of each main model, with their confidence intervals."""
    curves = study.calibration()
    table = {
        model: [number_text(*line[:3]), number_text(*line[3:])]
        for model, line in curves.lines.items()
    }
    frame = pd.DataFrame.from_dict(table, orient="index", columns=["slope", "intercept"])
    if any(curves.at_edges.values()):
        frame["probabilities of 0 or 1, moved inside"] = pd.Series(curves.at_edges)
    return frame


def checklist(study: Any) -> pd.DataFrame:
    """Return the items of TRIPOD+AI and CLAIM, filled or left for the author."""
    plain = _environment().overlay(autoescape=False)  # the page escapes it
    given = {"study": study, "settings": study.settings, "n": study.design.counts().loc["all"]}
    return checklists.fill(
        {
            str(name): plain.from_string(template).render(given)
            for name, template in checklists.FACTS["sentence"].items()
        }
    )
