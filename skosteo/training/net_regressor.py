"""Base class of the regressors of nets: densities in, a mean and a spread for each site out."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from skorch.dataset import Dataset

from skosteo._validation import read_weights
from skosteo.clinical.densities import check_measured, halves, read_densities
from skosteo.clinical.density_regressor import DensityRegressor, spread_factor
from skosteo.nets.gaussian import mean_and_variance
from skosteo.training.fit import Recipe
from skosteo.training.inference import batched_forward
from skosteo.training.net import WEIGHT, GaussianNet, WeightedNet
from skosteo.training.net_estimator import NetEstimator, Plan


class NetRegressor(DensityRegressor, NetEstimator):
    """Base of the regressors of bone density that train one net; see `NetEstimator`.

    The net learns standardised densities. ``spread_factor_``, shape (k,), is what its spreads are
    multiplied by, so that those of rows that it has not learnt from are right.
    """

    spread_factor_: NDArray[np.float64]

    def _gaussian(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean, variance = mean_and_variance(torch.from_numpy(self._outputs(X)))
        std = np.sqrt(variance.numpy()) * self.spread_factor_
        return mean.numpy() * self._scale + self._centre, std * self._scale

    def _read_target(self, y: ArrayLike) -> NDArray:
        densities, self.sites_ = read_densities(y)
        return densities

    def _codes(self, target: NDArray) -> NDArray[np.int64]:
        check_measured(target, self.sites_)
        return halves(target)

    def _check_weights(
        self, sample_weight: ArrayLike | None, X: Any, codes: NDArray
    ) -> NDArray[np.float64]:
        return read_weights(sample_weight, X)

    def _targets(self, plan: Plan) -> tuple[NDArray, NDArray[np.float64]]:
        densities = self._learn_unit(plan.y, plan.weights)
        self.spread_factor_ = np.ones(len(self.sites_))
        return (densities - self._centre) / self._scale, plan.weights / plan.weights.mean()

    def _too_few(self, codes: NDArray) -> str:
        return f"The {len(codes)} rows are too few, or their densities too alike, to set some"

    def _head_parameters(self) -> dict[str, Any]:
        return {"n_outputs": 2 * len(self.sites_)}

    def _recipe(self, batch_size: int, seed: int) -> Recipe:
        return replace(super()._recipe(batch_size, seed), kind=GaussianNet)

    def _conclude(self, net: WeightedNet, valid: Dataset | None) -> None:
        """Correct the spreads by the rows set aside: of an ensemble, by all, out-of-fold."""
        if valid is None:
            return
        inputs = {name: part for name, part in valid.X.items() if name != WEIGHT}
        mean, variance = mean_and_variance(batched_forward(net, net.infer, inputs).double())
        residuals = ((valid.y.double() - mean) / variance.sqrt()).numpy()
        weights = valid.X[WEIGHT].double().numpy()
        self.spread_factor_ = np.array([spread_factor(column, weights) for column in residuals.T])
