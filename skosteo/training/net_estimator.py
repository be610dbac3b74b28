"""Base class of the estimators of nets: from targets, weights and patients to a trained net."""

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from skorch.dataset import Dataset

from skosteo._validation import (
    check_groups,
    guess,
    to_pandas,
    unchanged_on_error,
)
from skosteo.exceptions import InputError, SkosteoError, renumbered
from skosteo.splits import validation_split
from skosteo.training.callbacks import ScikitLearnCallbacks, check_callbacks
from skosteo.training.data import Inputs, take
from skosteo.training.fit import Recipe, resolve_device, train
from skosteo.training.inference import predict_logits
from skosteo.training.net import WEIGHT, WeightedNet
from skosteo.training.net_state import KeptNet

_ROWS_EMBEDDED_AT_A_TIME = 1024
# Parameters of skorch's net that may be given beside those of the estimator. scikit-learn's checks
# set every name of a signature, the ``**module__params`` that takes these included: hence its name.
_SKORCH = ("module__", "optimizer__", "callbacks__")


@dataclass(frozen=True)
class Plan:
    """The rows of a fit, checked: what every step of it needs to know.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        Positions of the rows that count in the user's table, of ``n_rows``.
    n_rows : int
        Rows of the user's table.
    y : ndarray of shape (n,) or (n, k)
        Labels as the user has them, or densities.
    codes : ndarray of shape (n,)
        0 and 1: the class, or the half of the densities. Both are on each side of a split.
    weights : ndarray of shape (n,)
        Sample weights, above 0.
    groups : ndarray of shape (n,) or None
        Codes of the patients.
    train_on, valid_on : ndarray
        Positions of the training rows, and of those of early stopping, or None.
    seed : int
        Of all that is random.
    """

    rows: NDArray[np.intp]
    n_rows: int
    y: NDArray
    codes: NDArray[np.int64]
    weights: NDArray[np.float64]
    groups: NDArray | None
    train_on: NDArray
    valid_on: NDArray | None
    seed: int


