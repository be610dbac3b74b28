"""Numbers of peft 0.21.2 for tests/nets/test_adapters.py.

By hand, where peft is installed (it is not needed otherwise)::

    python tests/reference/lora.py

A linear layer and a convolution of one pixel with given weights: what they say of a given input,
and what they say after three steps of plain gradient descent of their adapters towards 0.
"""

import torch
from torch import nn

RANK, ALPHA, RATE = 8, 16, 0.5


def wave(*shape, start=0):
    """Give numbers between -1/3 and 1/3 that need no generator."""
    n = torch.Size(shape).numel()
    return torch.sin(torch.arange(start, start + n, dtype=torch.float32)).reshape(shape) / 3


def layer_and_input(kind):
    if kind == "linear":
        layer, x = nn.Linear(7, 5), wave(3, 7, start=200)
    else:
        layer, x = nn.Conv2d(7, 5, 1, stride=2, bias=False), wave(2, 7, 3, 3, start=200)
    with torch.no_grad():
        layer.weight.copy_(wave(*layer.weight.shape))
        if layer.bias is not None:
            layer.bias.copy_(wave(5, start=100))
    return layer, x


def descend(module, x, down, up):
    """Say what comes out before and after three steps."""
    with torch.no_grad():
        down.copy_(wave(*down.shape, start=300))
        up.copy_(wave(*up.shape, start=400))
    said = [module(x)]
    for _ in range(3):
        loss = module(x).square().mean()
        for weight, slope in zip((down, up), torch.autograd.grad(loss, (down, up)), strict=True):
            weight.data -= RATE * slope
    return [*said, module(x)]


def main():
    from peft import LoraConfig, get_peft_model

    for kind in ("linear", "convolution"):
        layer, x = layer_and_input(kind)
        config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["0"], lora_dropout=0)
        model = get_peft_model(nn.Sequential(layer), config)
        weights = dict(model.named_parameters())
        down, up = (
            next(w for name, w in weights.items() if f"lora_{side}" in name) for side in "AB"
        )
        for said in descend(model, x, down, up):
            print(kind, [round(value, 6) for value in said.detach().flatten()[:6].tolist()])


if __name__ == "__main__":
    main()
