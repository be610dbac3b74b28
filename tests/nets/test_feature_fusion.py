"""The nets that fuse features: their sizes, and what in them learns."""

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from skosteo.exceptions import InputError
from skosteo.nets.feature_fusion import Concat, FeatureFusionNet, Learned
from skosteo.nets.gradient_fusion import relu_max_pool
from skosteo.nets.image_net import ImageNet, ImageTrunk

STRATEGIES = ["concat", "learned", "attention"]
VARIABLES = (0, 1, 1)
TRUNK = {
    "backbone": "cnn",
    "pretrained": False,
    "pixel_range": (0, 255),
    "film_shape": (32, 32),
    "wavelet": True,
    "soft_attention": True,
    "gradient_fusion": "running",
    "augmentation": None,
    "freeze_backbone": False,
}
PLAIN = {"wavelet": False, "soft_attention": False}


def make(strategy="concat", weights=None, dropout=0.25, **trunk):
    torch.manual_seed(0)
    plain = PLAIN if strategy == "attention" else {}
    net = FeatureFusionNet(
        strategy=strategy, trunk=TRUNK | plain | trunk, freeze_trunk=weights is not None,
        variables=VARIABLES, dropout=dropout,
    )  # fmt: skip
    if weights is not None:
        net.load_trunk(weights)
    return net


def trained_trunk(**changes):
    """A trunk whose batch norms, weights and g are not those of a new one."""
    torch.manual_seed(9)
    trunk = ImageTrunk(**TRUNK | changes)
    return {k: v + 0.1 if v.is_floating_point() else v for k, v in trunk.state_dict().items()}


def studies(n=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    films = torch.rand(n, 1, 32, 32, generator=generator) * 255
    table = torch.randn(n, 3, generator=generator)
    return {"films": films, "table": table, "has_film": torch.ones(n, dtype=torch.bool)}


def target(n=6):
    return torch.stack([torch.arange(n) % 2.0, torch.linspace(0.5, 2, n)], dim=1)


def sizes(module):
    return [(m.in_features, m.out_features) for m in module.modules() if isinstance(m, nn.Linear)]


def test_feature_fusion_has_the_neurons_of_its_lineage():
    # 2048 image features and 9 clinical values
    assert sizes(Concat(2048, 9, 0.25)) == [(2057, 1024), (1024, 512), (512, 256), (256, 1)]


def test_learned_feature_fusion_has_the_neurons_of_its_lineage():
    net = Learned(2048, 9, 0.25)
    assert sizes(net.image_side) == [(2048, 512), (512, 256), (256, 128)]
    assert sizes(net.table_side) == [(9, 512), (512, 256), (256, 128)]
    assert sizes(net.head) == [(256, 128), (128, 64), (64, 1)]


@pytest.mark.parametrize("fusion", [Concat, Learned])
def test_hidden_neurons_are_silenced_in_training_only(fusion):
    net = fusion(8, 3, 0.5)
    dropouts = [m.p for m in net.modules() if isinstance(m, nn.Dropout)]
    assert dropouts == [0.5] * sum(isinstance(m, nn.ReLU) for m in net.modules())
    features, table = torch.rand(4, 8), torch.rand(4, 3)
    assert not torch.equal(net(features, table), net(features, table))
    assert torch.equal(net.eval()(features, table), net(features, table))


@pytest.mark.parametrize("fusion", [Concat, Learned])
def test_both_sides_matter(fusion):
    net, features, table = fusion(8, 3, 0.0), torch.rand(4, 8), torch.rand(4, 3)
    logits = net(features, table)
    assert logits.shape == (4,)
    assert not torch.isclose(net(features + 1, table), logits).any()
    assert not torch.isclose(net(features, table + 1), logits).any()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5, "half"])
def test_dropout_is_checked(strategy, dropout):
    with pytest.raises(InputError, match=f"dropout={dropout!r}: allowed is a number from 0"):
        make(strategy, dropout=dropout)


# ---------------------------------------------------------------- the trunk


@pytest.mark.parametrize(
    "branches", [{}, {"wavelet": False}, {"soft_attention": False}, PLAIN], ids=str
)
def test_the_trunk_is_the_image_net_but_for_its_head(branches):
    net = ImageNet(hidden_layer_sizes=(8,), dropout=0.25, **TRUNK | branches).eval()
    seen = []
    net.head.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    x = studies()
    net(x["films"])
    fused = make(weights=net.state_dict(), **branches).eval()
    torch.testing.assert_close(fused(**x), fused.fusion(seen[0], x["table"]))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_features_computed_before_give_the_same_logits(strategy):
    net, x = make(strategy).eval(), studies()
    before = x | {"films": net.features(x["films"])}
    torch.testing.assert_close(net(**before), net(**x))
    if strategy == "attention":
        assert before["films"].shape[2:] == net.map_shape
        torch.testing.assert_close(net.attention(**before), net.attention(**x))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_patient_ignores_its_neighbours(strategy):
    net, x = make(strategy).eval(), studies()
    rows = ({name: part[i : i + 1] for name, part in x.items()} for i in range(6))
    alone = torch.cat([net(**row) for row in rows])
    torch.testing.assert_close(alone, net(**x), atol=1e-6, rtol=0)


