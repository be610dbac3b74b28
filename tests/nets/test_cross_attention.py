"""Cross-attention: against loops, and what must not matter to a patient's logit."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nan

from skosteo.nets.cross_attention import CrossAttention

VARIABLES = (0, 1, 1, 2)  # the second variable has two columns


def make(dropout=0.0, variables=VARIABLES, n_channels=6, n_positions=4):
    torch.manual_seed(0)
    net = CrossAttention(n_channels, n_positions, variables, dropout).eval()
    for parameter in net.parameters():  # norms and biases away from 1 and 0, where slips hide
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def draw(n=5, n_columns=4, n_channels=6, side=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    film = torch.randn(n, n_channels, side, side, generator=generator)
    return film, torch.randn(n, n_columns, generator=generator), torch.ones(n, dtype=torch.bool)


# ---------------------------------------------------------------- the arithmetic, in loops


def array(tensor):
    return tensor.detach().numpy().astype(float)


def normed(x, layer):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + layer.eps)
    return scaled * array(layer.weight) + array(layer.bias)


def linear(x, layer):
    return x @ array(layer.weight).T + array(layer.bias)


def attended(asking, asked, layer):
    """Multi-head attention of one patient: what is seen (q, 128), and the shares (4, q, k)."""
    width, heads = 128, 4
    weights, biases = array(layer.in_proj_weight), array(layer.in_proj_bias)
    q, k, v = (
        x @ weights[i * width : (i + 1) * width].T + biases[i * width : (i + 1) * width]
        for i, x in enumerate((asking, asked, asked))
    )
    seen, shares, size = [], [], width // heads
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        share = softmax(q[:, own] @ k[:, own].T / np.sqrt(size), axis=1)
        shares.append(share)
        seen.append(share @ v[:, own])
    return linear(np.concatenate(seen, axis=1), layer.out_proj), np.stack(shares)


def by_hand(net, film, values, has_film):
    """Logit and looks of one patient."""
    positions = film.reshape(len(film), -1).T  # (h w, C), row by row of the map
    tokens = linear(normed(positions, net.scale), net.from_film)
    if not has_film:
        tokens = np.repeat(array(net.no_film), len(tokens), axis=0)
    sides = [tokens + array(net.position), []]
    for variable in range(max(VARIABLES) + 1):
        columns = [i for i, v in enumerate(VARIABLES) if v == variable]
        if np.isnan(values[columns]).any():
            sides[1].append(array(net.missing)[variable])
        else:
            parts = [values[i] * array(net.from_column)[i] for i in columns]
            sides[1].append(sum(parts) + array(net.variable)[variable])
    sides[1] = np.stack(sides[1])
    for layer in net.layers:
        before = [normed(side, norm) for side, norm in zip(sides, layer.norms, strict=True)]
        looks = []
        for i in (0, 1):
            seen, shares = attended(before[i], before[1 - i], layer.attend[i])
            looks.append(shares.mean(axis=(0, 1)))
            norm, wide, _, _, narrow = layer.further[i]
            side = sides[i] + seen
            sides[i] = side + linear(np.maximum(linear(normed(side, norm), wide), 0), narrow)
    means = [normed(side, norm).mean(axis=0) for side, norm in zip(sides, net.norms, strict=True)]
    return linear(np.concatenate(means), net.head)[0], np.concatenate(looks[::-1])


def test_it_is_what_loops_over_patients_heads_and_variables_give():
    net, (film, table, has_film) = make(), draw()
    table[1, 0] = table[2, 2] = nan
    table[3] = nan
    has_film[4] = False
    patients = zip(film.numpy(), table.numpy(), has_film.numpy(), strict=True)
    logits, looks = zip(*(by_hand(net, *patient) for patient in patients), strict=True)
    np.testing.assert_allclose(net(film, table, has_film).detach(), logits, atol=1e-5)
    found = net.attention_weights(film, table, has_film).detach()
    np.testing.assert_allclose(found, np.stack(looks), atol=1e-6)


def test_looks_of_either_side_sum_to_1():
    net, patients = make(), draw()
    looks = net.attention_weights(*patients)
    assert looks.shape == (5, 4 + 3)
    assert (looks >= 0).all()
    torch.testing.assert_close(looks[:, :4].sum(1), torch.ones(5))
    torch.testing.assert_close(looks[:, 4:].sum(1), torch.ones(5))


# ---------------------------------------------------------------- what must not matter


def test_a_patient_ignores_its_neighbours():
    net, (film, table, has_film) = make(dropout=0.5), draw(n=9)
    table[::3, 1], has_film[::4] = nan, False
    together = net(film, table, has_film)
    alone = [net(film[i : i + 1], table[i : i + 1], has_film[i : i + 1]) for i in range(9)]
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("column", "other"), [(1, 2), (2, 1)])
def test_a_gap_in_any_column_makes_the_variable_missing_whatever_the_others_say(column, other):
    net, (film, table, has_film) = make(), draw()
    table[:, column] = nan
    logits = net(film, table, has_film)
    assert logits.isfinite().all()
    for number in (-1e6, 0.0, 3.0, nan):
        table[:, other] = number
        assert torch.equal(net(film, table, has_film), logits)
    table[:, 0] += 1  # of another variable
    assert not torch.allclose(net(film, table, has_film), logits)


def test_a_missing_value_is_a_vector_that_is_learnt_and_not_a_number():
    net, (film, table, has_film) = make(), draw()
    table[:, 0] = nan
    missing = net(film, table, has_film)
    for number in torch.linspace(-3, 3, 13):
        table[:, 0] = number
        assert not torch.isclose(net(film, table, has_film), missing, atol=1e-4, rtol=0).any()
    table[:, 0] = nan
    net(film, table, has_film).sum().backward()
    assert (net.missing.grad[0] != 0).any()
    assert (net.missing.grad[1:] == 0).all()
    assert (net.from_column.grad[0] == 0).all()


def test_without_a_film_it_does_not_matter_what_stands_in_its_place():
    net, (film, table, _) = make(), draw()
    none = torch.zeros(5, dtype=torch.bool)
    logits, looks = net(film, table, none), net.attention_weights(film, table, none)
    for other in (film * 0, film * 1e6, film + nan):
        assert torch.equal(net(other, table, none), logits)
        assert torch.equal(net.attention_weights(other, table, none), looks)
    assert not torch.isclose(net(film * 0, table, ~none), logits, atol=1e-4, rtol=0).any()


def test_columns_may_come_in_any_order():
    order = [3, 1, 0, 2]
    net, (film, table, has_film) = make(), draw()
    table[0, 1] = nan
    other = make(variables=tuple(VARIABLES[i] for i in order))
    state = net.state_dict()
    state["variables"], state["from_column"] = (
        state["variables"][order],
        state["from_column"][order],
    )
    other.load_state_dict(state)
    wanted, found = net(film, table, has_film), other(film, table[:, order], has_film)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_where_on_the_film_something_lies_does_matter():
    net, (film, table, has_film) = make(), draw()
    turned = net(film.flip(3), table, has_film)
    assert not torch.isclose(turned, net(film, table, has_film), atol=1e-4, rtol=0).any()


# ---------------------------------------------------------------- losing a modality in training


def lost(net, has_film, table):
    """Whether each patient's film and whole table are taken away."""
    lacks = torch.zeros(len(table), 3, dtype=torch.bool).index_add(
        1, torch.tensor(VARIABLES), table.isnan()
    )
    film, missing = net._some_dropped(has_film, lacks)
    return has_film & ~film, missing.all(dim=1) & ~lacks.all(dim=1), (missing & ~lacks).any(dim=1)


