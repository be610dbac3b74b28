"""Shapley values from coalitions of features: which to evaluate, with what weights, and how."""

from collections.abc import Callable
from itertools import product
from math import factorial

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

# Rows that a function is given at a time
_ROWS = 2**16


def every_coalition(n_features: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    r"""All coalitions (2 ** f, f) of features, and the weights that make Shapley values of theirs.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! \, (f - |S| - 1)!}{f!}
              \bigl(v(S \cup i) - v(S)\bigr)

    The first coalition is empty, the last whole; :math:`\phi` is v times the weights.
    """
    masks = np.array(list(product([False, True], repeat=n_features)))
    size = masks.sum(axis=1)
    # by |S| without i; v(S) counts for each i inside of S with the weight of S less i, and against
    # each i outside with that of S itself
    of_size = np.array(
        [
            factorial(s) * factorial(n_features - s - 1) / factorial(n_features)
            for s in range(n_features)
        ]
    )
    inside = of_size[np.maximum(size - 1, 0)][:, None]
    outside = of_size[np.minimum(size, n_features - 1)][:, None]
    return masks, np.where(masks, inside, -outside)


def some_coalitions(
    n_features: int, n_permutations: int, rng: RandomState
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Coalitions met when features join in random orders, with weights as in `every_coalition`.

    Each order is gone through backwards too, which takes away much of the chance; the Shapley
    values are the mean of what a feature adds when it joins.
    """
    drawn = [rng.permutation(n_features) for _ in range(n_permutations)]
    orders = np.array([*drawn, *(order[::-1] for order in drawn)])
    # members after each step: (orders, f + 1, f); argsort gives the step at which each joins
    joined = orders.argsort(axis=1)[:, None] < np.arange(n_features + 1)[:, None]
    # orders share coalitions, the empty and the whole one at least: each is evaluated once
    masks, met = np.unique(joined.reshape(-1, n_features), axis=0, return_inverse=True)
    met = met.reshape(len(orders), n_features + 1)
    weights = np.zeros((len(masks), n_features))
    # the feature of each step adds the coalition after it less the one before
    np.add.at(weights, (met[:, 1:], orders), 1 / len(orders))
    np.add.at(weights, (met[:, :-1], orders), -1 / len(orders))
    return masks, weights


def coalition_means(
    function: Callable[[NDArray], NDArray[np.float64]],
    rows: NDArray,
    background: NDArray,
    groups: NDArray[np.intp],
    masks: NDArray[np.bool_],
) -> NDArray[np.float64]:
    r"""Value (n, m) of each coalition for each row: the mean of a function over the background.

    .. math:: v_x(S) = \frac{1}{B} \sum_b g\bigl(x_S, b_{\bar{S}}\bigr)

    The function makes (N,) of a matrix (N, d); `rows` (n, d) are x, `background` (B, d) gives the
    features outside of the coalition, `groups` (d,) is the feature of each column, and `masks` (m,
    f) are the members of each coalition.
    """
    values = np.empty((len(rows), len(masks)))
    size = max(1, _ROWS // len(background))
    for start in range(0, len(masks), size):
        chosen = slice(start, start + size)
        from_row = masks[chosen][:, groups][:, None]  # (m', 1, d)
        for i, row in enumerate(rows):
            mixed = np.where(from_row, row, background)  # (m', B, d)
            output = function(mixed.reshape(-1, mixed.shape[2]))
            values[i, chosen] = output.reshape(len(from_row), -1).mean(axis=1)
    return values
