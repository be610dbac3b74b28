"""Adapters: the formula, the halves of a network, and what they refuse."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, linear

from skosteo.exceptions import InputError
from skosteo.nets.adapters import (
    ALPHA,
    RANK,
    Adapter,
    adapt,
    before_adapters,
    check_adaptable,
    from_adapters,
)
from skosteo.nets.backbone import make_backbone
from tests.reference import lora

TINY = ["test_efficientnet", "test_vit", "test_resnet"]


@pytest.mark.parametrize(
    "layer", [nn.Linear(7, 5), nn.Conv2d(7, 5, 1), nn.Conv2d(7, 5, 1, stride=2, bias=False)]
)
def test_a_layer_computes_with_its_weights_and_the_product_of_the_adapter(layer):
    """W + (alpha / r) B A, multiplied out, as in equation 3 of arXiv:2106.09685."""
    generator = torch.Generator().manual_seed(0)
    adapter = Adapter(layer)
    nn.init.normal_(adapter.up, generator=generator)
    weight = layer.weight + (ALPHA / RANK) * (adapter.up @ adapter.down).view_as(layer.weight)
    if isinstance(layer, nn.Linear):
        x = torch.randn(3, 7, generator=generator)
        wanted = linear(x, weight, layer.bias)
    else:
        x = torch.randn(3, 7, 6, 6, generator=generator)
        wanted = conv2d(x, weight, layer.bias, stride=layer.stride)
    torch.testing.assert_close(adapter(x), wanted, rtol=1e-4, atol=1e-5)


# of peft 0.21.2, by tests/reference/lora.py: at the start, and after three steps
PEFT = {
    "linear": [
        [-0.578632, 0.723409, 0.367242, -1.011723, -0.539844, 0.210544],
        [-0.27775, 0.074287, 0.115671, -0.306039, -0.252276, 0.177485],
    ],
    "convolution": [
        [0.068221, -0.10428, 0.088824, -0.092498, 0.072144, -0.093585],
        [0.039472, -0.065932, 0.053113, -0.059607, 0.045133, -0.063082],
    ],
}


@pytest.mark.parametrize("kind", PEFT)
def test_an_adapter_computes_and_learns_as_that_of_peft(kind):
    assert (RANK, ALPHA) == (lora.RANK, lora.ALPHA)
    layer, x = lora.layer_and_input(kind)
    adapter = Adapter(layer)
    for said, wanted in zip(
        lora.descend(adapter, x, adapter.down, adapter.up), PEFT[kind], strict=True
    ):
        torch.testing.assert_close(said.flatten()[:6], torch.tensor(wanted), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("name", TINY)
def test_an_adapted_network_begins_as_the_network_that_it_was(name):
    backbone = make_backbone(name, False, (32, 32)).eval()
    films = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = backbone(films)
        adapt(backbone)
        backbone.eval()
        halves = from_adapters(backbone, before_adapters(backbone, films))
        torch.testing.assert_close(backbone(films), before)
        torch.testing.assert_close(halves, before)


@pytest.mark.parametrize("name", TINY)
def test_only_adapters_learn_and_all_come_after_the_frozen_half(name):
    backbone = make_backbone(name, False, (32, 32)).eval()
    adapt(backbone)
    learnt = {n for n, weight in backbone.named_parameters() if weight.requires_grad}
    assert learnt
    assert {n.rpartition(".")[2] for n in learnt} == {"up", "down"}
    films = torch.randn(2, 3, 32, 32)
    assert not before_adapters(backbone, films).requires_grad
    backbone(films).sum().backward()
    for name, weight in backbone.named_parameters():
        assert (weight.grad is not None) == (name in learnt)


@pytest.mark.parametrize("name", ["cnn", "vgg16", "densenet121"])
def test_a_network_without_known_last_blocks_is_refused(name):
    with pytest.raises(InputError, match="such as 'efficientnet_lite0'"):
        check_adaptable(name)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet50", "vit_tiny_patch16_224"])
def test_networks_of_the_documentation_are_adaptable(name):
    check_adaptable(name)
