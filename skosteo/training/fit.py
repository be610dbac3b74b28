"""One training of a net with skorch.

One call of `train` gives a net that has learnt, or an error: a net that saw no batch, lost its way
(a loss that is not finite) or was interrupted is never returned.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback, LRScheduler
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import nn

from skosteo.exceptions import InputError, TrainingError
from skosteo.nets.randomness import use_generator
from skosteo.training.callbacks import (
    EarlyStopping,
    NoteFacts,
    ProgressBar,
    RefuseNonFiniteLoss,
    StopTraining,
)
from skosteo.training.data import Inputs, to_device_if_fits
from skosteo.training.inference import is_out_of_memory
from skosteo.training.net import WEIGHT, Net, WeightedNet

# what skorch calls the columns of a history
_NAMES = {"event_lr": "lr", "dur": "seconds", "valid_acc": "valid_accuracy"}


@dataclass(frozen=True)
class Recipe:
    """How a net is trained: the parameters of the estimators, in skorch's names.

    Parameters
    ----------
    lr, batch_size, max_epochs, n_iter_no_change, device, verbose
        As in the estimators.
    seed : int
        Decides initial weights, shuffling, dropout and augmentation.
    name : str
        What the progress bar says.
    optimizer : class
        Of `torch.optim`.
    callbacks : sequence of skorch callbacks
        In the order in which they are called; further ones of ours come after them.
    min_steps, min_gain : int and float
        Of early stopping: see `EarlyStopping`.
    further : mapping
        Parameters of skorch's net such as ``optimizer__weight_decay``.
    kind : class
        `Net` for classes, `GaussianNet` for densities.
    """

    lr: float
    batch_size: int
    max_epochs: int
    n_iter_no_change: int
    device: str
    verbose: int
    seed: int
    name: str
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam
    callbacks: Sequence[Any] = ()
    min_steps: int = 0
    min_gain: float = 0
    further: Mapping[str, Any] = field(default_factory=dict)
    kind: type[WeightedNet] = Net


def decay(epoch: int) -> float:
    """Learning rate after so many epochs over the first one: exp(-epoch / 100), at least .1.

    Examples
    --------
    >>> round(decay(0), 3), round(decay(100), 3), decay(1000)
    (1.0, 0.368, 0.1)
    """
    return max(math.exp(-0.01 * epoch), 0.1)


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
    module: type[nn.Module],
    parameters: Mapping[str, Any],
    rows: Dataset,
    valid: Dataset | None,
    recipe: Recipe,
    *,
    prepare: Callable[[WeightedNet], None] | None = None,
    embed: Callable[[WeightedNet, Inputs], Inputs] | None = None,
    conclude: Callable[[WeightedNet, Dataset | None], None] | None = None,
    own_callbacks: Sequence[Callback] = (),
) -> tuple[WeightedNet, pd.DataFrame]:
    """Train a net on rows, with early stopping on ``valid`` if that is given.

    Parameters
    ----------
    module, parameters : class and mapping
        Torch module and its parameters.
    rows, valid : skorch.dataset.Dataset
        Training rows, and the rows whose loss decides when to stop and which weights to keep.
        ``X``: `Inputs` and ``sample_weight``; ``y``: labels 0. and 1., or densities, in the type of
        the net.
    recipe : Recipe
        The settings.
    prepare : callable, optional
        Changes the net before training, as by weights from elsewhere.
    embed : callable, optional
        Replaces the inputs, once, by what a frozen part of the net makes of them.
    conclude : callable, optional
        Told of the trained net and of ``valid``, whose inputs are those that the net has seen.
    own_callbacks : sequence of skorch callbacks, optional
        Called as those of the user, but not kept in the net.

    Returns
    -------
    net : WeightedNet
        Trained. The optimiser has no moments any more.
    history : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds, and the facts
        of the module.

    Raises
    ------
    InputError
        Batch norm meets a batch of one row.
    TrainingError
        The loss is not finite or absurdly large, or memory does not suffice.
    """
    patience = (recipe.n_iter_no_change, recipe.min_steps, recipe.min_gain)
    stopping = [] if valid is None else [EarlyStopping(*patience)]
    bar = [ProgressBar(recipe.name)] if recipe.verbose else []
    ours = [NoteFacts(), RefuseNonFiniteLoss(), *bar, *own_callbacks, *stopping]
    net = make_net(module, parameters, recipe, rows.y.dtype)
    # the facts come first, so that a user's callbacks find them in the history
    net.callbacks = [("facts", ours[0]), *net.callbacks]
    net.callbacks += [(f"skosteo_{i}", callback) for i, callback in enumerate(ours[1:])]
    net.initialize()
    if prepare is not None:
        prepare(net)
    if embed is not None:
        rows, valid = (
            None if part is None else Dataset(_embedded(net, embed, part.X), part.y)
            for part in (rows, valid)
        )
    drawn = torch.Generator(net.device).manual_seed(recipe.seed)
    use_generator(net.module_, drawn)
    net.iterator_train__generator = torch.Generator().manual_seed(recipe.seed)
    net.train_split = None if valid is None else predefined_split(valid)
    try:
        with _translated_torch_errors(recipe.batch_size):
            _fit(net, to_device_if_fits(rows, net.device))
    finally:
        for part in bar:
            part.close()
        use_generator(net.module_, None)
    if stopping:
        _check_sane(stopping[0].best_loss, valid, recipe)
    else:
        _check_sane(net.history[-1, "train_loss"], rows, recipe)
    if conclude is not None:
        conclude(net, valid)
    _forget_training(net, ours)
    return net, _history(net)


def labelled(inputs: Inputs, codes: NDArray, weights: NDArray) -> Dataset:
    """Rows of float32 for `train`, of inputs, labels 0 and 1, and weights."""
    weight, y = (torch.from_numpy(part).float() for part in (weights, codes))
    return Dataset({**inputs, WEIGHT: weight}, y)


def make_net(
    module: type[nn.Module], parameters: Mapping[str, Any], recipe: Recipe, dtype: torch.dtype
) -> WeightedNet:
    """Make a net of skorch that is yet to be trained."""
    device = resolve_device(recipe.device)
    callbacks = list(recipe.callbacks)
    if not any(isinstance(_instance(callback), LRScheduler) for callback in callbacks):
        schedule = LRScheduler(torch.optim.lr_scheduler.LambdaLR, lr_lambda=decay)
        callbacks.insert(0, ("lr", schedule))
    fused = {"fused": True} if "fused" in signature(recipe.optimizer).parameters else {}
    settings = {
        **{f"module__{name}": value for name, value in parameters.items()},
        **{f"optimizer__{name}": value for name, value in fused.items()},
        **{f"iterator_{of}__device": device for of in ("train", "valid")},
        **recipe.further,
    }
    # an optimiser that steps by a closure, as LBFGS does, gets it on skorch's own way only
    closure = signature(recipe.optimizer.step).parameters.get("closure")
    by_closure = closure is not None and closure.default is Parameter.empty
    unobserved = not recipe.callbacks and not by_closure
    if unobserved:  # the short way through an epoch enters these itself
        settings |= {f"callbacks__{name}": None for name in recipe.kind.scores}
    net = recipe.kind(
        module,
        optimizer=recipe.optimizer,
        lr=recipe.lr,
        batch_size=recipe.batch_size,
        max_epochs=recipe.max_epochs,
        device=device,
        verbose=0,
        seed=recipe.seed,
        dtype=dtype,
        callbacks=callbacks,
        callbacks__print_log=None,
        **settings,
    )
    net.unobserved = unobserved
    return net


def _instance(callback: Any) -> Any:
    return callback[1] if isinstance(callback, tuple) else callback


def _fit(net: WeightedNet, rows: Dataset) -> None:
    """Run the epochs; not by `net.fit`, which swallows Ctrl-C and returns a half-trained net."""
    net.notify("on_train_begin", X=rows, y=None)
    try:
        net.fit_loop(rows)
    except StopTraining:
        pass
    except KeyboardInterrupt as error:
        # skorch's EarlyStopping ends the training by the error that Ctrl-C raises
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or trace.tb_frame.f_code is not SkorchEarlyStopping.on_epoch_end.__code__:
            raise
    net.notify("on_train_end", X=rows, y=None)


def _embedded(
    net: WeightedNet, embed: Callable[[WeightedNet, Inputs], Inputs], x: Inputs
) -> Inputs:
    inputs = {name: part for name, part in x.items() if name != WEIGHT}
    return {**embed(net, inputs), WEIGHT: x[WEIGHT]}


def _forget_training(net: WeightedNet, ours: Sequence[Callback]) -> None:
    """Remove what only the training needed: rows, moments, our callbacks."""
    net.train_split = None
    net.iterator_train__generator = None
    net.optimizer_.state.clear()
    net.optimizer_.zero_grad()
    net.module_.eval()
    net.callbacks = [item for item in net.callbacks if _instance(item) not in ours]
    net.callbacks_ = [item for item in net.callbacks_ if item[1] not in ours]


@contextmanager
def _translated_torch_errors(batch_size: int) -> Iterator[None]:
    """Turn errors of torch that a user can mend into errors that say how."""
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


def _check_sane(loss: float, rows: Dataset, recipe: Recipe) -> None:
    """Refuse a net whose loss is finite but far beyond that of guessing."""
    guessing = recipe.kind.guessing * float(rows.X[WEIGHT].mean())
    if loss > recipe.kind.tolerated * guessing:
        raise TrainingError(
            f"The loss is {loss:.3g} in the end, and {guessing:.3g} for guessing: training lost "
            f"its way. Lower lr (it is {recipe.lr}), and look for extreme values in X."
        )


def _history(net: WeightedNet) -> pd.DataFrame:
    """Skorch's history as a table."""
    order = ("epoch", "train_loss", "valid_loss", "valid_accuracy", "lr", "seconds")
    rows = [
        {
            _NAMES.get(name, name): value
            for name, value in row.items()
            if name != "batches" and not name.endswith(("_best", "_batch_count"))
        }
        for row in net.history
    ]
    found = list(dict.fromkeys(name for row in rows for name in row))
    columns = [*(name for name in order if name in found), *(n for n in found if n not in order)]
    # names as Python's own strings: pyarrow's could not be unpickled where it is not installed
    return pd.DataFrame(rows, columns=pd.Index(columns, dtype=object))


def epochs(history: pd.DataFrame) -> list[dict[str, Any]]:
    """Return such a table as the rows of skorch's history."""
    names = {ours: theirs for theirs, ours in _NAMES.items()}
    rows = history.rename(columns=names).to_dict("records")
    return [{str(name): value for name, value in row.items()} | {"batches": []} for row in rows]
