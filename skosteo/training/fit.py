"""Training of a net: the only module that knows skorch.

One call of `train` gives a net that has learnt, or an error: a net that saw no batch, lost its way
(a loss that is not finite) or was interrupted is never returned.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm.auto import tqdm

from skosteo.exceptions import InputError, TrainingError
from skosteo.training.data import Batches, Inputs, Rows
from skosteo.training.inference import apply_in_passes, is_out_of_memory


class Net(NeuralNet):
    """skorch's net, with rows split beforehand and the weight of each row inside the batch.

    A module that ``wants_target`` is given it in training.
    """

    def get_split_datasets(self, X: Any, y: Any = None, **_: Any) -> tuple[Rows, Rows | None]:
        """Take the two sets as they come."""
        return X

    def get_iterator(self, dataset: Rows, training: bool = False) -> Batches:
        """Shuffle for training only."""
        shuffled_by = self.shuffled_by if training else None
        return Batches(dataset, self.batch_size, self.device, shuffled_by)

    def run_single_epoch(
        self, iterator: Batches | None, training: bool, prefix: str, step_fn: Any, **_: Any
    ) -> None:
        """Go through the batches; what they say leaves the device once, at the end."""
        if iterator is None:
            return
        self.module_.train(training)
        steps = [step_fn(batch) for batch in iterator]
        for name in steps[0]:
            values = torch.stack([step[name] for step in steps]).double().cpu()
            mean = float(np.average(values, weights=iterator.sizes))
            self.history.record(f"{prefix}_{name}", mean)

    def train_step(self, batch: tuple[Tensor, Tensor], **_: Any) -> dict[str, Tensor]:
        """Take a step of the optimiser; the module sees the target too, where it wants to.

        skorch's own goes over the module's parts and through a closure for every batch. In so
        small a net as the clinical one that takes a third of the time.
        """
        x, target = batch
        wanted = getattr(self.module_, "wants_target", False)
        self.optimizer_.zero_grad()
        loss = self.get_loss(self.infer(x, **{"target": target} if wanted else {}), target)
        loss.backward()
        self.optimizer_.step()
        return {"loss": loss.detach()}

    def validation_step(self, batch: tuple[Tensor, Tensor], **_: Any) -> dict[str, Tensor]:
        """Return loss and accuracy of a batch; every row counts alike for the accuracy."""
        x, target = batch
        with torch.no_grad():
            logits = self.infer(x)
            right = (logits >= 0) == (target[:, 0] > 0)
            return {"loss": self.get_loss(logits, target), "accuracy": right.double().mean()}

    def infer(self, x: Tensor, **known: Any) -> Any:
        """Apply the module; on a GPU in bfloat16, but for what autocast leaves in float32."""
        if not self.device.startswith("cuda"):
            return self.module_(x, **known)
        with torch.autocast("cuda", torch.bfloat16):
            return self.module_(x, **known)

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Any:
        """Sum the weighted losses over the batch's size, as Keras does.

        So a batch of the rarer class weighs more.
        """
        label, weight = y_true.unbind(1)
        return binary_cross_entropy_with_logits(y_pred.to(label.dtype), label, weight)


@dataclass(frozen=True)
class Earlier:
    """A training to go on from: the state dict at its end, and its number of epochs."""

    weights: Mapping[str, Tensor]
    epochs: int


class _Stop(Exception):
    """Raised inside an epoch loop to end it early."""


class _Watch(Callback):
    """After each epoch: refuse a loss that is not finite, keep the best weights, stop in time."""

    def __init__(self, patience: int | None, progress: Any) -> None:
        self.patience, self.progress = patience, progress
        self.best_loss, self.best_epoch = math.inf, 0
        self.best_weights: dict[str, Tensor] = {}

    def keep(self, net: Net, loss: float, epoch: int) -> None:
        """Note the weights that have reached the lowest loss so far."""
        frozen = {k for k, p in net.module_.named_parameters() if not p.requires_grad}
        state = net.module_.state_dict()
        self.best_loss, self.best_epoch = loss, epoch
        self.best_weights = {k: state[k].clone() for k in state if k not in frozen}

    def on_epoch_end(self, net: Net, **_: Any) -> None:
        last = net.history[-1]
        for name, fact in getattr(net.module_, "facts", dict)().items():
            net.history.record(name, fact)
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
            self.keep(net, losses["valid_loss"], last["epoch"])
        elif last["epoch"] - self.best_epoch >= self.patience:
            raise _Stop

    def on_train_end(self, net: Net, **_: Any) -> None:
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


def _decay_from(start: int, epoch: int) -> float:
    return decay(start + epoch)


def resolve_device(device: str) -> str:
    """Return the device that "auto" stands for: the GPU where there is one, else the CPU.

    Raises
    ------
    InputError
        There is no such device, or no driver for it.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        kind = None
    if kind not in ("cpu", "cuda"):
        raise InputError(f"device={device!r}: allowed are 'auto', 'cpu', 'cuda', 'cuda:1', ...")
    if kind == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise InputError(f"device={device!r}: torch sees no GPU here. Use 'auto' or 'cpu'.")
    return str(device)


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
    embed: Callable[[Net, Inputs], Inputs] | None = None,
    earlier: Earlier | None = None,
) -> tuple[Net, pd.DataFrame]:
    """Train a net on rows, with early stopping on ``valid`` if that is given.

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
    embed : callable, optional
        Replaces the inputs, once, by what a frozen part of the net makes of them.
    earlier : Earlier, optional
        A training to go on from: its weights, its epochs in the count and in the learning rate.
        Adam's moments begin anew.

    Returns
    -------
    net : Net
        Trained; ``net.module_`` is the torch module.
    history : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds, and the facts
        of the module.

    Raises
    ------
    InputError
        The batch is larger than the training data, or a number is out of range.
    TrainingError
        The loss is not finite or absurdly large, or memory does not suffice.
    """
    _check_numbers(rows, lr, batch_size, max_epochs, n_iter_no_change)
    batch_size, max_epochs = int(batch_size), int(max_epochs)
    device = resolve_device(device)
    bar = tqdm(total=max_epochs, desc=name, unit="epoch", disable=not verbose, leave=False)
    watch = _Watch(None if valid is None else n_iter_no_change, bar)
    epochs = 0 if earlier is None else earlier.epochs
    schedule = LRScheduler(
        torch.optim.lr_scheduler.LambdaLR, lr_lambda=partial(_decay_from, epochs)
    )
    net = Net(
        make_module,
        criterion=nn.BCEWithLogitsLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        lr=lr,
        batch_size=batch_size,
        max_epochs=max_epochs,
        device=device,
        verbose=0,
        callbacks=[("lr", schedule)],
        callbacks__print_log=None,
        callbacks__train_loss=None,
        callbacks__valid_loss=None,
    )
    net.callbacks.append(("watch", watch))
    with bar, torch.random.fork_rng([device] if device.startswith("cuda") else []):
        _seed(seed, device)
        net.initialize()
        if earlier is not None:
            net.module_.load_state_dict(earlier.weights)
        if embed is not None:
            rows = Rows(embed(net, rows.x), rows.target)
            valid = None if valid is None else Rows(embed(net, valid.x), valid.target)
        # what is random goes on too, and does not begin anew
        net.shuffled_by = torch.Generator().manual_seed(seed + epochs)
        _seed(seed + epochs, device)
        if earlier is not None and valid is not None:
            watch.keep(net, _mean_loss(net, valid), 0)
        sets = rows.near(device), None if valid is None else valid.near(device)
        with _told(batch_size):
            # not net.fit: that swallows Ctrl-C and hands back a net that is half trained
            net.notify("on_train_begin", X=rows)
            with suppress(_Stop):
                net.fit_loop(sets)
            net.notify("on_train_end", X=rows)
        del net.shuffled_by
    history = _history(net, epochs)
    if valid is None:
        _check_sane(history["train_loss"].iloc[-1], rows, lr)
    else:
        _check_sane(watch.best_loss, valid, lr)
    net.trim_for_prediction()
    return net, history


