"""A net that has learnt, or an error: nothing in between."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from skosteo.exceptions import InputError, TrainingError
from skosteo.nets.heads import Head
from skosteo.training import Rows, _Batches, decay, predict_logits, train


def rows(n=40, weight=1.0, seed=0):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    label = (x[:, 0] > 0).float()
    return Rows(x, torch.stack([label, torch.full((n,), weight)], dim=1))


def fit(train_rows=None, valid=None, make=lambda: Head(3, (8,), 0.0), **changes):
    params = {
        "lr": 1e-2,
        "batch_size": 8,
        "max_epochs": 5,
        "n_iter_no_change": 3,
        "device": "cpu",
        "seed": 0,
        "verbose": 0,
        "name": "test",
    }
    return train(make, train_rows or rows(), valid, **params | changes)


def test_history_has_a_row_per_epoch():
    _, history = fit(valid=rows(seed=1))
    assert list(history) == ["epoch", "train_loss", "valid_loss", "lr", "seconds"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    np.testing.assert_allclose(history["lr"], 1e-2 * np.exp(-0.01 * np.arange(5)))


def test_learning_rate_falls_to_a_tenth():
    assert decay(230) > decay(231) == decay(5000) == 0.1


def test_weighted_loss_is_the_sum_over_the_size_of_the_batch():
    class Zero(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return self.bias.expand(len(x))

    _, history = fit(rows(weight=3.0), make=Zero, lr=1e-12, max_epochs=1)
    assert history["train_loss"][0] == pytest.approx(3 * math.log(2), rel=1e-5)


class Drifting(nn.Module):
    """A net that gets better, then worse: its validation loss is lowest after epoch 3."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("epoch", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.epoch += 1
        return (x[:, 0].sign() * (3 - (self.epoch - 3).abs())) + 0 * self.unused


def test_early_stopping_restores_the_best_epoch_and_stops_after_patience():
    net, history = fit(rows(8), rows(8, seed=1), make=Drifting, max_epochs=50, n_iter_no_change=4)
    assert history["valid_loss"].idxmin() == 2
    assert len(history) == 3 + 4
    assert net.module_.epoch == 3


def test_no_rows_are_lost_and_no_row_is_alone_in_a_batch():
    for n, sizes in ((33, [8, 8, 8, 9]), (40, [8] * 5), (35, [8, 8, 8, 8, 3]), (1, [1])):
        batches = list(_Batches(rows(n), 8, shuffle=True))
        assert [len(x) for x, _ in batches] == sizes
        seen = torch.cat([x for x, _ in batches])
        assert torch.equal(seen.sort(0).values, rows(n).x.sort(0).values)


def test_same_seed_same_net_and_the_global_state_is_untouched():
    state = torch.get_rng_state()
    first, second, other = (fit(seed=s)[0].module_.state_dict() for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_a_loss_that_is_not_finite_raises_with_the_epoch():
    bad = rows()
    bad.x[3, 1] = float("nan")
    with pytest.raises(TrainingError, match=r"nan.*epoch 1.*Lower lr"):
        fit(bad)


def test_ctrl_c_is_not_swallowed():
    class Interrupted(Head):
        def forward(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(make=lambda: Interrupted(3, (), 0.0))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"batch_size": 41}, "batch_size=41, but there are 40 rows.*1-40"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"lr": 0.0}, "lr=0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"max_epochs": 0}, "max_epochs=0"),
    ],
)
def test_numbers_out_of_range(changes, match):
    with pytest.raises(InputError, match=match):
        fit(**changes)


def test_features_of_a_frozen_part_are_computed_once_per_row():
    class Counting(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.head = Head(3, (), 0.0)

        def features(self, x):
            Counting.calls += len(x)
            return x

        def forward(self, x):
            return self.head(x)

    fit(rows(40), rows(10, seed=1), make=Counting, max_epochs=5, precompute_features=True)
    assert Counting.calls == 50


def test_a_score_ignores_its_batch_neighbours():
    net, _ = fit()
    x = rows(20).x
    alone = np.concatenate([predict_logits(net, row[None]) for row in x])
    np.testing.assert_allclose(predict_logits(net, x), alone, atol=1e-6)
