"""Nets that fuse film and clinical values before there is a probability of either."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from skosteo.nets.cross_attention import CrossAttention
from skosteo.nets.heads import Head, check_dropout, hidden_layers
from skosteo.nets.image_net import ImageTrunk

# neurons of Schilcher et al.
_CONCAT = (1024, 512, 256)
_SIDE, _JOINT = (512, 256, 128), (128, 64)


class Concat(nn.Module):
    """Feature fusion: image features and clinical values side by side, then one head.

    Parameters
    ----------
    n_channels, n_columns : int
        Numbers of image features and of clinical values.
    dropout : float
        Proportion of hidden neurons set to 0 in training.

    Examples
    --------
    >>> Concat(2048, 9, 0.25)(torch.ones(2, 2048), torch.ones(2, 9)).shape
    torch.Size([2])
    """

    def __init__(self, n_channels: int, n_columns: int, dropout: float) -> None:
        super().__init__()
        self.head = Head(n_channels + n_columns, _CONCAT, dropout)

    def forward(self, features: Tensor, table: Tensor) -> Tensor:
        """Map image features (n, C) and clinical values (n, d) to logits (n,)."""
        return self.head(torch.cat([features, table], dim=1))


class Learned(nn.Module):
    """Learned feature fusion: each side through layers of its own, then both through one head.

    Parameters are those of `Concat`.

    Examples
    --------
    >>> Learned(2048, 9, 0.25)(torch.ones(2, 2048), torch.ones(2, 9)).shape
    torch.Size([2])
    """

    def __init__(self, n_channels: int, n_columns: int, dropout: float) -> None:
        super().__init__()
        self.image_side = nn.Sequential(*hidden_layers((n_channels, *_SIDE), dropout))
        self.table_side = nn.Sequential(*hidden_layers((n_columns, *_SIDE), dropout))
        self.head = Head(2 * _SIDE[-1], _JOINT, dropout)

    def forward(self, features: Tensor, table: Tensor) -> Tensor:
        """Map image features (n, C) and clinical values (n, d) to logits (n,)."""
        return self.head(torch.cat([self.image_side(features), self.table_side(table)], dim=1))


class FeatureFusionNet(nn.Module):
    """A trunk for the films and, behind it, the part that fuses its features with the table.

    Parameters
    ----------
    strategy : {"concat", "learned", "attention"}
        `Concat`, `Learned` or `CrossAttention`.
    trunk : mapping
        Parameters of `ImageTrunk`.
    freeze_trunk : bool
        Keep the trunk as it is: its weights are then given to `load_trunk`.
    variables : sequence of int
        For each column of the table, the number of the variable that it belongs to.
    dropout : float
        Proportion of hidden neurons set to 0 in training.

    Attributes
    ----------
    map_shape : torch.Size
        Height and width of the feature map, with "attention".
    """

    fusion: Concat | Learned | CrossAttention

    def __init__(
        self,
        *,
        strategy: str,
        trunk: Mapping[str, Any],
        freeze_trunk: bool,
        variables: tuple[int, ...],
        dropout: float,
    ) -> None:
        super().__init__()
        check_dropout(dropout)
        attends = strategy == "attention"
        self.trunk = ImageTrunk(**trunk, keep_map=attends)
        self.trunk_is_frozen = freeze_trunk
        if freeze_trunk:
            self.trunk.requires_grad_(False)
        if attends:
            self.map_shape = self._map_shape(trunk["film_shape"])
            n_positions = self.map_shape.numel()
            self.fusion = CrossAttention(self.trunk.n_channels, n_positions, variables, dropout)
        else:
            fusion = Concat if strategy == "concat" else Learned
            self.fusion = fusion(self.trunk.n_channels, len(variables), dropout)

    def train(self, mode: bool = True) -> "FeatureFusionNet":
        """Training mode for all but a frozen trunk."""
        super().train(mode)
        if self.trunk_is_frozen:
            self.trunk.eval()
        return self

    def load_trunk(self, weights: Mapping[str, Tensor]) -> None:
        """Take the state dict of a trained image net, but for its head."""
        self.trunk.load_state_dict({k: v for k, v in weights.items() if not k.startswith("head.")})

    def features(self, films: Tensor) -> Tensor:
        """Films to what the trunk's backbone makes of them: see `ImageTrunk`."""
        return self.trunk.features(films)

    def features_digest(self) -> str:
        """Return what decides the `features` of a film: see `ImageTrunk`."""
        return self.trunk.features_digest()

    def forward(
        self, films: Tensor, table: Tensor, has_film: Tensor, target: Tensor | None = None
    ) -> Tensor:
        """Map films, or their features, and clinical values (n, d) to logits (n,).

        ``has_film``, (n,) of bool, says which rows have a film; `table` is NaN where a value is
        missing. Only `CrossAttention` can do without either.
        """
        f = self.trunk.as_features(films)
        if isinstance(self.fusion, CrossAttention):
            return self.fusion(f, table, has_film)
        rest = _Rest(self.fusion, table)
        return rest(self.trunk.pooled(f, target, rest))

    def attention(self, films: Tensor, table: Tensor, has_film: Tensor) -> Tensor:
        """Return what film and table attend to: see `CrossAttention.attention_weights`."""
        fusion = cast(CrossAttention, self.fusion)
        return fusion.attention_weights(self.trunk.as_features(films), table, has_film)

    @property
    def wants_target(self) -> bool:
        """Whether `forward` is to be given the target in training."""
        return self.trunk.fusion is not None and not self.trunk_is_frozen

    def _map_shape(self, film_shape: tuple[int, int]) -> torch.Size:
        self.trunk.eval()
        with torch.no_grad():
            return self.trunk.features(torch.zeros(1, 1, *film_shape)).shape[2:]


class _Rest(nn.Module):
    """What follows the image features, for a given table: equation 1 looks through it."""

    def __init__(self, fusion: nn.Module, table: Tensor) -> None:
        super().__init__()
        self.fusion, self.table = fusion, table

    def forward(self, features: Tensor) -> Tensor:
        return self.fusion(features, self.table)
