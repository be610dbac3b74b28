"""Rates, areas and their tests by other means than the package's: scikit-learn, scipy, or brute.

Nothing here calls skosteo. An estimate is followed by its 95 % limits; `patient` is a code per row.
"""

import numpy as np
import pandas as pd
from scipy.optimize import bisect
from scipy.special import expit, logit
from scipy.stats import norm, t
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

Z = norm.ppf(0.975)
NOWHERE = (np.nan, np.nan)


# ---------------------------------------------------------------- patients


def known(patient):
    return len(set(patient))


def too_few(*sides):
    """Limits are not had where patients repeat and a class has fewer than 10."""
    return any(known(s) < len(s) for s in sides) and min(map(known, sides)) < 10


def quantile(*sides):
    """Normal quantile, widened as t quantiles of patients and of rows are (Korn, Graubard)."""
    people, rows = sum(known(s) - 1 for s in sides), sum(len(s) - 1 for s in sides)
    if people in (rows, 0):
        return Z
    return Z * t.ppf(0.975, people) / t.ppf(0.975, rows)


def variance(added, patient):
    """Variance of a sum of rows' parts: the greater of Bell-McCaffrey's and of equal likeness."""
    added, n = pd.Series(np.asarray(added, float)), len(added)
    by = added.groupby(np.asarray(patient))
    size, total = by.size(), by.sum()
    squeezed = (total**2 / (1 - size / n)).sum()
    spread, rho = (added**2).sum() / (n - 1), 1.0
    if spread > 0 and n > len(size):
        within = ((added - by.transform("mean")) ** 2).sum() / (n - len(size))
        rho = np.clip(1 - within / spread, 0, 1)
    return max(squeezed, spread * (size * (1 + (size - 1) * rho)).sum())


def variance_of_classes(added, y, patient):
    """The same of both classes, and what patients with rows of both add."""
    parts, totals = [], []
    for side in (y == 1, y == 0):
        if known(patient[side]) < 2:
            return np.nan
        parts.append(variance(added[side], patient[side]))
        by = pd.Series(added[side]).groupby(patient[side])
        totals.append(by.sum() / np.sqrt(1 - by.size() / side.sum()))
    shared = totals[0].mul(totals[1], fill_value=0).sum()
    found = sum(parts) + 2 * shared
    return found if found > 1e-12 * sum(parts) else 0.0


# ---------------------------------------------------------------- means and rates


def mean(values, patient):
    values = np.asarray(values, float)
    centre, alike = values.mean(), np.ptp(values) <= 1e-12 * np.abs(values).max()
    if alike or too_few(patient) or known(patient) < 2:
        return centre, *NOWHERE
    half = quantile(patient) * np.sqrt(variance((values - centre) / len(values), patient))
    return centre, centre - half, centre + half


def rate(success, patient):
    """Wilson's interval by statsmodels, on the effective size of the rows."""
    n = len(success)
    if n == 0:
        return np.nan, *NOWHERE
    p = np.mean(success)
    if too_few(patient):
        return p, *NOWHERE
    size = pd.Series(patient).value_counts()
    if p in (0, 1) or len(size) == 1:
        effective = n**2 / (size**2).sum()
    else:
        effect = variance((success - p) / n, patient) / (p * (1 - p) / (n - 1))
        effective = n / max(effect, 1)
    effective *= (Z / quantile(patient)) ** 2
    low, high = proportion_confint(p * effective, effective, method="wilson")
    return p, 0.0 if p == 0 else low, 1.0 if p == 1 else high


def f1(y, positive, patient):
    either = (y == 1) | positive
    return tuple(2 / (1 + 1 / j) if j else j for j in rate((y & positive)[either], patient[either]))


def at_prevalence(right, wrong, sides, prevalence):
    """Predictive value by Bayes from the limits of the likelihood ratio (Donner and Zou, MOVER-R).

    Those are the roots as they were published; at 0 what they tend to.
    """
    (r, rl, ru), (w, wl, wu) = (rate(x, s) for x, s in zip((right, wrong), sides, strict=True))

    def bayes(ratio):
        return (
            1.0 if np.isinf(ratio) else ratio * prevalence / (ratio * prevalence + 1 - prevalence)
        )

    value = bayes(r / w) if w else (1.0 if r else np.nan)
    if np.isnan(rl + wl):
        return value, *NOWHERE
    inside = [
        max((r * w) ** 2 - a * b * (2 * r - a) * (2 * w - b), 0) for a, b in ((rl, wu), (ru, wl))
    ]
    below = wu * (2 * w - wu)
    low = (r * w - np.sqrt(inside[0])) / below if below else rl * (2 * r - rl) / (2 * r * w)
    high = (r * w + np.sqrt(inside[1])) / (wl * (2 * w - wl)) if wl else np.inf
    return value, bayes(low if r else 0.0), bayes(high)


