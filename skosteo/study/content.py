"""What the report of a study says, in order: the limits first."""

import numpy as np
import pandas as pd

from skosteo.evaluation._format import NOT_ESTIMABLE, p_number_text, proportion_text
from skosteo.evaluation.calibration import CalibrationLine
from skosteo.study.about import PAPER, departures, versions
from skosteo.study.captions import FIGURES, TABLES
from skosteo.study.checklists import fill
from skosteo.study.page import Bullets, Checklist, Figure, Page, Section, Table, Text
from skosteo.study.study import RULES, Study

Pictures = dict[int | str, tuple[bytes, str]]

_FEW = 100  # positive or negative patients in the test part: fewer make wide intervals


def make_page(study: Study, pictures: Pictures) -> Page:
    """Write the report of a study.

    Parameters
    ----------
    study : Study
        What it reports.
    pictures : dict of int or str to (bytes, str)
        Figures as files, with their media types.

    Returns
    -------
    Page
    """
    figures = {which: _figure(which, *file) for which, file in pictures.items()}
    sections = [
        Section("Patients", _patients(study, figures)),
        Section("Methods", _methods(study)),
        Section("Results", _results(study, figures)),
        Section("Calibration and usefulness", _usefulness(study, figures)),
        Section("Subgroups", _subgroups(study, figures)),
        Section("Training and explanation", _explanation(study, figures)),
        Section("Reporting checklists", [_intro_to_checklists(), Checklist(checklist(study))]),
    ]
    about = study.about
    subtitle = f"Outcome: {about.outcome}. A study with skosteo, after {PAPER}."
    return Page(about.title, subtitle, limits(study), _facts(study), sections)


def limits(study: Study) -> list[str]:
    """Return what a reader must know before any number."""
    design, about = study.design, study.about
    y, patient = design.y[design.test], design.patient[design.test]
    ill, well = (len(np.unique(patient[y == code])) for code in (1, 0))
    said = list(about.limits)
    if min(ill, well) < _FEW:
        said.append(
            f"The test part is small: {ill} patients with the outcome and {well} without. Read the "
            "intervals, not the estimates."
        )
    if about.drawn_test:
        said.append(
            "The test patients were drawn from the same source as the others: this is no external "
            "validation."
        )
    if about.preset == "quick" and about.image_column is not None:
        said.append("The nets are the small ones of the preset 'quick', not the paper's.")
    said.append("For research only; this is not a medical device.")
    return said


def _facts(study: Study) -> list[tuple[str, str]]:
    design, about = study.design, study.about
    rows, patients, positive = map(int, design.counts().loc["all"])
    seconds = sum(result.seconds for results in study.results.values() for result in results)
    return [
        ("Rows", f"{rows:,} of {patients:,} patients"),
        (
            "Outcome",
            f"{about.outcome}: {design.classes[1]!s} in {positive:,} rows (positive), "
            f"{design.classes[0]!s} in {rows - positive:,}",
        ),
        ("Split", _split(study)),
        ("Models", f"{len(study.models)}, of which {len(study.results)} differ"),
        ("Preset", f"{about.preset!r}"),
        ("Seed", f"{about.seed}, of every draw"),
        ("Time", f"{seconds / 60:.1f} minutes of fits"),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
    ]


def _split(study: Study) -> str:
    design, about = study.design, study.about
    drawn = "drawn" if about.drawn_test else "named by whoever ran the study"
    return (
        f"{len(design.test):,} rows for the test, {drawn}; {len(design.development):,} rows in "
        f"{about.n_folds} folds; by patient, stratified"
    )


def _patients(study: Study, figures: dict[int | str, Figure]) -> list:
    n = len(study.design.y)
    one = Table(
        _known_gaps(study.table(1)),
        "Patients by split (the paper's Table 1); training and validation are those of fold 1.",
        ["Percentages are of the rows whose value is known.", *_not_shown(study)],
    )
    return [
        figures[2],
        one,
        Text(
            f"{n:,} rows were checked for leakage: patients and films on both sides of a split, "
            f"films that are in twice, columns that give the answer away. {_leakage(study)}"
        ),
        *_leaks(study),
    ]


