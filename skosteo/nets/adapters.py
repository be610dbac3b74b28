"""Low-rank adapters: the last blocks of a frozen backbone learn, by few numbers a layer.

References
----------
Hu EJ et al. LoRA. arXiv:2106.09685
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from skosteo.exceptions import InputError
from skosteo.nets.backbone import PlainCNN, TimmBackbone

RANK, ALPHA = 8, 16


class Adapter(nn.Module):
    """A frozen layer of weights W that computes with W + (alpha / r) B A.

    A, ``down`` (r, n_in), is random and B, ``up`` (n_out, r), is 0 at the start, when the layer
    does what it did.

    Parameters
    ----------
    layer : Linear, or Conv2d of one pixel in one group
        Its weights are frozen.

    Examples
    --------
    >>> layer, x = nn.Linear(3, 2), torch.ones(1, 3)
    >>> bool((Adapter(layer)(x) == layer(x)).all())
    True
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        n_out, n_in = layer.weight.shape[:2]
        self.down = nn.Parameter(torch.empty(RANK, n_in))
        self.up = nn.Parameter(torch.zeros(n_out, RANK))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer and its adapter."""
        if isinstance(self.layer, nn.Linear):
            change = linear(linear(x, self.down), self.up)
        else:
            narrow = conv2d(x, self.down[:, :, None, None], stride=self.layer.stride)
            change = conv2d(narrow, self.up[:, :, None, None])
        return self.layer(x) + ALPHA / RANK * change


def adapt(backbone: PlainCNN | TimmBackbone) -> None:
    """Freeze a backbone, and put adapters on the layers of its last blocks that can have them.

    Raises
    ------
    InputError
        It is of no family whose last blocks are known, or they have no such layer.
    """
    backbone.requires_grad_(False)
    model: Any = getattr(backbone, "model", backbone)
    chosen = _layers(model)
    for path, layer in list(model.named_modules()):
        if layer in chosen:
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, Adapter(layer))


def before_adapters(backbone: Any, x: Tensor) -> Tensor:
    """Map films (n, 3, h, w) to what the frozen blocks make of them."""
    backbone.check_films(x)
    for part in _halves(backbone.model)[0]:
        x = part(x)
    return x


def from_adapters(backbone: Any, x: Tensor) -> Tensor:
    """Map what the frozen blocks have made to the backbone's map (n, C, h', w')."""
    for part in _halves(backbone.model)[1]:
        x = part(x)
    return backbone.as_map(x)


def check_adaptable(name: str) -> None:
    """Refuse a backbone without layers for adapters, by its name, before it is built.

    Raises
    ------
    InputError
        As `adapt`.
    """
    if name == "cnn":
        raise _no_adapters()
    import timm

    with torch.device("meta"):
        _layers(timm.create_model(name, pretrained=False))


def _layers(model: Any) -> set[nn.Module]:
    """Linear layers and pointwise convolutions of the last blocks."""
    last = _halves(model)[1]
    layers = {layer for part in last for layer in part.modules() if _is_pointwise(layer)}
    if not layers:
        raise _no_adapters()
    return layers


def _halves(model: Any) -> tuple[list[Any], list[Any]]:
    """Divide what a network of timm does to films: up to its last blocks, and from there on."""
    from timm.models import EfficientNet, ResNet, VisionTransformer

    if isinstance(model, EfficientNet):
        first = [model.conv_stem, model.bn1, *model.blocks[:-1]]
        return first, [model.blocks[-1], model.conv_head, model.bn2]
    if isinstance(model, ResNet):
        stem = [model.conv1, model.bn1, model.act1, model.maxpool]
        return [*stem, model.layer1, model.layer2, model.layer3], [model.layer4]
    if isinstance(model, VisionTransformer):
        stem = [model.patch_embed, model._pos_embed, model.patch_drop, model.norm_pre]
        return [*stem, *model.blocks[:-2]], [*model.blocks[-2:], model.norm]
    raise _no_adapters()


def _is_pointwise(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.kernel_size == (1, 1) and layer.groups == 1
    return isinstance(layer, nn.Linear)


def _no_adapters() -> InputError:
    return InputError(
        "tune='lora': this backbone has no blocks that can have adapters. Choose an EfficientNet, "
        "such as 'efficientnet_lite0', a ResNet, such as 'resnet50', or a vision transformer, such "
        "as 'vit_tiny_patch16_224'; or tune=None."
    )
