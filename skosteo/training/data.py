"""Rows of a training, and the batches that they are taken in."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Studies:
    """Film and clinical values of n patients, to be handled like one tensor of n rows.

    films : (n, c, h, w), or what a frozen backbone makes of them; anything where there is none
    table : (n, d), NaN where a value is missing
    has_film : (n,), bool
    """

    films: Tensor
    table: Tensor
    has_film: Tensor

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: Any) -> "Studies":
        return Studies(*(part[index] for part in self.tensors))

    @property
    def tensors(self) -> list[Tensor]:
        """The three parts."""
        return [getattr(self, field.name) for field in fields(self)]

    @property
    def dtype(self) -> torch.dtype:
        """Type of the clinical values, which the loss is computed in."""
        return self.table.dtype

    @property
    def device(self) -> torch.device:
        """Where the parts lie."""
        return self.table.device

    @property
    def is_cuda(self) -> bool:
        """Whether the parts lie on a GPU."""
        return self.table.is_cuda

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.nbytes for part in self.tensors)

    def numel(self) -> int:
        """Count the values of all parts."""
        return sum(part.numel() for part in self.tensors)

    def to(self, device: str, non_blocking: bool = False) -> "Studies":
        """Move to a device."""
        return Studies(*(part.to(device, non_blocking=non_blocking) for part in self.tensors))

    def pin_memory(self) -> "Studies":
        """Copy to where a GPU can fetch from by itself."""
        return Studies(*(part.pin_memory() for part in self.tensors))

    def split(self, size: int) -> Iterator["Studies"]:
        """Go through the rows in parts."""
        return (self[start : start + size] for start in range(0, len(self), size))


Inputs = Tensor | Studies


@dataclass(frozen=True)
class Rows:
    """Inputs and, per row, label and weight: ``target`` has shape (n, 2)."""

    x: Inputs
    target: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> "Rows":
        return Rows(self.x[index], self.target[index])

    def to(self, device: str) -> "Rows":
        """Move to a device; to a GPU by pinned memory, while it goes on working."""
        if not device.startswith("cuda") or self.x.is_cuda:
            return Rows(self.x.to(device), self.target.to(device))
        x, target = self.x.pin_memory(), self.target.pin_memory()
        return Rows(x.to(device, non_blocking=True), target.to(device, non_blocking=True))

    def near(self, device: str) -> "Rows":
        """Keep on the GPU what half of its free memory holds; all else where it is."""
        if device.startswith("cuda") and self.x.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            return Rows(self.x.to(device), self.target.to(device))
        return self


class Batches:
    """Batches of rows in memory: an index per batch instead of a fetch per row."""

    def __init__(
        self, rows: Rows, batch_size: int, device: str, shuffled_by: torch.Generator | None = None
    ) -> None:
        self.rows, self.batch_size, self.device = rows, batch_size, device
        self.shuffled_by = shuffled_by

    def __iter__(self) -> Iterator[tuple[Inputs, Tensor]]:
        n, shuffled_by = len(self.rows), self.shuffled_by
        order = torch.randperm(n, generator=shuffled_by) if shuffled_by else torch.arange(n)
        ready = None
        for index in order.to(self.rows.x.device).split(self.sizes):
            following = self._taken(index)
            if ready is not None:
                yield ready.x, ready.target
            ready = following
        if ready is not None:
            yield ready.x, ready.target

    @property
    def sizes(self) -> list[int]:
        """Rows of each batch."""
        whole, rest = divmod(len(self.rows), self.batch_size)
        sizes = [self.batch_size] * whole + [rest] * (rest > 0)
        # batch norm cannot take one row alone: it joins the batch before it
        if self.shuffled_by and whole and rest == 1:
            sizes[-2:] = [self.batch_size + 1]
        return sizes

    def _taken(self, index: Tensor) -> Rows:
        """Rows of a batch, on the device."""
        return self.rows[index].to(self.device)
