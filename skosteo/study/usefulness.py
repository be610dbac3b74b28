"""What the primary model of a study brings: per 1,000 people, and the film beside age and sex."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from skosteo.evaluation import added_value
from skosteo.evaluation._format import (
    number_text,
    p_number_text,
    proportion_text,
    signed_text,
)
from skosteo.evaluation.metrics import FEWEST_PATIENTS
from skosteo.study.assessed import Assessed

EVERYONE = "Refer everyone"
# of `film_beside`
ALL_PATIENTS, ODDS_RATIO, ONE_SIDED = "all patients", "odds ratio per SD", "P, one-sided"
_ERRORS = 3  # of either kind that are shown


def per_thousand(
    rows: Assessed, titles: Mapping[str, str], prevalence: float | None
) -> pd.DataFrame:
    """Say what becomes of 1,000 people by each strategy, at the thresholds of the models.

    `titles` name the models to show; `prevalence` is where they are to be used, None as here.
    """
    cases = float(rows.y.mean()) if prevalence is None else prevalence
    lines = {}
    for name, title in titles.items():
        positive = rows.positive[name].to_numpy()
        found = 1000 * cases * positive[rows.y == 1].mean()
        healthy = 1000 * (1 - cases) * positive[rows.y == 0].mean()
        lines[title] = (found + healthy, found, 1000 * cases - found)
    lines[EVERYONE] = (1000.0, 1000 * cases, 0.0)
    columns = ["referred", "cases found", "cases missed"]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    found = table["cases found"].where(table["cases found"] > 0)
    return table.assign(**{"referrals per case found": table["referred"] / found})


def film_beside(rows: Assessed, base: str, film: str, projection: pd.Series | None) -> pd.DataFrame:
    """Whether the risk from the film adds to that of the comparator, in all and by projection.

    `projection` is of each row of the study. A level with fewer than ten patients of either outcome
    is left out, as is one where nothing can be estimated. P is of the risk from the film adding
    something: those of models that have learned nothing, out of fold, mostly have an odds ratio
    below 1.
    """
    parts = {ALL_PATIENTS: np.ones(len(rows.y), dtype=bool)}
    if projection is not None:
        shown = projection.to_numpy()[rows.row]
        parts |= {str(level): shown == level for level in ("AP", "PA")}
    lines = {}
    for part, inside in parts.items():
        sides = (rows.patient[inside & (rows.y == code)] for code in (0, 1))
        if min(len(np.unique(side)) for side in sides) < FEWEST_PATIENTS:
            continue
        found = added_value(
            rows.y[inside],
            rows.risk[base].to_numpy()[inside],
            rows.risk[film].to_numpy()[inside],
            groups=rows.patient[inside],
        )
        if np.isnan(found.auc_both):
            continue
        gain = found.auc_difference
        lines[part] = {
            "AUC without film": proportion_text(found.auc_base),
            "AUC with film": proportion_text(found.auc_both),
            "difference": signed_text(gain.difference, gain.low, gain.high),
            ODDS_RATIO: number_text(found.odds_ratio, found.low, found.high),
            ONE_SIDED: p_number_text(_one_sided(found.odds_ratio, found.pvalue)),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def _one_sided(odds_ratio: float, pvalue: float) -> float:
    return pvalue / 2 if odds_ratio > 1 else 1 - pvalue / 2


def confident_errors(rows: Assessed, primary: str, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the controls of the highest risk and the cases of the lowest, with all risks.

    ``row`` is the position of the row among those studied, as in the files of probabilities: for
    whoever holds the table to look at.
    """
    order = np.argsort(rows.risk[primary].to_numpy(), kind="stable")
    controls = [row for row in order[::-1] if rows.y[row] == 0][:_ERRORS]
    cases = [row for row in order if rows.y[row] == 1][:_ERRORS]
    chosen = [*controls, *cases]
    outcome = np.where(rows.y[chosen], "yes", "no")
    table = pd.DataFrame({"row": rows.row[chosen], "outcome": outcome})
    for name, title in titles.items():
        table[title] = rows.risk[name].iloc[chosen].map(proportion_text).to_numpy()
    return table
