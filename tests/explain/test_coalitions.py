from itertools import permutations

import numpy as np
import pytest
import torch

from skosteo.explain.coalitions import ask, ask_net, every_coalition, some_coalitions
from skosteo.nets.heads import Head


def by_all_orders(worth, n_features):
    """Shapley's own definition: the mean over all orders of what a player adds on joining."""
    values = np.zeros(n_features)
    orders = list(permutations(range(n_features)))
    for order in orders:
        members = set()
        for player in order:
            before = worth[frozenset(members)]
            members.add(player)
            values[player] += worth[frozenset(members)] - before
    return values / len(orders)


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_exact_values_are_the_mean_over_all_orders(n_features):
    masks, weights = every_coalition(n_features)
    worth = np.random.default_rng(0).normal(size=len(masks))
    named = {frozenset(np.flatnonzero(m)): w for m, w in zip(masks, worth, strict=True)}
    np.testing.assert_allclose(worth @ weights, by_all_orders(named, n_features), atol=1e-12)


def test_an_estimate_sums_up_exactly_and_nears_the_exact_values():
    masks, weights = every_coalition(6)
    worth = np.random.default_rng(0).normal(size=len(masks))
    told = {m.tobytes(): w for m, w in zip(masks, worth, strict=True)}
    few, some = some_coalitions(6, 300, np.random.RandomState(0))
    estimated = np.array([told[m.tobytes()] for m in few]) @ some
    assert not few[0].any()
    assert few[-1].all()
    assert estimated.sum() == pytest.approx(worth[-1] - worth[0])
    np.testing.assert_allclose(estimated, worth @ weights, atol=0.15)


@pytest.mark.parametrize("hidden", [(7,), (300,), (5, 4), (6, 5, 4)])
@pytest.mark.parametrize("groups", [[0, 1, 2, 3], [0, 0, 2, 1]])
def test_a_net_is_asked_of_the_same_mixtures(hidden, groups):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(5, 4)), rng.normal(size=(23, 4))
    net = Head(4, hidden, 0.5).double().eval()
    masks, groups = every_coalition(max(groups) + 1)[0], np.array(groups)

    def function(matrix):
        with torch.no_grad():
            return net(torch.from_numpy(matrix)).sigmoid().numpy()

    fast = ask_net(net.layers, rows, background, groups, masks, torch.sigmoid)
    slow = ask(function, rows, background, groups, masks)
    np.testing.assert_allclose(fast, slow, atol=1e-13)
