"""Passes of any size give the same."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import skosteo
from skosteo.training.inference import batched_forward, predict_logits
from tests.training.test_fit import fit, rows

ROOT = Path(skosteo.__file__).parents[1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes"),
        RuntimeError("could not create a primitive"),
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
    with pytest.raises(MemoryError, match="one row"):
        batched_forward(net, hungry, x)


def test_an_error_that_is_not_of_memory_is_raised_at_once():
    calls = []

    def broken(part):
        calls.append(len(part["x"]))
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        batched_forward(fit()[0], broken, {"x": rows().X["x"]})
    assert calls == [40]


LIMITED = """
import resource, sys
import numpy as np
import torch
from skosteo.exceptions import TrainingError
from tests.small_models import small_image
torch.set_num_threads(1)
y = np.arange(64) % 2
films = np.random.default_rng(0).integers(0, 255, (64, 96, 96)).astype(np.uint8)
model = small_image(max_epochs=1).fit(films, y)
expected = model.predict_proba(films)
size = next(line for line in open("/proc/self/status") if line.startswith("VmSize"))
limit = int(size.split()[1]) * 1024 + 100 * 2**20  # 56 films hold 66 MB in each layer
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
many = model.predict_proba(np.repeat(films, 4, axis=0))
assert abs(many[::4] - expected).max() < 1e-6
try:
    small_image(max_epochs=1, batch_size=64).fit(films, y)
except TrainingError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.slow
def test_a_real_limit_of_memory_is_survived():
    command = [sys.executable, "-W", "ignore", "-c", LIMITED]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Memory does not suffice for batches" in ended.stdout


def test_a_score_ignores_its_batch_neighbours():
    net, _ = fit()
    x = rows(20).X["x"]
    alone = np.concatenate([predict_logits(net, {"x": row[None]}) for row in x])
    np.testing.assert_allclose(predict_logits(net, {"x": x}), alone, atol=1e-6)
