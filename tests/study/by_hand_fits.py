"""Calibration, thresholds, added value and sample sizes by other means than the package's.

Nothing here calls skosteo: models are fitted by statsmodels, splines are scipy's.
"""

import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.optimize import bisect
from scipy.special import expit, logit, xlogy
from scipy.stats import norm, t
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from tests.study.by_hand import NOWHERE, Z, known, quantile, too_few, variance

RULES = ("sensitivity .90", "specificity .90", "Youden's index")


# ---------------------------------------------------------------- calibration


def inside(risk):
    """Risks of exactly 0 or 1 moved inside, by half of what is nearest, or half a row."""
    edge = (risk <= 0) | (risk >= 1)
    room = min([1 / len(risk), *risk[~edge], *(1 - risk[~edge])]) / 2
    return np.where(edge, np.clip(risk, room, 1 - room), risk)


def logistic(y, X, offset=None):
    """Coefficients by statsmodels, and what each row adds to them; NaN where classes part."""
    model = sm.GLM(y, X, family=sm.families.Binomial(), offset=offset)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            fit = model.fit(maxiter=200, tol=1e-12, tol_criterion="params")
        except PerfectSeparationWarning:
            return np.full(X.shape[1], np.nan), np.full(X.shape, np.nan)
    return fit.params, model.score_obs(fit.params) @ fit.normalized_cov_params


def line(y, risk, patient):
    """Slope and intercept (calibration in the large), each with limits."""
    x, sides = logit(inside(risk)), (patient[y == 1], patient[y == 0])
    q = np.nan if too_few(*sides) else quantile(*sides)
    one = np.ones((len(x), 1))
    found = []
    for design, offset in ((np.column_stack([x, one]), None), (one, x)):
        if design.shape[1] == 2 and not overlapping(x[y == 1], x[y == 0]):
            found += [np.nan] * 3
            continue
        estimate, added = logistic(y, design, offset)
        half = q * np.sqrt(variance(added[:, 0], patient))
        found += [estimate[0], estimate[0] - half, estimate[0] + half]
    return found


def overlapping(cases, controls):
    return cases.min() < controls.max() and controls.min() < cases.max()


def observed_expected(y, risk, patient):
    ratio, sides = y.sum() / risk.sum(), (patient[y == 1], patient[y == 0])
    if too_few(*sides):
        return ratio, *NOWHERE
    error = np.sqrt(variance(y / y.sum() - risk / risk.sum(), patient))
    return (
        ratio,
        ratio * np.exp(-quantile(*sides) * error),
        ratio * np.exp(quantile(*sides) * error),
    )


def natural(x, knots):
    """Natural cubic splines that are 1 at one knot, straight beyond the last: scipy's."""
    if len(knots) == 0:
        return np.column_stack([np.ones_like(x), x])
    curves = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    near = np.clip(x, knots[0], knots[-1])
    return curves(near) + (x - near)[:, None] * curves(near, 1)


def curve(y, risk, patient):
    """Points of the calibration curve, mean distance, and that by chance; None where none fits."""
    x, sides = logit(inside(risk)), (patient[y == 1], patient[y == 0])
    if not overlapping(x[y == 1], x[y == 0]) or np.ptp(x) < 1e-6:
        return None
    fewest, where = min(map(known, sides)), []
    for least, quantiles in (
        (50, (0.1, 0.5, 0.9)),
        (100, (0.05, 0.35, 0.65, 0.95)),
        (200, (0.05, 0.275, 0.5, 0.725, 0.95)),
    ):
        if fewest >= least and np.diff(np.quantile(x, quantiles)).min() > 1e-6:
            where = np.quantile(x, quantiles)
    design = natural(x, where)
    estimate, added = logistic(y, design)
    by = pd.DataFrame(added).groupby(patient).sum().to_numpy()
    covariance = len(by) / (len(by) - 1) * by.T @ by * (np.nan if too_few(*sides) else 1)
    smooth = expit(design @ estimate)
    error = np.sqrt(((design @ covariance) * design).sum(axis=1))
    chance = (np.sqrt(2 / np.pi) * error * smooth * (1 - smooth)).mean()
    at = np.linspace(*expit(np.quantile(x, [0.01, 0.99])), 101)
    shown = natural(logit(at), where)
    half = quantile(*sides) * np.sqrt(((shown @ covariance) * shown).sum(axis=1))
    middle = shown @ estimate
    points = dict(
        zip(
            ("observed", "low", "high"),
            map(expit, (middle, middle - half, middle + half)),
            strict=True,
        )
    )
    return pd.DataFrame({"probability": at} | points), np.abs(smooth - risk).mean(), chance