class NetEstimator(KeptNet, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators that train one net.

    A subclass says what y is (`_read_target`, `_targets`), how X becomes the inputs of a net
    (`_inputs`) and which net that is (`_module_class`, `_module_parameters`).
    """

    history_: pd.DataFrame
    # patients reach the early-stopping split wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "dropout": [Interval(Real, 0, 1, closed="left")],
        # a step below that is lost when it is added to a weight in single precision
        "lr": [Interval(Real, 1e-8, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _inputs(self, X: Any, *, plan: Plan | None) -> Inputs:
        """Check X and return the inputs of the net; with a plan, learn what X looks like."""

    @abstractmethod
    def _module_parameters(self, inputs: Inputs) -> dict[str, Any]:
        """Return the parameters of the module for these inputs."""

    @abstractmethod
    def _read_target(self, y: ArrayLike) -> NDArray:
        """Check y, learn what it is of, and return it as an array."""

    @abstractmethod
    def _codes(self, target: NDArray) -> NDArray[np.int64]:
        """Return the codes of `Plan` for such rows."""

    @abstractmethod
    def _check_weights(
        self, sample_weight: ArrayLike | None, X: Any, codes: NDArray
    ) -> NDArray[np.float64]:
        """Weights (n,), ones by default; enough rows must keep a weight above 0."""

    @abstractmethod
    def _targets(self, plan: Plan) -> tuple[NDArray, NDArray[np.float64]]:
        """Return what the net is to say of each row, and the weight of the row in the loss."""

    @abstractmethod
    def _too_few(self, codes: NDArray) -> str:
        """Say, in the half of a sentence, that no rows can be set aside."""

    def _head_parameters(self) -> dict[str, Any]:
        """Return the parameters of the module that say what it answers; none: a logit."""
        return {}

    def _prepare_net(self, net: WeightedNet, plan: Plan, weights: NDArray[np.float64]) -> None:
        """Change the net before it is trained on rows of these weights."""

    def _conclude(self, net: WeightedNet, valid: Dataset | None) -> None:
        """Learn from the rows set aside what remains to be learnt, once the net is trained."""

    def _split(
        self, codes: NDArray, groups: NDArray | None, seed: int
    ) -> tuple[NDArray, NDArray] | None:
        """Rows to train on and rows of early stopping; None where they are too few."""
        return validation_split(codes, groups, self.validation_fraction, seed)

    def _embeds(self) -> bool:
        """Whether `_embed` replaces the inputs before training and prediction."""
        return False

    def _embed(self, net: WeightedNet, inputs: Inputs) -> Inputs:
        """Return what a frozen part of the net makes of the inputs."""
        raise NotImplementedError

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the net.

        Parameters
        ----------
        X : DataFrame or array-like
            As the class says; tables of pandas, polars or pyarrow.
        y : array-like of shape (n,), or (n, k) of a regressor
            Two classes, of which the second in sorted order is the positive one; of a regressor
            densities or T-scores, of k sites with NaN where one was not measured.
        sample_weight : array-like of shape (n,), optional
            Not negative. Rows of weight 0 are left out altogether.
        groups : array-like of shape (n,), optional
            Patient of each row: no patient is on both sides of the early-stopping split.
            Cross-validation and searches pass it on only after
            ``sklearn.set_config(enable_metadata_routing=True)``:
            ``cross_validate(..., params={"groups": ...})``, ``search.fit(X, y, groups=...)``.

        Returns
        -------
        self
            Fitted. A fit that fails, or is interrupted, leaves the estimator as it was.

        Raises
        ------
        InputError
            Anything about X, y, weights, groups or parameters that cannot be worked with.
        TrainingError
            The loss is not finite.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups)

    @with_callbacks
    def _fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        self._validate_params()
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        arguments = {"estimator": self, "X": X, "y": y, "metadata": metadata}
        context.call_on_fit_task_begin(**arguments)

        X, plan = self._plan(to_pandas(X), y, sample_weight, groups)
        target, weights = self._targets(plan)
        try:
            inputs = self._inputs(X, plan=plan)
        except SkosteoError as error:
            raise renumbered(error, plan.rows, plan.n_rows) from None
        # the net of a table computes in double precision
        floats = [part.dtype for part in inputs.values() if part.dtype.is_floating_point]
        dtype = torch.float64 if torch.float64 in floats else torch.float32
        label = torch.tensor(target, dtype=dtype)
        weight = torch.tensor(weights, dtype=dtype)

        def rows(index: NDArray | None) -> Dataset | None:
            if index is None:
                return None
            return Dataset(take({**inputs, WEIGHT: weight}, torch.from_numpy(index)), label[index])

        self._is_embedded = self._embeds()
        batch_size = self._clipped_batch_size(len(plan.train_on))
        self._built_from = {
            "parameters": self._module_parameters(inputs),
            "batch_size": batch_size,
            "seed": plan.seed,
            "dtype": str(dtype).removeprefix("torch."),
        }
        bridge = []
        if hasattr(self, "_skl_callbacks"):
            bridge = [ScikitLearnCallbacks(context, arguments, lambda net: {"net_": net})]
        self.net_, self.history_ = train(
            self._module_class,
            self._built_from["parameters"],
            rows(plan.train_on),
            rows(plan.valid_on),
            self._recipe(batch_size, plan.seed),
            prepare=lambda net: self._prepare_net(net, plan, weights),
            embed=self._embed if self._is_embedded else None,
            conclude=self._conclude,
            own_callbacks=bridge,
        )
        self.n_iter_ = len(self.history_)
        context.call_on_fit_task_end(**arguments, reconstruction_attributes={})
        return self

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Return what the net says of each row: shape (n, ...)."""
        inputs = self.net_inputs(X)
        if not self._is_embedded:
            return predict_logits(self.net_, inputs)
        # in parts: an embedding may be larger than its image
        n, size = len(next(iter(inputs.values()))), _ROWS_EMBEDDED_AT_A_TIME
        parts = (take(inputs, slice(start, start + size)) for start in range(0, n, size))
        return np.concatenate(
            [predict_logits(self.net_, self._embed(self.net_, part)) for part in parts]
        )

    def net_inputs(self, X: Any) -> Inputs:
        """Return the inputs of ``net_`` for X: a dict of tensors of n rows.

        Of a classifier, ``net_.predict_proba(model.net_inputs(X))`` is ``model.predict_proba(X)``.
        """
        check_is_fitted(self)
        return self._inputs(to_pandas(X), plan=None)

    def _plan(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[Any, Plan]:
        """Rows of X that count, and the plan of the fit."""
        target = self._read_target(y)
        codes = self._codes(target)
        check_consistent_length(X, codes)
        patients = check_groups(groups, len(codes))
        weights = self._check_weights(sample_weight, X, codes)
        used, n_rows = np.flatnonzero(weights > 0), len(codes)
        if len(used) < n_rows:
            X, target, weights = _safe_indexing(X, used), target[used], weights[used]
            codes = self._codes(target)
            patients = None if patients is None else patients[used]
        # sklearn's convention: None draws the seed from numpy's global generator
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        train_on, valid_on = np.arange(len(codes)), None
        if self.early_stopping:
            split = self._split(codes, patients, seed)
            if split is None:
                warnings.warn(
                    f"{self._too_few(codes)} aside for early stopping. All {self.max_epochs} "
                    "epochs are run on all rows.",
                    UserWarning,
                    stacklevel=5,
                )
            else:
                train_on, valid_on = split
        plan = Plan(
            rows=used,
            n_rows=n_rows,
            y=target,
            codes=codes,
            weights=weights,
            groups=patients,
            train_on=train_on,
            valid_on=valid_on,
            seed=seed,
        )
        return X, plan

    def _clipped_batch_size(self, n_rows: int) -> int:
        """Rows a step: no more than the data."""
        if self.batch_size > n_rows:
            warnings.warn(
                f"batch_size={self.batch_size} is more than the {n_rows} rows to train on, and is "
                "clipped to their number.",
                UserWarning,
                stacklevel=5,
            )
        return min(int(self.batch_size), n_rows)

    def _recipe(self, batch_size: int, seed: int) -> Recipe:
        """Return the settings of the training."""
        return Recipe(
            lr=self.lr,
            batch_size=batch_size,
            max_epochs=int(self.max_epochs),
            n_iter_no_change=self.n_iter_no_change,
            device=self.device,
            verbose=self.verbose,
            seed=seed,
            name=type(self).__name__,
            optimizer=self.optimizer,
            callbacks=list(self.callbacks or ()),
            further=self._skorch_params(),
        )

    def _validate_params(self) -> None:
        """Refuse wrong parameters, before anything is read."""
        is_class = isinstance(self.optimizer, type)
        if not is_class or not issubclass(self.optimizer, torch.optim.Optimizer):
            raise InputError(
                f"optimizer={self.optimizer!r}: allowed is a class of torch.optim, such as "
                "torch.optim.Adam."
            )
        try:
            validate_parameter_constraints(
                self._parameter_constraints, self.get_params(deep=False), type(self).__name__
            )
        except InvalidParameterError as error:
            raise InputError(str(error)) from None
        resolve_device(self.device)
        check_callbacks(self.callbacks or ())
        takers = {"module__": self._module_class, "optimizer__": self.optimizer}
        for prefix, taker in takers.items():
            allowed = {n for cls in taker.__mro__ for n in signature(cls.__init__).parameters}
            if prefix == "optimizer__":
                allowed.add("param_groups")  # skorch's own
            for name in self._skorch_params():
                inner = name.removeprefix(prefix)
                if name.startswith(prefix) and inner not in allowed:
                    raise InputError(
                        f"{name}: {taker.__name__} has no parameter {inner!r}"
                        f"{guess(inner, allowed)} Leave it out, or correct it."
                    )

    def _set_skorch_params(self, params: Mapping[str, Any]) -> None:
        """Keep the parameters of skorch's net, such as ``optimizer__weight_decay``."""
        for name, value in params.items():
            if not name.startswith(_SKORCH):
                raise TypeError(
                    f"{type(self).__name__} has no parameter {name!r}"
                    f"{guess(name, super().get_params(deep=False))} Those of skorch's net begin "
                    f"with {', '.join(_SKORCH)}."
                )
            setattr(self, name, value)

    def _skorch_params(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name.startswith(_SKORCH)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, those of skorch's net included: see scikit-learn."""
        return super().get_params(deep) | self._skorch_params()

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of skorch's net included: see scikit-learn."""
        of_skorch = {name: v for name, v in params.items() if name.startswith(_SKORCH)}
        self._set_skorch_params(of_skorch)
        super().set_params(**{name: v for name, v in params.items() if name not in of_skorch})
        return self
