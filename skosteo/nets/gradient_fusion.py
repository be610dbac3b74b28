"""Equation 1 of the paper: each branch weighs the less, the larger its gradient."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from skosteo.exceptions import InputError
from skosteo.nets.gaussian import GaussianLoss
from skosteo.nets.modes import evaluating

MODES = ("running", "batch", "fixed", "reference", "learned")

_MOMENTUM = 0.1  # as batch norm's: a batch's weight in the running mean
_SMALLEST = 0.1  # without a bound one branch can take all, and the other stops learning


def relu_max_pool(f: Tensor) -> Tensor:
    """ReLU and global max pooling, which commute: a map (n, c, h, w) to features (n, c)."""
    return f.amax(dim=(2, 3)).relu()


def gradient_shares(
    f_w: Tensor, f_sa: Tensor, head: nn.Module, target: Tensor, sample_weight: Tensor | None = None
) -> Tensor:
    r"""Measure how much of the loss gradient falls on each branch when it stands alone.

    .. math::
        g_b = \frac{r_b}{r_w + r_{sa}}, \qquad
        r_b = \operatorname{mean} \left| \frac{\partial L_b}{\partial F_b} \right|, \qquad
        L_b = \operatorname{BCE}\bigl(\operatorname{head}(\operatorname{pool}(F_b)), y\bigr)

    Parameters
    ----------
    f_w, f_sa : Tensor of shape (n, c, h, w)
        Maps of the wavelet and of the attention branch.
    head : torch.nn.Module
        From features (n, c) to logits (n,), or to means and raw spreads (n, 2k), whose
        loss is the `GaussianLoss`; used in evaluation mode, and left as it was.
    target : Tensor of shape (n,) or (n, k)
        Labels, 0 or 1; or densities.
    sample_weight : Tensor of shape (n,), optional
        Weights of the rows in the loss.

    Returns
    -------
    Tensor of shape (2,)
        :math:`g_w` and :math:`g_{sa}`, from 0.1 to 0.9 with a sum of 1; a half each where a
        branch has no gradient at all. They carry no gradient themselves; no parameter, buffer or
        random state is changed.
    """
    # the exact gradient in float32, also inside of autocast and no_grad
    with evaluating(head), torch.enable_grad(), torch.autocast(f_w.device.type, enabled=False):
        dtype = torch.promote_types(f_w.dtype, torch.float32)
        maps = [f.detach().to(dtype).requires_grad_() for f in (f_w, f_sa)]
        losses = [_loss(head(relu_max_pool(f)), target.to(dtype), sample_weight) for f in maps]
        # neither loss depends on the other's map, so their sum gives both gradients
        gradients = torch.autograd.grad(losses[0] + losses[1], maps)
    r_w, r_sa = (gradient.abs().mean() for gradient in gradients)
    # a gradient of 0, where the ReLU lets nothing through, and one of half precision that
    # overflows, speak for neither branch
    measured = (r_w > 0) & (r_sa > 0) & (r_w + r_sa).isfinite()
    g_w = torch.where(measured, r_w / (r_w + r_sa), 0.5).clamp(_SMALLEST, 1 - _SMALLEST)
    return torch.stack([g_w, 1 - g_w])


def _loss(output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """Mean loss of logits (n,) or of the outputs (n, 2k) of a Gaussian head."""
    if output.ndim == 1:
        return bce(output, target.squeeze(1) if target.ndim == 2 else target, weight=weight)
    loss = GaussianLoss()(output, target)
    return (loss if weight is None else loss * weight).mean()


class GradientFusion(nn.Module):
    r"""Fuse the wavelet and the attention branch, by equation 1 of the paper.

    .. math:: F = (1 - g_w) \, F_w + (1 - g_{sa}) \, F_{sa}

    Parameters
    ----------
    mode : {"running", "batch", "fixed", "reference", "learned"}, default="running"
        Where :math:`g` comes from.

        - "running": the mean of `gradient_shares` over the batches of the training so far, each
          new batch with a weight of 0.1; in training and in prediction alike.
        - "batch": in training the `gradient_shares` of the batch itself, in prediction the
          running mean.
        - "fixed": 1/2 and 1/2, the control of an ablation.
        - "reference": 2/3 and 1/2, what the published code of Roy et al. amounts to.
        - "learned": :math:`1 - g` is the softmax of two parameters.

    Attributes
    ----------
    weights : Tensor of shape (2,)
        :math:`g_w` and :math:`g_{sa}`, a buffer of the state dict; not in mode "learned", which
        has the parameter ``logits`` of shape (2,) instead.

    Notes
    -----
    The paper calls :math:`g` the "normalised backpropagation gradients" of the branches. Of the
    loss of the fused map they would only give the current weights back, and a prediction has no
    label to take a loss with. So they are measured on each branch alone and remembered.

    A branch gains weight when its gradient is small. That is so when it tells the classes apart,
    but also when it has memorised the training rows. Compare with "fixed".

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Roy A et al. 2024, arXiv:2406.15128

    Examples
    --------
    >>> import torch
    >>> from skosteo.nets.gradient_fusion import GradientFusion, relu_max_pool
    >>> from skosteo.nets.heads import Head
    >>> f_w, f_sa = torch.ones(2, 8, 4, 4), torch.zeros(2, 8, 4, 4)
    >>> head, fusion = Head(8, (4,), 0.25), GradientFusion()
    >>> g = fusion.probe(f_w, f_sa, head, torch.tensor([0.0, 1.0]))  # training only
    >>> head(relu_max_pool(fusion(f_w, f_sa, g))).shape
    torch.Size([2])
    """

    weights: Tensor

    def __init__(self, mode: str = "running") -> None:
        super().__init__()
        if mode not in MODES:
            raise InputError(f"gradient_fusion={mode!r}: allowed are {list(MODES)}.")
        self.mode = mode
        if mode == "learned":
            self.logits = nn.Parameter(torch.zeros(2))
        else:
            start = (2 / 3, 1 / 2) if mode == "reference" else (1 / 2, 1 / 2)
            self.register_buffer("weights", torch.tensor(start))

    @property
    def g(self) -> Tensor:
        """The weights (2,) that a prediction uses: g_w and g_sa."""
        return 1 - self.logits.softmax(0) if self.mode == "learned" else self.weights

    def probe(
        self,
        f_w: Tensor,
        f_sa: Tensor,
        head: nn.Module,
        target: Tensor,
        sample_weight: Tensor | None = None,
    ) -> Tensor | None:
        """Update the running mean from a batch, and return what `forward` needs to know of it.

        Parameters are those of `gradient_shares`. Nothing happens in evaluation mode, nor in
        modes that need no labels.
        """
        if not self.training or self.mode not in ("running", "batch"):
            return None
        g = gradient_shares(f_w, f_sa, head, target, sample_weight).to(self.weights.dtype)
        self.weights.lerp_(g, _MOMENTUM)
        return g if self.mode == "batch" else None

    def forward(self, f_w: Tensor, f_sa: Tensor, g: Tensor | None = None) -> Tensor:
        """Fuse maps (n, c, h, w) of both branches; ``g`` is what `probe` of this batch returned."""
        in_w, in_sa = 1 - (self.g if g is None else g)
        return in_w * f_w + in_sa * f_sa
