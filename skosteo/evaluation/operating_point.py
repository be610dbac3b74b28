"""Operating points: the threshold from which on a row is predicted positive."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skosteo.evaluation._scored import Scored, as_probability, as_proportion
from skosteo.exceptions import InputError


class OperatingPoint(NamedTuple):
    """What `operating_point` returns, and explains."""

    threshold: float
    sensitivity: float
    specificity: float
    rule: str
    tp: int
    fp: int
    tn: int
    fn: int


def operating_point(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
) -> OperatingPoint:
    """Choose the threshold by Youden's index, or for a sensitivity or specificity asked for.

    Choose it on training or validation rows and carry it to the test rows: chosen on the rows that
    are reported, it makes sensitivity and specificity too good.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    y_prob : array-like of shape (n,) or (n, 2)
        Probability of the positive class, or both columns of ``predict_proba``; of a training
        fold, out-of-fold ones.
    sensitivity : float, default=None
        At least this sensitivity, at the highest specificity that goes with it.
    specificity : float, default=None
        At least this specificity, at the highest sensitivity that goes with it. With neither,
        Youden's index (sensitivity + specificity - 1) is the greatest [1]_; both are refused.

    Returns
    -------
    OperatingPoint
        ``threshold``: rows with at least this probability are predicted positive; ``rule``, what it
        was chosen by, in words; ``sensitivity``, ``specificity`` and the counts ``tp``, ``fp``,
        ``tn`` and ``fn`` on the rows that it was chosen on: too good to be reported.

    Notes
    -----
    The threshold lies midway between two probabilities that occur (with 0 below the lowest and 1
    above the highest), so that rounding does not move a row across. Of points with the same
    Youden's index, the one of the higher sensitivity is taken. Where too many negative rows have
    probability 1, no threshold may reach a specificity: an InputError.

    References
    ----------
    .. [1] Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3

    Examples
    --------
    >>> from skosteo.evaluation import operating_point
    >>> y, p = [0, 0, 0, 1, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9]
    >>> point = operating_point(y, p, specificity=1)
    >>> print(f"{point.threshold:.2f}: {point.tp} true and {point.fp} false positives")
    0.55: 3 true and 0 false positives
    """
    rows = Scored.of_scores(y_true, y_prob, check=as_probability)
    if sensitivity is not None and specificity is not None:
        raise InputError(
            "operating_point takes a sensitivity or a specificity, not both: one threshold cannot "
            "be chosen for two aims."
        )
    value, code = np.unique(rows.score, return_inverse=True)
    # Predicted positive from each value upward, and lastly nobody
    tp, fp = (
        np.append(np.cumsum(np.bincount(code, side)[::-1])[::-1], 0)
        for side in (rows.positive, ~rows.positive)
    )
    sensitivities, specificities = tp / tp[0], 1 - fp / fp[0]
    if value[-1] == 1:  # no probability is above 1, so somebody is always predicted positive
        sensitivities, specificities = sensitivities[:-1], specificities[:-1]
    if sensitivity is not None:
        target = _above_0(sensitivity, "sensitivity")
        at, rule = np.flatnonzero(sensitivities >= target - 1e-12)[-1], f"sensitivity of {target:g}"
    elif specificity is not None:
        target = _above_0(specificity, "specificity")
        enough = np.flatnonzero(specificities >= target - 1e-12)
        if len(enough) == 0:
            raise InputError(
                f"No threshold has a specificity of {target:g}: {fp[len(specificities) - 1]:.0f} "
                f"of {fp[0]:.0f} negative rows have probability 1. Ask for less, or calibrate the "
                "model so that it is not certain."
            )
        at, rule = enough[0], f"specificity of {target:g}"
    else:
        at, rule = (sensitivities + specificities).round(12).argmax(), "Youden's index"
    below, above = np.append(0.0, value)[at], np.append(value, 1.0)[at]
    middle = (below + above) / 2
    threshold = above if middle <= below else middle
    cells = int(tp[at]), int(fp[at]), int(fp[0] - fp[at]), int(tp[0] - tp[at])
    reached = float(sensitivities[at]), float(specificities[at])
    return OperatingPoint(float(threshold), *reached, rule, *cells)


def _above_0(value: float, name: str) -> float:
    proportion = as_proportion(value, name)
    if proportion == 0:
        raise InputError(f"{name} is 0, which every threshold has; give a proportion above 0.")
    return proportion
