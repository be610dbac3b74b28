"""Proportions, intervals, differences and p-values as a paper prints them, without a leading 0."""

import re

import numpy as np

NOT_ESTIMABLE = "not estimable"
NO_INTERVAL = "\N{EM DASH}"  # of too few patients, or where none can be had


def proportion_text(proportion: float, digits: int = 3) -> str:
    """Return a proportion, such as ".812"; 1 is "1.000"."""
    return _without_zero(f"{proportion:.{digits}f}")


def interval_text(estimate: float, low: float, high: float) -> str:
    """Return a proportion with its confidence interval, such as ".812 [.760, .864]".

    An em dash stands for the limits where there are none.
    """
    if np.isnan(estimate):
        return NOT_ESTIMABLE
    known = np.isfinite([low, high]).all()
    limits = f"{proportion_text(low)}, {proportion_text(high)}" if known else NO_INTERVAL
    return f"{proportion_text(estimate)} [{limits}]"


def number_text(estimate: float, low: float, high: float) -> str:
    """Return a number that is no proportion with its confidence interval: "1.02 [0.88, 1.16]"."""
    if np.isnan(estimate):
        return NOT_ESTIMABLE
    parts = [f"{round(x, 2) + 0.0:.2f}" for x in (estimate, low, high)]  # no "-0.00"
    limits = f"{parts[1]}, {parts[2]}" if np.isfinite([low, high]).all() else NO_INTERVAL
    return f"{parts[0]} [{limits}]"


def signed_text(difference: float, low: float, high: float) -> str:
    """Return a difference of proportions with its confidence interval, each with its sign."""
    if np.isnan(difference):
        return NOT_ESTIMABLE
    parts = [_without_zero(f"{round(x, 3) + 0.0:+.3f}") for x in (difference, low, high)]
    parts = [part.replace("-", "\N{MINUS SIGN}") for part in parts]
    limits = f"{parts[1]}, {parts[2]}" if np.isfinite(low) else NO_INTERVAL
    return f"{parts[0]} [{limits}]"


def _without_zero(number: str) -> str:
    return re.sub(r"^([+-]?)0\.", r"\1.", number)


def p_number_text(pvalue: float) -> str:
    """Return a p-value without its "P", for a column of that name: ".041", "< .001"."""
    if np.isnan(pvalue):
        return NOT_ESTIMABLE
    if pvalue < 0.001:
        return "< .001"
    return proportion_text(pvalue, 2 if pvalue >= 0.0995 else 3)


def p_text(pvalue: float) -> str:
    """Return a p-value, such as "P = .041"."""
    number = p_number_text(pvalue)
    return f"P = {number}" if number[0] in ".1" else f"P {number}"