def _seed(seed: int, device: str) -> None:
    """Seed the generators of the CPU and of this device, and of no other."""
    torch.default_generator.manual_seed(seed)
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def _mean_loss(net: Net, rows: Rows) -> float:
    """Loss of the net as it is."""
    label, weight = rows.target.double().unbind(1)
    logits = apply_in_passes(net, net.module_, rows.x).double()
    return float(
        (binary_cross_entropy_with_logits(logits, label, reduction="none") * weight).mean()
    )


@contextmanager
def _told(batch_size: int) -> Iterator[None]:
    """Say in the user's words what torch says in its own."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise InputError(
            f"batch_size={batch_size}: batch norm cannot train on one row alone. Set it to 2 or "
            "more."
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"Memory does not suffice for batches of {batch_size}. Lower batch_size, choose a "
            "smaller backbone or image_size, or freeze the backbone."
        ) from error


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


def _check_sane(loss: float, rows: Rows, lr: float) -> None:
    """Refuse a net whose loss is finite but far beyond that of guessing."""
    guessing = math.log(2) * float(rows.target[:, 1].mean())
    if loss > 100 * guessing:
        raise TrainingError(
            f"The loss is {loss:.3g} in the end, and {guessing:.3g} for guessing: training lost "
            f"its way. Lower lr (it is {lr}), and look for extreme values in X."
        )


def _history(net: Net, epochs: int) -> pd.DataFrame:
    """Rows of skorch's history, the epochs counted on from so many before."""
    names = {"event_lr": "lr", "dur": "seconds"}
    left_out = {"batches", "event_best"}
    rows = [
        {names.get(name, name): value for name, value in row.items() if name not in left_out}
        for row in net.history
    ]
    frame = pd.DataFrame(rows)
    frame["epoch"] += epochs
    order = ("epoch", "train_loss", "valid_loss", "valid_accuracy", "lr", "seconds")
    first = [name for name in order if name in frame]
    return frame[first + [name for name in frame if name not in first]]
