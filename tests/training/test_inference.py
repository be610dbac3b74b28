"""Passes of any size give the same."""

import numpy as np
import pytest
import torch

from skosteo.training.inference import apply_in_passes, predict_logits
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
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(3))
    most, sizes = 70, []

    def hungry(part):
        if len(part) > most:
            raise error
        sizes.append(len(part))
        return net.module_(part)

    whole = apply_in_passes(net, net.module_, x)
    torch.testing.assert_close(apply_in_passes(net, hungry, x), whole, atol=1e-6, rtol=0)
    assert max(sizes) == 62  # a sixteenth
    most = 0
    with pytest.raises(type(error)):
        apply_in_passes(net, hungry, x)


def test_an_error_that_is_not_of_memory_is_raised_at_once():
    calls = []

    def broken(part):
        calls.append(len(part))
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        apply_in_passes(fit()[0], broken, rows().x)
    assert calls == [40]


def test_a_score_ignores_its_batch_neighbours():
    net, _ = fit()
    x = rows(20).x
    alone = np.concatenate([predict_logits(net, row[None]) for row in x])
    np.testing.assert_allclose(predict_logits(net, x), alone, atol=1e-6)
