"""Fully connected heads."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real

from torch import Tensor, nn

from skosteo.exceptions import InputError
from skosteo.nets.randomness import Dropout


class Head(nn.Module):
    """Fully connected layers to one logit, or more: ReLU and dropout after each hidden layer.

    With 2048 inputs and hidden layers of 1024, 512 and 256 neurons it is the head of the paper's
    image model; with 50 neurons its clinical model, with 32 its fusion.

    Parameters
    ----------
    n_features : int
        Number of inputs.
    hidden_layer_sizes : sequence of int
        Neurons of the hidden layers; empty makes a logistic regression.
    dropout : float
        Proportion of hidden neurons silenced in training, in [0, 1).
    n_outputs : int, default=1
        1: a logit; 2k: means and raw spreads (`skosteo.nets.gaussian`) of k sites, 0 at first.

    Examples
    --------
    >>> sum(p.numel() for p in Head(2048, (1024, 512, 256), 0.25).parameters())
    2754561
    """

    layers: nn.Sequential

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        n_outputs: int = 1,
    ) -> None:
        super().__init__()
        check_dropout(dropout)
        check_hidden_layer_sizes(hidden_layer_sizes)
        sizes = (n_features, *hidden_layer_sizes)
        hidden = hidden_layers(sizes, dropout)
        last = nn.Linear(sizes[-1], n_outputs)
        if n_outputs > 1:  # features may be large, and a random spread of them absurd
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*hidden, last)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (n, n_features) to logits (n,), or to (n, n_outputs) of several."""
        return self.layers(x).squeeze(1)


def check_dropout(dropout: float) -> None:
    """Refuse what is no proportion of neurons to silence."""
    if not isinstance(dropout, Real) or not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout!r}: allowed is a number from 0 to below 1.")


def check_hidden_layer_sizes(sizes: Sequence[int]) -> None:
    """Refuse what is no sequence of numbers of neurons."""
    if not isinstance(sizes, Sequence) or not all(isinstance(n, Integral) and n > 0 for n in sizes):
        raise InputError(
            f"hidden_layer_sizes={sizes!r}: allowed is a sequence of whole numbers from 1, such as "
            "(64,)."
        )


def hidden_layers(sizes: Sequence[int], dropout: float) -> list[nn.Module]:
    """Linear layers from each size to the next, with ReLU and dropout after each."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), Dropout(dropout)]
    return layers
