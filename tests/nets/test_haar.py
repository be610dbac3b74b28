"""The Haar transform is PyWavelets' own, band by band, and loses nothing."""

import numpy as np
import pytest
import pywt
import torch

from skosteo.nets.haar import WaveletBranch, haar_transform

SIZES = [(8, 8), (7, 7), (6, 9), (5, 4), (1, 6), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bands_are_those_of_pywavelets(size, dtype):
    x = torch.randn(2, 3, *size, dtype=dtype)
    approximation, details = pywt.dwt2(x.numpy(), "haar", mode="symmetric")
    expected = np.concatenate([approximation, *details], axis=1)
    np.testing.assert_allclose(haar_transform(x).numpy(), expected, rtol=0, atol=1e-6)


def test_even_films_come_back_by_the_inverse():
    x = torch.randn(2, 3, 8, 10, dtype=torch.float64)
    ll, lh, hl, hh = haar_transform(x).chunk(4, dim=1)
    back = torch.empty_like(x)
    back[..., 0::2, 0::2] = (ll + lh + hl + hh) / 2
    back[..., 0::2, 1::2] = (ll + lh - hl - hh) / 2
    back[..., 1::2, 0::2] = (ll - lh + hl - hh) / 2
    back[..., 1::2, 1::2] = (ll - lh - hl + hh) / 2
    torch.testing.assert_close(back, x, rtol=0, atol=1e-14)
    assert haar_transform(x).square().sum().item() == pytest.approx(x.square().sum().item())


def test_ll_is_twice_the_mean_and_details_answer_to_edges():
    x = torch.rand(2, 3, 8, 8)
    mean = torch.nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(haar_transform(x)[:, :3], 2 * mean)
    rows = torch.tensor([1.0, 0.0]).repeat(4).view(1, 1, 8, 1).expand(1, 1, 8, 8)
    # bright above dark: LH alone, and positive
    assert haar_transform(rows).amax(dim=(2, 3)).tolist() == [[1, 1, 0, 0]]
    assert haar_transform(rows.mT).amax(dim=(2, 3)).tolist() == [[1, 0, 1, 0]]


def test_gradient_is_exact_on_odd_sides():
    x = torch.randn(1, 2, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(haar_transform, x)


@pytest.mark.parametrize("size", SIZES[:4])
def test_channels_last_stays(size):
    x = torch.randn(2, 3, *size).contiguous(memory_format=torch.channels_last)
    assert haar_transform(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow_on_the_way(dtype):
    bands = haar_transform(torch.full((1, 1, 3, 3), 30_000, dtype=dtype))
    assert bands.dtype == dtype
    assert bands[:, :1].float().mean().item() == pytest.approx(60_000, rel=0.01)
    assert not bands[:, 1:].any()


def test_branch_has_the_size_of_the_method():
    branch = WaveletBranch(2048)
    assert sum(p.numel() for p in branch.parameters()) == 16_852_992
    assert branch(torch.zeros(1, 2048, 7, 7)).shape == (1, 2048, 4, 4)


def test_branch_sees_neighbours_of_the_same_band_only():
    branch = WaveletBranch(2).double()
    x = torch.randn(2, 2, 7, 6, dtype=torch.float64)
    bands = haar_transform(x)
    n, c, h, w = bands.shape
    padded = torch.zeros(n, c, h + 2, w + 2, dtype=torch.float64)
    padded[:, :, 1:-1, 1:-1] = bands
    kernel = branch.depthwise.weight  # (8, 1, 3, 3)
    depthwise = sum(
        padded[:, :, i : i + h, j : j + w] * kernel[:, 0, i, j].view(1, -1, 1, 1)
        for i in range(3)
        for j in range(3)
    )
    mixed = torch.einsum("oc,nchw->nohw", branch.pointwise.weight[:, :, 0, 0], depthwise)
    torch.testing.assert_close(branch(x), mixed + branch.pointwise.bias.view(1, -1, 1, 1))


def test_gradients_reach_every_parameter_and_the_features():
    branch, x = WaveletBranch(4), torch.randn(2, 4, 7, 7, requires_grad=True)
    branch(x).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in branch.parameters())
    assert (x.grad != 0).all()
