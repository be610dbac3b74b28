"""Writes a study into a folder: tables and figures first, the page last."""

import json
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from skosteo._files import write_atomic, write_csv
from skosteo._plotting import as_file
from skosteo.exceptions import InputError
from skosteo.persistence import save_model
from skosteo.study.design import versions
from skosteo.study.folder import StudyFolder
from skosteo.study.report.content import Pictures, checklist, render_page
from skosteo.study.report.figures import available
from skosteo.study.report.model_card import model_card

_KINDS = {"svg": "image/svg+xml", "png": "image/png"}
_RADIOGRAPHS = (7,)  # figures that hold them: drawn as pixels in the page


def save(study: Any, out: str | PathLike) -> None:
    """Write a study into a folder; see `Study.save`."""
    import matplotlib.pyplot as plt

    tables, figures = _tables(study), available(study)
    names = {"report.html", "settings.json", "model_card.md"}
    names |= {f"tables/{name}.csv" for name in tables}
    names |= {f"figures/figure_{which}.{kind}" for which in figures for kind in _KINDS}
    folder = StudyFolder(out, study.digest)
    folder.announce({*names, "model.skops"})
    for part in ("tables", "figures"):
        Path(out, part).mkdir(exist_ok=True)
    pictures: Pictures = {}
    for name, frame in tables.items():
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
    settings = {"study": asdict(study.settings), "versions": versions()}
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


def _tables(study: Any) -> dict[str, pd.DataFrame]:
    """Every table of the study by the name of its file; no row of it is a person's values."""
    found = {
        "table_1": study.table(1),
        "flow": study.flow.frame(),
        "parts": study.design.counts(),
        "leakage": study.leakage.frame().drop(columns="rows"),
        "fold_scores": study.fold_scores(),
        "operating_points": study.operating_points,
        "calibration": study.calibration().frame(),
        "decision_curve": study.decision_curve().frame(),
        "checklists": checklist(study),
    }
    for number in (2, 3, 4, 5):
        if len(study.names(number)) >= (1 if number == 2 else 2):  # one row compares nothing
            found[f"table_{number}"] = study.table(number)
    for part in ("test", "validation"):
        found[f"scores_{part}"] = study.report(part).frame()
        found[f"probabilities_{part}"] = _probabilities(study, part)
    if len(study.distinct()) > 1:
        found["comparison"] = study.comparison().frame()
    tests = study.fold_tests()
    if len(tests):
        found["fold_tests"] = tests
    if study.groupings.shape[1]:
        found["subgroups"] = study.subgroups().frame()
    return found


def _probabilities(study: Any, part: str) -> pd.DataFrame:
    """Label and probabilities by position of the row among those studied."""
    y_prob = study.probability(part)
    y_prob.insert(0, "target", study.design.y[y_prob.index])
    return y_prob.rename_axis("row")
