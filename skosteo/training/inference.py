"""Passing rows through a trained `skosteo.training.fit.Net`, as many at a time as memory takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skosteo.training.data import Inputs


@torch.inference_mode()
def predict_logits(net: Any, x: Inputs) -> NDArray[np.float64]:
    """Logits (n,) of inputs, in evaluation mode."""
    return apply_in_passes(net, net.module_, x).double().numpy()


@torch.no_grad()
def apply_in_passes(net: Any, function: Callable[[Any], Tensor], x: Inputs) -> Tensor:
    """Apply a function of the module to so many rows at a time that memory stays small.

    Half a million input values, 10 films of 224 pixels, keep what a backbone holds in between at
    200 MB or so; more are no faster on a CPU. A GPU wants 16 times as many. Where memory does not
    suffice, half as many go at a time, down to one.
    """
    values = 2**19 if net.device == "cpu" else 2**23
    net.module_.eval()
    at_a_time = min(len(x), max(1, values // max(1, x[0].numel())))
    start, results = 0, []
    while start < len(x):
        try:
            results.append(function(x[start : start + at_a_time].to(net.device)).cpu())
        except (RuntimeError, MemoryError) as error:
            if at_a_time == 1 or not is_out_of_memory(error):
                raise
            at_a_time //= 2
        else:
            start += at_a_time
    return torch.cat(results)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice; on a CPU, torch says so in words only."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "not enough memory" in str(
        error
    )
