"""Training and prediction of a net: the only module that knows skorch.

One call of `train` gives a net that has learnt, or an error: a net that saw no batch, lost its way
(a loss that is not finite) or was interrupted is never returned.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler
from torch import Tensor, nn
from tqdm.auto import tqdm

from skosteo.exceptions import InputError, TrainingError


@dataclass(frozen=True)
class Rows:
    """Inputs and, per row, label and weight: ``target`` has shape (n, 2)."""

    x: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> "Rows":
        return Rows(self.x[index], self.target[index])


class _Batches:
    """Batches of rows in memory: an index per batch instead of a fetch per row."""

    def __init__(self, rows: Rows, batch_size: int, shuffle: bool) -> None:
        self.rows, self.batch_size, self.shuffle = rows, batch_size, shuffle

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n = len(self.rows)
        order = torch.randperm(n) if self.shuffle else torch.arange(n)
        batches = list(order.split(self.batch_size))
        # batch norm cannot take one row alone: it joins the batch before it
        if self.shuffle and len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        for index in batches:
            batch = self.rows[index]
            yield batch.x, batch.target


class _Net(NeuralNet):
    """skorch's net with rows split beforehand and the weight of each row inside the batch."""

    def get_split_datasets(self, X: Any, y: Any = None, **_: Any) -> tuple[Rows, Rows | None]:
        return X

    def get_iterator(self, dataset: Rows, training: bool = False) -> _Batches:
        return _Batches(dataset, self.batch_size, shuffle=training)

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Any:
        label, weight = y_true.unbind(1)
        # the sum over the batch's size, as Keras does: a batch of the rarer class weighs more
        return (self.criterion_(y_pred, label) * weight).mean()


class _Stop(Exception):
    """Raised inside an epoch loop to end it early."""


