"""The image network as a whole."""

import pytest
import torch

from skosteo.nets.image_net import ImageNet


def make(**changes):
    torch.manual_seed(0)
    params = {
        "backbone": "cnn",
        "pretrained": False,
        "pixel_range": (0, 255),
        "hidden_layer_sizes": (8,),
        "dropout": 0.25,
        "augmentation": None,
        "freeze_backbone": False,
    }
    return ImageNet(**params | changes)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_grey_is_spread_over_three_channels(dtype):
    films = (torch.rand(2, 1, 32, 32) * 255).to(dtype)
    net = make().eval()
    torch.testing.assert_close(net(films), net(films.expand(-1, 3, -1, -1)))


def test_black_and_white_are_where_pixel_range_says():
    wide, narrow = make().eval(), make(pixel_range=(1000, 5000)).eval()
    films = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(wide(films * 255), narrow(1000 + films * 4000), atol=1e-5, rtol=1e-4)


def test_input_is_normalised_as_imagenet_was():
    net = make()
    black, white = torch.tensor([0.0, 255.0]).view(2, 1, 1, 1)
    seen = []
    net.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net.eval()(torch.stack([black, white]).expand(2, 1, 16, 16))
    # (0 - .485) / .229 and (1 - .406) / .225, the published statistics
    assert seen[0][0, 0, 0, 0].item() == pytest.approx(-2.1179, abs=1e-4)
    assert seen[0][1, 2, 0, 0].item() == pytest.approx(2.6400, abs=1e-4)


def test_a_frozen_backbone_neither_learns_nor_moves_its_statistics():
    net = make(freeze_backbone=True).train()
    before = {k: v.clone() for k, v in net.backbone.state_dict().items()}
    optimizer = torch.optim.SGD((p for p in net.parameters() if p.requires_grad), lr=1.0)
    net(torch.rand(4, 1, 32, 32) * 255).sum().backward()
    optimizer.step()
    assert all(torch.equal(v, before[k]) for k, v in net.backbone.state_dict().items())


def test_gradients_reach_every_parameter():
    net = make(dropout=0.0).train()
    net(torch.rand(4, 1, 32, 32) * 255).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_features_can_be_computed_once():
    net = make().eval()
    films = torch.rand(3, 1, 32, 32) * 255
    torch.testing.assert_close(net(net.features(films)), net(films))
