"""Shapley values of a function of several features: which coalitions to ask, and what they say."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from math import factorial
from typing import cast

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from torch import Tensor, from_numpy, nn

# Rows that a function is asked for at a time
_ROWS = 2**16
# Coalitions, and values of hidden neurons, of a block that stays in a processor's cache; and rows
# that share what is computed for it
_COALITIONS, _VALUES, _OWN = 128, 2**16, 128


def every_coalition(n_features: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    r"""Return all coalitions of features, and what makes Shapley values of their worth.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! \, (f - |S| - 1)!}{f!}
              \bigl(v(S \cup i) - v(S)\bigr)

    Parameters
    ----------
    n_features : int
        f.

    Returns
    -------
    masks : ndarray of bool, shape (2 ** f, f)
        Members of each coalition; the first is empty, the last whole.
    weights : ndarray of shape (2 ** f, f)
        :math:`\phi = v` times this.

    Examples
    --------
    >>> masks, weights = every_coalition(2)
    >>> np.array([0.0, 3.0, 1.0, 4.0]) @ weights  # v of none, the second, the first, both
    array([1., 3.])
    """
    masks = np.array(list(product([False, True], repeat=n_features)))
    size = masks.sum(axis=1)
    share = np.array(
        [
            factorial(s) * factorial(n_features - s - 1) / factorial(n_features)
            for s in range(n_features)
        ]
    )
    joined = share[np.maximum(size - 1, 0)][:, None]
    left_out = share[np.minimum(size, n_features - 1)][:, None]
    return masks, np.where(masks, joined, -left_out)


def some_coalitions(
    n_features: int, n_permutations: int, rng: RandomState
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the coalitions met when features join one by one, in random orders.

    Parameters
    ----------
    n_features, n_permutations : int
        Each order is gone through backwards too, which takes away much of the chance.
    rng : RandomState
        Draws the orders.

    Returns
    -------
    masks : ndarray of bool, shape (m, n_features)
        The first is empty, the last whole.
    weights : ndarray of shape (m, n_features)
        As in `every_coalition`: the mean of what a feature adds when it joins.
    """
    drawn = [rng.permutation(n_features) for _ in range(n_permutations)]
    orders = np.array([*drawn, *(order[::-1] for order in drawn)])
    # who has joined after each step: (orders, f + 1, f)
    joined = orders.argsort(axis=1)[:, None] < np.arange(n_features + 1)[:, None]
    masks, met = np.unique(joined.reshape(-1, n_features), axis=0, return_inverse=True)
    met = met.reshape(len(orders), n_features + 1)
    weights = np.zeros((len(masks), n_features))
    np.add.at(weights, (met[:, 1:], orders), 1 / len(orders))
    np.add.at(weights, (met[:, :-1], orders), -1 / len(orders))
    return masks, weights


def ask(
    function: Callable[[NDArray], NDArray[np.float64]],
    rows: NDArray,
    background: NDArray,
    groups: NDArray[np.intp],
    masks: NDArray[np.bool_],
) -> NDArray[np.float64]:
    r"""Worth of each coalition for each row: the mean over the background of what is said.

    .. math:: v_x(S) = \frac{1}{B} \sum_b g\bigl(x_S, b_{\bar{S}}\bigr)

    Parameters
    ----------
    function : callable
        :math:`g`, from a matrix (N, d) to (N,).
    rows, background : ndarray of shape (n, d) and (B, d)
        :math:`x`, and :math:`b` that gives the features outside of the coalition.
    groups : ndarray of int, shape (d,)
        Feature of each column.
    masks : ndarray of bool, shape (m, f)
        Members of each coalition.

    Returns
    -------
    ndarray of shape (n, m)
    """
    worth = np.empty((len(rows), len(masks)))
    for chosen in _parts(len(masks), max(1, _ROWS // len(background))):
        taken = masks[chosen][:, groups][:, None]
        for i, row in enumerate(rows):
            mixed = np.where(taken, row, background)
            said = function(mixed.reshape(-1, mixed.shape[2]))
            worth[i, chosen] = said.reshape(len(taken), -1).mean(axis=1)
    return worth


@torch.inference_mode()
def ask_net(
    layers: nn.Sequential,
    rows: NDArray[np.float64],
    background: NDArray[np.float64],
    groups: NDArray[np.intp],
    masks: NDArray[np.bool_],
    link: Callable[[Tensor], Tensor],
) -> NDArray[np.float64]:
    r"""Return what `ask` returns, for a net of fully connected layers, in a fraction of the time.

    The first layer is linear: what the row's features give it, u, and what the background's give,
    w, are computed once per coalition and added. As :math:`\max(u + w, 0) = \max(u, -w) + w`, one
    pass over the hidden neurons does for each pair.

    Parameters
    ----------
    layers : Sequential
        Linear, ReLU, dropout, linear, ... to one logit, in evaluation mode.
    rows, background, groups, masks
        As in `ask`; what the first layer sees.
    link : callable
        From logits to what is explained, element by element.

    Returns
    -------
    ndarray of shape (n, m)
    """
    first, second, rest = cast(nn.Linear, layers[0]), cast(nn.Linear, layers[3]), layers[4:]
    dtype = first.weight.dtype
    members = from_numpy(masks).to(dtype)
    belongs = from_numpy(np.eye(masks.shape[1])[groups]).to(dtype)  # (d, f)
    weight = belongs.T[:, :, None] * first.weight.T  # (f, d, hidden)
    from_rows, from_others = (
        torch.einsum("nd,fdh->nfh", from_numpy(part).to(dtype), weight)
        for part in (rows, background)
    )
    widest = max(part.out_features for part in layers if isinstance(part, nn.Linear))
    others_at_a_time = max(1, _VALUES // (_COALITIONS * widest))
    worth = torch.zeros(len(rows), len(masks), dtype=dtype)
    for chosen in _parts(len(masks), _COALITIONS):
        inside, outside = members[chosen], 1 - members[chosen]
        for others in from_others.split(others_at_a_time):
            w = outside @ others + first.bias  # (B', m', hidden)
            offset, w = w.flatten(0, 1) @ second.weight.T + second.bias, -w
            for some in _parts(len(rows), _OWN):
                u = (inside @ from_rows[some]).unbind(0)
                said = link(rest(_behind(u, w, second).add_(offset)))
                worth[some, chosen] += said.view(len(u), *w.shape[:2]).sum(dim=1)
    return (worth / len(background)).double().numpy()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Go into evaluation mode, and leave each part in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _behind(u: Sequence[Tensor], w: Tensor, layer: nn.Linear) -> Tensor:
    """Return for each u (m, hidden) the layer without bias on max(u, w): (n, B m, outputs)."""
    hidden = torch.empty_like(w)
    flat = hidden.view(-1, w.shape[2])
    out = torch.empty(len(u), len(flat), layer.out_features, dtype=w.dtype)
    narrow = layer.out_features == 1
    for own, said in zip(u, out.unbind(0), strict=True):
        torch.maximum(own, w, out=hidden)
        torch.mv(flat, layer.weight[0], out=said[:, 0]) if narrow else torch.mm(
            flat, layer.weight.T, out=said
        )
    return out


def _parts(n: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, n, size)]
