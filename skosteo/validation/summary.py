"""What an external validation found, in a few sentences."""

from typing import Any

import numpy as np

from skosteo.evaluation._format import proportion_text
from skosteo.validation.figures import (
    AFTER,
    AS_IT_CAME,
    NET_BENEFIT,
    OBSERVED_EXPECTED,
    TREAT_ALL,
    printed,
)

KEPT = "original"


def summary(found: Any) -> list[str]:
    """Return the sentences; see `ExternalValidation.summary`."""
    text, rows = printed(found.figures), found.rows
    value = found.figures.set_index("figure")["estimate"]
    n_patients = int(rows.patient.max()) + 1
    mean, observed = (100 * value[name] for name in ("mean risk", "prevalence"))
    people = f" of {n_patients:,} patients" if found.grouped else ", each taken as one patient"
    curve = "no flexible curve fits these risks"
    if np.isfinite(value["ICI"]):
        curve = (
            f"the flexible curve is {text['ICI']} from the risks on average (by chance "
            f"{text['ICI by chance']})"
        )
    return [
        f"{len(rows.positive):,} rows{people}; {text['prevalence']} with the outcome.",
        f"AUC {text['AUC']}.",
        f"Mean risk {mean:.1f} %, observed {observed:.1f} %: observed / expected "
        f"{text[OBSERVED_EXPECTED]}; {_verdict(found)}.",
        f"Calibration slope {text['calibration slope']}, intercept "
        f"{text['calibration intercept']}; {curve}.",
        f"At a threshold of {proportion_text(found.threshold)} ({found.threshold_source}): "
        f"sensitivity {text['sensitivity']}, specificity {text['specificity']}, net benefit "
        f"{text[NET_BENEFIT]} (treating all {text[TREAT_ALL]}).",
        _of_update(found),
    ]


def levels_all(update: Any) -> bool:
    """Whether an update has a slope of 0, so that it gives every patient the same risk."""
    return update is not None and update.chosen != KEPT and update.recalibrated.slope_ == 0


def _verdict(found: Any) -> str:
    """Say whether the mean risk is right, as far as there is an interval."""
    of_mean = found.figures.set_index("figure").loc[OBSERVED_EXPECTED]
    low, high = float(of_mean["low"]), float(of_mean["high"])
    if not np.isfinite([low, high]).all():
        return "there is no interval to judge it by"
    if high < 1 or low > 1:
        return f"on average the risks are too {'high' if high < 1 else 'low'}"
    return "the mean risk agrees with it as far as these patients can tell"


def _of_update(found: Any) -> str:
    """Say what an update by all patients would be, and what updates held out have changed."""
    if found.update is None:
        return f"An update was not judged: {found.no_update}"
    if levels_all(found.update):
        return (
            "Update: of no use. Patients without the outcome have the higher risks, or as high "
            "ones, so that every patient would get the same risk, the proportion of cases; check "
            "the coding of the outcome."
        )
    kept = found.update.chosen == KEPT
    new = f"the {found.update.chosen} would be learned anew"
    if found.after is None:
        new = "none" if kept else new
        return f"Update: {new}, by all patients; it was not judged on others. {found.no_update}"
    if kept:
        others = sum(times for chosen, times in found.chosen.items() if chosen != KEPT)
        but = f", although {others} of {found.chosen.total()} updates by nine tenths of the "
        but = f"{but}patients would change it" if others else ""
        return f"Update: none; the model would be kept as it is{but}."
    frame = found.frame("update")
    before, after = (printed(frame[frame["model"] == name]) for name in (AS_IT_CAME, AFTER))
    changes = [
        f"{name} {_alone(before[name])} to {_alone(after[name])}"
        for name in (OBSERVED_EXPECTED, "sensitivity", "specificity", NET_BENEFIT)
    ]
    return (
        f"Update: {new}. On patients held out: {', '.join(changes)}. An update makes risks right; "
        "it does not restore a sensitivity."
    )


def _alone(text: str) -> str:
    """Return a printed figure without counts and interval."""
    return text.split(" = ")[-1].partition(" [")[0]
