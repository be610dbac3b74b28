"""What every regressor of bone density answers: means, spreads, intervals and probabilities."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags

from skosteo._validation import read_weights
from skosteo.clinical.densities import check_sites, read_densities
from skosteo.exceptions import InputError

# A threshold so many standard deviations from the mean is of another unit
_FAR = 5
# What spreads are corrected by: intervals of this coverage; and so many rows, as if their spreads
# were right, beside those measured
_COVERAGE, _PRIOR_ROWS = 0.9, 10


class DensityRegressor(RegressorMixin):
    """Part of a regressor of bone density that knows a mean and a standard deviation of each row.

    A subclass says which (`_gaussian`), and learns by `_learn_unit` what it was fitted on.
    """

    sites_: list[str]
    # mean and standard deviation of the densities given to `fit`: shape (k,)
    _centre: NDArray[np.float64]
    _scale: NDArray[np.float64]
    _one_site: bool

    def _learn_unit(
        self, densities: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Learn mean and standard deviation of each site; return the densities as (n, k)."""
        self._one_site = densities.ndim == 1
        table = densities.reshape(len(densities), -1)
        check_sites(table, self.sites_)
        weight = weights[:, None] * ~np.isnan(table)
        weight = weight / weight.sum(axis=0)
        self._centre = (weight * np.nan_to_num(table)).sum(axis=0)
        scale = np.sqrt((weight * np.nan_to_num(table - self._centre) ** 2).sum(axis=0))
        self._scale = np.where(scale > 0, scale, 1.0)
        return table

    def _gaussian(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each row and site: shape (n, k)."""
        raise NotImplementedError

    def _shaped(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers (n, k) in the shape that y had in `fit`."""
        return numbers[:, 0] if self._one_site else numbers

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict densities, in the unit of `fit`.

        Parameters
        ----------
        X : DataFrame or array-like of n rows
            As in `fit`.
        return_std : bool, default=False
            Whether to return standard deviations too.

        Returns
        -------
        mean : ndarray of shape (n,), or (n, k) of k sites
            Expected density.
        std : ndarray of the same shape
            How far a patient's density is expected to lie from it. Only with ``return_std``.
        """
        mean, std = map(self._shaped, self._gaussian(X))
        return (mean, std) if return_std else mean

    def predict_interval(
        self, X: Any, coverage: float = 0.9
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict intervals that hold the density of so many patients.

        Parameters
        ----------
        X : DataFrame or array-like of n rows
            As in `fit`.
        coverage : float, default=0.9
            Proportion of patients whose density lies inside, above 0 and below 1.

        Returns
        -------
        lower : ndarray of shape (n,), or (n, k) of k sites
            Lower limits, in the unit of `fit`.
        upper : ndarray of shape (n,), or (n, k) of k sites
            Upper limits, likewise.
        """
        if isinstance(coverage, bool) or not isinstance(coverage, Real) or not 0 < coverage < 1:
            raise InputError(f"coverage={coverage!r}: allowed is a number above 0 and below 1.")
        mean, std = self.predict(X, return_std=True)
        half = norm.ppf((1 + float(coverage)) / 2) * std
        return mean - half, mean + half

    def probability_below(self, X: Any, threshold: float = -2.5) -> NDArray[np.float64]:
        """Probability that a patient's density or T-score is the threshold or less.

        Parameters
        ----------
        X : DataFrame or array-like of n rows
            As in `fit`.
        threshold : float, default=-2.5
            In the unit of `fit`: -2.5 is osteoporosis where it was given T-scores.

        Returns
        -------
        ndarray of shape (n,), or (n, k) of k sites
            Probabilities, 0 to 1.

        Raises
        ------
        InputError
            The threshold lies where no density of `fit` can have been: it is of another unit.
        """
        if isinstance(threshold, bool) or not isinstance(threshold, Real):
            raise InputError(f"threshold={threshold!r}: allowed is a number, such as -2.5.")
        mean, std = self.predict(X, return_std=True)
        far = ~(np.abs(float(threshold) - self._centre) <= _FAR * self._scale)
        if far.any():
            site = int(np.flatnonzero(far)[0])
            raise InputError(
                f"threshold={threshold!r} is far from what the model was fitted on: "
                f"{self.sites_[site]!r} had a mean of {self._centre[site]:.3g} and a standard "
                f"deviation of {self._scale[site]:.3g}. Give the threshold in that unit; -2.5 is "
                "meant for T-scores."
            )
        return norm.cdf((float(threshold) - mean) / std)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Coefficient of determination R2, of several sites their mean, each where it is measured.

        Parameters
        ----------
        X : DataFrame or array-like of n rows
            As in `fit`.
        y : array-like of shape (n,), or (n, k) of k sites
            Densities, NaN where one was not measured.
        sample_weight : array-like of shape (n,), optional
            Not negative.

        Returns
        -------
        float
            1 at best; 0 for a model that gives every patient the mean.
        """
        predicted = self.predict(X)
        true = read_densities(y)[0].reshape(len(predicted), -1)
        weights = read_weights(sample_weight, X)
        scores = []
        for j, said in enumerate(predicted.reshape(true.shape).T):
            rows = ~np.isnan(true[:, j])
            scores.append(r2_score(true[rows, j], said[rows], sample_weight=weights[rows]))
        return float(np.mean(scores))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def spread_factor(residuals: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return what spreads are multiplied by for their 90 % intervals to hold 90 % of the rows.

    Standardised residuals of real densities have a longer tail on one side: their standard
    deviation would make the intervals too wide.
    """
    measured = ~np.isnan(residuals)
    found, weights = np.abs(residuals[measured]), weights[measured]
    expected = norm.ppf(0.5 + np.arange(0.5, _PRIOR_ROWS) / (2 * _PRIOR_ROWS))
    found = np.append(found, expected)
    weights = np.append(weights, np.full(_PRIOR_ROWS, weights.mean() if len(weights) else 1.0))
    limit = np.quantile(found, _COVERAGE, weights=weights, method="inverted_cdf")
    return float(limit / norm.ppf((1 + _COVERAGE) / 2))
