"""What a fitted estimator of a net is kept as, plain values and arrays, and its net built again."""

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from skorch.history import History
from torch import nn

from skosteo.exceptions import WeightsError
from skosteo.training.fit import Recipe, epochs, make_net
from skosteo.training.net import WeightedNet

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class KeptNet:
    """Part of an estimator that has a net, and is kept without it: its weights are.

    It comes before scikit-learn's `BaseEstimator` among the bases.
    """

    _module_class: ClassVar[type[nn.Module]]
    # parameters of the module, batch_size, seed and dtype
    _built_from: dict[str, Any]
    _weights: dict[str, NDArray]
    device: str

    @abstractmethod
    def _recipe(self, batch_size: int, seed: int) -> Recipe:
        """Return the settings of the net."""

    @cached_property
    def net_(self) -> WeightedNet:
        """The trained net of skorch, which a copy of the estimator builds again at first use."""
        if "_weights" not in vars(self):
            raise AttributeError(f"{type(self).__name__} is not fitted, and has no net_")
        built = self._built_from
        net = rebuild(
            type(self)._module_class,
            built["parameters"],
            self._weights,
            self._recipe(built["batch_size"], built["seed"]),
            built["dtype"],
            getattr(self, "history_", pd.DataFrame()),
        )
        del self._weights
        return net

    def __getstate__(self) -> dict[str, Any]:
        """Parameters, and what was learnt, as plain values and arrays: nothing of torch."""
        return as_plain(super().__getstate__())  # type: ignore[arg-type]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(from_plain(state))  # type: ignore[misc]


def as_plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """State of an estimator without the objects of torch, skorch and pandas in it."""
    state = dict(state)
    net = state.pop("net_", None)
    if net is not None:
        state["_weights"] = {
            name: weight.numpy(force=True) for name, weight in net.module_.state_dict().items()
        }
    if "_built_from" in state:
        # the weights are there, and need not be had from elsewhere again
        untrained = _untrained(state["_built_from"]["parameters"])
        state["_built_from"] = state["_built_from"] | {"parameters": untrained}
    if "history_" in state:
        state["history_"] = {name: c.to_numpy() for name, c in state["history_"].items()}
    optimizer = state.get("optimizer")
    name = getattr(optimizer, "__name__", "")
    if optimizer is not None and getattr(torch.optim, name, None) is optimizer:
        state["optimizer"] = name
    return state


def from_plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """State of an estimator, whose net is yet to be built, from what `as_plain` made of it."""
    state = dict(state)
    if "history_" in state:
        columns = pd.Index(list(state["history_"]), dtype=object)
        state["history_"] = pd.DataFrame(state["history_"]).set_axis(columns, axis=1)
    if isinstance(state.get("optimizer"), str):
        state["optimizer"] = getattr(torch.optim, state["optimizer"])
    return state


def _untrained(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the same module with random weights."""
    return {
        name: False
        if name == "pretrained"
        else _untrained(value)
        if isinstance(value, Mapping)
        else value
        for name, value in parameters.items()
    }


def rebuild(
    module: type[nn.Module],
    parameters: Mapping[str, Any],
    weights: Mapping[str, NDArray],
    recipe: Recipe,
    dtype: str,
    history: pd.DataFrame,
) -> WeightedNet:
    """Build a trained net again from its weights; where there is no GPU, on the CPU.

    Parameters
    ----------
    module, parameters, recipe
        As `train` was given them.
    weights : mapping of str to ndarray
        State dict of the trained module.
    dtype : {"float32", "float64"}
        Type of its weights.
    history : DataFrame
        As `train` returned it.

    Returns
    -------
    Net
        Ready to predict and to be trained on.

    Raises
    ------
    WeightsError
        The weights are not those of such a module, or not finite.
    """
    on_cpu = recipe.device == "auto" or recipe.device.startswith("cpu")
    if not (on_cpu or torch.cuda.is_available()):
        warnings.warn(
            f"The model was set to device={recipe.device!r}, and torch sees no GPU here: it "
            "computes on the CPU. Set device='auto' to choose so by itself.",
            UserWarning,
            stacklevel=4,
        )
        recipe = replace(recipe, device="cpu")
    if dtype not in _DTYPES:
        raise WeightsError(f"The weights are said to be {dtype!r}: allowed are {[*_DTYPES]}.")
    net = make_net(module, parameters, recipe, _DTYPES[dtype])
    _check_weights(weights, module, net.get_params_for("module"))
    net.initialize()
    # a copy: arrays that another process shares cannot be written to
    net.module_.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    net.module_.eval()
    net.history, net.train_split = History(epochs(history)), None
    for group in net.optimizer_.param_groups:  # where the schedule goes on from
        group.setdefault("initial_lr", group["lr"])
    return net


def _check_weights(
    weights: Mapping[str, NDArray], module: type[nn.Module], parameters: Mapping[str, Any]
) -> None:
    """Refuse weights that do not fit, before memory is taken for a module of the size said."""
    with torch.device("meta"):
        wanted = module(**parameters).state_dict()
    for name in {**wanted, **weights}:
        shapes = [of[name].shape if name in of else None for of in (weights, wanted)]
        if shapes[0] is None or shapes[1] is None or tuple(shapes[0]) != tuple(shapes[1]):
            raise WeightsError(
                f"The weights do not fit the net: {name!r} is {_shape(shapes[0])} and should be "
                f"{_shape(shapes[1])}. Load the file that was saved, with its release of skosteo."
            )
        if weights[name].dtype.kind == "f" and not np.isfinite(weights[name]).all():
            raise WeightsError(
                f"The weights {name!r} are not finite: the net would answer nothing. Fit again."
            )


def _shape(shape: Sequence[int] | None) -> str:
    return "not there" if shape is None else " x ".join(map(str, shape)) or "one number"
