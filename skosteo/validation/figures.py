"""Figures of one model on checked rows, and what an update would make of them."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.evaluation._format import interval_text, number_text, signed_text
from skosteo.evaluation._scored import Scored
from skosteo.evaluation.calibration import away_from_edges, line_of_rows
from skosteo.evaluation.calibration_curve import CalibrationCurve
from skosteo.evaluation.metrics import FEWEST_PATIENTS, Interval, proportion_interval
from skosteo.evaluation.report import model_figures
from skosteo.evaluation.scores import mean_interval
from skosteo.exceptions import InputError
from skosteo.recalibration.update import fewest_patients, update_of_rows
from skosteo.splits import fold_splitter

AS_IT_CAME, AFTER = "as it came", "updated, held out"
NET_BENEFIT, TREAT_ALL = "net benefit", "net benefit of treating all"
GAIN = "net benefit less that of treating all"
OBSERVED_EXPECTED = "observed / expected"
UPDATED = (
    *("mean risk", OBSERVED_EXPECTED, "calibration slope", "calibration intercept", "ICI"),
    *("sensitivity", "specificity", NET_BENEFIT),
)  # figures that an update may change
_SIGNED = (NET_BENEFIT, TREAT_ALL, GAIN)
_NUMBERS = (OBSERVED_EXPECTED, "calibration slope", "calibration intercept")
_RATES = ("sensitivity", "specificity", "PPV", "NPV")
_FOLDS, _SEED = 10, 0


class Figure(NamedTuple):
    """One figure with its interval and the rows that stand behind it."""

    figure: str
    estimate: float
    low: float
    high: float
    count_: int  # cases, or of a rate the rows that are predicted rightly
    total: int
    patients: int


def figures_of(
    rows: Scored,
    threshold: float,
    curve: CalibrationCurve,
    predicted: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return a row per figure: figure, estimate, low, high, count, total and patients.

    `predicted` says which rows are positive, where thresholds of their own decide.
    """
    positive, patient, risk = rows.positive, rows.patient, rows.score
    everyone = int(positive.sum()), len(positive), int(patient.max()) + 1
    predicted = risk >= threshold if predicted is None else predicted
    scores = {name: rest for name, *rest in model_figures(rows, risk, predicted)}
    line = line_of_rows(rows, away_from_edges(risk))
    nowhere = np.nan, np.nan
    of_all: list[tuple[str, Interval]] = [
        ("prevalence", proportion_interval(positive, patient)),
        ("mean risk", mean_interval(risk, patient)),
        (OBSERVED_EXPECTED, curve.observed_expected),
        ("calibration slope", line[:3]),
        ("calibration intercept", line[3:]),
        ("ICI", (curve.ici, *nowhere)),
        ("ICI by chance", (curve.ici_by_chance, *nowhere)),
        ("AUC", tuple(scores["AUC"][:3])),
    ]
    treat = gain_of_treating(positive, threshold)
    benefit = [
        (NET_BENEFIT, mean_interval(treat * predicted, patient)),
        (TREAT_ALL, mean_interval(treat, patient)),
        (GAIN, mean_interval(treat * predicted - treat, patient)),
    ]
    found = [Figure(name, *interval, *everyone) for name, interval in of_all]
    found += [Figure(name, *scores[name]) for name in _RATES]
    found += [Figure(name, *interval, *everyone) for name, interval in benefit]
    return pd.DataFrame(found).rename(columns={"count_": "count"})


def gain_of_treating(positive: NDArray[np.bool_], threshold: float) -> NDArray[np.float64]:
    """Net benefit that treating each row brings; NaN at a threshold of 1, where none is defined."""
    odds = threshold / (1 - threshold) if threshold < 1 else np.nan
    return np.where(positive, 1.0, -odds) if threshold < 1 else np.full(len(positive), np.nan)


def printed(figures: pd.DataFrame, *, counts: bool = True) -> pd.Series:
    """Return each figure as it is printed, by its name; rates with their counts."""
    texts: dict[str, str] = {}
    for figure in figures.to_dict("records"):
        name, total = figure["figure"], figure["total"]
        interval = figure["estimate"], figure["low"], figure["high"]
        if name in _SIGNED:
            texts[name] = signed_text(*interval)
        elif name in _NUMBERS:
            texts[name] = number_text(*interval).replace("-", "\N{MINUS SIGN}")
        else:
            counted = counts and name in (*_RATES, "prevalence") and total
            rate = f"{figure['count']:,}/{total:,} = " if counted else ""
            texts[name] = rate + interval_text(*interval)
            if name.startswith("ICI"):  # which has no interval
                texts[name] = texts[name].partition(" [")[0]
    return pd.Series(texts)


def held_out_update(classes: NDArray, rows: Scored) -> tuple[NDArray[np.float64], list[str]]:
    """Risk of each row after an update by patients of other folds, and what each fold chose.

    Raises
    ------
    InputError
        The patients of nine folds in ten are too few for an update, or have no slope.
    """
    repeated = rows.patient.max() + 1 < len(rows.patient)
    patient = rows.patient if repeated else None
    folds = fold_splitter(_FOLDS, patient, _SEED)
    risk, chosen = rows.score.copy(), []
    for train, test in folds.split(rows.score, rows.positive, patient):
        part = rows.at(np.isin(np.arange(len(risk)), train))
        known = fewest_patients(part.positive, part.patient)
        if known < FEWEST_PATIENTS:
            raise InputError(
                f"Updates are judged in {_FOLDS} folds. Without one of them a class has {known} "
                f"patients left, and an update is learned from {FEWEST_PATIENTS} of each at least. "
                "Collect the outcomes of more patients."
            )
        update = update_of_rows(None, classes, part)
        chosen.append(update.chosen)
        if update.recalibrated is not None:
            risk[test] = update.recalibrated.put_right(rows.score[test])
    return risk, chosen
