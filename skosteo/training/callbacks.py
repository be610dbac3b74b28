"""Callbacks of skorch that every training has, and the bridge to those of scikit-learn."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from skorch.callbacks import Callback
from tqdm.auto import tqdm

from skosteo.exceptions import InputError, TrainingError


class StopTraining(Exception):
    """Raised inside an epoch loop to end it early."""


class ProgressBar(Callback):
    """Show a bar over the epochs, with the losses of the last one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_begin(self, net: Any, **_: Any) -> None:
        """Open the bar."""
        self.bar = tqdm(total=net.max_epochs, desc=self.name, unit="epoch", leave=False)

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Move the bar on."""
        self.bar.set_postfix({k: f"{v:.3f}" for k, v in losses(net).items()})
        self.bar.update()

    def close(self) -> None:
        """Remove the bar."""
        if hasattr(self, "bar"):
            self.bar.close()


class RefuseNonFiniteLoss(Callback):
    """Raise a `TrainingError` after an epoch whose loss is not finite."""

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Look at the losses."""
        last = losses(net)
        if not all(map(math.isfinite, last.values())):
            raise TrainingError(
                f"The loss is {last} in epoch {len(net.history)}: training lost its way. "
                f"Lower lr (it is {net.lr}), and look for extreme values in X."
            )


class NoteFacts(Callback):
    """Enter in the history what the module has to note, such as the weights of its branches."""

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Note them."""
        for name, fact in getattr(net.module_, "facts", dict)().items():
            net.history.record(name, fact)


class EarlyStopping(Callback):
    """Stop when the validation loss has not fallen for some epochs, and restore the best weights.

    Parameters
    ----------
    patience : int
        Epochs.
    min_steps : int
        Steps of the optimiser before which no weights count as the best.
    min_gain : float
        What each epoch must lower the loss by, summed over the rows, to be better than the last.

    Attributes
    ----------
    best_loss : float
        Validation loss of the best epoch.
    """

    def __init__(self, patience: int, min_steps: int = 0, min_gain: float = 0) -> None:
        self.patience, self.min_steps, self.min_gain = patience, min_steps, min_gain
        self.best_loss, self.best_epoch, self.best_score = math.inf, 0, math.inf
        self.best_weights: dict[str, torch.Tensor] = {}

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **_: Any
    ) -> None:
        """Keep the weights, or stop."""
        loss, epoch = net.history[-1, "valid_loss"], len(net.history)
        score = loss + (epoch * self.min_gain / len(dataset_valid) if self.min_gain else 0)
        early = self.min_steps and epoch * len(dataset_train) <= self.min_steps * net.batch_size
        if early or score < self.best_score:
            self.best_score = score
            frozen = {k for k, p in net.module_.named_parameters() if not p.requires_grad}
            state = net.module_.state_dict()
            self.best_loss, self.best_epoch = loss, epoch
            self.best_weights = {k: state[k].clone() for k in state if k not in frozen}
        elif epoch - self.best_epoch >= self.patience:
            raise StopTraining

    def on_train_end(self, net: Any, **_: Any) -> None:
        """Restore the best weights."""
        if self.best_weights:
            net.module_.load_state_dict(self.best_weights, strict=False)
        self.best_weights = {}


class ScikitLearnCallbacks(Callback):
    """Tell the callbacks of scikit-learn (SLEP023) of every epoch.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        Of the estimator's fit.
    arguments : dict
        Arguments of the hooks: estimator, X, y, metadata.
    fitted : callable
        Maps the net to the attributes of the estimator as if training ended here.
    """

    def __init__(
        self, context: Any, arguments: dict[str, Any], fitted: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.context, self.arguments, self.fitted = context, arguments, fitted

    def on_epoch_begin(self, net: Any, **_: Any) -> None:
        """Tell of its begin."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.arguments)

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Tell of its end."""
        stop = self.epoch.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes=lambda: self.fitted(net)
        )
        if stop:
            raise StopTraining


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Refuse what are no callbacks of skorch: instances, classes, or (name, either)."""
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise InputError(
                f"callbacks holds a {kind.__name__}: allowed are callbacks of skorch, such as "
                "EpochScoring('roc_auc'), or (name, callback)."
            )


def losses(net: Any) -> dict[str, float]:
    """Training and, where there is one, validation loss of the last epoch."""
    last = net.history[-1]
    return {name: last[name] for name in ("train_loss", "valid_loss") if name in last}
