"""The wavelet branch: one level of the Haar transform, then a separable convolution."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


def haar_transform(x: Tensor) -> Tensor:
    r"""One level of the orthonormal two-dimensional Haar transform of every channel.

    Of each square of 2 x 2 neighbours

    .. math:: \begin{pmatrix} a & b \\ c & d \end{pmatrix}

    it gives

    .. math::
        LL &= (a + b + c + d) / 2 \\
        LH &= (a + b - c - d) / 2 \\
        HL &= (a - b + c - d) / 2 \\
        HH &= (a - b - c + d) / 2

    so that LL is twice the mean, LH answers to horizontal edges and HL to vertical ones.

    Parameters
    ----------
    x : Tensor of shape (n, c, h, w), floating point
        The last row of an odd h and the last column of an odd w count twice.

    Returns
    -------
    Tensor of shape (n, 4c, ceil(h / 2), ceil(w / 2))
        The c channels of LL, then those of LH, HL and HH.

    Notes
    -----
    The bands are cA, cH, cV and cD of PyWavelets with ``wavelet="haar", mode="symmetric"``.

    References
    ----------
    Mallat SG 1989, doi:10.1109/34.192463

    Examples
    --------
    >>> import torch
    >>> from skosteo.nets.haar import haar_transform
    >>> haar_transform(torch.tensor([[[[1.0, 2.0], [5.0, 8.0]]]])).flatten().tolist()
    [8.0, -5.0, -2.0, 1.0]
    """
    # not pad(mode="replicate"): its gradient on a GPU depends on the order of atomic additions
    if x.shape[2] % 2:
        x = torch.cat([x, x[:, :, -1:]], dim=2)
    if x.shape[3] % 2:
        x = torch.cat([x, x[..., -1:]], dim=3)
    x = x / 2  # before the sums, which might overflow in half precision
    top, bottom = x[:, :, 0::2], x[:, :, 1::2]
    low, high = top + bottom, top - bottom
    left, right, high_left, high_right = (
        low[..., 0::2], low[..., 1::2], high[..., 0::2], high[..., 1::2]
    )  # fmt: skip
    bands = [left + right, high_left + high_right, left - right, high_left - high_right]
    return torch.cat(bands, dim=1)


class WaveletBranch(nn.Module):
    """Haar transform and a depthwise-separable 3 x 3 convolution back to the number of channels.

    ===============  =======================================
    features         n x c x h x w
    Haar transform   n x 4c x ceil(h / 2) x ceil(w / 2)
    depthwise 3 x 3  the same, without bias
    pointwise 1 x 1  n x c x ceil(h / 2) x ceil(w / 2)
    ===============  =======================================

    Parameters
    ----------
    n_channels : int
        Channels c of the feature map.

    Notes
    -----
    The paper leaves the convolution unsaid. Roy et al., whose block it follows, use a separable
    convolution with a kernel of one pixel; here it sees the neighbours too, for 0.4 % more
    parameters.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Roy A et al. 2024, arXiv:2406.15128

    Examples
    --------
    >>> from skosteo.nets.haar import WaveletBranch
    >>> sum(p.numel() for p in WaveletBranch(2048).parameters())
    16852992
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        n_bands = 4 * n_channels
        self.depthwise = nn.Conv2d(n_bands, n_bands, 3, padding=1, groups=n_bands, bias=False)
        self.pointwise = nn.Conv2d(n_bands, n_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, c, h, w) to F_w (n, c, ceil(h / 2), ceil(w / 2))."""
        bands = self.depthwise(haar_transform(x)).movedim(1, -1)
        # as a product of matrices: on a CPU 1.6 times as fast as torch's convolution of one pixel
        weight, bias = self.pointwise.weight.flatten(1), self.pointwise.bias
        return linear(bands, weight, bias).movedim(-1, 1)