def net_benefit(y, risk, at, patient, stated=None):
    """Net benefit with limits; a stated prevalence moves odds, and each class varies by itself."""
    here = y.mean()
    with np.errstate(divide="ignore"):
        odds = risk / (1 - risk)
    if stated is None:
        cases, treated = here, risk >= at
    else:
        cases, treated = stated, odds * stated / (1 - stated) / here * (1 - here) >= at / (1 - at)
    value = cases * treated[y == 1].mean()
    value -= (1 - cases) * treated[y == 0].mean() * at / (1 - at)
    gain = np.where(y == 1, cases / here, -(1 - cases) / (1 - here) * at / (1 - at)) * treated
    if stated is not None:
        centred = gain - np.where(y == 1, gain[y == 1].mean(), gain[y == 0].mean())
        gain = np.where(np.abs(centred) < 1e-12, 0, centred) + gain.mean()  # less is rounding
    return value, *mean(gain, patient)[1:]


# ---------------------------------------------------------------- areas


def placements(y, score):
    """Area, and what each row moves it by, from every pair of a case and a control."""
    score = np.asarray(score, float)
    cases, controls = score[y == 1], score[y == 0]
    added = np.empty(len(y))
    beaten = np.array([(1 + np.sign(s - controls).mean()) / 2 for s in cases])
    beats = np.array([(1 + np.sign(cases - s).mean()) / 2 for s in controls])
    area = roc_auc_score(y, score)
    added[y == 1], added[y == 0] = (beaten - area) / len(cases), (beats - area) / len(controls)
    return area, added


def on_logits(value, spread, q):
    if not (0 < value < 1 and np.isfinite(spread)):
        return NOWHERE
    half = q * np.sqrt(spread) / (value * (1 - value))
    return expit(logit(value) - half), expit(logit(value) + half)


def auc(y, score, patient):
    area, added = placements(y, score)
    sides = patient[y == 1], patient[y == 0]
    if too_few(*sides):
        return area, *NOWHERE
    spread, q = variance_of_classes(added, y, patient), quantile(*sides)
    if 0 < area < 1 and spread > 1e-24:
        return area, *on_logits(area, spread, q)
    sizes = [pd.Series(s).value_counts() for s in sides]
    m, n = (s.sum() ** 2 / (s**2).sum() for s in sizes)

    def excess(a):  # Newcombe's method 5
        extra = ((m + n) / 2 - 1) * ((1 - a) / (2 - a) + a / (1 + a))
        return (area - a) ** 2 - q**2 * a * (1 - a) * (1 + extra) / (m * n)

    low = bisect(excess, 1e-9, min(area, 1 - 1e-12), xtol=1e-14) if area > 0 else 0.0
    return area, low, bisect(excess, max(area, 1e-12), 1 - 1e-9, xtol=1e-14) if area < 1 else 1.0


def areas(y, score, fold):
    """Area of each fold, by scikit-learn."""
    return np.array([roc_auc_score(y[fold == f], score[fold == f]) for f in np.unique(fold)])


def fold_error(values, patient, fold):
    """Nadeau's and Bengio's standard error of a mean over folds, its repeats counted once."""
    held = [known(patient[fold == f]) for f in np.unique(fold)]
    part = np.mean(held) / known(patient)
    return np.std(values, ddof=1) * np.sqrt(part * (1 + 1 / (1 - part)))


def fold_auc(y, score, patient, fold):
    found = areas(y, score, fold)
    if min(known(patient[y == 1]), known(patient[y == 0])) < 10:
        return found.mean(), *NOWHERE
    if np.ptp(found) < 1e-12:
        return found.mean(), *auc(y, score, patient)[1:]
    spread = fold_error(found, patient, fold) ** 2
    return found.mean(), *on_logits(found.mean(), spread, t(len(found) - 1).ppf(0.975))


