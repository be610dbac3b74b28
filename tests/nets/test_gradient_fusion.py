"""Equation 1: the weights are what it says, cost nothing but time, and follow the signal."""

import copy
import weakref

import pytest
import torch
from torch import nn

from skosteo.exceptions import InputError
from skosteo.nets.gradient_fusion import (
    MODES,
    GradientFusion,
    gradient_shares,
    relu_max_pool,
)
from skosteo.nets.heads import Head


def make_head():
    """A head with all that a probe could disturb: batch norm and dropout."""
    return nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), Head(6, (5,), 0.5)).train()


def batch(n=10, seed=0):
    torch.manual_seed(seed)
    f_w, f_sa = torch.randn(n, 8, 4, 4), 2 * torch.randn(n, 8, 4, 4)
    return f_w, f_sa, make_head(), (torch.arange(n) % 2).float()


def by_hand(f, head, target, weight):
    """Mean absolute gradient of one branch alone, by a backward pass in double precision."""
    head = copy.deepcopy(head).double().eval()
    f = f.double().requires_grad_()
    p = torch.sigmoid(head(nn.functional.relu(f).flatten(2).max(dim=2).values))
    loss = -(target * p.log() + (1 - target) * (1 - p).log())
    (loss * weight).mean().backward()
    return f.grad.abs().mean().item()


@pytest.mark.parametrize("weighted", [False, True])
def test_shares_are_those_of_two_backward_passes(weighted):
    f_w, f_sa, head, target = batch()
    weight = torch.rand(10) if weighted else None
    r_w, r_sa = (by_hand(f, head, target, weight if weighted else 1) for f in (f_w, f_sa))
    g = gradient_shares(f_w, f_sa, head, target, weight)
    assert g.tolist() == pytest.approx([r_w / (r_w + r_sa), r_sa / (r_w + r_sa)], abs=1e-6)
    assert 0.1 < g[0] < 0.9


def test_shares_stay_between_a_tenth_and_nine_tenths():
    f_w, _, head, target = batch()
    # next to nothing passes the ReLU: a gradient of one channel of one film
    small = -torch.ones_like(f_w)
    small[0, 0] = 1
    shares = [
        gradient_shares(f_w, small, head, target),
        gradient_shares(small, f_w, head, target),
    ]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([[0.9, 0.1], [0.1, 0.9]]))


@pytest.mark.parametrize("value", [-1.0, torch.nan])
def test_no_gradient_at_all_is_half_and_half(value):
    """Of a branch that lets nothing through there is nothing to compare."""
    f_w, _, head, target = batch()
    f = torch.full_like(f_w, value)
    for maps in ((f, f), (f_w, f), (f, f_w)):
        assert gradient_shares(*maps, head, target).tolist() == [0.5, 0.5]


