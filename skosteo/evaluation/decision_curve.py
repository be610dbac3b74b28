"""Decision curves: the net benefit of acting on a model, beside treating all or none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._plotting import add_legend, draws, hide_spines, make_axes, series_style
from skosteo._validation import guess
from skosteo.evaluation._scored import Scored, as_probability
from skosteo.evaluation.calibration import at_prevalence
from skosteo.evaluation.scores import mean_interval
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TREAT_ALL, TREAT_NONE = "treat all", "treat none"


def net_benefit(
    y_true: ArrayLike, y_prob: ArrayLike, thresholds: ArrayLike, *, prevalence: float | None = None
) -> NDArray[np.float64]:
    r"""Net benefit of acting on a model at each threshold probability.

    .. math:: \pi \, \mathrm{sensitivity} - (1 - \pi) (1 - \mathrm{specificity}) \frac{t}{1 - t}

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    y_prob : array-like of shape (n,) or (n, 2)
        Probability of the positive class, or both columns of ``predict_proba``. Ones give the
        benefit of treating all, zeros that of treating none.
    thresholds : float or array-like
        Threshold probabilities :math:`t`, 0 or more and below 1: a patient with at least this
        probability is treated. The odds of t are the harm of a false positive, in units of the
        gain of a true positive.
    prevalence : float, default=None
        :math:`\pi`, above 0 and below 1; None takes the proportion :math:`\pi_0` of positive
        rows. State it where these rows were not sampled as the patients come, as in a case-control
        study.

    Returns
    -------
    ndarray of the shape of ``thresholds``
        True positives per patient, less the false positives at their price.

    Notes
    -----
    A risk that is right among these rows is wrong at another prevalence, where a patient of the
    same findings is ill less, or more, often. At a stated prevalence the probabilities are
    therefore moved to it first [2]_, and those are compared with t:

    .. math::
        \operatorname{logit} p' = \operatorname{logit} p + \operatorname{logit} \pi
        - \operatorname{logit} \pi_0

    That takes the model as calibrated among these rows and the findings of cases and of controls
    as the same in both places. Probabilities of 0 and 1 stay.

    References
    ----------
    .. [1] Vickers and Elkin 2006, doi:10.1177/0272989X06295361
    .. [2] Saerens et al. 2002, doi:10.1162/089976602753284446

    Examples
    --------
    >>> from skosteo.evaluation import net_benefit
    >>> net_benefit([0, 0, 0, 1, 1], [0.1, 0.4, 0.2, 0.3, 0.9], [0.25, 0.5]).round(3)
    array([0.333, 0.2  ])
    """
    rows = Scored.of_scores(y_true, y_prob, check=as_probability)
    at = _as_thresholds(thresholds)
    risk = _moved(rows.score, rows.positive, prevalence)
    return _net_benefit(rows.positive, risk, at, prevalence)


def decision_curve(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    thresholds: ArrayLike | None = None,
    prevalence: float | None = None,
    *,
    groups: ArrayLike | None = None,
) -> "DecisionCurve":
    r"""Net benefit of one or several models over thresholds, beside treating all and none.

    Parameters
    ----------
    y_true, y_prob, groups
        As in `evaluate`; no model is called "treat all" or "treat none".
    thresholds : array-like of shape (n_thresholds,), default=None
        As in `net_benefit`. None takes .02, .03, ..., .30, where a scan for osteoporosis is
        decided on. Report the range at which patients and doctors would really decide.
    prevalence : float, default=None
        As in `net_benefit`.

    Returns
    -------
    DecisionCurve
        With ``frame()``, ``differences()`` and ``plot()``.

    Notes
    -----
    A model is worth using at thresholds where its curve is above both references. At a stated
    prevalence the probabilities are moved to it, as `net_benefit` says.

    Net benefit is the mean of what each row adds to it, :math:`y` less the odds of t for a
    treated control, and 0 for those who are not treated. The intervals are normal ones of that
    mean, 95 % at each threshold by itself, clustered by patient [1]_ as those of `evaluate` are;
    those of a difference are of the rows' own differences, so they are paired. At a stated
    prevalence cases count :math:`\pi / \pi_0`, controls :math:`(1 - \pi) / (1 - \pi_0)`, and
    each class varies about its own mean. Films of skewed numbers hold the net benefit, and
    differences, 92 to 97 times in 100 with 40 cases and 160 controls.

    References
    ----------
    .. [1] Vickers et al. 2008, doi:10.1186/1472-6947-8-53

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo.evaluation import decision_curve
    >>> y, p = np.tile([0, 0, 0, 1, 1], 20), np.tile([0.1, 0.4, 0.2, 0.3, 0.9, 0.2, 0.1], 15)[:100]
    >>> curve = decision_curve(y, p, [0.25])
    >>> curve.frame().round(3)
            model  threshold  net_benefit    low   high
    0       model       0.25        0.097  0.009  0.184
    1   treat all       0.25        0.200  0.071  0.329
    2  treat none       0.25        0.000    NaN    NaN
    >>> curve.differences("treat all").round(3)
            model  threshold  difference    low   high
    0       model       0.25      -0.103 -0.201 -0.005
    1  treat none       0.25      -0.200 -0.329 -0.071
    """
    scored = Scored.of_models(y_true, y_prob, groups)
    taken = {TREAT_ALL, TREAT_NONE} & set(scored.models)
    if taken:
        raise InputError(f"y_prob names a model {taken.pop()!r}, which is a reference; rename it.")
    at = _as_thresholds(np.arange(2, 31) / 100 if thresholds is None else thresholds).ravel()
    return DecisionCurve(scored, at, prevalence)


class DecisionCurve:
    """Net benefit over thresholds; made by `decision_curve`.

    Attributes
    ----------
    thresholds : ndarray of shape (n_thresholds,)
    net_benefit : dict of str to ndarray of shape (n_thresholds,)
        By model, then of treating all and none.
    """

    def __init__(
        self, scored: Scored, thresholds: NDArray[np.float64], prevalence: float | None = None
    ) -> None:
        self.thresholds = thresholds
        self._rows, self._prevalence = scored, prevalence
        models = scored.models | {TREAT_ALL: np.ones(len(scored.positive))}
        self._risks = {name: _moved(p, scored.positive, prevalence) for name, p in models.items()}
        self.net_benefit = {
            name: _net_benefit(scored.positive, risk, thresholds, prevalence)
            for name, risk in self._risks.items()
        }
        self.net_benefit[TREAT_NONE] = np.zeros(len(thresholds))

    def frame(self) -> pd.DataFrame:
        """Return a row per model and threshold; "treat all" and "treat none" are models too.

        The columns are model, threshold, net_benefit, low and high, the limits of the 95 % interval
        at that threshold; they are NaN where nothing varies, as in treating none, and of fewer than
        10 patients who repeat.
        """
        return self._intervals(list(self.net_benefit), TREAT_NONE, "net_benefit")

    def differences(self, reference: str) -> pd.DataFrame:
        """Return how far the net benefit of each other model is above that of a reference.

        Parameters
        ----------
        reference : str
            A model, or "treat all" or "treat none".

        Returns
        -------
        DataFrame
            A row per other model and threshold: model, threshold, difference, low and high.
        """
        if reference not in self.net_benefit:
            raise InputError(
                f"reference={reference!r} is no model{guess(reference, self.net_benefit)} The "
                f"models are {list(self.net_benefit)}."
            )
        others = [name for name in self.net_benefit if name != reference]
        return self._intervals(others, reference, "difference")

    def _intervals(self, models: list[str], reference: str, what: str) -> pd.DataFrame:
        """Mean gain over a reference, with its interval, by model and threshold."""
        lines = [
            (name, t, *mean_interval(self._gains(name, t) - other, self._rows.patient))
            for name in models
            for t in self.thresholds
            for other in [self._gains(reference, t)]
        ]
        return pd.DataFrame(lines, columns=["model", "threshold", what, "low", "high"])

    def _gains(self, model: str, t: float) -> NDArray[np.float64]:
        """Return what each row adds to the net benefit of a model, which is their mean."""
        positive = self._rows.positive
        if model == TREAT_NONE:  # also at threshold 0, which a probability of 0 reaches
            return np.zeros(len(positive))
        gain = np.where(self._risks[model] >= t, np.where(positive, 1.0, -t / (1 - t)), 0.0)
        if self._prevalence is None:
            return gain
        cases, stated = positive.mean(), self._prevalence
        gain *= np.where(positive, stated / cases, (1 - stated) / (1 - cases))
        mean = gain.mean()
        for side in (positive, ~positive):  # how many rows are cases says nothing then
            gain[side] -= gain[side].mean()
        gain[np.abs(gain) < 1e-12] = 0  # less is rounding
        return mean + gain

    @draws
    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves on `ax` or a new figure of 5.5 x 4 inches; grey are the references."""
        ax = make_axes(ax, 5.5, 4)
        order = np.argsort(self.thresholds)
        at = 100 * self.thresholds[order]
        for i, (name, values) in enumerate(self.net_benefit.items()):
            colour, style = series_style(i)
            width, z = 1.6, 2
            if name in (TREAT_ALL, TREAT_NONE):
                colour, style, width, z = "0.55", "-." if name == TREAT_ALL else "-", 1, 1
            (line,) = ax.plot(at, values[order], style, color=colour, label=name)
            line.set(linewidth=width, zorder=z)
        first = next(iter(self.net_benefit))
        band = self._intervals([first], TREAT_NONE, "net_benefit").iloc[order]
        ax.fill_between(at, band["low"], band["high"], color=series_style(0)[0], alpha=0.15, lw=0)
        top = max(0.01, *(values.max() for values in self.net_benefit.values()))
        ax.set_ylim(-0.15 * top, 1.08 * top)  # what lies lower helps nobody
        ax.set_xlabel("Threshold probability, %")
        ax.set_ylabel("Net benefit")
        add_legend(ax, "upper right", "Band: 95 % interval")
        return hide_spines(ax)


