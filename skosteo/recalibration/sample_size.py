"""How many patients of another hospital it takes to see whether a model's risks hold there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit

from skosteo._validation import logits
from skosteo.evaluation._scored import as_probability, as_proportion
from skosteo.evaluation.calibration import ALL_ALIKE
from skosteo.evaluation.sample_size import patients_for_ratio, patients_for_slope, width
from skosteo.exceptions import InputError
from skosteo.recalibration.classifier import edge


class LocalPatients(NamedTuple):
    """What `how_many_local_patients` returns, and explains."""

    intercept: int
    slope: int
    cases: float

    def __repr__(self) -> str:
        return (
            f"Local patients wanted: {self.intercept:,} for an intercept, {self.slope:,} for a "
            f"slope; about {self.cases:,.0f} of the greater number with the outcome."
        )


def how_many_local_patients(
    y_prob: ArrayLike,
    *,
    prevalence: float | None = None,
    oe_width: float = 0.4,
    slope_width: float = 0.4,
) -> LocalPatients:
    r"""Patients that `update_model` needs to place a model's risks, from the risks alone.

    .. math::
        n_\text{intercept} = \frac{1 - \pi}{\pi \, s_\text{OE}^2}, \qquad
        n_\text{slope} = \frac{I_{aa}}{s_b^2 \, (I_{aa} I_{bb} - I_{ab}^2)}

    with :math:`s` the standard errors of the logarithm of observed/expected and of the calibration
    slope that go with the widths, and :math:`I` the information of one patient on the intercept
    (a) and slope (b), the mean over the distribution of the log odds :math:`l` of
    :math:`p (1 - p)`, :math:`l^2 p (1 - p)` and :math:`l p (1 - p)` [1]_.

    Parameters
    ----------
    y_prob : array-like of shape (n,) or (n, 2)
        The model's probabilities for patients like the local ones, whose outcome need not be known:
        100 or more. Where there are none yet, out-of-fold ones of its own patients.
    prevalence : float, default=None
        Proportion of cases expected there, above 0 and below 1; None: the mean of ``y_prob``. The
        risks are moved to it by one number on the log odds, as an intercept moves them.
    oe_width, slope_width : float, default=0.4
        Width of the 95 % confidence interval, upper less lower limit, of observed/expected and of
        the slope, around 1: .4 is about .8 to 1.2.

    Returns
    -------
    LocalPatients
        ``intercept``, the patients for an update of the intercept; ``slope``, for one of the slope;
        an update of both takes the greater of the two. ``cases``, how many of that greater number
        are expected to be cases. Of patients with several films each counts once.

    Raises
    ------
    InputError
        Probabilities, prevalence or widths are none, or all probabilities are the same.

    Notes
    -----
    To see how good a model is takes more: `skosteo.evaluation.validation_sample_size`, by the same
    formulas, wants intervals half as wide by default, and asks for the AUC too.

    References
    ----------
    .. [1] Riley et al. 2021, doi:10.1002/sim.9025

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo import how_many_local_patients
    >>> risks = 1 / (1 + np.exp(1 - np.random.default_rng(0).normal(size=1000)))
    >>> how_many_local_patients(risks)
    Local patients wanted: 235 for an intercept, 787 for a slope; about 231 of ... outcome.
    """
    risks = np.asarray(y_prob)
    if risks.size == 0:
        raise InputError("y_prob is empty; give the model's probabilities for local patients.")
    risks = as_probability(risks, len(np.atleast_1d(risks)))
    log_odds = logits(risks, edge(risks))
    if np.ptp(log_odds) < ALL_ALIKE:
        raise InputError(
            "y_prob has one value in all rows, so that no number of patients shows a slope. Give "
            "the model's probabilities for patients like the local ones."
        )
    expected = _moved(log_odds, prevalence)
    cases = float(expit(expected).mean())
    for_intercept = patients_for_ratio(cases, width(oe_width, "oe_width"))
    alike = np.full(len(log_odds), 1 / len(log_odds))
    for_slope = patients_for_slope(log_odds, expected, alike, width(slope_width, "slope_width"))
    numbers = int(np.ceil(for_intercept)), int(np.ceil(for_slope))
    return LocalPatients(*numbers, max(numbers) * cases)


def _moved(log_odds: NDArray[np.float64], prevalence: float | None) -> NDArray[np.float64]:
    """Log odds moved by one number so that the mean risk is the prevalence."""
    if prevalence is None:
        return log_odds
    stated = as_proportion(prevalence, "prevalence", inside=True)
    far = np.abs(log_odds).max() + 40
    return log_odds + brentq(lambda c: expit(log_odds + c).mean() - stated, -far, far)
