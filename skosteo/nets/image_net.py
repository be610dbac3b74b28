"""The image network: films in, features or one logit per film out."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from os import PathLike
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from skosteo.exceptions import InputError
from skosteo.nets.adapters import adapt, before_adapters, from_adapters
from skosteo.nets.augmentation import Augmentation
from skosteo.nets.backbone import PlainCNN, TimmBackbone, make_backbone
from skosteo.nets.gradient_fusion import GradientFusion, relu_max_pool
from skosteo.nets.haar import WaveletBranch
from skosteo.nets.heads import Head
from skosteo.nets.soft_attention import SoftAttention

_FILM_CHANNELS = (1, 3)
POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda f: f.amax(dim=(2, 3)),
    "mean": lambda f: f.mean(dim=(2, 3)),
}
# Part of the digest of features: raise it when `features` would give others.
_FORMAT = 1


class ImageTrunk(nn.Module):
    """The paper's image model but for its head: from films to the features that the head sees.

    ======================  ================================================================
    films                   n x c x h x w, any number type, c = 1 or 3
    scaled                  n x 3 x h x w, `pixel_range` to [0, 1], augmented, normalised
    backbone: F             n x C x h' x w'
    wavelet branch: F_w     n x C x ceil(h' / 2) x ceil(w' / 2)
    soft attention: F_sa    F times alpha, max-pooled by 2: the shape of F_w
    equation 1              (1 - g_w) F_w + (1 - g_sa) F_sa
    ReLU, global max pool   n x C
    ======================  ================================================================

    With one branch, its map is pooled; with none, F is (the rows of the paper's Table 3).

    Parameters
    ----------
    backbone, pretrained
        See `make_backbone`.
    pixel_range : (float, float)
        Pixel values of black and white.
    film_shape : (int, int), default=(224, 224)
        Height and width of the films.
    wavelet, soft_attention : bool
        Whether the net has the branch.
    gradient_fusion : str
        Mode of `GradientFusion`, where the net has both.
    augmentation : {"chest", "paper"} or None
        See `Augmentation`.
    freeze_backbone : bool or "stem"
        Keep the weights and batch-norm statistics of the backbone, or of its stem and first stage,
        as they are.
    keep_map : bool, default=False
        Let `features` give the map F even where no branch follows.
    pooling : {"max", "mean"}, default="max"
        How F itself is pooled, where no branch follows.
    adapters : bool, default=False
        Freeze the backbone but for low-rank adapters of its last blocks. The `features` are
        then what comes before these, and `pooled` does the rest.
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
        wavelet: bool,
        soft_attention: bool,
        gradient_fusion: str,
        augmentation: str | None,
        freeze_backbone: bool | str,
        film_shape: tuple[int, int] = (224, 224),
        keep_map: bool = False,
        pooling: str = "max",
        adapters: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("wavelet", wavelet), ("soft_attention", soft_attention)):
            if not isinstance(value, bool):
                raise InputError(f"{name}={value!r}: allowed are True and False.")
        if pooling not in POOLINGS:
            raise InputError(f"pooling={pooling!r}: allowed are {sorted(POOLINGS)}.")
        fusion = GradientFusion(gradient_fusion)
        low, high = pixel_range
        self.backbone = make_backbone(backbone, pretrained, film_shape)
        mean, std = self.backbone.input_statistics
        self.register_buffer("black", torch.tensor(float(low)))
        self.register_buffer("span", torch.tensor(float(high - low)))
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.augmentation = nn.Identity() if augmentation is None else Augmentation(augmentation)
        self.n_channels = self.backbone.num_features
        self.wavelet = WaveletBranch(self.n_channels) if wavelet else None
        self.attention = SoftAttention(self.n_channels) if soft_attention else None
        self.fusion = fusion if wavelet and soft_attention else None
        self.pools = self.wavelet is None and self.attention is None and not keep_map
        self.pooling = pooling
        self.frozen = _parts_to_freeze(self.backbone, freeze_backbone)
        for part in self.frozen:
            part.requires_grad_(False)
        self.adapted = adapters
        if adapters:
            adapt(self.backbone)
        # channels last: convolutions take about two thirds of the time, on a CPU too
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> Self:
        """Training mode for all but frozen parts, whose batch norms must not move."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def features(self, films: Tensor) -> Tensor:
        """Films (n, c, h, w) to F (n, C, h', w'), or pooled to (n, C) if none needs the map.

        With adapters, to what the blocks before them make of the films.
        """
        if self.adapted:
            return before_adapters(self.backbone, self._scaled(films))
        f = self.feature_map(films)
        return POOLINGS[self.pooling](f) if self.pools else f

    def feature_map(self, x: Tensor) -> Tensor:
        """Films (n, c, h, w) to F (n, C, h', w'), whether or not anything else needs the map."""
        return self.backbone(self._scaled(x))

    def _scaled(self, x: Tensor) -> Tensor:
        x = self.augmentation((x.to(self.span.dtype) - self.black) / self.span)
        x = (x - self.mean) / self.std  # one grey channel spreads over three here
        return x.contiguous(memory_format=torch.channels_last)

    def fits_features(self, shape: Sequence[int]) -> bool:
        """Whether n films can have `features` of a shape."""
        if self.adapted:  # how many channels come before the adapters is the network's own matter
            return len(shape) in (3, 4)
        return len(shape) == (2 if self.pools else 4) and shape[1] == self.n_channels

    def features_digest(self) -> str:
        """Return what stands for all that decides the `features` of a film without augmentation."""
        versions = _FORMAT, torch.__version__  # and timm's, in the name of the backbone
        precision = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        said = f"{versions} {precision} {self.pools and self.pooling} {self.backbone}"
        digest = blake2b(said.encode(), digest_size=20)
        scaling = dict(self.named_buffers(recurse=False))
        learnt = {id(weight) for weight in self.backbone.parameters() if weight.requires_grad}
        for value in (*scaling.values(), *self.backbone.state_dict(keep_vars=True).values()):
            if self.adapted and id(value) in learnt:
                continue  # adapters come after the features
            value = value.detach()
            digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()

    @property
    def wants_target(self) -> bool:
        """Whether `forward` is to be given the target in training."""
        return self.fusion is not None

    def facts(self) -> dict[str, float]:
        """Return what the history of a training should note after each epoch."""
        if self.fusion is None:
            return {}
        g_w, g_sa = self.fusion.g.tolist()
        return {"g_wavelet": g_w, "g_attention": g_sa}

    def as_features(self, x: Tensor) -> Tensor:
        """Films to features; features as they are."""
        if x.shape[1] in _FILM_CHANNELS:
            return self.features(x)
        return x if x.ndim != 4 else x.contiguous(memory_format=torch.channels_last)

    def pooled(self, f: Tensor, target: Tensor | None, head: nn.Module) -> Tensor:
        """Map F (n, C, h', w') to what the head sees (n, C).

        Equation 1 looks, in training, at the loss behind ``head``.
        """
        if self.adapted:
            f = from_adapters(self.backbone, f)
        if self.attention is None:
            if self.wavelet is not None:
                return relu_max_pool(self.wavelet(f))
            return f if f.ndim == 2 else POOLINGS[self.pooling](f)
        attended = self.attention(f)
        if self.wavelet is None or self.fusion is None:
            return attended.amax(dim=(2, 3))
        f_w, f_sa = self.wavelet(f), max_pool2d(attended, 2, ceil_mode=True)
        g = (
            None
            if target is None
            else self.fusion.probe(f_w, f_sa, head, target[:, :-1], target[:, -1])
        )
        return relu_max_pool(self.fusion(f_w, f_sa, g))


class ImageNet(ImageTrunk):
    """The paper's image model: films to one logit each, or to densities.

    Parameters
    ----------
    hidden_layer_sizes, dropout, n_outputs
        See `Head`.
    **trunk
        Parameters of `ImageTrunk`.
    """

    def __init__(
        self,
        *,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        n_outputs: int = 1,
        **trunk: Any,
    ) -> None:
        super().__init__(**trunk)
        self.head = Head(self.n_channels, hidden_layer_sizes, dropout, n_outputs)

    def attention_map(self, films: Tensor) -> Tensor:
        """Films, or their features, to alpha (n, h', w')."""
        if self.attention is None:
            raise InputError("The net has no soft attention.")
        return self.attention.attention(self.as_features(films)).squeeze(1)

    def forward(self, films: Tensor, target: Tensor | None = None) -> Tensor:
        """Films (n, c, h, w), or their features, to logits (n,), or to outputs (n, n_outputs).

        In training, equation 1 looks at the ``target`` (n, 2), label and weight of each film, or
        (n, k + 1), its densities and weight.
        """
        return self.head(self.pooled(self.as_features(films), target, self.head))


def _parts_to_freeze(backbone: PlainCNN | TimmBackbone, freeze: bool | str) -> list[nn.Module]:
    if freeze is False:
        return []
    if freeze is True:
        return [backbone]
    if freeze != "stem":
        raise InputError(f"freeze_backbone={freeze!r}: allowed are False, True and 'stem'.")
    return backbone.stem_and_first_stage()
