"""A transformer in which the film looks at the table and the table at the film."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from skosteo.nets.randomness import Dropout, RandomModule

_WIDTH, _HEADS, _LAYERS = 128, 4, 2
# so that the net learns to answer without a film, and without a table
_MODALITY_DROPOUT = 0.1


class CrossAttention(RandomModule):
    """Fuse the positions of a feature map and the clinical variables by cross-attention.

    ====================  ===========================================================
    film                  one token per position of the map, and a vector for "no film"
    table                 one token per variable, and a vector per variable for "missing"
    2 layers              each side attends to the other, then passes two linear layers;
                          normalised before, added after
    head                  mean over the tokens of each side, side by side, to one logit
    ====================  ===========================================================

    Parameters
    ----------
    n_channels, n_positions : int
        Channels and positions of the feature map.
    variables : sequence of int
        For each column of the table, the number of the variable that it belongs to.
    dropout : float
        Proportion set to 0 in training, after each layer's parts and before the logit.

    Notes
    -----
    In training a tenth of the patients lose their film and another tenth their table, at random
    and anew in each step, so that a prediction may do without either.

    The paper names such a net as future work. Attention says where the net looked; that it decided
    by what it saw there is not said.

    References
    ----------
    Vaswani A et al. 2017, arXiv:1706.03762

    Gorishniy Y et al. 2021, arXiv:2106.11959: one token per column of a table.

    Examples
    --------
    >>> net = CrossAttention(1280, 49, variables=(0, 1, 1), dropout=0.25).eval()
    >>> film, table = torch.ones(2, 1280, 7, 7), torch.tensor([[0.3, 0, 1], [torch.nan, 1, 0]])
    >>> net(film, table, has_film=torch.tensor([True, False])).shape
    torch.Size([2])
    """

    variables: Tensor

    def __init__(
        self, n_channels: int, n_positions: int, variables: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        n_variables = max(variables) + 1
        self.register_buffer("variables", torch.tensor(variables))
        self.scale = nn.LayerNorm(n_channels)
        self.from_film = nn.Linear(n_channels, _WIDTH)
        self.position = _parameter(n_positions)
        self.no_film = _parameter(1)
        self.from_column = _parameter(len(variables))
        self.variable = _parameter(n_variables)
        self.missing = _parameter(n_variables)
        self.layers = nn.ModuleList(_TwoWayLayer(dropout) for _ in range(_LAYERS))
        self.norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(2))
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(2 * _WIDTH, 1)

    def forward(self, f: Tensor, table: Tensor, has_film: Tensor) -> Tensor:
        """Map films' maps (n, C, h, w), values (n, d) with NaN, and (n,) bool to logits (n,)."""
        film, values = self._tokens(f, table, has_film)
        for layer in self.layers:
            film, values = layer(film, values)
        means = [norm(t).mean(dim=1) for norm, t in zip(self.norms, (film, values), strict=True)]
        return self.head(self.dropout(torch.cat(means, dim=1))).squeeze(1)

    def attention_weights(self, f: Tensor, table: Tensor, has_film: Tensor) -> Tensor:
        """Return the attention weights of the last layer: (n, h w + number of variables).

        First the weight of each position of the map to the variables, then that of each variable
        to the positions; either sums to 1. Mean over heads and tokens.
        """
        film, values = self._tokens(f, table, has_film)
        for layer in self.layers[:-1]:
            film, values = layer(film, values)
        last = cast(_TwoWayLayer, self.layers[-1])
        return torch.cat(last.attention_weights(film, values), dim=1)

    def _tokens(self, f: Tensor, table: Tensor, has_film: Tensor) -> tuple[Tensor, Tensor]:
        positions = self.from_film(self.scale(f.flatten(2).transpose(1, 2)))
        absent = table.isnan()
        # a variable is missing where any of its columns is
        n_variables = len(self.variable)
        lacks = torch.zeros(len(table), n_variables, device=table.device, dtype=torch.int32)
        lacks = lacks.index_add(1, self.variables, absent.int()) > 0
        has_film, lacks = self._some_dropped(has_film, lacks)
        film = torch.where(has_film[:, None, None], positions, self.no_film) + self.position

        parts = table.nan_to_num(0.0)[:, :, None] * self.from_column
        values = parts.new_zeros(len(table), n_variables, _WIDTH)
        values = values.index_add(1, self.variables, parts) + self.variable
        return film, torch.where(lacks[:, :, None], self.missing.to(values.dtype), values)

    def _some_dropped(self, has_film: Tensor, lacks: Tensor) -> tuple[Tensor, Tensor]:
        """In training, take a patient's film or table away, where the other is there."""
        if not self.training:
            return has_film, lacks
        chance = torch.rand(
            len(lacks), device=lacks.device, dtype=torch.float32, generator=self.generator
        )
        no_film = (chance < _MODALITY_DROPOUT) & ~lacks.all(dim=1)
        no_table = (chance > 1 - _MODALITY_DROPOUT) & has_film
        return has_film & ~no_film, lacks | no_table[:, None]


class _TwoWayLayer(nn.Module):
    """Each side attends to the other as it came in, then passes its own two linear layers."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(2))
        self.attend = nn.ModuleList(
            nn.MultiheadAttention(_WIDTH, _HEADS, batch_first=True) for _ in range(2)
        )
        self.further = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(_WIDTH),
                nn.Linear(_WIDTH, 2 * _WIDTH),
                nn.ReLU(),
                Dropout(dropout),
                nn.Linear(2 * _WIDTH, _WIDTH),
            )
            for _ in range(2)
        )
        self.dropout = Dropout(dropout)

    def forward(self, film: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        sides = (film, values)
        normed = [norm(side) for norm, side in zip(self.norms, sides, strict=True)]
        out = []
        for i, side in enumerate(sides):
            other = normed[1 - i]
            seen, _ = self.attend[i](normed[i], other, other, need_weights=False)
            side = side + self.dropout(seen)
            out.append(side + self.dropout(self.further[i](side)))
        return out[0], out[1]

    def attention_weights(self, film: Tensor, values: Tensor) -> list[Tensor]:
        """Return the weights of the positions to the values (n, h w), and the other way (n, v)."""
        film, values = (norm(s) for norm, s in zip(self.norms, (film, values), strict=True))
        _, on_values = self.attend[0](film, values, values)
        _, on_film = self.attend[1](values, film, film)
        return [on_film.mean(dim=1), on_values.mean(dim=1)]


def _parameter(n: int) -> nn.Parameter:
    return nn.Parameter(nn.init.normal_(torch.empty(n, _WIDTH), std=_WIDTH**-0.5))