def test_a_tenth_loses_the_film_a_tenth_the_table_and_nobody_both():
    n = 20_000
    torch.manual_seed(0)
    no_film, no_table, some = lost(make().train(), torch.ones(n).bool(), torch.ones(n, 4))
    sd = (0.1 * 0.9 / n) ** 0.5
    for share in (no_film, no_table):
        assert abs(share.float().mean() - 0.1) < 4 * sd
    assert not (no_film & no_table).any()
    assert torch.equal(some, no_table)  # all values or none


def test_who_has_one_modality_only_keeps_it():
    n = 2_000
    no_film, no_table, some = lost(make().train(), torch.zeros(n).bool(), torch.ones(n, 4))
    assert not (no_film | no_table | some).any()
    no_film, *_ = lost(make().train(), torch.ones(n).bool(), torch.full((n, 4), nan))
    assert not no_film.any()


def test_nothing_is_taken_away_in_prediction():
    n = 2_000
    assert not any(part.any() for part in lost(make(), torch.ones(n).bool(), torch.ones(n, 4)))
    net, patients = make(dropout=0.5), draw()
    assert torch.equal(net(*patients), net(*patients))


def test_a_loss_is_drawn_anew_in_each_step():
    """With no other dropout, a logit in training is one of three: whole, no film, no table."""
    net, (film, table, has_film) = make(dropout=0.0), draw(n=40)
    whole = net(film, table, has_film)
    no_film, no_table = net(film, table, ~has_film), net(film, table * nan, has_film)
    net.train()
    seen = torch.stack([net(film, table, has_film) for _ in range(60)])
    kinds = torch.stack(
        [torch.isclose(seen, kind, atol=1e-5, rtol=0) for kind in (whole, no_film, no_table)]
    )
    assert (kinds.sum(0) == 1).all()
    for kind, share in zip(kinds, (0.8, 0.1, 0.1), strict=True):
        assert abs(kind.float().mean() - share) < 0.03  # 4 SD of 2400 draws are .024 and .033
    assert (kinds[1].any(0) & kinds[2].any(0)).float().mean() > 0.8
