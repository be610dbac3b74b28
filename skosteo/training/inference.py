"""Batched inference of a trained net, with as many rows at a time as memory takes."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.dataset import get_len
from torch import Tensor

from skosteo.training.data import Inputs, move, take

# The thread pool of torch does not outlive a fork: a process forked after a fit would wait for its
# threads for ever. As torch's own DataLoader does in its workers, it computes with one.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def predict_logits(net: Any, inputs: Inputs) -> NDArray[np.float64]:
    """Log odds of the second class for every row: shape (n,)."""
    return batched_forward(net, net.infer, inputs).double().numpy()


def batched_forward(net: Any, function: Callable[[Inputs], Tensor], inputs: Inputs) -> Tensor:
    """Apply a function of the module to so many rows at a time that memory stays small.

    Half a million input values, 10 films of 224 pixels, keep what a backbone holds in between at
    200 MB or so; more are no faster on a CPU. A GPU wants 16 times as many. Where memory does not
    suffice, half as many go at a time, down to one.

    Parameters
    ----------
    net : skosteo.training.net.Net
        Left in evaluation mode.
    function : callable
        Maps inputs on the net's device to a tensor of as many rows.
    inputs : dict of Tensor
        n rows.

    Returns
    -------
    Tensor
        n rows, on the CPU.

    Raises
    ------
    MemoryError
        Memory does not suffice for one row.
    """
    n = get_len(inputs)
    values = 2**19 if net.device == "cpu" else 2**23
    net.module_.eval()
    per_row = sum(int(np.prod(part.shape[1:])) for part in inputs.values())
    at_a_time = min(n, max(1, values // max(1, per_row)))
    start, results = 0, []
    while start < n:
        try:
            part = move(take(inputs, slice(start, start + at_a_time)), net.device)
            with torch.no_grad():
                results.append(function(part).cpu())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if at_a_time == 1:
                raise MemoryError(
                    "Memory does not suffice for one row. Free some, or choose a smaller backbone "
                    "or image_size."
                ) from error
            at_a_time //= 2
        else:
            start += at_a_time
    return torch.cat(results)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice; on a CPU, torch says so in words only.

    Those of its allocator on Windows and on Linux, and of oneDNN.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = ("not enough memory", "can't allocate memory", "could not create a primitive")
    return any(part in str(error) for part in words)
