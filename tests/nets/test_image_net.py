"""The image network as a whole."""

import pytest
import torch
from torch.nn.functional import max_pool2d

from skosteo.exceptions import InputError
from skosteo.nets.gradient_fusion import MODES
from skosteo.nets.haar import haar_transform
from skosteo.nets.image_net import ImageNet


def make(**changes):
    torch.manual_seed(0)
    params = {
        "backbone": "cnn",
        "pretrained": False,
        "pixel_range": (0, 255),
        "wavelet": True,
        "soft_attention": True,
        "gradient_fusion": "running",
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


@pytest.mark.parametrize(
    ("backbone", "black_is", "white_is"),
    [
        ("cnn", -0.485 / 0.229, (1 - 0.406) / 0.225),  # the published statistics of ImageNet
        ("resnet18", -0.485 / 0.229, (1 - 0.406) / 0.225),
        ("inception_v3", -1, 1),  # (pixel - 127.5) / 127.5 in its training
    ],
)
def test_input_is_normalised_as_the_weights_want_it(backbone, black_is, white_is):
    net = make(backbone=backbone)
    black, white = torch.tensor([0.0, 255.0]).view(2, 1, 1, 1)
    seen = []
    net.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net.eval()(torch.stack([black, white]).expand(2, 1, 96, 96))
    assert seen[0][0, 0, 0, 0].item() == pytest.approx(black_is, abs=1e-4)
    assert seen[0][1, 2, 0, 0].item() == pytest.approx(white_is, abs=1e-4)


def test_a_frozen_backbone_neither_learns_nor_moves_its_statistics():
    net = make(freeze_backbone=True).train()
    before = {k: v.clone() for k, v in net.backbone.state_dict().items()}
    optimizer = torch.optim.SGD((p for p in net.parameters() if p.requires_grad), lr=1.0)
    net(torch.rand(4, 1, 32, 32) * 255).sum().backward()
    optimizer.step()
    assert all(torch.equal(v, before[k]) for k, v in net.backbone.state_dict().items())


@pytest.mark.parametrize(
    ("backbone", "last"),
    [
        ("cnn", "backbone.blocks.0.1.bias"),
        ("resnet18", "backbone.model.layer1.1.bn2.bias"),
        ("efficientnet_lite0", "backbone.model.blocks.1.1.bn3.bias"),
    ],
)
def test_a_frozen_stem_stays_and_the_rest_learns(backbone, last):
    net = make(backbone=backbone, freeze_backbone="stem").train()
    frozen_names = [name for name, p in net.named_parameters() if not p.requires_grad]
    assert frozen_names[-1] == last
    before = {k: v.clone() for k, v in net.state_dict().items()}
    frozen = {id(p) for part in net.frozen for p in part.parameters()}
    optimizer = torch.optim.SGD((p for p in net.parameters() if p.requires_grad), lr=1.0)
    net(torch.rand(4, 1, 64, 64) * 255).sum().backward()
    optimizer.step()
    parameters = dict(net.named_parameters())
    stay = {name for name, p in parameters.items() if torch.equal(p, before[name])}
    assert {id(parameters[name]) for name in stay} >= frozen
    assert any(name.startswith("backbone.") for name in set(parameters) - stay)
    for part in net.frozen:
        for name, module in part.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.num_batches_tracked == 0, name


def test_the_stem_of_resnet50_is_that_of_the_lineage():
    """Stem and conv2_x: 9,408 + 128 and 215,808 parameters (He 2016, table 1)."""
    net = make(backbone="resnet50", freeze_backbone="stem")
    assert sum(p.numel() for p in net.parameters() if not p.requires_grad) == 9_536 + 215_808


def test_what_to_freeze_is_checked():
    with pytest.raises(InputError, match=r"'early'.*False, True and 'stem'"):
        make(freeze_backbone="early")


# ---------------------------------------------------------------- the paper's block


def test_parameters_of_the_paper():
    net = make(backbone="resnet50", hidden_layer_sizes=(1024, 512, 256))
    parts = (net.backbone, net.wavelet, net.attention, net.head)
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert counts == [23_508_032, 16_852_992, 294_928, 2_754_561]
    assert sum(p.numel() for p in net.parameters()) == sum(counts) == 43_410_513


@pytest.mark.parametrize("size", [32, 48, 80])  # maps of 2, 3 and 5 positions a side
def test_rows_of_table_3(size):
    """Each row, written out."""
    films = torch.rand(3, 1, size, size) * 255

    def row(wavelet, soft_attention):
        return make(
            wavelet=wavelet, soft_attention=soft_attention, gradient_fusion="reference"
        ).eval()

    def wanted(net):
        scaled = (films / 255 - net.mean) / net.std
        f = net.backbone(scaled)
        f_w = net.wavelet.pointwise(net.wavelet.depthwise(haar_transform(f))) if net.wavelet else 0
        alpha = net.attention.attention(f) if net.attention else 0
        if net.wavelet is None:
            return (f if net.attention is None else f * alpha).amax((2, 3))
        if net.attention is None:
            return f_w.relu().amax((2, 3))
        f_sa = max_pool2d(f * alpha, 2, ceil_mode=True)
        return (f_w / 3 + f_sa / 2).relu().amax((2, 3))

    for branches in [(False, False), (True, False), (False, True), (True, True)]:
        net = row(*branches)
        torch.testing.assert_close(net(films), net.head(wanted(net)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        *[("cnn", 224), ("inception_v3", 96), ("resnet50", 64)],
        pytest.param("vgg11", 64, marks=pytest.mark.slow),
        *[("resnet18", 33), ("resnet18", 96), ("mobilenetv3_small_050", 100)],
    ],
)
def test_any_feature_map(backbone, size):
    net = make(backbone=backbone).eval()
    films = torch.rand(2, 1, size, size) * 255
    assert net(films).shape == (2,)
    features = net.features(films)
    alpha = net.attention_map(features)
    assert alpha.shape == (2, *features.shape[2:])
    torch.testing.assert_close(alpha.sum((1, 2)), torch.full((2,), 16.0))


@pytest.mark.parametrize("mode", MODES)
def test_training_sees_the_target_and_prediction_does_not(mode):
    net = make(gradient_fusion=mode, dropout=0.0)
    films = torch.rand(6, 1, 32, 32) * 255
    target = torch.stack([torch.tensor([0.0, 1, 0, 1, 0, 1]), torch.ones(6)], dim=1)
    statistics = {k: v.clone() for k, v in net.backbone.state_dict().items() if "running" in k}
    net.train()
    net(films, target)
    moved = {k: v.clone() for k, v in net.backbone.state_dict().items() if "running" in k}
    net.backbone.load_state_dict(statistics, strict=False)
    net(films)  # without the probe
    for name, value in moved.items():
        torch.testing.assert_close(net.backbone.state_dict()[name], value)
    net.eval()
    g = net.fusion.g.clone()
    before = net(films)
    assert torch.equal(net(films, target), before)
    assert torch.equal(net(films, target.flip(0)), before)
    assert torch.equal(net.fusion.g, g)
    alone = torch.cat([net(film[None]) for film in films])
    torch.testing.assert_close(alone, before, atol=1e-6, rtol=0)


def test_facts_are_the_weights_of_equation_1():
    assert make(gradient_fusion="reference").facts() == pytest.approx(
        {"g_wavelet": 2 / 3, "g_attention": 1 / 2}
    )
    assert make(wavelet=False).facts() == make(soft_attention=False).facts() == {}


@pytest.mark.parametrize("mode", MODES)
def test_gradients_reach_every_parameter(mode):
    net = make(dropout=0.0, gradient_fusion=mode).train()
    target = torch.stack([torch.tensor([0.0, 1, 0, 1]), torch.ones(4)], dim=1)
    net(torch.rand(4, 1, 32, 32) * 255, target).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("branches", [True, False])
def test_features_can_be_computed_once(branches):
    net = make(wavelet=branches, soft_attention=branches).eval()
    films = torch.rand(3, 1, 32, 32) * 255
    features = net.features(films)
    assert features.ndim == (4 if branches else 2)
    torch.testing.assert_close(net(features), net(films))


def test_the_digest_of_features_tells_apart_what_gives_others():
    net = make()
    digest = net.features_digest()
    assert make(hidden_layer_sizes=(3,), gradient_fusion="fixed").features_digest() == digest
    others = [make(pixel_range=(0, 1)), make(wavelet=False, soft_attention=False)]
    others += [make(backbone="resnet18")]
    with torch.no_grad():
        net.backbone.blocks[0][0].weight[0, 0, 0, 0] += 1e-6
    assert len({digest, net.features_digest(), *(o.features_digest() for o in others)}) == 5