def fold_test(y, one, other, patient, fold):
    """Difference of mean areas: estimate, limits, statistic and P."""
    found = areas(y, one, fold) - areas(y, other, fold)
    if not found.any():
        return 0.0, *NOWHERE, 0.0, 1.0
    error, law = fold_error(found, patient, fold), t(len(found) - 1)
    if min(known(patient[y == 1]), known(patient[y == 0])) < 10 or error < 1e-12:
        return found.mean(), *NOWHERE, *NOWHERE
    statistic = found.mean() / error
    limits = (np.clip(found.mean() + s * law.ppf(0.975) * error, -1, 1) for s in (-1, 1))
    return found.mean(), *limits, statistic, 2 * law.sf(abs(statistic))


def delong(y, one, other, patient):
    """Difference of areas: estimate, limits, statistic and P."""
    (a, by_a), (b, by_b) = placements(y, one), placements(y, other)
    if a == b and np.abs(by_a - by_b).max() < 1e-15:
        return 0.0, *NOWHERE, 0.0, 1.0
    spread = variance_of_classes(by_a - by_b, y, patient)
    classes = known(patient[y == 1]), known(patient[y == 0])
    if min(classes) < 10 or not spread > 1e-24:
        return a - b, *NOWHERE, *NOWHERE
    law = norm() if sum(classes) == len(patient) else t(sum(classes) - 2)
    error, q = np.sqrt(spread), law.ppf(0.975)
    statistic = (a - b) / error
    limits = max(a - b - q * error, -1), min(a - b + q * error, 1)
    return a - b, *limits, statistic, 2 * law.sf(abs(statistic))


def brier(y, risk, patient):
    loss = (risk - y) ** 2
    if too_few(patient) or known(patient) < 2:
        return loss.mean(), *NOWHERE
    spread = variance((loss - loss.mean()) / len(loss), patient)
    return loss.mean(), *on_logits(loss.mean(), spread, quantile(patient))


def average_precision(y, score, patient):
    """scikit-learn's, with the derivative of its sum by the weight of each row."""
    value, sides = average_precision_score(y, score), (patient[y == 1], patient[y == 0])
    if too_few(*sides):
        return value, *NOWHERE
    cases = score[y == 1]
    above = np.array([(score >= s).sum() for s in cases])
    precision = np.array([(cases >= s).sum() for s in cases]) / above
    own = iter(precision)
    added = []
    for label, s in zip(y, score, strict=True):
        lower = cases <= s
        part = ((label - precision[lower]) / above[lower]).sum()
        added.append((part + (next(own) - value if label else 0)) / len(cases))
    spread = variance_of_classes(np.array(added), y, patient)
    return value, *on_logits(value, spread, quantile(*sides))


# ---------------------------------------------------------------- McNemar


def mcnemar(right_a, right_b, patient):
    """Difference, limits, statistic, P and whether it is exact; signs flipped by patient."""
    d, n = right_a.astype(int) - right_b.astype(int), len(right_a)
    balance = pd.Series(d).groupby(patient).sum()
    balance = balance[balance != 0].to_numpy()
    reach = int(np.abs(balance).sum())
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1
    for step in np.abs(balance):  # a coin a patient
        chance = (np.roll(chance, step) + np.roll(chance, -step)) / 2
    sums = np.abs(np.arange(-reach, reach + 1))
    seen, exact = abs(balance.sum()), len(balance) < 25
    p = chance[sums >= seen].sum() - (0 if exact else chance[sums == seen].sum() / 2)
    statistic = balance.sum() / np.sqrt((balance**2).sum()) if len(balance) else 0.0
    limits = NOWHERE
    if d.any() and not too_few(patient):
        between, alone = variance((d - d.mean()) / n, patient), d.var() / (n - 1)
        size = pd.Series(patient).value_counts()
        worth = min(alone / between, 1) if between > 1e-24 else n / (size**2).sum()
        worth *= (Z / quantile(patient)) ** 2
        a, b = (((d == side).sum() * worth + 1) / (n * worth + 2) for side in (1, -1))
        half = Z * np.sqrt((a + b - (a - b) ** 2) / (n * worth + 2))  # Bonett and Price
        limits = max(a - b - half, -1), min(a - b + half, 1)
    return d.mean(), *limits, statistic, min(p, 1), exact


def holm(p):
    """Each P is the greatest of those up to it, times how many are left; NaN is no test."""
    p = np.asarray(p, float)

    def adjusted(one):
        least = [(np.sum(~(p < other) & ~np.isnan(p)) * other) for other in p if other <= one]
        return min(1, max(least)) if least else np.nan

    return [adjusted(one) for one in p]
