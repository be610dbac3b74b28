"""skorch's nets for classes and densities, with weights of rows and a generator of their own."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetRegressor
from torch import Tensor

from skosteo.nets.gaussian import GaussianLoss
from skosteo.nets.randomness import initialised_from
from skosteo.training.data import Batches

# Beside the inputs of the module: the weight of each row in the loss.
WEIGHT = "sample_weight"


class WeightedNet(NeuralNet):
    """Part of a net of skorch whose rows may have weights; it comes before one of skorch's own.

    Parameters
    ----------
    module : class
        A torch module from inputs to outputs (n, ...), in training perhaps (n, n_members, ...). One
        that ``wants_target`` is given the targets and, in a last column, the weights in training.
    seed : int, default=0
        Of the initial weights, which leave torch's global generator untouched.
    dtype : torch.dtype, default=torch.float32
        Of the weights.
    *args, **kwargs
        See `skorch.NeuralNet`.

    Notes
    -----
    X is what the module's ``forward`` takes: a tensor, or a dict of tensors by the names of its
    arguments, which may hold ``sample_weight`` of shape (n,) beside them. The loss of a batch is
    the sum of its weighted losses over its size, as Keras does.
    """

    # loss of a net that knows nothing of the rows, and how many times as much is too much
    guessing: ClassVar[float]
    tolerated: ClassVar[float]
    # callbacks that enter the losses
    scores: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        module: Any,
        *args: Any,
        criterion__reduction: str = "none",
        iterator_train: Any = Batches,
        iterator_train__shuffle: bool = True,
        iterator_valid: Any = Batches,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            *args,
            criterion__reduction=criterion__reduction,
            iterator_train=iterator_train,
            iterator_train__shuffle=iterator_train__shuffle,
            iterator_valid=iterator_valid,
            **kwargs,
        )
        self.seed, self.dtype = seed, dtype

    def initialize_module(self) -> "WeightedNet":
        """Make the module, with weights from the seed."""
        with initialised_from(torch.Generator().manual_seed(self.seed)):
            super().initialize_module()
        self.module_.to(self.dtype)
        return self

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Apply the module; in training on a GPU in bfloat16, where autocast allows it.

        skorch's net for two classes refuses logits of more than one column, as members have.
        """
        if isinstance(x, Mapping):
            x = {name: part for name, part in x.items() if name != WEIGHT}
        if not (self.module_.training and str(self.device).startswith("cuda")):
            return NeuralNet.infer(self, x, **fit_params)
        with torch.autocast("cuda", torch.bfloat16):
            return NeuralNet.infer(self, x, **fit_params)

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Any:
        """Mean over the batch, and over members, of the weighted losses."""
        loss = self.row_losses(y_pred.to(y_true.dtype), y_true)
        weight = X.get(WEIGHT) if isinstance(X, Mapping) else None
        if weight is not None and loss.ndim > 1:
            weight = weight[:, None]
        return (loss if weight is None else loss * weight).mean()

    def row_losses(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Loss of each row (n,), or of each member's answer to it (n, n_members)."""
        return self.criterion_(y_pred, y_true)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Take a step; show the target to a module that wants it."""
        return super().train_step_single(batch, **fit_params, **self._target(*batch))

    def _target(self, x: Any, y: Tensor) -> dict[str, Tensor]:
        if not getattr(self.module_, "wants_target", False):
            return {}
        weight = x[WEIGHT] if isinstance(x, Mapping) and WEIGHT in x else y.new_ones(len(y))
        return {"target": torch.cat([y.view(len(y), -1), weight[:, None]], dim=1)}

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Go through the batches; the short way where no callback of a user listens to them."""
        if iterator is None or not getattr(self, "unobserved", False):
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            return
        self._set_training(training)
        step = self._fast_train_step if training else self._fast_validation_step
        results = [step(*batch) for batch in iterator]
        for name in results[0]:
            # leaves the device once, at the end
            values = torch.stack([result[name] for result in results]).double().cpu()
            mean = float(np.average(values, weights=iterator.sizes))
            self.history.record(f"{prefix}_{name}", mean)

    def _fast_train_step(self, x: Any, y: Tensor) -> dict[str, Tensor]:
        """As skorch's, which walks the module's parts and calls a closure for every batch.

        In so small a net as the clinical one that takes a third of the time.
        """
        self.optimizer_.zero_grad()
        loss = self.get_loss(self.infer(x, **self._target(x, y)), y, x)
        loss.backward()
        self.optimizer_.step()
        return {"loss": loss.detach()}

    def _fast_validation_step(self, x: Any, y: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            output = self.infer(x)
            return {"loss": self.get_loss(output, y, x), **self.further_scores(output, y)}

    def further_scores(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return what the history says of a batch set aside, beside its loss."""
        return {}


class Net(WeightedNet, NeuralNetBinaryClassifier):
    """skorch's net for two classes: logits (n,), in training perhaps (n, n_members)."""

    guessing = math.log(2)
    tolerated = 10
    scores = ("train_loss", "valid_loss", "valid_acc")

    def row_losses(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Cross-entropy of each row, or of each member's answer to it."""
        if y_pred.ndim > 1:
            y_true = y_true[:, None].expand_as(y_pred)
        return super().row_losses(y_pred, y_true)

    def further_scores(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Accuracy."""
        return {"acc": ((output >= 0) == (y > 0)).double().mean()}


class GaussianNet(WeightedNet, NeuralNetRegressor):
    """skorch's net for densities: means and raw spreads (n, 2k), in standard deviations.

    In training perhaps (n, n_members, 2k).
    """

    guessing = 0.5
    tolerated = 100  # the loss grows with the square of what a narrow spread misses
    scores = ("train_loss", "valid_loss")

    def __init__(
        self, module: Any, *args: Any, criterion: Any = GaussianLoss, **kwargs: Any
    ) -> None:
        super().__init__(module, *args, criterion=criterion, **kwargs)