class _Watch(Callback):
    """After each epoch: refuse a loss that is not finite, keep the best weights, stop in time."""

    def __init__(self, patience: int | None, progress: Any) -> None:
        self.patience, self.progress = patience, progress

    def on_train_begin(self, net: NeuralNet, **_: Any) -> None:
        self.best_loss, self.best_epoch = math.inf, 0
        self.best_weights: dict[str, Tensor] = {}
        frozen = {k for k, p in net.module_.named_parameters() if not p.requires_grad}
        self.kept = [k for k in net.module_.state_dict() if k not in frozen]

    def on_epoch_end(self, net: NeuralNet, **_: Any) -> None:
        last = net.history[-1]
        losses = {k: last[k] for k in ("train_loss", "valid_loss") if k in last}
        if not all(map(math.isfinite, losses.values())):
            raise TrainingError(
                f"The loss is {losses} in epoch {last['epoch']}: training lost its way. "
                f"Lower lr (it is {net.lr}), and look for extreme values in X."
            )
        self.progress.set_postfix({k: f"{v:.3f}" for k, v in losses.items()})
        self.progress.update()
        if self.patience is None:
            return
        if losses["valid_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = losses["valid_loss"], last["epoch"]
            state = net.module_.state_dict()
            self.best_weights = {k: state[k].clone() for k in self.kept}
        elif last["epoch"] - self.best_epoch >= self.patience:
            raise _Stop

    def on_train_end(self, net: NeuralNet, **_: Any) -> None:
        if self.best_weights:
            net.module_.load_state_dict(self.best_weights, strict=False)
        self.best_weights = {}


def decay(epoch: int) -> float:
    """Learning rate after so many epochs, as a share of the first: exp(-epoch / 100), at least .1.

    Examples
    --------
    >>> round(decay(0), 3), round(decay(100), 3), decay(1000)
    (1.0, 0.368, 0.1)
    """
    return max(math.exp(-0.01 * epoch), 0.1)


def resolve_device(device: str) -> str:
    """Return the device that "auto" stands for: the GPU where there is one, else the CPU."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def train(
    make_module: Callable[[], nn.Module],
    rows: Rows,
    valid: Rows | None,
    *,
    lr: float,
    batch_size: int,
    max_epochs: int,
    n_iter_no_change: int,
    device: str,
    seed: int,
    verbose: int,
    name: str,
    precompute_features: bool = False,
) -> tuple[NeuralNet, pd.DataFrame]:
    """Train a new net on rows, with early stopping on ``valid`` if that is given.

    Parameters
    ----------
    make_module : callable
        Makes the module; its random weights come from ``seed``.
    rows, valid : Rows
        Training rows, and the rows whose loss decides when to stop and which weights to keep.
    lr, batch_size, max_epochs, n_iter_no_change, device, verbose
        As in the estimators.
    seed : int
        Decides weights, shuffling, dropout and augmentation. torch's global state is untouched.
    name : str
        What the progress bar says.
    precompute_features : bool, default=False
        Replace the inputs once by ``module.features(inputs)``: for a frozen backbone.

    Returns
    -------
    net : skorch.NeuralNet
        Trained; ``net.module_`` is the torch module.
    history : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, lr, seconds.

    Raises
    ------
    InputError
        The batch is larger than the training data, or a number is out of range.
    TrainingError
        The loss is not finite.
    """
    _check_numbers(rows, lr, batch_size, max_epochs, n_iter_no_change)
    batch_size, max_epochs = int(batch_size), int(max_epochs)
    device = resolve_device(device)
    bar = tqdm(total=max_epochs, desc=name, unit="epoch", disable=not verbose, leave=False)
    watch = _Watch(None if valid is None else n_iter_no_change, bar)
    net = _Net(
        make_module,
        criterion=nn.BCEWithLogitsLoss,
        criterion__reduction="none",
        optimizer=torch.optim.Adam,
        lr=lr,
        batch_size=batch_size,
        max_epochs=max_epochs,
        device=device,
        verbose=0,
        callbacks=[("lr", LRScheduler(torch.optim.lr_scheduler.LambdaLR, lr_lambda=decay))],
        callbacks__print_log=None,
    )
    net.callbacks.append(("watch", watch))
    with bar, torch.random.fork_rng(["cuda"] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        net.initialize()
        if precompute_features:
            rows = _with_features(net, rows)
            valid = None if valid is None else _with_features(net, valid)
        # not net.fit: that swallows Ctrl-C and hands back a net that is half trained
        net.notify("on_train_begin", X=rows)
        with suppress(_Stop):
            net.fit_loop((rows, valid))
        net.notify("on_train_end", X=rows)
    history = _history(net)
    net.trim_for_prediction()
    return net, history


@torch.inference_mode()
def predict_logits(net: NeuralNet, x: Tensor) -> NDArray[np.float64]:
    """Logits (n,) of inputs, in evaluation mode."""
    return _in_passes(net, net.module_, x).double().numpy()


@torch.no_grad()
def _with_features(net: NeuralNet, rows: Rows) -> Rows:
    return Rows(_in_passes(net, net.module_.features, rows.x), rows.target)


def _in_passes(net: NeuralNet, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of the module to so many rows at a time that memory stays small.

    Half a million input values, 10 films of 224 pixels, keep what a backbone holds in between at
    200 MB or so; more are no faster on a CPU. A GPU wants 16 times as many.
    """
    values = 2**19 if net.device == "cpu" else 2**23
    net.module_.eval()
    passes = x.split(max(1, values // max(1, x[0].numel())))
    return torch.cat([function(part.to(net.device)).cpu() for part in passes])


def _check_numbers(
    rows: Rows, lr: float, batch_size: int, max_epochs: int, n_iter_no_change: int
) -> None:
    if not isinstance(lr, Real) or not lr > 0:
        raise InputError(f"lr={lr!r}: allowed is a number above 0, such as 1e-3.")
    whole = {
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "n_iter_no_change": n_iter_no_change,
    }
    for name, value in whole.items():
        if not isinstance(value, Integral) or value < 1:
            raise InputError(f"{name}={value!r}: allowed is a whole number from 1.")
    if batch_size > len(rows):
        raise InputError(
            f"batch_size={batch_size}, but there are {len(rows)} rows to train on (those kept for "
            f"early stopping and those of weight 0 left out). Set batch_size to 1-{len(rows)}."
        )


def _history(net: NeuralNet) -> pd.DataFrame:
    columns = {"epoch": "epoch", "train_loss": "train_loss", "valid_loss": "valid_loss"}
    columns |= {"event_lr": "lr", "dur": "seconds"}
    frame = pd.DataFrame([{k: v for k, v in row.items() if k in columns} for row in net.history])
    return frame.rename(columns=columns)[[v for k, v in columns.items() if k in frame]]
