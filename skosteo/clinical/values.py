"""Check clinical values: those in another unit than stated, and those that no adult has.

Plausible ranges are wide on purpose: a severe illness must not alarm. Each leaves room above and
below what NHANES measured in 4,516 people of 50 and over (third column), and lets a unit be told
from the other one.

=================  ====================  ============  ===========================================
variable           plausible             NHANES        why
=================  ====================  ============  ===========================================
age                0-122 years           50-80         the oldest age on record is 122
height             100-250 cm            135-198       adults of short and of giant stature
weight             20-400 kg             32-184        wide on purpose
body mass index    8-120 kg/m2           14-63         wide on purpose
white cells        .02-1000 x 10^9/L     1.9-400       from aplasia to leukaemia; 400 is the
                                                       survey's code for 400 or more
platelets          1-5000 x 10^9/L       8-633         from immune thrombocytopenia to essential
                                                       thrombocythaemia
calcium            .9-6 mmol/L           1.6-3.0       4-24 mg/dL; a crisis begins at 14 mg/dL
glucose            1-55 mmol/L           2.6-34.7      18-990 mg/dL; the hyperosmolar state begins
                                                       at 33 mmol/L (Kitabchi 2009)
=================  ====================  ============  ===========================================

Kitabchi AE et al. Diabetes Care 2009;32:1335-1343. doi:10.2337/dc09-9032
"""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import check_table, split_numbers
from skosteo.clinical.variables import VARIABLES, Recognised, Variable, recognise, resolve_column
from skosteo.exceptions import InputError, ValuesWarning

FINDINGS = [
    "column", "variable", "stated_unit", "finding", "looks_like", "n_rows", "n_values", "remedy",
]  # fmt: skip

# Weights are told by the body mass index that they give: within 10 % of the one in the table or,
# where the table has none, by its median over at least 20 people. No group of patients but those of
# obesity surgery has a median outside of 14-40 kg/m2: pounds taken for kilograms turn 22 into 48,
# jin into 44, and kilograms taken for pounds 30 into 14.
_BMI_TOLERANCE = 0.10
_MEDIAN_BMI = (14, 40)
_MIN_PEOPLE = 20
# Where fewer of the weights give the stated index in any unit, height, weight and index are not
# those of one person and day (of shuffled columns a third is, by chance), and tell nothing.
_COHERENT = 0.8

Arrays = dict[str, NDArray]  # by column


