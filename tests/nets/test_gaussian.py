"""The Gaussian head's loss and mixture, against torch's and numpy's own."""

import numpy as np
import torch
from torch.distributions import Normal

from skosteo.nets.gaussian import GaussianLoss, mean_and_variance, mixture

OUTPUT = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.randn(6, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_loss_is_the_negative_log_likelihood():
    mean, raw = OUTPUT.chunk(2, dim=1)
    std = ((1 + (raw + np.log(np.e - 1)).exp()).log() ** 2 + 0.01**2).sqrt()
    expected = -Normal(mean, std).log_prob(Y).mean(dim=1) - 0.5 * np.log(2 * np.pi)
    torch.testing.assert_close(GaussianLoss()(OUTPUT, Y), expected)


def test_a_site_that_was_not_measured_counts_for_nothing_and_moves_nothing():
    output, y = OUTPUT.clone().requires_grad_(), Y.clone()
    y[2, 1] = torch.nan
    loss = GaussianLoss()(output, y)
    one = GaussianLoss()(OUTPUT[2:3, [0, 2]], Y[2:3, :1])
    torch.testing.assert_close(loss[2], one[0] / 2)
    loss.sum().backward()
    assert output.grad.isfinite().all()
    assert output.grad[2, [1, 3]].eq(0).all()
    assert output.grad[2, [0, 2]].ne(0).all()


def test_members_are_each_compared_with_the_density():
    members = torch.stack([OUTPUT, -OUTPUT], dim=1)
    loss = GaussianLoss()(members, Y)
    torch.testing.assert_close(loss[:, 1], GaussianLoss()(-OUTPUT, Y))


def test_a_net_that_knows_its_rows_by_heart_has_a_finite_loss():
    output = torch.tensor([[1.0, -1e4]])
    assert GaussianLoss()(output, torch.tensor([[1.0]])).isfinite().all()
    wide = (-1e4 * output).requires_grad_()
    GaussianLoss()(wide, torch.tensor([[1.0]])).sum().backward()
    assert wide.grad.isfinite().all()
    assert wide.grad[0, 1] > 0


def test_the_mixture_has_the_moments_of_draws_from_its_members():
    rng = np.random.default_rng(0)
    means, stds = np.array([-1.0, 0.5, 2.0]), np.array([0.5, 1.0, 0.2])
    draws = rng.normal(means, stds, (400_000, 3)).ravel()
    raw = np.log(np.expm1(stds) / (np.e - 1))
    outputs = torch.tensor(np.stack([means, raw], axis=1))[None]
    mean, variance = mean_and_variance(mixture(outputs))
    np.testing.assert_allclose(mean.item(), draws.mean(), atol=0.005)
    np.testing.assert_allclose(variance.item(), draws.var(), rtol=0.01)


def test_members_that_agree_are_their_own_mixture():
    torch.testing.assert_close(mixture(OUTPUT[:, None].expand(-1, 3, -1)), OUTPUT)
