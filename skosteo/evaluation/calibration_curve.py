"""Flexible calibration curve: what proportion are cases at each risk, without assuming a line."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from skosteo._plotting import PALETTE, add_legend, draws, hide_spines, make_axes
from skosteo.evaluation._scored import Scored, as_probability
from skosteo.evaluation.calibration import (
    ALL_ALIKE,
    away_from_edges,
    curvature,
    fit_logistic,
    overlap,
    robust_covariance,
)
from skosteo.evaluation.metrics import (
    Interval,
    clustered_quantile,
    normal_quantile,
    patient_variance,
    too_few,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_QUANTILES = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
_PATIENTS = {5: 200, 4: 100, 3: 50}  # of the rarer class, that so many knots take
_SHOWN = (0.01, 0.99)  # quantiles of the risks that the curve is shown between
_POINTS = 101


def calibration_curve(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> "CalibrationCurve":
    r"""Proportion of cases at each predicted risk, as a smooth curve with its pointwise band.

    .. math:: \operatorname{logit} P(y = 1) = a + f(\operatorname{logit} p)

    :math:`f` is a restricted cubic spline: cubic between its knots, straight beyond them.

    Parameters
    ----------
    y_true, groups, level
        As in `auc_interval`.
    y_prob : array-like of shape (n,) or (n, 2)
        Probability of the positive class, or both columns of ``predict_proba``. Those of exactly 0
        or 1 count as `away_from_edges` puts them, as in `reliability`.

    Returns
    -------
    CalibrationCurve
        With ``frame()`` and ``plot()``, the distance of the curve from the risks (``ici``, ``e50``
        and ``e90``) and ``observed_expected``.

    Notes
    -----
    Knots stand at Harrell's quantiles [1]_ of the log odds: 5 where the rarer class has 200
    patients, which is what a flexible curve wants [2]_, 4 from 100, 3 from 50; with fewer, or too
    few different risks, the curve is the straight line of `calibration_line`. ICI, E50 and E90 are
    the mean, the median and the 90th percentile of the distance between each row's risk and the
    curve [3]_. They are above 0 even where all risks are right, since no fitted curve is;
    ``ici_by_chance`` says how far above, for so many patients.

    The band is that of a logistic regression with the sandwich variance, summed by patient. The
    interval of observed / expected is on the log scale, of what each row adds to both. Where
    patients repeat, neither has limits with fewer than 10 patients of a class. Where no finite
    curve fits best (one risk for all, cases and controls that do not overlap), the curve and what
    follows from it are NaN.

    References
    ----------
    .. [1] Harrell 2015, doi:10.1007/978-3-319-19425-7, section 2.4
    .. [2] Van Calster et al. 2016, doi:10.1016/j.jclinepi.2015.12.005
    .. [3] Austin and Steyerberg 2019, doi:10.1002/sim.8281

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import calibration_curve
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(1, 4, 4000)
    >>> curve = calibration_curve(rng.random(4000) < p / 2, p)
    >>> print(f"ICI {curve.ici:.2f}; {curve.observed_expected[0]:.2f} cases per case expected")
    ICI 0.10; 0.48 cases per case expected
    """
    normal_quantile(level)
    rows = Scored.of_scores(y_true, y_prob, groups=groups, check=as_probability)
    return curve_of_rows(rows, level)


class CalibrationCurve:
    """Smooth curve of observed proportions over risks; made by `calibration_curve`.

    Attributes
    ----------
    ici, e50, e90 : float
        Mean, median and 90th percentile of the rows' distance from the curve.
    ici_by_chance : float
        The mean distance to expect of a model whose risks are right, among so many patients.
    observed_expected : tuple of float
        Cases divided by the sum of the risks, with its limits: 1 is right, below 1 the risks are
        too high.
    knots : ndarray of float
        Risks at which the spline's knots stand; empty for a straight line, or where none fits.
    at_edges : int
        Rows whose probability is 0 or 1, which count as moved inside.
    """

    def __init__(
        self,
        points: pd.DataFrame,
        rows: Scored,
        smooth: NDArray[np.float64],
        by_chance: float,
        knots: NDArray[np.float64],
        observed_expected: Interval,
    ) -> None:
        distance = np.abs(smooth - rows.score)
        self._points, self._risk = points, rows.score
        self.ici = float(distance.mean())
        self.e50, self.e90 = (float(q) for q in np.quantile(distance, [0.5, 0.9]))
        self.ici_by_chance = by_chance
        self.observed_expected = observed_expected
        self.knots = expit(knots)
        self.at_edges = int((away_from_edges(rows.score) != rows.score).sum())

    def frame(self) -> pd.DataFrame:
        """Return points of the curve: columns probability, observed, low and high.

        They run from the 1st to the 99th percentile of the risks. Empty where no curve fits.
        """
        return self._points.copy()

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw curve and band on `ax` or a new figure of 5 x 5 inches.

        How the risks are spread is drawn below. The axes end where the curve does.
        """
        ax = make_axes(ax, 5, 5)
        points, colour = self._points, PALETTE[0]
        reach = [*np.quantile(self._risk, _SHOWN[1:]), *points["probability"], *points["observed"]]
        top = min(1.0, 1.15 * max(*reach, 0.05))
        if len(points):
            x = points["probability"]
            ax.fill_between(x, points["low"], points["high"], color=colour, alpha=0.15, linewidth=0)
            ax.plot(x, points["observed"], color=colour, linewidth=1.6, label="this model")
        ax.plot([0, top], [0, top], color="0.6", linewidth=0.8, zorder=1, label="risks are right")
        counts, edges = np.histogram(self._risk, bins=30, range=(0, top))
        below = 0.2 * top
        height = counts / max(counts.max(), 1) * 0.8 * below - below
        ax.stairs(height, edges, baseline=-below, fill=True, color=colour, alpha=0.45)
        ax.axhline(0, color="0.8", linewidth=0.8)
        ax.set(xlim=(0, top), ylim=(-below, top), aspect="equal")
        ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
        ax.set_xlabel("Risk by the model (below: how often)")
        ax.set_ylabel("Observed proportion")
        add_legend(ax, "upper left", None)
        return hide_spines(ax)


