"""Evaluation mode for a while: each part of a module gets its own mode back."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module in evaluation mode, and leave each part in the mode that it was in.

    Parameters
    ----------
    module : torch.nn.Module
        A frozen part of it may be in evaluation mode for good, so the parts are remembered one by
        one. On an error too they get their modes back.

    Examples
    --------
    >>> net = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(net):
    ...     print([part.training for part in net])
    [False, False]
    >>> [part.training for part in net]
    [True, False]
    """
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes:
            part.training = mode
