"""skorch's net for two classes, with weights of rows and a generator of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import Tensor

from skosteo.nets.randomness import initialised_from
from skosteo.training.data import Batches

# Beside the inputs of the module: the weight of each row in the loss.
WEIGHT = "sample_weight"


class Net(NeuralNetBinaryClassifier):
    """skorch's net for two classes, whose rows may have weights.

    Parameters
    ----------
    module : class
        A torch module from inputs to logits (n,), in training perhaps (n, n_members). One that
        ``wants_target`` is given labels and weights, (n, 2), in training.
    seed : int, default=0
        Of the initial weights, which leave torch's global generator untouched.
    dtype : torch.dtype, default=torch.float32
        Of the weights.
    *args, **kwargs
        See `skorch.NeuralNetBinaryClassifier`.

    Notes
    -----
    X is what the module's ``forward`` takes: a tensor, or a dict of tensors by the names of its
    arguments, which may hold ``sample_weight`` of shape (n,) beside them. The loss of a batch is
    the sum of its weighted losses over its size, as Keras does.
    """

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

    def initialize_module(self) -> "Net":
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
        weight = X.get(WEIGHT) if isinstance(X, Mapping) else None
        if y_pred.ndim > 1:
            y_true = y_true[:, None].expand_as(y_pred)
            weight = None if weight is None else weight[:, None]
        loss = self.criterion_(y_pred.to(y_true.dtype), y_true)
        return (loss if weight is None else loss * weight).mean()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Take a step; show the target to a module that wants it."""
        return super().train_step_single(batch, **fit_params, **self._target(*batch))

    def _target(self, x: Any, y: Tensor) -> dict[str, Tensor]:
        if not getattr(self.module_, "wants_target", False):
            return {}
        weight = x[WEIGHT] if isinstance(x, Mapping) and WEIGHT in x else torch.ones_like(y)
        return {"target": torch.stack([y, weight], dim=1)}

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
            logits = self.infer(x)
            right = (logits >= 0) == (y > 0)
            return {"loss": self.get_loss(logits, y, x), "acc": right.double().mean()}
