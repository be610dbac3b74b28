"""What the nets of a table share: standardised columns, members that leave other folds aside."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from skosteo._validation import read_numeric
from skosteo.nets.head_ensemble import HeadEnsemble
from skosteo.nets.heads import check_hidden_layer_sizes
from skosteo.splits import member_folds
from skosteo.training.data import Inputs
from skosteo.training.fit import Recipe
from skosteo.training.net_estimator import NetEstimator, Plan

# With few cases the out-of-fold loss errs by chance. Where it rises from the first epochs on, a net
# that stopped there would give every patient nearly the same risk; where it goes on falling by next
# to nothing, risks become extreme.
_MIN_STEPS, _MIN_GAIN = 60, 0.1


class TableNet(NetEstimator):
    """Part of an estimator of small nets on a table of numbers, before a base of its target."""

    hidden_layer_sizes: Sequence[int]
    dropout: float
    n_members: int

    # standard deviations from the mean of `fit` at which values are cut; None: nowhere
    _limit: ClassVar[float | None] = None

    _module_class = HeadEnsemble
    _parameter_constraints: ClassVar[dict] = {
        "n_members": [Interval(Integral, 1, None, closed="left")],
    }

    def _inputs(self, X: Any, *, plan: Plan | None) -> Inputs:
        matrix = read_numeric(
            lambda: validate_data(self, X, reset=plan is not None, dtype=np.float64), X, "X"
        )
        if plan is not None:
            if len(matrix) > 1 and (matrix == matrix[0]).all():
                warnings.warn(
                    f"All {len(matrix)} rows that the net is given are alike: it will give every "
                    "patient the same answer.",
                    UserWarning,
                    stacklevel=5,
                )
            # numbers, whatever scikit-learn is set to put out
            self.scaler_ = StandardScaler().set_output(transform="default").fit(matrix)
        scaled = self.scaler_.transform(matrix)
        if self._limit is not None:
            scaled = scaled.clip(-self._limit, self._limit)
        inputs = {"x": torch.from_numpy(scaled)}
        if plan is not None and plan.valid_on is not None and self.n_members > 1:
            folds = member_folds(plan.codes, plan.groups, self.n_members, plan.seed)
            inputs["fold"] = torch.from_numpy(folds)
        return inputs

    def _split(
        self, codes: NDArray, groups: NDArray | None, seed: int
    ) -> tuple[NDArray, NDArray] | None:
        if self.n_members == 1:
            return super()._split(codes, groups, seed)
        every = np.arange(len(codes))  # each member sees to its own
        return None if member_folds(codes, groups, self.n_members, seed) is None else (every, every)

    def _recipe(self, batch_size: int, seed: int) -> Recipe:
        recipe = super()._recipe(batch_size, seed)
        if self.n_members == 1:
            return recipe
        return replace(recipe, min_steps=_MIN_STEPS, min_gain=_MIN_GAIN)

    def _module_parameters(self, inputs: Inputs) -> dict[str, Any]:
        return {
            "n_features": inputs["x"].shape[1],
            "hidden_layer_sizes": self.hidden_layer_sizes,
            "dropout": self.dropout,
            "n_members": self.n_members,
            **self._head_parameters(),
        }

    def _validate_params(self) -> None:
        super()._validate_params()
        check_hidden_layer_sizes(self.hidden_layer_sizes)