def _known_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the lines that say that nothing is missing."""
    none = (table == "0").all(axis=1) & (table.index.get_level_values("level") == "missing")
    return table[~none]


def _not_shown(study: Study) -> list[str]:
    """Say what Table 1 has no line for, and how much of it is missing."""
    shown = set(study.table(1).index.get_level_values(0).str.rsplit(",", n=1).str[0])
    texts = [
        f"{column} (missing in {study.design.X[column].isna().sum():,} of {len(study.design.y):,})"
        for column in study.about.clinical_columns
        if str(column) not in shown
    ]
    return [f"Not shown: {', '.join(texts)}."] if texts else []


def _leakage(study: Study) -> str:
    n = len(study.leakage.frame())
    return "Nothing was found." if n == 0 else f"{n} findings, none of them a leak:"


def _leaks(study: Study) -> list:
    found = study.leakage.frame()
    if found.empty:
        return []
    return [Bullets([f"{f.severity}: {f.finding} {f.remedy}" for f in found.itertuples()])]


def _methods(study: Study) -> list:
    design, about = study.design, study.about
    train, validation = design.folds[0]
    seen = [
        f"Films: column {about.image_column!r}, read as the DICOM standard says, bone bright, "
        "padded to a square."
        if about.image_column is not None
        else "No films.",
        f"Clinical columns: {', '.join(map(str, about.clinical_columns)) or 'none'}. What gaps are "
        "filled with, and how numbers and texts are scaled and encoded, is learnt from the "
        "training rows of each fold. Gradient boosting and cross-attention take gaps as they are.",
        f"Split: {_split(study)}. In fold 1, {len(train):,} rows train and {len(validation):,} "
        "validate.",
        "Validation: each row outside the test part is judged by the one model that has not seen "
        "its patient. Test: the mean probability of the models of all folds.",
        "Intervals are of 95 %: AUC by DeLong on the logit scale, rates by Wilson, both clustered "
        "by patient where patients repeat. They do not contain the variation of training again.",
        "Positive is a probability of .5 or more, unless another threshold is named; those were "
        "chosen on validation rows.",
    ]
    return [
        Bullets(seen),
        Text("Where this study departs from the paper:"),
        Bullets(departures(about, study.models)),
    ]


def _results(study: Study, figures: dict[int | str, Figure]) -> list:
    blocks: list = []
    for number, title in TABLES.items():
        if len(study.names(number)) < (1 if number == 2 else 2):
            continue  # nothing to compare
        notes = ["AUC [95 % interval]; rates with their counts."]
        if study.about.published:
            notes.append(f"'paper': as published, {PAPER}; without counts or intervals there.")
        if number == 2:
            notes.append("Below the paper's models: baselines, and models of one's own.")
        here = f"{title} on the test part (the paper's Table {number})."
        blocks.append(Table(study.table(number), here, notes))
    if 5 in figures:
        blocks.append(figures[5])
    if len(study.names(4)) > 1 and study.reference == "multimodal":
        blocks.append(_fold_tests(study))
    everything = study.report(names=study.names(2) or None).table(metrics="all")
    extra = everything.drop(columns=["AUC", "accuracy", "sensitivity", "specificity"])
    blocks.append(Table(extra, "Further measures on the test part."))
    names = study.names(2) or list(study.models)
    blocks.append(
        Table(
            study.report("validation", names=names).table(),
            "The same models on the validation rows, of which there are more.",
        )
    )
    blocks.append(_operating(study, names))
    if "comparison" in figures:
        reference = study.models[study.reference].title
        blocks += [
            Table(
                study.comparison().table(),
                f"Every model less {reference}, on the test part.",
                [
                    "AUC: DeLong; rates: McNemar. P is adjusted by Holm within each measure; the "
                    "intervals are of each difference alone."
                ],
            ),
            figures["comparison"],
        ]
    return blocks


def _fold_tests(study: Study) -> Table:
    tests = study.fold_tests().set_index("model")
    for name in ("P", "P corrected"):
        tests[name] = tests[name].map(p_number_text)
    return Table(
        tests,
        f"{study.models['multimodal'].title} less other fusions, over the validation rows of "
        f"{study.about.n_folds} folds.",
        [
            "t and P: the paired t test of the paper's Table 4, which takes folds as independent; "
            "corrected: Nadeau and Bengio, since folds share training rows."
        ],
    )


def _operating(study: Study, names: list[str]) -> Table:
    points = study.operating_points["threshold"]
    shown = ["sensitivity", "specificity"]
    lines = {}
    for name in names:
        title = study.models[name].title
        for rule in RULES:
            if np.isnan(points[name, rule]):
                lines[title, rule] = dict.fromkeys(["threshold", *shown])
                continue
            rates = study.report(names=[name], rule=rule).table(metrics=shown).loc[title]
            lines[title, rule] = {"threshold": proportion_text(points[name, rule]), **rates}
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(lines, names=["model", "chosen for"])
    return Table(
        frame,
        "Thresholds chosen on the validation rows, and what they do on the test part.",
        [
            "Found on probabilities of single folds' models, and used on the mean over the folds, "
            "which is less extreme: a sensitivity asked for need not be reached. A dash: no "
            "threshold does what is asked.",
        ],
    )


def _usefulness(study: Study, figures: dict[int | str, Figure]) -> list:
    lines = {name: _line(line) for name, line in study.calibration().lines.items()}
    return [
        Table(
            pd.DataFrame(lines).T,
            "Calibration on the validation rows.",
            [
                "Slope 1 and intercept 0 are right. Nets that weigh the classes alike, as the "
                "paper's do, say .5 where a patient is as likely ill as the average one: their "
                "intercept is off where few, or many, are ill."
            ],
        ),
        figures["calibration"],
        figures["decision_curve"],
        Text(_at_prevalence(study)),
    ]


def _at_prevalence(study: Study) -> str:
    asked = study.about.prevalence
    share = study.design.y[study.rows("validation")].mean() if asked is None else asked
    whose = "of these rows" if asked is None else "where the model is to be used, as stated"
    return f"Net benefit is that at a share of positives of {share:.1%}, {whose}."


def _line(line: CalibrationLine) -> dict[str, str]:
    slope = line.slope, line.slope_low, line.slope_high
    intercept = line.intercept, line.intercept_low, line.intercept_high
    return {
        name: NOT_ESTIMABLE if np.isnan(values[0]) else "{:.2f} [{:.2f}, {:.2f}]".format(*values)
        for name, values in (("slope", slope), ("intercept", intercept))
    }


def _subgroups(study: Study, figures: dict[int | str, Figure]) -> list:
    if "subgroups" not in figures:
        return [Text("No groupings are known: neither sex nor age, nor any that was named.")]
    found = study.subgroups()
    notes = ["A difference between levels may be chance: many are looked at."]
    table = Table(
        found.table(),
        "Main models by subgroup, on the validation rows.",
        [*notes, found.note] if found.note else notes,
    )
    return [table, figures["subgroups"]]


def _explanation(study: Study, figures: dict[int | str, Figure]) -> list:
    notes = [
        note for results in study.results.values() for note in results[0].notes
    ]  # what could not be explained
    shown = [figures[which] for which in (4, 6, 3, 7, "fusion") if which in figures]
    if not shown and not notes:
        return [Text("No net, film or clinical model is in this study that could be shown.")]
    return [*shown, *(Text(f"Not explained: {note}") for note in notes)]


def _intro_to_checklists() -> Text:
    return Text(
        "What this study knows of itself is filled in; read it before you sign it. The rest is for "
        "the author."
    )


def checklist(study: Study) -> pd.DataFrame:
    """Return the items of TRIPOD+AI and CLAIM, filled or left for the author."""
    design, about = study.design, study.about
    rows, patients, positive = map(int, design.counts().loc["all"])
    facts = {
        "aims": f"Compare {len(study.models)} models of {about.outcome} on the same patients.",
        "participants_flow": "Patients: flow chart, with the count of every exclusion.",
        "characteristics": "Patients: table by split.",
        "development_test": "Patients: table by split.",
        "preprocessing": "Methods; leakage checks under Patients.",
        "predictors": f"Films and {', '.join(map(str, about.clinical_columns))}."
        if about.image_column is not None
        else ", ".join(map(str, about.clinical_columns)),
        "missing_data": "Counts by column under Patients; what is filled in is learnt from the "
        "training rows of each fold.",
        "sample_size": f"{rows:,} rows of {patients:,} patients, {positive:,} positive.",
        "split": f"{_split(study)}.",
        "split_level": "Patient.",
        "analysis_sizes": "Patients: table by split.",
        "model": "; ".join(model.title for model in study.models.values()) + ".",
        "initialisation": f"Seed {about.seed}; pretrained weights as in the preset.",
        "training": f"Preset {about.preset!r} of skosteo: binary cross-entropy, Adam, early "
        "stopping on rows of the training part.",
        "ensembling": "Test probabilities are the mean over the models of the folds.",
        "imbalance": "The nets weigh the classes alike; the baselines do not.",
        "output": "Probability; thresholds .5, and those chosen on validation rows.",
        "measures": "AUC, accuracy, sensitivity, specificity, predictive values, F1, Brier score, "
        "average precision, calibration, net benefit.",
        "uncertainty": "95 % intervals clustered by patient; DeLong and McNemar with Holm.",
        "explanation": "SHAP and Grad-CAM of fold 1's model.",
        "fairness": ", ".join(map(str, study.groupings)),
        "performance": "Results, with counts and intervals.",
        "subgroups": "Subgroups.",
        "limits": " ".join(limits(study)),
        "poor_input": "Films that cannot be read or are no frontal chest films are refused by "
        "named rules and counted; missing clinical values are filled.",
        "software": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "code": "The Python package skosteo.",
    }
    tested = "internal_test" if about.drawn_test else "external_test"
    facts[tested] = f"{_split(study)}."
    if {"backbone", "backbone_wt"} & set(study.models):
        facts["robustness"] = "Ablations under Results."
    return fill(facts)


def _figure(which: int | str, data: bytes, mime: str) -> Figure:
    caption, alt = FIGURES[which]
    return Figure(data, mime, alt, caption)
