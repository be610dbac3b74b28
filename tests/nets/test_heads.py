"""The head of the paper."""

import torch
from torch import nn

from skosteo.nets.heads import Head


def test_neurons_and_dropout_are_those_of_the_paper():
    layers = list(Head(2048, (1024, 512, 256), 0.25).layers)
    linear = [m for m in layers if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [
        (2048, 1024), (1024, 512), (512, 256), (256, 1)
    ]  # fmt: skip
    assert isinstance(layers[1], nn.ReLU)
    assert isinstance(layers[2], nn.Dropout)
    assert [m.p for m in layers if isinstance(m, nn.Dropout)] == [0.25] * 3


def test_without_hidden_layers_it_is_logistic_regression():
    head = Head(3, (), 0.5)
    x = torch.randn(5, 3)
    linear = head.layers[0]
    torch.testing.assert_close(head(x), (x @ linear.weight.T + linear.bias)[:, 0])
