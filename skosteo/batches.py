"""Rows of a training, and the batches that they are taken in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skosteo.distributed import n_processes, own_share


@dataclass(frozen=True)
class Rows:
    """Inputs and, per row, label and weight: ``target`` has shape (n, 2)."""

    x: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> "Rows":
        return Rows(self.x[index], self.target[index])

    def to(self, device: str) -> "Rows":
        """Move to a device; from pinned memory, while the device goes on working."""
        return Rows(*(part.to(device, non_blocking=True) for part in (self.x, self.target)))

    def near(self, device: str) -> "Rows":
        """Keep on the device if half of its free memory holds all, else in pinned memory."""
        if not device.startswith("cuda"):
            return self
        if self.x.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            return self.to(device)
        return Rows(self.x.pin_memory(), self.target.pin_memory())


class Batches:
    """Batches of rows in memory: an index per batch instead of a fetch per row."""

    def __init__(
        self, rows: Rows, batch_size: int, device: str, shuffled_by: torch.Generator | None = None
    ) -> None:
        self.rows, self.batch_size, self.device = rows, batch_size, device
        self.shuffled_by = shuffled_by

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n, shuffled_by = len(self.rows), self.shuffled_by
        order = torch.randperm(n, generator=shuffled_by) if shuffled_by else torch.arange(n)
        batches = list(order.to(self.rows.x.device).split(self.batch_size))
        # batch norm cannot take one row alone: it joins the batch before it
        if shuffled_by and len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        ready = None
        for index in batches:
            following = self._taken(index)
            if ready is not None:
                yield ready.x, ready.target
            ready = following
        if ready is not None:
            yield ready.x, ready.target

    def _taken(self, index: Tensor) -> Rows:
        """Rows of a batch, on the device; of a shuffled one the share of this process."""
        share = own_share(index) if self.shuffled_by else index
        rows = self.rows[share].to(self.device)
        if len(share) == len(index):
            return rows
        # so that the mean over the processes is that over the batch
        weighed = rows.target.clone()
        weighed[:, 1] *= n_processes() * len(share) / len(index)
        return Rows(rows.x, weighed)
