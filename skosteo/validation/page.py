"""Writes an external validation into a folder: CSV tables first, the page last."""

from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import skosteo
from skosteo._extras import require
from skosteo._files import write_atomic, write_csv
from skosteo._page import make_environment, render
from skosteo._plotting import as_file
from skosteo.evaluation._format import p_number_text, proportion_text
from skosteo.exceptions import InputError
from skosteo.validation.figures import printed
from skosteo.validation.summary import levels_all

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE, _MARK = "validation.html", ".skosteo-validation"
_TABLES = (
    *("figures", "calibration_curve", "decision_curve", "case_mix", "subgroups", "update"),
    *("update_tests", "flow"),
)
_FEW = 100  # patients with, or without, the outcome


def save(found: Any, folder: str | PathLike[str]) -> None:
    """Write tables and page; see `ExternalValidation.save`."""
    require("plots", "The page of a validation")
    import matplotlib.pyplot as plt

    out = Path(folder)
    _claim(out)
    tables = found.tables
    for name in _TABLES:
        path = out / f"{name}.csv"
        if name in tables:
            frame = tables[name]
            write_csv(path, frame, index=not isinstance(frame.index, pd.RangeIndex))
        else:
            path.unlink(missing_ok=True)  # of an earlier validation
    figure = found.plot()
    picture = as_file(figure, "svg"), "image/svg+xml"
    plt.close(figure)
    page = render(_environment(), "page.html.jinja", found=found, pictures={"curves": picture})
    write_atomic(out / PAGE, page.encode())


def check_folder(folder: str | PathLike[str]) -> None:
    """Refuse a folder that holds what no validation wrote."""
    out = Path(folder)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError("folder is a file or a link; give a folder, which may not exist yet.")
    known = {PAGE, *(f"{name}.csv" for name in _TABLES)} if (out / _MARK).is_file() else set()
    strange = [
        entry
        for entry in (out.iterdir() if out.exists() else ())
        if not entry.name.startswith(".")
        and (entry.name not in known or entry.is_symlink() or not entry.is_file())
    ]
    if strange:
        raise InputError(
            f"folder holds {len(strange)} files, folders or links that no validation wrote. Give "
            "one that is empty or does not exist yet: nothing of yours is replaced."
        )


def _claim(out: Path) -> None:
    """Make the folder, and mark it."""
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / _MARK, b"")


@cache
def _environment() -> "Environment":
    return make_environment(
        "skosteo.validation",
        *(levels_all, limits, shown, tests_shown, threshold_shown, update_shown, version),
    )


def version() -> str:
    """Return the version of the package."""
    return skosteo.__version__


def shown(found: Any) -> pd.DataFrame:
    """Return the figures as they are printed."""
    return (
        printed(found.figures).rename("estimate [95 % interval]").rename_axis("figure").to_frame()
    )


def threshold_shown(found: Any) -> str:
    """Return the threshold as it is printed."""
    return proportion_text(found.threshold)


def update_shown(found: Any) -> pd.DataFrame:
    """Return what an update changes, as it is printed."""
    frame = found.frame("update")
    by_model = {name: printed(part) for name, part in frame.groupby("model", sort=False)}
    return pd.DataFrame(by_model).rename_axis("figure")


def tests_shown(found: Any) -> pd.DataFrame:
    """Return the tests of the update, as they are printed."""
    tests = found.update.tests.set_index("test")
    return tests.assign(P=tests["pvalue"].map(p_number_text)).drop(columns="pvalue")


def limits(found: Any) -> list[str]:
    """Return what a reader must know before any number."""
    rows, notes = found.rows, []
    sides = rows.positive, ~rows.positive
    cases, controls = (len(np.unique(rows.patient[side])) for side in sides)
    if min(cases, controls) < _FEW:
        notes.append(
            f"There are {cases:,} patients with the outcome and {controls:,} without; at least "
            f"{_FEW} of each are wanted. Read the intervals, not the estimates."
        )
    reached = int((rows.score >= found.threshold).sum())
    if reached in (0, len(rows.score)):
        who = "Nobody reaches" if reached == 0 else "Everybody reaches"
        notes.append(f"{who} the threshold: here the model tells nobody apart at it.")
    if not len(found.calibration.frame()):
        notes.append(
            "Calibration slope and curve are not estimable: all risks are the same, or those of "
            "patients with and without the outcome do not overlap."
        )
    if found.calibration.at_edges:
        notes.append(
            f"{found.calibration.at_edges:,} rows have a risk of exactly 0 or 1, which counts as "
            "moved inside for the slope and the curve."
        )
    notes.append("For research only; this is not a medical device.")
    return notes
