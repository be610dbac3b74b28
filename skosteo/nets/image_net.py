"""The image network: films in, one logit per film out."""

from collections.abc import Sequence
from os import PathLike

import torch
from torch import Tensor, nn

from skosteo.nets.augmentation import Augmentation
from skosteo.nets.backbone import input_statistics, make_backbone
from skosteo.nets.heads import Head


class ImageNet(nn.Module):
    """Backbone, global max pooling and a fully connected head.

    ====================  ==========================================================
    films                 n x c x h x w, any number type, c = 1 or 3
    scaled                n x 3 x h x w, `pixel_range` to [0, 1], augmented, normalised
    backbone              n x F x h' x w'
    global max pooling    n x F
    head                  n
    ====================  ==========================================================

    Parameters
    ----------
    backbone, pretrained
        See `make_backbone`.
    pixel_range : (float, float)
        Pixel values of black and white.
    hidden_layer_sizes, dropout
        See `Head`.
    augmentation : {"chest", "paper"} or None
        See `Augmentation`.
    freeze_backbone : bool
        Keep the backbone's weights and batch-norm statistics as they are.
    """

    black: Tensor
    span: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        backbone: str,
        pretrained: bool | str | PathLike,
        pixel_range: tuple[float, float],
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        augmentation: str | None,
        freeze_backbone: bool,
    ) -> None:
        super().__init__()
        low, high = pixel_range
        mean, std = input_statistics(backbone, pretrained)
        self.register_buffer("black", torch.tensor(float(low)))
        self.register_buffer("span", torch.tensor(float(high - low)))
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.backbone = make_backbone(backbone, pretrained)
        self.augmentation = nn.Identity() if augmentation is None else Augmentation(augmentation)
        self.head = Head(self.backbone.num_features, hidden_layer_sizes, dropout)
        self.freeze_backbone = freeze_backbone
        if freeze_backbone:
            self.backbone.requires_grad_(False)
        # channels last: convolutions take about two thirds of the time, on a CPU too
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> "ImageNet":
        """Training mode for all but a frozen backbone, whose batch norms must not move."""
        super().train(mode)
        if self.freeze_backbone:
            self.backbone.eval()
        return self

    def features(self, x: Tensor) -> Tensor:
        """Films (n, c, h, w) to pooled features (n, F)."""
        x = self.augmentation((x.to(self.span.dtype) - self.black) / self.span)
        x = (x - self.mean) / self.std  # one grey channel spreads over three here
        return self.backbone(x.contiguous(memory_format=torch.channels_last)).amax(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Films (n, c, h, w), or their pooled features (n, F), to logits (n,)."""
        return self.head(x if x.ndim == 2 else self.features(x))
