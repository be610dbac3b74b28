"""One estimate of several imputed data sets, by Rubin's rules."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from skosteo._validation import to_pandas
from skosteo.exceptions import InputError


class PooledEstimate(NamedTuple):
    """What `pool_estimates` returns, and explains."""

    estimate: float
    low: float
    high: float
    degrees_of_freedom: float
    missing_information: float


def pool_estimates(
    estimates: ArrayLike, variances: ArrayLike, df_complete: float | None = None
) -> PooledEstimate:
    r"""Pool an estimate over imputed data sets (Rubin's rules).

    .. math::
        T = \bar U + (1 + 1/m) B, \qquad \bar Q \pm t_\nu \sqrt T

    with :math:`\bar Q` the mean of the m estimates, :math:`B` their variance and :math:`\bar U` the
    mean of the variances of each [1]_.

    Parameters
    ----------
    estimates : array-like of shape (m,)
        The estimate in each of 2 imputed data sets or more, on a scale where it is about normal,
        such as the logit of an area or of a rate, a coefficient, or a calibration slope.
    variances : array-like of shape (m,)
        Its variance in each, the square of the standard error; above 0.
    df_complete : float, default=None
        Degrees of freedom that the estimate would have without a missing value, such as patients
        less coefficients; None takes them as infinite.

    Returns
    -------
    PooledEstimate
        ``estimate`` with its 95 % limits ``low`` and ``high``; ``degrees_of_freedom`` of Student's
        t [2]_; ``missing_information``, the proportion of the information on it that is lost.

    References
    ----------
    .. [1] Rubin 1987, doi:10.1002/9780470316696
    .. [2] Barnard and Rubin 1999, doi:10.1093/biomet/86.4.948

    Examples
    --------
    >>> from skosteo.evaluation import pool_estimates
    >>> pooled = pool_estimates([1.21, 1.05, 1.34, 1.12, 1.27], [0.041, 0.038, 0.052, 0.044, 0.047])
    >>> print(f"{pooled.estimate:.2f} [{pooled.low:.2f}, {pooled.high:.2f}]")
    1.20 [0.71, 1.69]
    """
    q, u = _numbers(estimates, "estimates"), _numbers(variances, "variances")
    m = len(q)
    if m < 2 or u.shape != q.shape:
        raise InputError(
            f"estimates and variances have {m} and {len(u)} numbers; give one of each for 2 "
            "imputed data sets or more."
        )
    if (u <= 0).any() or (df_complete is not None and not df_complete > 0):
        raise InputError(
            f"variances has {(u <= 0).sum()} of {m} that are not above 0, and df_complete is "
            f"{df_complete}; both are above 0. A variance is the square of a standard error."
        )
    between, within = (1 + 1 / m) * q.var(ddof=1), u.mean()
    total = between + within
    lost = between / total
    nu = (m - 1) / lost**2 if lost > 0 else np.inf
    if df_complete is not None and np.isfinite(df_complete):
        observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - lost)
        nu = observed if np.isinf(nu) else nu * observed / (nu + observed)
    half = t.ppf(0.975, nu) * np.sqrt(total)
    information = lost + 2 / (nu + 3) * (1 - lost)
    return PooledEstimate(
        *map(float, (q.mean(), q.mean() - half, q.mean() + half, nu, information))
    )


def _numbers(values: ArrayLike, name: str) -> np.ndarray:
    try:
        numbers = np.asarray(to_pandas(values), dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} are not numeric; give one number per data set.") from None
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise InputError(
            f"{name} have shape {numbers.shape} and {(~np.isfinite(numbers)).sum()} that are not "
            "finite; give one number per imputed data set, and leave out those without an estimate."
        )
    return numbers