def test_a_probe_leaves_no_trace():
    f_w, f_sa, head, target = batch()
    f_w.requires_grad_()
    head[1].eval()  # frozen for good
    modes = [part.training for part in head.modules()]
    state, random = copy.deepcopy(head.state_dict()), torch.get_rng_state()
    g = gradient_shares(f_w, f_sa, head, target)
    assert not g.requires_grad
    assert all(p.grad is None for p in head.parameters())
    assert f_w.grad is None
    assert not f_sa.requires_grad
    assert all(torch.equal(v, state[k]) for k, v in head.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert [part.training for part in head.modules()] == modes
    kept = weakref.ref(f_w)
    del f_w
    assert kept() is None


def test_the_head_trains_on_after_an_error():
    f_w, f_sa, head, target = batch()
    with pytest.raises(ValueError, match="size"):
        gradient_shares(f_w, f_sa, head, target[:3])
    assert all(part.training for part in head.modules())


def test_autocast_and_no_grad_around_it_change_nothing():
    f_w, f_sa, head, target = batch()
    f_w, f_sa = f_w.bfloat16(), f_sa.bfloat16()
    expected = gradient_shares(f_w.float(), f_sa.float(), head, target)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        g = gradient_shares(f_w, f_sa, head, target)
        fused = GradientFusion()(f_w, f_sa)
        assert not torch.is_grad_enabled()
    assert torch.equal(g, expected)
    assert (g.dtype, fused.dtype) == (torch.float32, torch.bfloat16)


def test_no_value_is_fetched_from_the_device(monkeypatch):
    def fetched(*_):
        raise AssertionError

    f_w, f_sa, head, target = batch()
    fusion = GradientFusion()
    for name in ("item", "tolist", "numpy", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(torch.Tensor, name, fetched)
    fusion(f_w, f_sa, fusion.probe(f_w, f_sa, head, target))


@pytest.mark.parametrize(
    ("mode", "in_w", "in_sa"),
    [
        ("running", 1 / 2, 1 / 2),
        ("batch", 1 / 2, 1 / 2),
        ("fixed", 1 / 2, 1 / 2),
        ("reference", 1 / 3, 1 / 2),
        ("learned", 1 / 2, 1 / 2),
    ],
)
def test_sum_before_any_training(mode, in_w, in_sa):
    f_w, f_sa, *_ = batch()
    torch.testing.assert_close(GradientFusion(mode)(f_w, f_sa), in_w * f_w + in_sa * f_sa)


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_the_buffer_is_a_running_mean(mode):
    f_w, f_sa, head, target = batch()
    fusion, g = GradientFusion(mode), gradient_shares(f_w, f_sa, head, target)
    for _ in range(5):
        given = fusion.probe(f_w, f_sa, head, target)
    mean = g + 0.9**5 * (0.5 - g)
    torch.testing.assert_close(fusion.weights, mean)
    # in training "batch" takes this batch alone, in prediction both take the mean
    in_w, in_sa = 1 - (g if mode == "batch" else mean)
    torch.testing.assert_close(fusion(f_w, f_sa, given), in_w * f_w + in_sa * f_sa)
    in_w, in_sa = 1 - mean
    torch.testing.assert_close(fusion.eval()(f_w, f_sa), in_w * f_w + in_sa * f_sa)


def test_learned_factors_are_a_softmax_of_two_parameters():
    f_w, f_sa, *_ = batch()
    fusion = GradientFusion("learned")
    assert [(name, p.numel()) for name, p in fusion.named_parameters()] == [("logits", 2)]
    with torch.no_grad():
        fusion.logits.copy_(torch.tensor([3.0, 1.0]).log())
    fused = fusion(f_w, f_sa)
    torch.testing.assert_close(fused, 0.75 * f_w + 0.25 * f_sa)
    torch.testing.assert_close(fusion.g, torch.tensor([0.25, 0.75]))
    fused.square().sum().backward()
    assert (fusion.logits.grad != 0).all()


@pytest.mark.parametrize("mode", ["fixed", "reference", "learned"])
def test_other_modes_need_no_labels_and_stay(mode):
    f_w, f_sa, head, target = batch()
    fusion = GradientFusion(mode)
    before = copy.deepcopy(fusion.state_dict())
    assert fusion.probe(f_w, f_sa, head, target) is None
    assert all(torch.equal(v, before[k]) for k, v in fusion.state_dict().items())


@pytest.mark.parametrize("mode", MODES)
def test_prediction_knows_neither_labels_nor_neighbours(mode):
    f_w, f_sa, head, target = batch()
    fusion = GradientFusion(mode)
    fusion.probe(f_w, f_sa, head, target)
    fusion.eval()
    together = fusion(f_w, f_sa, fusion.probe(f_w, f_sa, head, target))
    assert torch.equal(fusion(f_w, f_sa, fusion.probe(f_w, f_sa, head, 1 - target)), together)
    alone = torch.cat([fusion(f_w[i : i + 1], f_sa[i : i + 1]) for i in range(10)])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_gradients_flow_though_the_buffer_moves_before_backward(mode):
    f_w, f_sa, head, target = batch()
    f_w.requires_grad_()
    fusion = GradientFusion(mode)
    g = fusion.probe(f_w, f_sa, head, target)
    factor = 1 - (fusion.g if g is None else g)[0].item()
    fused = fusion(f_w, f_sa, g)
    fusion.probe(f_w, f_sa, head, 1 - target)
    fused.sum().backward()
    torch.testing.assert_close(f_w.grad, torch.full_like(f_w, factor))


@pytest.mark.parametrize("mode", MODES)
def test_state_dict_brings_the_weights_back(mode):
    f_w, f_sa, head, target = batch()
    fusion, other = GradientFusion(mode), GradientFusion(mode)
    fusion.probe(f_w, f_sa, head, target)
    other.load_state_dict(fusion.state_dict())
    assert torch.equal(other.g, fusion.g)
    assert torch.equal(other.eval()(f_w, f_sa), fusion.eval()(f_w, f_sa))


def test_pooling_is_relu_then_global_maximum():
    f_w, *_ = batch()
    torch.testing.assert_close(relu_max_pool(f_w - 2), (f_w - 2).relu().amax(dim=(2, 3)))


def factor_after_training(mode, signal_in, *, n_rows=None, shift=2.0, noise=1.0, steps=100):
    """Train a head on two maps, one with the labels in 4 of 16 channels; factor of that map."""
    torch.manual_seed(0)

    def draw(n):
        target = (torch.arange(n) % 2).float()
        signal, other = torch.randn(n, 16, 4, 4), noise * torch.randn(n, 16, 4, 4)
        signal[:, :4] += shift * target.view(-1, 1, 1, 1)
        return (signal, other, target) if signal_in == 0 else (other, signal, target)

    head, fusion, rows = Head(16, (64, 32), 0.0), GradientFusion(mode), draw(n_rows or 32)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(steps):
        f_w, f_sa, target = rows if n_rows else draw(32)
        g = fusion.probe(f_w, f_sa, head, target)
        logits = head(relu_max_pool(fusion(f_w, f_sa, g)))
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(logits, target).backward()
        optimizer.step()
    return 1 - fusion.g[signal_in].item()


@pytest.mark.parametrize("signal_in", [0, 1])
@pytest.mark.parametrize("mode", ["running", "batch"])
def test_the_branch_with_the_signal_gains_weight(mode, signal_in):
    assert factor_after_training(mode, signal_in) > 0.8


def test_without_signal_no_branch_gains_weight():
    assert factor_after_training("running", 0, shift=0) == pytest.approx(0.5, abs=0.1)


def test_memorised_noise_gains_weight_as_well():
    # a limit of the equation, which sees training rows only: strong noise tells the same 32 rows
    # apart better than a weak signal does; with new rows in each step neither gains
    weak = {"shift": 0.5, "noise": 5.0}
    assert factor_after_training("running", 0, n_rows=32, **weak) < 0.2
    assert factor_after_training("running", 0, **weak) == pytest.approx(0.5, abs=0.1)


def test_unknown_mode_names_the_known():
    with pytest.raises(
        InputError, match=r"gradient_fusion='mean': allowed are \['running', 'batch', 'fixed'"
    ):
        GradientFusion("mean")
