"""Writes a study into a folder: tables and figures first, the page last."""

import json
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from skosteo._extras import require
from skosteo._files import write_atomic, write_csv
from skosteo._plotting import as_file
from skosteo.exceptions import InputError
from skosteo.persistence import save_model
from skosteo.study.assessed import Assessed
from skosteo.study.design import versions
from skosteo.study.folder import StudyFolder
from skosteo.study.report import tables
from skosteo.study.report.content import Pictures, checklist, render_page
from skosteo.study.report.figures import available
from skosteo.study.report.model_card import model_card

_KINDS = {"svg": "image/svg+xml", "png": "image/png"}
_RADIOGRAPHS = (7,)  # figures that hold them: drawn as pixels in the page


def save(study: Any, out: str | PathLike) -> None:
    """Write a study into a folder; see `Study.save`."""
    require("plots", "The report of a study")
    import matplotlib.pyplot as plt

    frames, figures = _tables(study), available(study)
    names = {"report.html", "settings.json", "model_card.md"}
    names |= {f"tables/{name}.csv" for name in frames}
    names |= {f"figures/figure_{which}.{kind}" for which in figures for kind in _KINDS}
    folder = StudyFolder(out, study.digest)
    folder.announce({*names, "model.skops"})
    for part in ("tables", "figures"):
        Path(out, part).mkdir(exist_ok=True)
    pictures: Pictures = {}
    for name, frame in frames.items():
        index = not isinstance(frame.index, pd.RangeIndex)
        write_csv(Path(out, "tables", f"{name}.csv"), frame, index=index)
    for which in figures:
        figure = study.figure(which)
        for kind, mime in _KINDS.items():
            data = as_file(figure, kind)
            write_atomic(Path(out, "figures", f"figure_{which}.{kind}"), data)
            if kind == ("png" if which in _RADIOGRAPHS else "svg"):
                pictures[which] = (data, mime)
        plt.close(figure)
    settings = {"study": _asked(study), "versions": versions()}
    write_atomic(Path(out, "settings.json"), json.dumps(settings, indent=1).encode())
    card, unsaved = model_card(study), ""
    write_atomic(Path(out, "model_card.md"), card.encode())
    try:
        save_model(study.final.model, Path(out, "model.skops"), card=card)
        names.add("model.skops")
    except InputError as error:  # of foreign parts: the report says so
        unsaved = str(error)
    write_atomic(Path(out, "report.html"), render_page(study, pictures, unsaved).encode())
    folder.drop_others(names)  # of models that an earlier run had


def _asked(study: Any) -> dict[str, Any]:
    """Say what was asked for, and what became of "auto" and None."""
    return asdict(study.settings) | {
        "models": study.titles,
        "primary": study.primary,
        "comparator": study.comparator,
        "internal_validation": "split" if study.design.has_test else "repeated_cv",
    }


def _tables(study: Any) -> dict[str, pd.DataFrame]:
    """Every table of the study by the name of its file."""
    found = {
        "table_1": study.table(1),
        "flow": study.flow.frame(),
        "parts": study.design.counts(),
        "leakage": study.leakage.frame().drop(columns="rows"),
        "figures": study.figures(),
        "scores": study.report().frame(),
        "discrimination": tables.discrimination(study),
        "calibration": _calibration(study),
        "decision_curve": study.decision_curve().frame(),
        "per_thousand": study.per_thousand(),
        "operating_points": study.operating_points,
        "sample_size": study.sample_size(),
        "failures": study.failures(),
        "fold_scores": study.fold_scores(),
        "checklists": checklist(study),
        "probabilities": _probabilities(study.assessed_once()),
    }
    for number in (2, 3, 4, 5):
        if len(study.names(number)) >= (1 if number == 2 else 2):  # one row compares nothing
            found[f"table_{number}"] = study.table(number)
    if len(study.design.repeats) > 1:
        found["stability"] = study.stability()
        found["probabilities_repeats"] = _probabilities(study.assessed())
    if study.design.has_test:
        found["probabilities_out_of_fold"] = _out_of_fold(study)
    if study.has_several_films:
        found["figures_by_patient"] = study.figures_by_patient()
    if study.comparator is not None:
        found["comparison"] = study.comparison().frame()
        found["differences"] = study.differences()
    if tables.has_test_of_folds(study):
        found["fold_tests"] = study.fold_tests()
    if study.groupings.shape[1]:
        found["subgroups"] = study.subgroups().frame()
    found |= {
        name: frame
        for name, frame in {
            "missing_values": study.missing_values(),
            "added_value": study.added_value(),
            "imputation": study.imputation(),
        }.items()
        if frame is not None and not frame.empty
    }
    return found


def _calibration(study: Any) -> pd.DataFrame:
    """Points of the calibration curves, as fitted and recalibrated."""
    parts = {name: curve.frame() for name, curve in study.calibration().items()}
    return pd.concat(parts, names=["risks"]).reset_index("risks").reset_index(drop=True)


def _probabilities(rows: Assessed) -> pd.DataFrame:
    """Label, and by model probability as fitted, risk and threshold, by position of the row."""
    found = pd.DataFrame({"repeat": rows.repeat + 1, "target": rows.y}, index=rows.row)
    if rows.fold is not None:
        found.insert(1, "fold", rows.fold + 1)
    for name in rows.risk:
        found[f"{name}: as fitted"] = rows.probability[name].to_numpy()
        found[f"{name}: risk"] = rows.risk[name].to_numpy()
        found[f"{name}: threshold"] = rows.threshold[name].to_numpy()
    return found.rename_axis("row")


def _out_of_fold(study: Any) -> pd.DataFrame:
    """Fold, label and out-of-fold probability of each development row, by its position."""
    design = study.design
    found = pd.DataFrame({"fold": 0, "target": design.y}, index=range(len(design.y)))
    for number, (_, rows) in enumerate(design.folds, 1):
        found.loc[rows, "fold"] = number
    for name, model in study.models.items():
        found[f"{name}: as fitted"] = study.results[model.key].out_of_fold[0]
    return found.loc[design.development].rename_axis("row").reset_index()
