from itertools import permutations

import numpy as np
import pytest

from skosteo.explain.coalitions import coalition_means, every_coalition, some_coalitions


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


def test_a_coalition_takes_its_columns_from_the_row_and_the_others_from_the_background():
    rows, background = np.full((2, 3), 1.0), np.full((5, 3), 10.0)
    masks, groups = np.array([[False, False], [True, False], [True, True]]), np.array([0, 1, 0])
    found = coalition_means(lambda m: m @ [1, 2, 4], rows, background, groups, masks)
    np.testing.assert_array_equal(found, [[70, 25, 7]] * 2)
