"""The skorch net: its loss, its seed, and the short way through an epoch."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from skosteo.nets.heads import Head
from skosteo.training.net import Net

X = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).float()
WEIGHT = torch.linspace(0.1, 2, 10)


def make(**changes):
    head = {"n_features": 3, "hidden_layer_sizes": (4,), "dropout": 0.0}
    settings = {f"module__{name}": value for name, value in head.items()}
    return Net(Head, **settings, train_split=None, verbose=0, max_epochs=3, batch_size=4, **changes)


def test_the_loss_is_the_weighted_sum_over_the_size_of_the_batch():
    net = make().initialize()
    logits = net.forward({"x": X})
    losses = binary_cross_entropy_with_logits(logits, Y, reduction="none")
    weighted = net.get_loss(logits, Y, {"x": X, "sample_weight": WEIGHT})
    assert float(weighted) == pytest.approx(float((losses * WEIGHT).sum() / 10), rel=1e-6)
    assert float(net.get_loss(logits, Y, {"x": X})) == pytest.approx(float(losses.mean()), rel=1e-6)


def test_initial_weights_come_from_the_seed_alone():
    state = torch.get_rng_state()
    first, again, other = (make(seed=seed).initialize().module_.state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_type_of_the_weights():
    net = make(dtype=torch.float64).initialize()
    assert {part.dtype for part in net.module_.parameters()} == {torch.float64}


def test_the_short_way_through_an_epoch_is_skorchs_own():
    nets = []
    for unobserved in (True, False):
        net = make(lr=0.1)
        net.set_params(callbacks__valid_acc=None, callbacks__print_log=None)
        if unobserved:
            net.set_params(callbacks__train_loss=None, callbacks__valid_loss=None)
        net.unobserved = unobserved
        net.initialize()
        net.iterator_train__generator = torch.Generator().manual_seed(0)
        nets.append(net.partial_fit({"x": X, "sample_weight": WEIGHT}, Y))
    short, long = nets
    np.testing.assert_allclose(
        short.history[:, "train_loss"], long.history[:, "train_loss"], rtol=1e-6
    )
    assert torch.equal(short.forward({"x": X}), long.forward({"x": X}))
