"""Random numbers of a net from a generator of its own, never from torch's global one.

torch's global generator is shared by all threads: a fit that seeds it trains another net on every
run where another thread trains beside it.
"""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_DRAWS = ("uniform_", "normal_")


class RandomModule(nn.Module):
    """A module that draws random numbers in training.

    Attributes
    ----------
    generator : torch.Generator or None
        Where they come from; None: torch's global generator. See `use_generator`.
    """

    generator: Generator | None = None


class Dropout(RandomModule, nn.Dropout):
    """`torch.nn.Dropout`, drawing from the generator of the module.

    Examples
    --------
    >>> dropout = Dropout(0.5)
    >>> dropout(torch.ones(1000)).unique()
    tensor([0., 2.])
    >>> dropout.eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map values of any shape to values of the same shape."""
        if not self.training or self.p == 0:
            return x
        keep = 1 - self.p
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)


def use_generator(module: nn.Module, generator: Generator | None) -> None:
    """Let all parts of a module that are random draw from this generator."""
    for part in module.modules():
        if isinstance(part, RandomModule):
            part.generator = generator


class initialised_from(TorchDispatchMode):
    """Let the modules that are made inside draw their initial weights from a generator.

    A mode of the current thread alone. Weights are drawn in float32 whatever torch's default type
    is, so that the same generator gives the same weights.

    Examples
    --------
    >>> state = torch.get_rng_state()
    >>> def weight():
    ...     with initialised_from(torch.Generator().manual_seed(0)):
    ...         return nn.Linear(2, 2).weight
    >>> torch.equal(weight(), weight()), torch.equal(torch.get_rng_state(), state)
    (True, True)
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.own = generator

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Pass each operation on, the draws with the generator."""
        kwargs = dict(kwargs or {})
        if func.overloadpacket.__name__ not in _DRAWS:
            return func(*args, **kwargs)
        weight, *bounds = args
        drawn = torch.empty_like(weight, dtype=torch.float32)
        func(drawn, *bounds, **kwargs | {"generator": self.own})
        return weight.copy_(drawn)