def check_values(table: pd.DataFrame, units: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Report values that look as if they were in another unit, or are no person's at all.

    A value looks like another unit when it lies outside the plausible range of its column's unit
    and inside that of another. Body weight in pounds or jin is told by height and body mass index,
    platelets in 10^4/uL and calcium in mEq/L by their median in 20 people or more. Nothing is
    changed.

    Parameters
    ----------
    table : DataFrame
        One row per patient. Columns are known by name (`skosteo.clinical.variables.recognise`),
        which states their unit; others are left alone.
    units : Mapping of str to str, default=None
        Units that the values come in, by column or variable, where the name does not say so.

    Returns
    -------
    DataFrame
        One row per finding; none if all is well. Columns: ``column``, ``variable``,
        ``stated_unit``, ``finding`` ("unit", or "range" for values outside the plausible range of
        every unit), ``looks_like`` (the other unit, "" for a range), ``n_rows`` (rows concerned),
        ``n_values`` (values in the column) and ``remedy``.

    Notes
    -----
    What the ranges do not exclude cannot be told: 800 white cells per microlitre where 10^9/L is
    meant, glucose of 54 mg/dL where mmol/L is meant. Such a column is found by its other values.
    Weight in pounds or jin without a height, or in a part of the rows without a body mass index, is
    not found; nor are platelets in 10^4/uL or calcium in mEq/L in the smaller part of the rows, or
    in fewer than 20. Infinities, beyond a detection limit, are left out.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [61, 75, 68], "calcium": [9.2, 8.8, 9.9]})
    >>> check_values(table)[["column", "stated_unit", "looks_like", "n_rows"]]
        column stated_unit looks_like  n_rows
    0  calcium      mmol/L      mg/dL       3
    >>> len(check_values(table, units={"calcium": "mg/dL"}))
    0
    """
    table = check_table(table, "table")
    declared = declared_units(table, units)
    known = {c: declared.get(c) or recognise(c) for c in table.columns}
    columns = {c: hit for c, hit in known.items() if hit and hit.variable.plausible}
    values = {c: split_numbers(table[c])[0] for c in columns}
    labels, certain = {}, {}
    for column, hit in columns.items():
        labels[column], certain[column] = _label(values[column], *hit)
        _label_by_median(values[column], *hit, labels[column], certain[column])
    _label_weights(columns, values, labels, certain)
    findings = []
    for column, (variable, unit) in columns.items():
        n_values = int(np.isfinite(values[column]).sum())
        for label in (*variable.other_units, variable.unit, "range"):
            n_rows = int((labels[column] == label).sum())
            if n_rows:
                found = ("range", "") if label == "range" else ("unit", label)
                remedy = _remedy(column, variable, unit, found[1], bool(certain[column].any()))
                findings.append([column, variable.name, unit, *found, n_rows, n_values, remedy])
    return pd.DataFrame(findings, columns=FINDINGS)


def warn_of_values(
    table: pd.DataFrame, units: Mapping[str, str] | None = None, *, stacklevel: int
) -> None:
    """Give a `ValuesWarning` for each finding of `check_values`."""
    for sentence in values_in_words(table, units):
        warnings.warn(sentence, ValuesWarning, stacklevel=stacklevel)


def values_in_words(
    table: pd.DataFrame, units: Mapping[str, str] | None = None, *, fewest: int = 0
) -> list[str]:
    """Say each finding of `check_values` in a sentence or two, without counts below `fewest`."""
    sentences = []
    for found in check_values(table, units).to_dict("records"):
        counted = "{n_rows} of {n_values}" if found["n_rows"] >= fewest else "some"
        looks = "lie outside the plausible range in {stated_unit}"
        if found["looks_like"]:
            looks = "look like {looks_like}, not {stated_unit}"
        text = "Column {column!r}: " + counted + " values " + looks + ". {remedy}"
        sentences.append(text.format_map(found))
    return sentences


def declared_units(table: pd.DataFrame, units: Mapping[str, str] | None) -> dict[str, Recognised]:
    """Read the units that a user declares, by column of the table."""
    declared = {}
    for name, unit in (units or {}).items():
        column = resolve_column(table, name)
        if column is None:
            raise InputError(
                f"units names {name!r}, which X does not have: its columns are "
                f"{table.columns.tolist()}. Name one of them."
            )
        hit = recognise(column)
        if hit is None:
            raise InputError(
                f"units names {column!r}, which is no known variable. Known are "
                f"{', '.join(VARIABLES)}; rename the column, or convert its values first."
            )
        declared[column] = Recognised(hit.variable, hit.variable.read_unit(unit))
    return declared


def within(values: NDArray, variable: Variable, unit: str) -> NDArray[np.bool_]:
    """Whether values in a unit are plausible for a variable."""
    low, high = variable.range_in(unit)
    return (values >= low) & (values <= high)


def _others(variable: Variable, unit: str) -> list[str]:
    return [other for other in (variable.unit, *variable.other_units) if other != unit]


def _label(values: NDArray, variable: Variable, unit: str) -> tuple[NDArray, NDArray[np.bool_]]:
    """Label each value "" (plausible or missing), with the unit that it looks like, or "range".

    And say which can only be in the stated unit: beside others, they show a mixture.
    """
    fits, labels = within(values, variable, unit), np.full(len(values), "", dtype=object)
    labels[np.isfinite(values) & ~fits] = "range"
    for other in _others(variable, unit):
        fits_other = within(values, variable, other)
        labels[(labels == "range") & fits_other] = other
        fits &= ~fits_other
    if variable.usual:  # where the ranges overlap, those are certain that most people have
        low, high = variable.usual
        canonical = values * variable.factor(unit)
        fits |= (canonical >= low) & (canonical <= high)
    return labels, fits


def _label_by_median(
    values: NDArray, variable: Variable, unit: str, labels: NDArray, certain: NDArray[np.bool_]
) -> None:
    """Label a column whose median only another unit explains, in place."""
    finite = values[np.isfinite(values)]
    if variable.usual is None or len(finite) < _MIN_PEOPLE:
        return
    low, high = variable.usual
    median = np.median(finite)
    units = (unit, *_others(variable, unit))
    usual = [u for u in units if low <= median * variable.factor(u) <= high]
    if usual and unit not in usual:
        labels[within(values, variable, usual[0])] = usual[0]
        certain[:] = False


def _label_weights(
    columns: dict[str, Recognised], values: Arrays, labels: Arrays, certain: Arrays
) -> None:
    """Tell pounds and jin from kilograms by height and body mass index, in place."""
    heights, weights, bmis = (
        [column for column, hit in columns.items() if hit.variable.name == name]
        for name in ("height_cm", "weight_kg", "bmi")
    )
    if len(heights) != 1 or len(weights) != 1 or len(bmis) > 1:
        return
    (height,), (weight,) = heights, weights
    variable, unit = columns[weight]
    stated_in = columns[height].variable, columns[height].unit
    factors = {unit: stated_in[0].factor(unit) for unit in _others(*stated_in)}
    factors[""] = stated_in[0].factor(stated_in[1])
    height_cm = values[height] * pd.Series(labels[height]).map(factors).to_numpy()
    per_unit = values[weight] / (height_cm / 100) ** 2
    # a Chinese heading speaks for jin, where pounds explain the values too
    others = sorted(_others(variable, unit), key=lambda u: (u == "jin") != _is_chinese(weight))
    bmi_if = {u: per_unit * variable.factor(u) for u in (unit, *others)}
    stated = np.full(len(per_unit), np.nan)
    if bmis:
        stated = np.where(labels[bmis[0]] == "", values[bmis[0]], np.nan)
    if np.isfinite(stated).any():
        _label_by_bmi(bmi_if, stated, labels[weight], certain[weight])
    elif np.isfinite(per_unit).sum() >= _MIN_PEOPLE:
        low, high = _MEDIAN_BMI
        explain = [u for u, bmi in bmi_if.items() if low <= np.nanmedian(bmi) <= high]
        if explain and unit not in explain:
            labels[weight][within(values[weight], variable, explain[0])] = explain[0]
            certain[weight][:] = False


def _label_by_bmi(
    bmi_if: Arrays, stated: NDArray, labels: NDArray, certain: NDArray[np.bool_]
) -> None:
    """Label the weights that give the stated index in another unit; the first is the weights'."""
    fits = {unit: np.abs(bmi / stated - 1) < _BMI_TOLERANCE for unit, bmi in bmi_if.items()}
    unit, *others = bmi_if
    known = np.isfinite(bmi_if[unit]) & np.isfinite(stated)
    explained = np.any(list(fits.values()), axis=0)
    if explained.sum() < _COHERENT * known.sum():
        return
    certain |= fits[unit]
    in_other = explained & ~fits[unit]
    if in_other.any():
        # pounds and jin are a tenth apart: the one that is nearer on the whole
        slip = {other: np.abs(bmi_if[other] / stated - 1)[in_other].mean() for other in others}
        labels[in_other] = min(others, key=lambda other: slip[other])


def _is_chinese(name: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in name)


def _remedy(column: str, variable: Variable, unit: str, looks_like: str, mixed: bool) -> str:
    if not looks_like:
        return "Correct these values or leave them empty."
    if mixed:
        factor = variable.factor(looks_like) / variable.factor(unit)
        return (
            "Other rows are not: the column mixes two units. Find the rows, by site or date, and "
            f"multiply them by {factor:.6g}."
        )
    near = {"lb": " (jin are a tenth heavier)", "jin": " (pounds are a tenth lighter)"}
    heading = f"{next(iter(variable.aliases))} ({looks_like})"
    return (
        f"If so{near.get(looks_like, '')}, let the heading of the column say it, as {heading!r} "
        f"does, or declare units={{{column!r}: {looks_like!r}}}."
    )
