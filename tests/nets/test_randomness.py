"""Random numbers come from a generator of one's own."""

import pytest
import timm
import torch
from torch import nn

from skosteo.nets.augmentation import Augmentation
from skosteo.nets.cross_attention import CrossAttention
from skosteo.nets.randomness import Dropout, initialised_from, use_generator


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def untouched():
    """Fail where torch's global generator is drawn from."""
    state = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_sets_its_proportion_to_zero_and_keeps_the_mean(untouched):
    dropout = Dropout(0.25)
    dropout.generator = generator()
    out = dropout(torch.ones(100_000))
    assert (out == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert out.mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        pytest.param("vgg16", marks=pytest.mark.slow),
        "efficientnet_lite0",
        pytest.param("inception_v3", marks=pytest.mark.slow),
    ],
)
def test_weights_of_timms_networks_come_from_the_generator(name, untouched):
    def weights(seed):
        with initialised_from(generator(seed)):
            return list(timm.create_model(name, num_classes=0).parameters())

    first, again, other = weights(0), weights(0), weights(1)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))


def test_weights_are_the_same_under_another_default_type(untouched):
    def weights():
        with initialised_from(generator()):
            net = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(1, 2, 3), nn.LayerNorm(2))
        return [p.float() for p in net.parameters()]

    usual = weights()
    torch.set_default_dtype(torch.float64)
    try:
        other = weights()
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(map(torch.equal, usual, other))


def test_a_linear_layer_is_drawn_as_torch_draws_it():
    with initialised_from(generator(3)):
        own = nn.Linear(5, 4)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        usual = nn.Linear(5, 4)
    assert torch.equal(own.weight, usual.weight)
    assert torch.equal(own.bias, usual.bias)


def test_all_that_is_random_in_training_draws_from_the_generator(untouched):
    with initialised_from(generator()):
        attention = CrossAttention(8, 4, (0, 1, 1), 0.5)
    parts = nn.ModuleDict({"a": Augmentation("paper"), "b": attention})
    film = torch.rand(6, 1, 9, 9, generator=generator())
    maps = torch.rand(6, 8, 2, 2, generator=generator())
    table, has_film = torch.zeros(6, 3), torch.ones(6, dtype=torch.bool)

    def views(seed):
        use_generator(parts, generator(seed))
        return parts["a"](film), parts["b"](maps, table, has_film)

    first, again, other = views(0), views(0), views(1)
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))
