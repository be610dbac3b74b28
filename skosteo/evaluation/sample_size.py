"""How many patients it takes to develop a model, and to see on others how good it is."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logit
from scipy.stats import norm

from skosteo.evaluation._scored import as_proportion
from skosteo.evaluation.calibration import curvature
from skosteo.evaluation.metrics import normal_quantile
from skosteo.exceptions import InputError

_OPTIMISM = 0.05  # of Nagelkerke's R2, and half the width of the interval of the prevalence
ALL = "all of these"


def development_sample_size(
    n_parameters: int, prevalence: float, auc: float, shrinkage: float = 0.9
) -> pd.DataFrame:
    r"""Patients that a logistic model of so many parameters needs to be developed.

    .. math::
        n_1 = \frac{P}{(S - 1) \ln(1 - R^2 / S)}, \quad
        n_2 = n_1 \text{ with } S = \frac{R^2}{R^2 + .05 \, R^2_\text{max}}, \quad
        n_3 = \left(\frac{1.96}{.05}\right)^2 \pi (1 - \pi)

    Parameters
    ----------
    n_parameters : int
        :math:`P`: coefficients that are learned or tried, without the intercept: one for a number,
        levels less one for a category, more for splines. Nets and forests need more patients.
    prevalence : float
        :math:`\pi`, proportion of cases expected, above 0 and below 1.
    auc : float
        Area under the ROC curve that is expected, of an earlier model; above .5 and below 1.
    shrinkage : float, default=0.9
        :math:`S`, expected slope of the model on other patients, above 0 and below 1.

    Returns
    -------
    DataFrame
        A row per criterion [1]_ [2]_: "shrinkage", that the slope on other patients is S or
        nearer to 1; "optimism", that Nagelkerke's R2 is too good by .05 at most; "prevalence", that
        the overall risk is known to .05 either side; and "all of these", the greatest. Columns:
        criterion, n (patients), events and events_per_parameter.

    Notes
    -----
    Cox and Snell's :math:`R^2` is that of log odds that are normal among cases and among controls,
    with one spread, and have the stated area [3]_; it is integrated, not simulated.

    References
    ----------
    .. [1] Riley et al. 2019, doi:10.1002/sim.7992
    .. [2] Riley et al. 2020, doi:10.1136/bmj.m441
    .. [3] Riley et al. 2021, doi:10.1002/sim.8806

    Examples
    --------
    >>> from skosteo.evaluation import development_sample_size
    >>> development_sample_size(n_parameters=20, prevalence=0.2, auc=0.8).round(1)
          criterion    n  events  events_per_parameter
    0     shrinkage  882     177                   8.8
    1      optimism  562     113                   5.6
    2    prevalence  246      50                   2.5
    3  all of these  882     177                   8.8
    """
    if not isinstance(n_parameters, int | np.integer) or n_parameters < 1:
        raise InputError(f"n_parameters is {n_parameters!r}; it is a number of them, 1 or more.")
    expected = _Expected.of(prevalence, auc)
    as_proportion(shrinkage, "shrinkage", inside=True)
    at = expected.prevalence
    null = at * np.log(at) + (1 - at) * np.log(1 - at)
    reached = _likelihood(expected)
    r2, greatest = 1 - np.exp(2 * (null - reached)), 1 - np.exp(2 * null)
    if shrinkage <= r2:
        raise InputError(
            f"shrinkage is {shrinkage}, not above the {r2:.3f} of the variation that a model of "
            "this area explains. Give one nearer to 1, such as 0.9."
        )

    def patients(slope: float) -> float:
        return float(n_parameters / ((slope - 1) * np.log(1 - r2 / slope)))

    sizes = {
        "shrinkage": patients(shrinkage),
        "optimism": patients(r2 / (r2 + _OPTIMISM * greatest)),
        "prevalence": (normal_quantile(0.95) / _OPTIMISM) ** 2 * at * (1 - at),
    }
    table = _table(sizes, at)
    table["events_per_parameter"] = at * table["n"] / n_parameters
    return table


def validation_sample_size(
    prevalence: float,
    auc: float,
    *,
    oe_width: float = 0.2,
    slope_width: float = 0.2,
    auc_width: float = 0.1,
) -> pd.DataFrame:
    r"""Patients that show on others, with intervals of a stated width, how good a model is.

    .. math::
        n_\text{O/E} = \frac{1 - \pi}{\pi s^2}, \qquad
        n_\text{slope} = \frac{I_{aa}}{s^2 (I_{aa} I_{bb} - I_{ab}^2)}

    with :math:`s` the standard error that goes with the width, and :math:`I` the information of one
    patient on intercept and slope; for the area, Newcombe's standard error is met [1]_.

    Parameters
    ----------
    prevalence : float
        Proportion of cases among the patients that the model is to be judged on, as in
        `development_sample_size`.
    auc : float
        Area under the ROC curve that is expected there, likewise.
    oe_width, slope_width, auc_width : float, default=0.2, 0.2 and 0.1
        Widths of the 95 % confidence intervals, upper less lower limit: of observed/expected and
        of the calibration slope around 1, and of the area.

    Returns
    -------
    DataFrame
        A row per criterion, "observed/expected", "slope", "AUC" and "all of these", the greatest;
        columns criterion, n (patients) and events. Of a patient with several films each counts
        once.

    Notes
    -----
    The model's log odds are taken as right, and normal among cases and among controls with one
    spread. Where the model's risks for such patients are at hand, `how_many_local_patients` takes
    those; it is asked how many patients an update needs, and its intervals are .4 wide by default.
    An interval twice as wide needs about a quarter of the patients.

    References
    ----------
    .. [1] Riley et al. 2021, doi:10.1002/sim.9025

    Examples
    --------
    >>> from skosteo.evaluation import validation_sample_size
    >>> validation_sample_size(prevalence=0.2, auc=0.8)
               criterion     n  events
    0  observed/expected  1542     309
    1              slope  2671     535
    2                AUC   471      95
    3       all of these  2671     535
    """
    expected = _Expected.of(prevalence, auc)
    sizes = {
        "observed/expected": patients_for_ratio(expected.prevalence, width(oe_width, "oe_width")),
        "slope": patients_for_slope(
            expected.log_odds, expected.log_odds, expected.weight, width(slope_width, "slope_width")
        ),
        "AUC": _patients_for_area(expected.prevalence, auc, width(auc_width, "auc_width")),
    }
    return _table(sizes, expected.prevalence)


def patients_for_ratio(prevalence: float, of_width: float) -> float:
    """Patients for an interval of observed/expected, around 1, of a width."""
    error = np.arcsinh(of_width / 2) / normal_quantile(0.95)
    return float((1 - prevalence) / prevalence / error**2)


def patients_for_slope(
    log_odds: NDArray[np.float64],
    expected: NDArray[np.float64],
    weight: NDArray[np.float64],
    of_width: float,
) -> float:
    """Patients for an interval of the calibration slope of a width.

    The model's log odds, those that are right, and the proportion of patients of each.
    """
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    error = of_width / (2 * normal_quantile(0.95))
    return float(np.linalg.inv(curvature(design, expected, weight))[0, 0] / error**2)


def _patients_for_area(prevalence: float, auc: float, of_width: float) -> float:
    """Patients for an interval of the area, by Newcombe 2006, doi:10.1002/sim.2324, method 4."""
    error = of_width / (2 * normal_quantile(0.95))
    shape = (1 - auc) / (2 - auc) + auc / (1 + auc)
    # area * (1 - area) * (1 + (n / 2 - 1) * shape) = error^2 * n^2 * prevalence * (1 - prevalence)
    a = error**2 * prevalence * (1 - prevalence) / (auc * (1 - auc))
    return float((shape / 2 + np.sqrt(shape**2 / 4 + 4 * a * (1 - shape))) / (2 * a))


class _Expected(NamedTuple):
    """Right log odds, normal in each class, and the proportion of patients that have each."""

    log_odds: NDArray[np.float64]
    weight: NDArray[np.float64]
    prevalence: float

    @classmethod
    def of(cls, prevalence: float, auc: float) -> "_Expected":
        at = as_proportion(prevalence, "prevalence", inside=True)
        if as_proportion(auc, "auc", inside=True) <= 0.5:
            raise InputError(f"auc is {auc!r}; it is an area above .5, which knows something.")
        spread = np.sqrt(2) * norm.ppf(auc)
        z = np.linspace(-9, 9, 2001)
        log_odds = logit(at) + np.concatenate([s * spread**2 / 2 + spread * z for s in (-1, 1)])
        density = norm.pdf(z) / norm.pdf(z).sum()
        return cls(log_odds, np.concatenate([(1 - at) * density, at * density]), at)


def _likelihood(expected: _Expected) -> float:
    """Log likelihood of a patient, on average."""
    risk = expit(expected.log_odds)
    each = risk * log_expit(expected.log_odds) + (1 - risk) * log_expit(-expected.log_odds)
    return float(expected.weight @ each)


def _table(sizes: dict[str, float], prevalence: float) -> pd.DataFrame:
    n = {criterion: int(np.ceil(size)) for criterion, size in sizes.items()}
    n[ALL] = max(n.values())
    table = pd.DataFrame({"criterion": list(n), "n": list(n.values())})
    table["events"] = np.ceil(prevalence * table["n"]).astype(int)
    return table


def width(value: float, name: str) -> float:
    """Take the width of an interval; InputError where it is none."""
    if not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise InputError(f"{name} is {value!r}; it is a width above 0, such as 0.4.")
    return float(value)