def step(net, x):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    net.train()
    wanted = {"target": target()} if net.wants_target else {}
    bce(net(**x, **wanted), target()[:, 0]).backward()
    optimizer.step()


def moved(net, before):
    return {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_trained_trunk_stays_as_it_is(strategy):
    weights = trained_trunk(**(PLAIN if strategy == "attention" else {}))
    net = make(strategy, weights)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    for _ in range(3):
        step(net, studies())
    trunk = net.trunk.state_dict()
    assert trunk.keys() == weights.keys()
    assert all(torch.equal(v, weights[k]) for k, v in trunk.items())  # batch norms and g too
    changed = moved(net, before)
    assert changed
    assert all(name.startswith("fusion.") for name in changed)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_trunk_to_be_tuned_moves_in_all_parts(strategy):
    net = make(strategy)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    for _ in range(3):
        step(net, studies())
    fixed = {"black", "span", "mean", "std"}
    trunk = {name for name in net.state_dict() if name.startswith("trunk.")}
    stay = {name.removeprefix("trunk.") for name in trunk - moved(net, before)}
    assert stay <= fixed, stay


@pytest.mark.parametrize("freeze", ["stem", True])
def test_what_the_trunk_freezes_by_itself_stays(freeze):
    net = make(freeze_backbone=freeze)
    before = {k: v.clone() for k, v in net.trunk.state_dict().items()}
    step(net, studies())
    frozen = {id(t) for part in net.trunk.frozen for t in part.state_dict(keep_vars=True).values()}
    assert frozen
    for name, value in net.trunk.state_dict(keep_vars=True).items():
        if id(value) in frozen:
            assert torch.equal(value, before[name]), name
    assert not torch.equal(net.trunk.wavelet.pointwise.weight, before["wavelet.pointwise.weight"])


# ---------------------------------------------------------------- equation 1


@pytest.mark.parametrize("strategy", ["concat", "learned"])
@pytest.mark.parametrize("mode", ["running", "batch"])
def test_equation_1_looks_through_fusion_and_table(strategy, mode):
    """Gradients of the loss of each branch alone, behind fusion and table, written out."""
    net, x, y = make(strategy, gradient_fusion=mode), studies(), target()
    net.trunk.backbone.eval()  # so that the maps can be had again
    assert net.wants_target
    trunk = net.trunk
    with torch.no_grad():
        f = trunk.features(x["films"])
        maps = [trunk.wavelet(f), nn.functional.max_pool2d(trunk.attention(f), 2, ceil_mode=True)]
    net.fusion.eval()
    rates = []
    for one in maps:
        one.requires_grad_()
        logits = net.fusion(one.amax((2, 3)).relu(), x["table"])
        loss = bce(logits, y[:, 0], weight=y[:, 1])
        rates.append(torch.autograd.grad(loss, one)[0].abs().mean())
    share = torch.stack(rates) / sum(rates)
    assert abs(share[0] - 0.5) > 0.01  # else the next lines show nothing
    net.fusion.train()
    net(**x, target=y)
    torch.testing.assert_close(trunk.fusion.weights, 0.5 + 0.1 * (share.clamp(0.1, 0.9) - 0.5))
    assert net.fusion.training  # the probe leaves it as it was
    assert all(p.grad is None for p in net.parameters())


def test_equation_1_hears_of_the_table():
    net, x, y = make(), studies(), target()
    net.trunk.backbone.eval()
    g = []
    for table in (x["table"], x["table"] + 30):
        net.trunk.fusion.weights.fill_(0.5)
        net(**x | {"table": table}, target=y)
        g.append(net.trunk.fusion.weights.clone())
    assert not torch.equal(*g)


@pytest.mark.parametrize(
    ("changes", "wants"),
    [
        ({}, True),
        ({"wavelet": False}, False),
        ({"soft_attention": False}, False),
        ({"strategy": "attention"}, False),
    ],
)
def test_who_wants_the_target(changes, wants):
    assert make(**changes).wants_target is wants


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_a_frozen_trunk_weighs_its_branches_as_it_has_learnt(mode):
    weights = trained_trunk(gradient_fusion=mode)
    weights["fusion.weights"] = torch.tensor([0.2, 0.8])
    net, x = make(weights=weights, gradient_fusion=mode).train(), studies()
    assert not net.wants_target
    f = net.trunk.features(x["films"])
    seen = []
    net.fusion.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net(**x)
    f_sa = nn.functional.max_pool2d(net.trunk.attention(f), 2, ceil_mode=True)
    wanted = relu_max_pool(0.8 * net.trunk.wavelet(f) + 0.2 * f_sa)
    torch.testing.assert_close(seen[0], wanted)
    assert net.trunk.fusion.weights.tolist() == pytest.approx([0.2, 0.8])
