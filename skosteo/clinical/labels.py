"""T-scores from bone density, and labels from T-scores."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._validation import guess, split_numbers, to_pandas
from skosteo.exceptions import InputError

# Mean and SD (g/cm2) of the young adults that a T-score compares with. The WHO's reference for
# the femoral neck, of women and men alike, is that of women aged 20-29 in NHANES III.
REFERENCES = {"nhanes_iii_women_20_29": (0.858, 0.120)}

Kind = Literal["osteoporosis", "low_bone_mass"]

# What 1 and 0 mean; every output that shows a label names it in these words.
MEANINGS = {
    "osteoporosis": ("osteoporosis (T <= -2.5)", "no osteoporosis (T > -2.5)"),
    "low_bone_mass": ("low bone mass (T < -1)", "normal bone mass (T >= -1)"),
}

# No femoral neck of an adult is outside of these, g/cm2 and T
_DENSITIES = (0.1, 2.5)
_T_SCORES = (-8.9, 8.9)  # 9 and -9 are codes for missing


def t_score(bmd: ArrayLike, reference: str | tuple[float, float] = "nhanes_iii_women_20_29") -> Any:
    r"""Return T-scores from densities of the femoral neck: :math:`T = (BMD - mean) / SD`.

    Parameters
    ----------
    bmd : float or array-like of shape (n,)
        Bone mineral density in g/cm2; NaN and None are missing.
    reference : str or tuple of (mean, SD) in g/cm2, default="nhanes_iii_women_20_29"
        Young adults to compare with: by name, .858 +- .120 g/cm2, or two numbers of your own.

    Returns
    -------
    float, ndarray of shape (n,), or Series
        As `bmd`, a Series with its index; NaN where the density is missing.

    Notes
    -----
    Rounded to 6 decimals. Without it a density of exactly .558 comes out just above -2.5, and 5
    and 2 people of NHANES 2013-2014 and 2017-2018 lose their osteoporosis to floating point.

    The reference was measured on Hologic scanners. Others, such as GE Lunar (the paper's), read
    the same bone differently: there use the scanner's own T-scores or reference.

    References
    ----------
    Looker AC et al. Updated data on proximal femur bone mineral levels of US adults. Osteoporos
    Int 1998;8:468-489. doi:10.1007/s001980050093

    Examples
    --------
    >>> float(t_score(0.558))
    -2.5
    >>> t_score([0.858, 0.738, None])
    array([ 0., -1., nan])
    """
    mean, deviation = _reference(reference)
    bmd = to_pandas(bmd)
    densities = as_numbers(bmd, "bmd")
    _check_densities(densities)
    scores = np.round((densities - mean) / deviation, 6) + 0.0  # no -0
    if isinstance(bmd, pd.Series):
        return pd.Series(scores, index=bmd.index, name="t_score")
    return scores[()]


def label(t: ArrayLike, kind: Kind = "osteoporosis") -> pd.Series:
    """Return 1 where a T-score means the disease, and 0 elsewhere.

    Parameters
    ----------
    t : array-like of shape (n,)
        T-scores, none missing.
    kind : {"osteoporosis", "low_bone_mass"}, default="osteoporosis"
        T <= -2.5; or T < -1, osteopenia and osteoporosis together.

    Returns
    -------
    Series of shape (n,), int
        Named "osteoporosis (T <= -2.5)" or "low bone mass (T < -1)", with the index of `t` if it
        has one.

    Notes
    -----
    The paper calls a density below the normal range "DXA positive" and those patients its
    osteoporosis group. Read with the WHO's limits that is T < -1, "low_bone_mass" here.

    T-scores less than 1e-9 from a limit count as on it, as floating point may leave them there.

    References
    ----------
    Kanis JA. Assessment of fracture risk and its application to screening for postmenopausal
    osteoporosis: synopsis of a WHO report. Osteoporos Int 1994;4:368-381. doi:10.1007/BF01622200

    Examples
    --------
    >>> label([-2.5, -2.4, -1.0]).tolist()
    [1, 0, 0]
    >>> label([-2.5, -2.4, -1.0], kind="low_bone_mass")
    0    1
    1    1
    2    0
    Name: low bone mass (T < -1), dtype: int64
    """
    check_kind(kind)
    t = to_pandas(t)
    scores = np.atleast_1d(read_t_scores(t, "t"))
    if scores.ndim > 1:
        raise InputError(
            f"t has shape {scores.shape}; give one T-score per patient. Of several sites the "
            "lowest counts: t.min(axis=1)."
        )
    if len(missing := np.flatnonzero(np.isnan(scores))):
        raise InputError(
            f"t misses {len(missing)} of {len(scores)} T-scores, the first in row "
            f"{missing[0] + 1}. A patient without a T-score has no label: leave these rows out, "
            "as select_cohort does."
        )
    exact = np.round(scores, 9)
    positive = exact <= -2.5 if kind == "osteoporosis" else exact < -1
    index = t.index if isinstance(t, pd.Series) else None
    return pd.Series(positive.astype(int), index=index, name=MEANINGS[kind][0])


def check_kind(kind: str) -> None:
    """Refuse a label that is not one of the two, and guess which is meant."""
    if kind not in MEANINGS:
        synonym = str(kind).lower().replace(" ", "_") in ("osteopenia", "dxa_positive")
        raise InputError(
            f"The label is {kind!r}{guess('low_bone_mass' if synonym else kind, MEANINGS)} It takes"
            " 'osteoporosis', T <= -2.5, or 'low_bone_mass', T < -1, which is osteopenia and "
            "osteoporosis together."
        )


def read_t_scores(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return T-scores as float64, the missing ones NaN; refuse numbers that none can be."""
    scores = as_numbers(values, name)
    low, high = _T_SCORES
    outside = scores[(scores < low) | (scores > high)]
    if len(outside):
        hint = "Are these densities in mg/cm2? Divide by 1000, then they are bmd in g/cm2."
        if np.median(outside) < 100 or (outside >= 999).all():
            hint = "If these are codes for missing, such as -9 or 99, make them missing first."
        raise InputError(
            f"{name} lies outside of {low} to {high}, where T-scores are, in {len(outside)} of "
            f"{scores.size} rows. {hint}"
        )
    return scores


def as_numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return numbers as float64, the missing ones NaN; refuse text and infinity."""
    numbers, others = split_numbers(pd.Series(np.ravel(np.asarray(values, dtype=object))))
    if len(others):
        comma = others.map(str).str.fullmatch(r"\s*[-+]?\d+,\d+\s*").all()
        remedy = "Give numbers, and leave empty what is missing."
        if comma:
            remedy = 'Is it a decimal comma? Read the file with pandas.read_csv(..., decimal=",").'
        raise InputError(
            f"{name} holds no number in {len(others)} of {len(numbers)} rows, the first is row "
            f"{others.index[0] + 1}. {remedy}"
        )
    if np.isinf(numbers).any():
        raise InputError(f"{name} holds infinity. Leave empty what is missing.")
    return numbers.reshape(np.shape(values))


def _reference(reference: str | Sequence[float]) -> tuple[float, float]:
    if isinstance(reference, str) and reference in REFERENCES:
        return REFERENCES[reference]
    numbers = as_numbers([] if isinstance(reference, str) else reference, "reference")
    low, high = _DENSITIES
    if numbers.shape != (2,) or not low <= numbers[0] <= high or not 0 < numbers[1] < numbers[0]:
        raise InputError(
            f"reference is {reference!r}; it takes {', '.join(map(repr, REFERENCES))}, or (mean, "
            "SD) of your own, such as (0.858, 0.120) in g/cm2."
        )
    return float(numbers[0]), float(numbers[1])


def _check_densities(densities: NDArray[np.float64]) -> None:
    low, high = _DENSITIES
    outside = densities[(densities < low) | (densities > high)]
    if outside.size == 0:
        return
    hint = "If these are codes for missing, such as 0 or 9, make them missing first."
    if (outside < 0).any():
        hint = "Some are negative: are these T-scores? Give them to label, or name them as t_score."
    elif low <= np.median(outside) / 1000 <= high:
        hint = "Are they in mg/cm2? Divide by 1000."
    raise InputError(
        f"bmd lies outside of {low} to {high} g/cm2, where densities are, in {outside.size} of "
        f"{densities.size} rows. {hint}"
    )
