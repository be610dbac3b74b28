"""Training on several processes at once, where a launcher such as torchrun has started them.

Each process has a copy of the net and takes its share of every batch; gradients are averaged. The
net comes out the same on all of them.
"""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@cache
def n_processes() -> int:
    """Return how many processes train together: 1, or what the launcher says (WORLD_SIZE).

    The first call joins the group. Workers that such a process starts, as joblib's, are not of it.
    """
    if any(not os.environ.get(name) for name in _LAUNCHED):
        return 1
    if int(os.environ["WORLD_SIZE"]) == 1 or multiprocessing.parent_process() is not None:
        return 1
    if not dist.is_initialized():
        dist.init_process_group()  # gloo, and for tensors on a GPU nccl
    return dist.get_world_size()


def own_share(batch: Tensor) -> Tensor:
    """Rows of a batch that this process takes; none where it has fewer rows than processes."""
    return batch if n_processes() == 1 else batch[dist.get_rank() :: n_processes()]


def own_gpu() -> str:
    """Name of the GPU of this process, and of the workers that it starts."""
    rank = os.environ.get("LOCAL_RANK")
    return f"cuda:{rank}" if rank else "cuda"


def own_seed(seed: int) -> int:
    """Seed of what is random in this process, so that no two draw the same views and dropout."""
    return seed if n_processes() == 1 else seed + dist.get_rank()


def agreed(number: float) -> float:
    """Mean of a number over the processes."""
    return number if n_processes() == 1 else _total(number) / n_processes()


def from_first(number: int) -> int:
    """Return a number as the first process has it."""
    return number if n_processes() == 1 else int(_total(number * (dist.get_rank() == 0)))


def all_alike(number: int) -> bool:
    """Whether all processes have the same number, below 2**32."""
    return agreed(float(agreed(number) != number)) == 0


def _total(number: float) -> float:
    total = torch.tensor(number, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total)


@contextmanager
def shared(module: nn.Module) -> Iterator[nn.Module]:
    """Give the module whose gradients are averaged; in the end all have the same buffers too."""
    if n_processes() == 1:
        yield module
        return
    yield DistributedDataParallel(module)
    for buffer in module.buffers():
        dist.broadcast(buffer, 0)
