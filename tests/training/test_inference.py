"""Passes of any size give the same."""

import numpy as np
import pytest
import torch

from skosteo.training.inference import batched_forward, predict_logits
from tests.training.test_fit import fit, rows


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_what_passes_at_a_time(error):
    net, _ = fit()
    x = {"x": torch.randn(1000, 3, generator=torch.Generator().manual_seed(3))}
    most, sizes = 70, []

    def hungry(part):
        if len(part["x"]) > most:
            raise error
        sizes.append(len(part["x"]))
        return net.infer(part)

    whole = batched_forward(net, net.infer, x)
    torch.testing.assert_close(batched_forward(net, hungry, x), whole, atol=1e-6, rtol=0)
    assert max(sizes) == 62  # a sixteenth
    most = 0
    with pytest.raises(type(error)):
        batched_forward(net, hungry, x)


def test_an_error_that_is_not_of_memory_is_raised_at_once():
    calls = []

    def broken(part):
        calls.append(len(part["x"]))
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        batched_forward(fit()[0], broken, {"x": rows().X["x"]})
    assert calls == [40]


def test_a_score_ignores_its_batch_neighbours():
    net, _ = fit()
    x = rows(20).X["x"]
    alone = np.concatenate([predict_logits(net, {"x": row[None]}) for row in x])
    np.testing.assert_allclose(predict_logits(net, {"x": x}), alone, atol=1e-6)