def recalibration(p, y):
    """What turns probabilities into risks: a line of the log odds that does not fall."""
    moved, room = inside(p), np.finfo(float).eps
    if (moved != p).any():
        room = max(room, min(moved.min(), 1 - moved.max()))

    def log_odds(q):
        return logit(np.clip(q, room, 1 - room))

    x = log_odds(p)
    cases, controls = x[y == 1], x[y == 0]
    slope = 0.0
    if np.ptp(x) >= 1e-6 and overlapping(cases, controls):
        slope = max(logistic(y, np.column_stack([x, np.ones_like(x)]))[0][0], 0)
    elif np.ptp(x) >= 1e-6 and cases.min() >= controls.max():
        slope = 1.0
    level = logistic(y, np.ones((len(x), 1)), slope * x)[0][0]
    return lambda q: expit(level + slope * log_odds(q))


def threshold(y, risk, rule):
    """Midway between two risks, the first by the rule from scikit-learn's ROC curve."""
    if not isinstance(rule, str):
        return rule
    fpr, tpr, at = roc_curve(y, risk, drop_intermediate=False)
    at[0] = 1.0
    if at[1] == 1:
        fpr, tpr, at = fpr[1:], tpr[1:], at[1:]
    if rule == RULES[0]:
        which = np.flatnonzero(tpr >= 0.9 - 1e-12)[0]
    elif rule == RULES[1]:
        which = np.flatnonzero(fpr <= 0.1 + 1e-12)[-1]
    else:
        youden = (tpr - fpr).round(12)
        which = np.flatnonzero(youden == youden.max())[-1]
    below = at[which + 1] if which + 1 < len(at) else 0.0
    return (at[which] + below) / 2


# ---------------------------------------------------------------- what a film adds


def standardized(risk):
    x = logit(inside(risk))
    return (x - x.mean()) / x.std(ddof=1)


def added_value(y, base, added, patient):
    """Odds ratio per SD with limits, one-sided P, and both risks together, cross-fitted."""
    X = np.column_stack([standardized(base), standardized(added), np.ones(len(y))])
    estimate, parts = logistic(y, X)
    error, k = np.sqrt(variance(parts[:, 1], patient)), known(patient)
    law = norm() if k == len(y) else t(k - 3)
    c, half = estimate[1], law.ppf(0.975) * error
    n_folds = min(10, known(patient[y == 1]), known(patient[y == 0]))
    splitter = StratifiedKFold if k == len(y) else StratifiedGroupKFold
    both = np.empty(len(y))
    for train, test in splitter(n_folds, shuffle=True, random_state=0).split(X, y, patient):
        weight = np.maximum(logistic(y[train], X[train])[0][:2], 0)
        weight = np.array([1, 0]) if weight.sum() == 0 else weight / weight.sum()
        both[test] = X[test, :2] @ weight
    return np.exp([c, c - half, c + half]), law.sf(c / error), both


# ---------------------------------------------------------------- sample size (Riley et al.)


def patients_for(criterion, prevalence, area, n_parameters=0):
    """Patients by one criterion; log odds are normal in cases and in controls, with one spread."""
    spread, middle = np.sqrt(2) * norm.ppf(area), logit(prevalence)

    def expected(f):
        def each(z):  # either side's log odds at the same quantile
            up, down = (middle + sign * spread**2 / 2 + spread * z for sign in (1, -1))
            both = prevalence * f(up) + (1 - prevalence) * f(down)
            return both * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

        return quad(each, -9, 9, epsabs=1e-13)[0]

    def certainty(x):
        return xlogy(expit(x), expit(x)) + xlogy(expit(-x), expit(-x))

    null = certainty(middle)
    r2 = 1 - np.exp(2 * (null - expected(certainty)))

    def with_shrinkage(s):
        return n_parameters / ((s - 1) * np.log(1 - r2 / s))

    if criterion == "shrinkage":
        return with_shrinkage(0.9)
    if criterion == "optimism":
        return with_shrinkage(r2 / (r2 + 0.05 * (1 - np.exp(2 * null))))
    if criterion == "prevalence":
        return (Z / 0.05) ** 2 * prevalence * (1 - prevalence)
    if criterion == "observed/expected":  # limits a factor apart, .2 from one to the other
        return bisect(
            lambda n: 2 * np.sinh(Z * np.sqrt((1 - prevalence) / prevalence / n)) - 0.2, 1, 1e9
        )
    if criterion == "slope":
        a, ab, b = (expected(lambda x, j=j: x**j * expit(x) * expit(-x)) for j in range(3))
        return a / (a * b - ab**2) / (0.1 / Z) ** 2
    shape = (1 - area) / (2 - area) + area / (1 + area)

    def too_wide(n):  # Newcombe's method 4
        extra = (n / 2 - 1) * shape
        wide = area * (1 - area) * (1 + extra) / (n**2 * prevalence * (1 - prevalence))
        return 2 * Z * np.sqrt(wide) - 0.1

    return bisect(too_wide, 2, 1e9)
