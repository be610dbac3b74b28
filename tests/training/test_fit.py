"""A net that has learnt, or an error: nothing in between."""

import numpy as np
import pytest
import torch
from skorch.dataset import Dataset
from torch import nn

from skosteo.exceptions import InputError, TrainingError
from skosteo.nets.heads import Head
from skosteo.training.fit import Recipe, decay, resolve_device, train
from skosteo.training.inference import predict_logits


def rows(n=40, weight=1.0, seed=0):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return Dataset({"x": x, "sample_weight": torch.full((n,), weight)}, (x[:, 0] > 0).float())


def fit(train_rows=None, valid=None, make=Head, given=None, further=None, **changes):
    recipe = {
        "lr": 1e-2,
        "batch_size": 8,
        "max_epochs": 5,
        "n_iter_no_change": 3,
        "device": "cpu",
        "seed": 0,
        "verbose": 0,
        "name": "test",
    }
    if given is None:
        given = {"n_features": 3, "hidden_layer_sizes": (8,), "dropout": 0.0}
    return train(
        make, given, train_rows or rows(), valid, Recipe(**recipe | changes), **further or {}
    )


def test_history_has_a_row_per_epoch():
    _, history = fit(valid=rows(seed=1))
    assert list(history) == [
        "epoch",
        "train_loss",
        "valid_loss",
        "valid_accuracy",
        "lr",
        "seconds",
    ]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    np.testing.assert_allclose(history["lr"], 1e-2 * np.exp(-0.01 * np.arange(5)))


def test_accuracy_is_that_of_the_weights_that_are_kept():
    valid = rows(seed=1)
    net, history = fit(valid=valid)
    best = history.loc[history["valid_loss"].idxmin(), "valid_accuracy"]
    right = (predict_logits(net, {"x": valid.X["x"]}) >= 0) == (valid.y.numpy() == 1)
    assert best == right.mean()


def test_learning_rate_falls_to_a_tenth():
    assert decay(230) > decay(231) == decay(5000) == 0.1


def test_same_seed_same_net_and_the_global_state_is_untouched():
    state = torch.get_rng_state()
    first, second, other = (fit(seed=s)[0].module_.state_dict() for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize("valid", [None, rows(seed=1)])
def test_a_loss_far_beyond_guessing_raises(valid):
    noisy = rows()
    noisy.y[::3] = 1 - noisy.y[::3]
    with pytest.raises(TrainingError, match=r"0\.693 for guessing.*Lower lr \(it is 1000000"):
        fit(noisy, valid, lr=1e6)


def test_ctrl_c_is_not_swallowed():
    class Interrupted(Head):
        def forward(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(make=Interrupted)


def test_inputs_are_embedded_once():
    seen = []

    def embed(net, inputs):
        seen.append(len(inputs["x"]))
        return {"x": inputs["x"][:, :2]}

    given = {"n_features": 2, "hidden_layer_sizes": (), "dropout": 0.0}
    net, _ = fit(rows(40), rows(10, seed=1), given=given, further={"embed": embed})
    assert seen == [40, 10]
    assert predict_logits(net, {"x": torch.ones(4, 2)}).shape == (4,)


@pytest.mark.parametrize("device", ["gpu", "cuda", "meta", None, 3])
def test_devices_that_are_not_there(device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match=rf"device={device!r}"):
        fit(device=device)
    assert resolve_device(torch.device("cpu")) == "cpu"


def test_batch_norm_and_one_row():
    class Normed(Head):
        def __init__(self, **params):
            super().__init__(**params)
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return super().forward(self.norm(x))

    with pytest.raises(InputError, match="batch_size=1: batch norm"):
        fit(make=Normed, batch_size=1)


def test_out_of_memory_in_training_names_the_batch():
    class Hungry(Head):
        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingError, match=r"batches of 8.*Lower batch_size"):
        fit(make=Hungry)