def _as_thresholds(thresholds: ArrayLike) -> NDArray[np.float64]:
    try:
        at = np.asarray(thresholds, dtype=float)
    except (TypeError, ValueError):
        raise InputError("thresholds are not numeric; give numbers such as [0.1, 0.2].") from None
    bad = ~((at >= 0) & (at < 1))
    if bad.any() or at.size == 0:
        raise InputError(
            f"thresholds has {bad.sum()} of {at.size} values that are not 0 or more and below 1. "
            "They are probabilities; divide per cents by 100."
        )
    return at


def _moved(
    probability: NDArray[np.float64], positive: NDArray[np.bool_], prevalence: float | None
) -> NDArray[np.float64]:
    if prevalence is None:
        return probability
    return at_prevalence(probability, prevalence, float(positive.mean()))


def _net_benefit(
    positive: NDArray[np.bool_],
    risk: NDArray[np.float64],
    at: NDArray[np.float64],
    prevalence: float | None,
) -> NDArray[np.float64]:
    cases = positive.mean() if prevalence is None else prevalence
    sensitivity, false_positive_rate = (
        1 - np.searchsorted(np.sort(risk[side]), at) / side.sum() for side in (positive, ~positive)
    )
    return cases * sensitivity - (1 - cases) * false_positive_rate * at / (1 - at)
