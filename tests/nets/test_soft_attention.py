"""Attention over positions: what a plain loop computes, in full precision, over all channels."""

import math

import pytest
import torch
from torch.nn.functional import max_pool2d

from skosteo.nets.haar import haar_transform
from skosteo.nets.soft_attention import SoftAttention


def make(n_channels=5, n_heads=16):
    torch.manual_seed(0)
    return SoftAttention(n_channels, n_heads)


def test_alpha_is_what_a_plain_loop_computes():
    layer, height, width = make(n_channels=2, n_heads=3), 3, 4
    x = torch.randn(2, 2, height, width)
    weight, bias = layer.score.weight.tolist(), layer.score.bias.tolist()
    positions = [(i, j) for i in range(height) for j in range(width)]
    for film, alpha in zip(x.tolist(), layer.attention(x), strict=True):
        expected = dict.fromkeys(positions, 0.0)
        for k in range(3):
            score = {}
            for i, j in positions:
                total = bias[k]
                for c in range(2):
                    for di in range(3):
                        for dj in range(3):
                            row, column = i + di - 1, j + dj - 1
                            if 0 <= row < height and 0 <= column < width:
                                total += weight[k][c][di][dj] * film[c][row][column]
                score[i, j] = math.exp(max(total, 0))
            for p in positions:
                expected[p] += score[p] / sum(score.values())
        for (i, j), value in expected.items():
            assert alpha[0, i, j].item() == pytest.approx(value, abs=1e-6)


def test_every_film_shares_out_as_much_as_there_are_heads():
    alpha = make().attention(10 * torch.randn(3, 5, 7, 7))
    assert alpha.shape == (3, 1, 7, 7)
    assert (alpha > 0).all()
    torch.testing.assert_close(alpha.sum(dim=(1, 2, 3)), torch.full((3,), 16.0))


def test_features_are_weighed_by_alpha():
    layer, x = make(), torch.randn(2, 5, 7, 7)
    torch.testing.assert_close(layer(x), x * layer.attention(x))


def test_a_flat_film_is_looked_at_evenly_and_a_bright_spot_more():
    layer = make(n_channels=1, n_heads=1)
    torch.nn.init.constant_(layer.score.weight, 0.1)
    torch.testing.assert_close(
        layer.attention(torch.zeros(1, 1, 7, 7)), torch.full((1, 1, 7, 7), 1 / 49)
    )
    film = torch.zeros(1, 1, 7, 7)
    film[0, 0, 2, 5] = 50
    alpha = layer.attention(film)[0, 0]
    torch.testing.assert_close(alpha[1:4, 4:7].sum(), torch.tensor(1.0), rtol=0, atol=0.05)


def test_all_channels_are_read():
    # the layer that many copied reads 3 channels
    x = torch.randn(1, 40, 7, 7, requires_grad=True)
    make(n_channels=40).attention(x)[0, 0, 3, 3].backward()
    assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


def test_number_of_parameters():
    assert sum(p.numel() for p in SoftAttention(2048).parameters()) == 294_928


def test_gradients_reach_every_parameter_and_the_features():
    layer, x = make(), torch.randn(4, 5, 7, 7, requires_grad=True)
    layer(x).square().sum().backward()
    assert all((p.grad != 0).all() for p in layer.parameters())
    assert (x.grad != 0).all()


def test_a_film_is_attended_to_whatever_its_neighbours():
    layer, x = make(), torch.randn(6, 5, 7, 7)
    alone = torch.cat([layer(film[None]) for film in x])
    torch.testing.assert_close(layer(x), alone, rtol=0, atol=1e-6)


def test_softmax_is_float32_under_autocast():
    layer, x = make(), torch.randn(2, 5, 7, 7).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        alpha, weighed = layer.attention(x), layer(x)
    assert (alpha.dtype, weighed.dtype) == (torch.float32, torch.bfloat16)
    # bfloat16 would be some 1e-2 off
    torch.testing.assert_close(alpha.sum(dim=(1, 2, 3)), torch.full((2,), 16.0), rtol=0, atol=1e-5)


def test_double_precision_is_kept():
    layer, x = make().double(), torch.randn(2, 5, 7, 7, dtype=torch.float64)
    total = layer.attention(x).sum(dim=(1, 2, 3))
    assert total.dtype == torch.float64
    torch.testing.assert_close(total, torch.full_like(total, 16), rtol=0, atol=1e-13)


def test_channels_last_stays():
    x = torch.randn(2, 5, 7, 7).contiguous(memory_format=torch.channels_last)
    layer = make().to(memory_format=torch.channels_last)
    assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("side", range(1, 10))
def test_its_halved_map_has_the_size_of_the_wavelets(side):
    x = torch.randn(1, 5, side, 7)
    halved = max_pool2d(make()(x), 2, ceil_mode=True)
    assert halved.shape[2:] == haar_transform(x).shape[2:]
