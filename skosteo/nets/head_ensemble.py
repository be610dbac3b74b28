"""Many small heads as one module: members that are trained at once and answer together."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from skosteo.nets.gaussian import mixture
from skosteo.nets.heads import Head, check_dropout, check_hidden_layer_sizes
from skosteo.nets.randomness import Dropout


class HeadEnsemble(Head):
    """Heads with a linear path beside the hidden layers; their answers are averaged.

    Each member is a logistic, or linear, regression plus a `Head`. Both begin at 0, so that every
    patient first has the log odds given to `start_at`; what is learnt is what departs from them.

    Parameters
    ----------
    n_features : int
        Number of inputs.
    hidden_layer_sizes : sequence of int
        Neurons of the hidden layers of each member; empty leaves its linear path.
    dropout : float
        Proportion of hidden neurons silenced in training, in [0, 1).
    n_members : int, default=1
        Number of members. One alone is a `Head` without linear path: the net of the paper.
    n_outputs : int, default=1
        1: log odds, whose mean is the answer; 2k: means and raw spreads of k sites, whose
        `mixture` is.

    Notes
    -----
    The members share no weights. Their first layers are one matrix, as in other efficient
    ensembles of nets, whose members differ by an adapter only (BatchEnsemble, arXiv:2002.06715;
    TabM, arXiv:2410.24210).

    Examples
    --------
    >>> net = HeadEnsemble(9, (16,), 0.25, n_members=10).eval()
    >>> net.start_at(-2.0)
    >>> net(torch.ones(3, 9))
    tensor([-2., -2., -2.], grad_fn=<MeanBackward1>)
    """

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        n_members: int = 1,
        n_outputs: int = 1,
    ) -> None:
        self.n_members = n_members
        if n_members == 1:
            super().__init__(n_features, hidden_layer_sizes, dropout, n_outputs)
            return
        nn.Module.__init__(self)
        check_dropout(dropout)
        check_hidden_layer_sizes(hidden_layer_sizes)
        # of each neuron of the first hidden layers, and at the end of the linear paths
        n_linear = n_members * n_outputs
        first = nn.Linear(n_features, n_members * sum(hidden_layer_sizes[:1]) + n_linear)
        with torch.no_grad():
            first.weight[-n_linear:] = 0
            first.bias[-n_linear:] = 0
        members = _Members(n_members, hidden_layer_sizes, dropout, n_outputs)
        self.layers = nn.Sequential(first, members)

    def start_at(self, log_odds: float) -> None:
        """Let all members begin at these log odds."""
        first = cast(nn.Linear, self.layers[0])
        nn.init.constant_(first.bias[-self.n_members :], log_odds)

    def forward(self, x: Tensor, fold: Tensor | None = None) -> Tensor:
        """Map features (n, n_features) to log odds, or to several outputs in a last dimension.

        Without folds: (n,), the answer of all members; in training (n, n_members). With the fold
        of each row: (n,), that of the one member that must not learn from the row; in training
        (n, n_members - 1), those of the others.
        """
        if self.n_members == 1:
            return super().forward(x)
        said = self.layers(x)
        if fold is None:
            if self.training:
                return said
            return said.mean(dim=1) if said.ndim == 2 else mixture(said)
        own = fold[:, None] == torch.arange(self.n_members, device=fold.device)
        return said[~own].view(len(x), -1, *said.shape[2:]) if self.training else said[own]


class _Members(nn.Module):
    """All behind the first linear layer: hidden neurons of each member, and its linear path."""

    def __init__(
        self, n_members: int, sizes: Sequence[int], dropout: float, n_outputs: int
    ) -> None:
        super().__init__()
        self.n_members, self.n_outputs, self.dropout = n_members, n_outputs, Dropout(dropout)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(sizes):
            bound = n_in**-0.5
            self.weights.append(torch.empty(n_members, n_in, n_out).uniform_(-bound, bound))
            self.biases.append(torch.empty(n_members, n_out).uniform_(-bound, bound))
        if sizes:
            self.weights.append(torch.zeros(n_members, sizes[-1], n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., n_members * neurons + n_members * n_outputs) to (..., n_members).

        Of several outputs to (..., n_members, n_outputs).
        """
        n_linear = self.n_members * self.n_outputs
        hidden, linear = x[..., :-n_linear], x[..., -n_linear:]
        if self.n_outputs > 1:
            linear = linear.unflatten(-1, (self.n_members, self.n_outputs))
        if not self.weights:
            return linear
        hidden = self.dropout(hidden.relu()).unflatten(-1, (self.n_members, -1))
        for weight, bias in zip(self.weights, self.biases, strict=False):
            hidden = torch.einsum("...ki,kio->...ko", hidden, weight) + bias
            hidden = self.dropout(hidden.relu())
        if self.n_outputs > 1:
            return torch.einsum("...ki,kio->...ko", hidden, self.weights[-1]) + linear
        return (hidden * self.weights[-1].squeeze(-1)).sum(dim=-1) + linear
