"""The soft-attention branch: where on the film the net looks."""

import torch
from torch import Tensor, nn


class SoftAttention(nn.Module):
    r"""Weigh every position of a feature map by the attention of several heads.

    Head k has a 3 x 3 convolution over all channels. With its weights :math:`W_k` and positions
    :math:`p, q`,

    .. math::
        \alpha_p = \sum_{k=1}^{K} \frac{\exp s_{kp}}{\sum_q \exp s_{kq}}, \qquad
        s_k = \operatorname{ReLU}(W_k * F + b_k), \qquad
        F'_p = \alpha_p F_p

    Parameters
    ----------
    n_channels : int
        Channels c of the feature map.
    n_heads : int, default=16
        Number of heads, K.

    Notes
    -----
    The public layer that many copied takes the axes of its kernel for each other and reads 3 of
    the c channels. This one reads all, with the same number of parameters.

    To fuse it with `WaveletBranch`, halve its map: ``max_pool2d(attention(x), 2,
    ceil_mode=True)`` is F_sa.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Datta SK et al. 2021, arXiv:2105.03358

    Examples
    --------
    >>> import torch
    >>> from skosteo.nets.soft_attention import SoftAttention
    >>> attention = SoftAttention(2048)
    >>> sum(p.numel() for p in attention.parameters())
    294928
    >>> alpha = attention.attention(torch.rand(2, 2048, 7, 7))
    >>> alpha.shape, alpha.sum(dim=(1, 2, 3)).round().tolist()
    (torch.Size([2, 1, 7, 7]), [16.0, 16.0])
    """

    def __init__(self, n_channels: int, n_heads: int = 16) -> None:
        super().__init__()
        self.score = nn.Conv2d(n_channels, n_heads, 3, padding=1)

    def attention(self, x: Tensor) -> Tensor:
        """Features (n, c, h, w) to alpha (n, 1, h, w): positive, the sum of a film is n_heads."""
        scores = self.score(x).relu()
        # autocast on a CPU would leave the softmax in bfloat16
        dtype = torch.promote_types(scores.dtype, torch.float32)
        heads = scores.flatten(2).softmax(dim=2, dtype=dtype).view(scores.shape)
        return heads.sum(dim=1, keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, c, h, w) to the same, times alpha."""
        return x * self.attention(x).to(x.dtype)