def curve_of_rows(rows: Scored, level: float = 0.95) -> CalibrationCurve:
    """Return `calibration_curve` of checked rows."""
    sides = rows.patient[rows.positive], rows.patient[~rows.positive]
    q = float("nan") if too_few(*sides) else clustered_quantile(level, *sides)
    ratio = _observed_expected(rows, q)
    log_odds = logit(away_from_edges(rows.score))
    fewest = min(len(np.unique(side)) for side in sides)
    knots, coefficients = _fit(log_odds, rows, fewest)
    unknown = np.full(len(log_odds), np.nan)
    if coefficients is None:
        none = pd.DataFrame(columns=["probability", "observed", "low", "high"], dtype=float)
        return CalibrationCurve(none, rows, unknown, np.nan, knots, ratio)
    design = spline(log_odds, knots)
    covariance = np.full((len(coefficients),) * 2, np.nan)
    if not np.isnan(q):
        covariance = robust_covariance(design, design @ coefficients, rows)
    smooth = expit(design @ coefficients)
    # of an error that is normal around 0, the mean distance
    error = np.sqrt(2 / np.pi) * _standard_errors(design, covariance)
    chance = float((error * smooth * (1 - smooth)).mean())
    low, high = expit(np.quantile(log_odds, _SHOWN))
    at = np.linspace(low, high, _POINTS)
    shown = spline(logit(at), knots)
    middle, half = shown @ coefficients, q * _standard_errors(shown, covariance)
    curve = {"observed": middle, "low": middle - half, "high": middle + half}
    points = pd.DataFrame({"probability": at} | {name: expit(x) for name, x in curve.items()})
    return CalibrationCurve(points, rows, smooth, chance, knots, ratio)


def spline(x: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of a restricted cubic spline: 1, x and, for k knots, k - 2 more, as Harrell's."""
    columns = [np.ones_like(x), x]
    if len(knots):
        *_, before, last = knots
        cubic = np.maximum(x[:, None] - knots, 0) ** 3
        for j, knot in enumerate(knots[:-2]):
            tail = (cubic[:, -2] * (last - knot) - cubic[:, -1] * (before - knot)) / (last - before)
            columns.append((cubic[:, j] - tail) / (last - knots[0]) ** 2)
    return np.column_stack(columns)


def _fit(
    log_odds: NDArray[np.float64], rows: Scored, fewest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Knots and coefficients of the most flexible curve that patients and risks allow, if any."""
    straight: NDArray[np.float64] = np.empty(0)
    if np.ptp(log_odds) < ALL_ALIKE or not overlap(
        log_odds[rows.positive], log_odds[~rows.positive]
    ):
        return straight, None
    for n_knots in [k for k, patients in _PATIENTS.items() if fewest >= patients]:
        knots = np.quantile(log_odds, _QUANTILES[n_knots])
        if np.diff(knots).min() > ALL_ALIKE:
            coefficients = _converged(spline(log_odds, knots), rows)
            if coefficients is not None:
                return knots, coefficients
    return straight, _converged(spline(log_odds, straight), rows)


def _converged(design: NDArray[np.float64], rows: Scored) -> NDArray[np.float64] | None:
    """Coefficients of a logistic regression; None where no finite ones are best."""
    none = np.zeros(len(design))
    try:
        found = fit_logistic(design, none, rows.positive, rows.weight)
        fitted = design @ found
        gradient = design.T @ (rows.weight * (rows.positive - expit(fitted)))
        step = np.linalg.solve(curvature(design, fitted, rows.weight), gradient)
    except np.linalg.LinAlgError:
        return None
    return found if np.abs(design @ step).max() < 1e-6 else None


def _standard_errors(
    design: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.sqrt(np.einsum("ij,jk,ik->i", design, covariance, design))


def _observed_expected(rows: Scored, q: float) -> Interval:
    """Cases over the sum of risks, with limits on the log scale from what rows add to both."""
    observed, expected = rows.positive.sum(), rows.score.sum()
    if expected == 0:
        return np.nan, np.nan, np.nan
    ratio = float(observed / expected)
    if np.isnan(q):
        return ratio, np.nan, np.nan
    influence = rows.positive / observed - rows.score / expected
    spread = float(np.exp(q * np.sqrt(patient_variance(influence, rows.patient))))
    return ratio, ratio / spread, ratio * spread
