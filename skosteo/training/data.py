"""Inputs of a net as tensors, and the batches that they are taken in."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from skorch.dataset import Dataset, get_len
from torch import Generator, Tensor

# Tensors of n rows by the names that the module's ``forward`` has for them.
Inputs = Mapping[str, Tensor]
T = TypeVar("T", Tensor, Inputs)


def take(inputs: T, index: Any) -> T:
    """Take rows of inputs, by a slice or an index."""
    if isinstance(inputs, Mapping):
        return {name: part[index] for name, part in inputs.items()}
    return inputs[index]


def number_of_bytes(inputs: Inputs) -> int:
    """Bytes of all inputs."""
    return sum(part.nbytes for part in inputs.values())


def move(inputs: T, device: str) -> T:
    """Move inputs to a device; to a GPU by pinned memory, while it goes on working."""
    if isinstance(inputs, Mapping):
        return {name: move(part, device) for name, part in inputs.items()}
    if not device.startswith("cuda") or inputs.is_cuda:
        return inputs.to(device)
    return inputs.pin_memory().to(device, non_blocking=True)


def to_device_if_fits(dataset: Dataset, device: str) -> Dataset:
    """Keep on the GPU what half of its free memory holds; all else where it is."""
    if not device.startswith("cuda"):
        return dataset
    if number_of_bytes(dataset.X) > torch.cuda.mem_get_info(device)[0] / 2:
        return dataset
    return Dataset(move(dataset.X, device), dataset.y.to(device))


class Batches:
    """Iterator for skorch over rows in memory: an index a batch instead of a fetch a row.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        ``X``: a tensor, or `Inputs`; ``y``: a tensor of shape (n,), or None.
    batch_size : int
        Rows a batch.
    device : str, default="cpu"
        Where batches are wanted.
    shuffle : bool, default=False
        Whether each pass takes the rows in another order, and leaves no row alone in a batch.
    generator : torch.Generator, optional
        Draws the order.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        device: str = "cpu",
        shuffle: bool = False,
        generator: Generator | None = None,
    ) -> None:
        self.x, self.y = _as_tensors(dataset.X), _as_tensors(dataset.y)
        self.n = get_len(dataset.X)
        self.batch_size, self.device = batch_size, device
        self.shuffle, self.generator = shuffle, generator

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        n = self.n
        order = torch.randperm(n, generator=self.generator) if self.shuffle else torch.arange(n)
        if self.y is not None:
            order = order.to(self.y.device)
        ready = None
        for index in order.split(self.sizes):
            following = self._load(index)
            if ready is not None:
                yield ready
            ready = following
        if ready is not None:
            yield ready

    @property
    def sizes(self) -> list[int]:
        """Rows of each batch."""
        whole, rest = divmod(self.n, self.batch_size)
        sizes = [self.batch_size] * whole + [rest] * (rest > 0)
        # batch norm cannot take one row alone: it joins the batch before it
        if self.shuffle and whole and rest == 1:
            sizes[-2:] = [self.batch_size + 1]
        return sizes

    def _load(self, index: Tensor) -> tuple[Any, Tensor]:
        x = move(take(self.x, index), self.device)
        y = torch.zeros(len(index)) if self.y is None else self.y[index]
        return x, move(y, self.device)


def _as_tensors(x: Any) -> Any:
    if isinstance(x, Mapping):
        return {name: _as_tensors(part) for name, part in x.items()}
    return torch.from_numpy(x) if isinstance(x, np.ndarray) else x
