"""How far groups differ in a characteristic, in standard deviations."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]  # mean and covariance of one row


def largest_difference(
    values: NDArray[np.float64], groups: list[NDArray[np.intp]], n_levels: int
) -> float:
    r"""Return the largest absolute standardized mean difference over pairs of groups.

    .. math::
        \frac{|\bar x_1 - \bar x_2|}{\sqrt{(s_1^2 + s_2^2) / 2}}, \qquad
        \sqrt{(p_1 - p_2)^\top \left(\frac{S_1 + S_2}{2}\right)^{-1} (p_1 - p_2)}

    The first is of numbers [1]_, the second of categories, with p the proportions of all levels but
    one and S their covariances of one row [2]_.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers, NaN where missing; or codes of levels, -1 where missing.
    groups : list of ndarray
        Rows of each group.
    n_levels : int
        How many levels there are; 0 for numbers.

    Returns
    -------
    float
        NaN where there is none for a pair: a group without known values, no spread in both, or
        levels that tell two groups apart without an error.

    References
    ----------
    .. [1] Austin 2009, doi:10.1002/sim.3697
    .. [2] Yang and Dalton 2012, SAS Global Forum 335-2012
    """
    known = [values[rows] for rows in groups]
    known = [part[part >= 0] if n_levels else part[~np.isnan(part)] for part in known]
    if min(map(len, known)) < (1 if n_levels else 2):
        return float("nan")
    if n_levels:
        moments = [_of_levels(part, n_levels) for part in known]
    else:
        moments = [(np.array([part.mean()]), np.array([[part.var(ddof=1)]])) for part in known]
    return max(_distance(*a, *b) for a, b in combinations(moments, 2))


def _of_levels(
    codes: NDArray[np.float64], n_levels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p = np.bincount(codes.astype(int), minlength=n_levels) / len(codes)
    return p, np.diag(p) - np.outer(p, p)


def _distance(
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    other_mean: NDArray[np.float64],
    other_covariance: NDArray[np.float64],
) -> float:
    difference, spread = mean - other_mean, (covariance + other_covariance) / 2
    if not difference.any():
        return 0.0
    # the pseudo-inverse leaves out one level, whichever it is, and those that neither group has
    solved = np.linalg.pinv(spread, hermitian=True) @ difference
    if not np.allclose(spread @ solved, difference, atol=1e-9):
        return float("nan")
    return float(np.sqrt(difference @ solved))
