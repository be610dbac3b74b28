"""The Gaussian head: a mean and a spread for each site, their loss, and the answer of many."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# Added to every spread, in standard deviations of the site. Where a net fits its rows by heart, the
# loss would fall without end, and its gradient grow.
_LEAST_SPREAD = 0.01
# An output of 0 is a spread of 1
_AT_0 = 0.5413248546129181


class GaussianLoss(nn.Module):
    r"""Negative log likelihood of densities, per row, but for a constant.

    .. math:: \frac{1}{k} \sum_{j\ \text{measured}}
        \frac{1}{2} \Bigl(\log \sigma_j^2 + \frac{(y_j - \mu_j)^2}{\sigma_j^2}\Bigr)

    Parameters
    ----------
    reduction : {"none"}
        The loss is that of each row.
    """

    def __init__(self, reduction: str = "none") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, output: Tensor, y: Tensor) -> Tensor:
        """Loss (n,) of outputs (n, 2k), or (n, m) of m members: (n, m, 2k), by densities (n, k).

        A density that is NaN was not measured, and counts for nothing.
        """
        if output.ndim == 3:
            y = y[:, None]
        mean, variance = mean_and_variance(output)
        loss = 0.5 * (variance.log() + (y.nan_to_num() - mean) ** 2 / variance)
        return (loss * ~y.isnan()).mean(dim=-1)


def mean_and_variance(output: Tensor) -> tuple[Tensor, Tensor]:
    """Make means and variances (..., k) of outputs (..., 2k), means and raw spreads.

    A spread is the softplus of a raw one, whose gradient does not vanish however wide it is; 0 is a
    spread of 1.
    """
    mean, raw = output.chunk(2, dim=-1)
    return mean, softplus(raw + _AT_0) ** 2 + _LEAST_SPREAD**2


def mixture(outputs: Tensor) -> Tensor:
    """Return the outputs (n, 2k) of an ensemble, of those of its members (n, m, 2k).

    The variance is the mean of the members' plus the variance between their means.

    References
    ----------
    Lakshminarayanan B, Pritzel A, Blundell C. Simple and scalable predictive uncertainty estimation
    using deep ensembles. NeurIPS 2017. arXiv:1612.01474

    Examples
    --------
    >>> members = torch.tensor([[[0.0, 0.0], [2.0, 0.0]]])
    >>> mean, variance = mean_and_variance(mixture(members))  # 1 + 1 + the least
    >>> round(mean.item(), 3), round(variance.item(), 3)
    (1.0, 2.0)
    """
    means, variances = mean_and_variance(outputs)
    variance = variances.mean(dim=1) + means.var(dim=1, correction=0)
    spread = (variance - _LEAST_SPREAD**2).clamp(min=1e-12).sqrt()
    raw = spread + (-torch.expm1(-spread)).log() - _AT_0  # the inverse of softplus
    return torch.cat([means.mean(dim=1), raw], dim=-1)
