"""Decision curves: the net benefit of acting on a model, beside treating all or none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._plotting import add_legend, hide_spines, make_axes, series_style, with_more_fonts
from skosteo.evaluation._scored import Scored, as_probability
from skosteo.evaluation.calibration import at_prevalence
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
    return _net_benefit(rows.positive, rows.score, _as_thresholds(thresholds), prevalence)


def decision_curve(
    y_true: ArrayLike,
    y_prob: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame,
    thresholds: ArrayLike | None = None,
    prevalence: float | None = None,
) -> "DecisionCurve":
    """Net benefit of one or several models over thresholds, beside treating all and none.

    Parameters
    ----------
    y_true, y_prob
        As in `evaluate`; no model is called "treat all" or "treat none".
    thresholds : array-like of shape (n_thresholds,), default=None
        As in `net_benefit`. None takes .01, .02, ..., .99. Report the range at which patients and
        doctors would really decide.
    prevalence : float, default=None
        As in `net_benefit`.

    Returns
    -------
    DecisionCurve
        With ``frame()`` and ``plot()``.

    Notes
    -----
    A model is worth using at thresholds where its curve is above both references. At a stated
    prevalence the probabilities are moved to it, as `net_benefit` says. The curves have
    no intervals: where two are close, use `bootstrap_interval` of their difference at the
    threshold of interest.

    Examples
    --------
    >>> from skosteo.evaluation import decision_curve
    >>> curve = decision_curve([0, 0, 0, 1, 1], [0.1, 0.4, 0.2, 0.3, 0.9], [0.25])
    >>> curve.frame().round(3)
            model  threshold  net_benefit
    0       model       0.25        0.333
    1   treat all       0.25        0.200
    2  treat none       0.25        0.000
    """
    scored = Scored.of_models(y_true, y_prob)
    taken = {TREAT_ALL, TREAT_NONE} & set(scored.models)
    if taken:
        raise InputError(f"y_prob names a model {taken.pop()!r}, which is a reference; rename it.")
    at = _as_thresholds(np.arange(1, 100) / 100 if thresholds is None else thresholds).ravel()
    models = scored.models | {TREAT_ALL: np.ones(len(scored.positive))}
    curves = {name: _net_benefit(scored.positive, p, at, prevalence) for name, p in models.items()}
    curves[TREAT_NONE] = np.zeros(len(at))  # also at threshold 0, where probability 0 reaches it
    return DecisionCurve(at, curves)


class DecisionCurve:
    """Net benefit over thresholds; made by `decision_curve`.

    Attributes
    ----------
    thresholds : ndarray of shape (n_thresholds,)
    net_benefit : dict of str to ndarray of shape (n_thresholds,)
        By model, then of treating all and none.
    """

    def __init__(self, thresholds: NDArray, net_benefit: dict[str, NDArray]) -> None:
        self.thresholds = thresholds
        self.net_benefit = net_benefit

    def frame(self) -> pd.DataFrame:
        """Return a row per model and threshold; "treat all" and "treat none" are models too."""
        parts = [
            pd.DataFrame({"model": name, "threshold": self.thresholds, "net_benefit": values})
            for name, values in self.net_benefit.items()
        ]
        return pd.concat(parts, ignore_index=True)

    @with_more_fonts
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
        top = max(0.01, *(values.max() for values in self.net_benefit.values()))
        ax.set_ylim(-0.15 * top, 1.08 * top)  # what lies lower helps nobody
        ax.set_xlabel("Threshold probability, %")
        ax.set_ylabel("Net benefit")
        add_legend(ax, "upper right", None)
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


def _net_benefit(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    at: NDArray[np.float64],
    prevalence: float | None,
) -> NDArray[np.float64]:
    cases = positive.mean()
    if prevalence is not None:
        probability, cases = at_prevalence(probability, prevalence, cases), prevalence
    sensitivity, false_positive_rate = (
        1 - np.searchsorted(np.sort(probability[side]), at) / side.sum()
        for side in (positive, ~positive)
    )
    return cases * sensitivity - (1 - cases) * false_positive_rate * at / (1 - at)
