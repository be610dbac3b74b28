"""What only a GPU can show; skipped where there is none."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from tests.small_models import small_image

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

rng = np.random.default_rng(0)
Y = np.resize([0, 1], 96)
FILMS = (rng.integers(0, 120, (96, 64, 64)) + 60 * Y[:, None, None]).astype(np.uint8)
PARAMS = {"backbone": "resnet18", "max_epochs": 4, "batch_size": 16, "augmentation": "chest"}


@pytest.fixture(params=["resident", "moved by batches"])
def model(request, monkeypatch):
    if request.param == "moved by batches":
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (0, 0))
    return small_image(device="cuda", **PARAMS).fit(FILMS, Y)


def test_it_learns_there(model):
    assert roc_auc_score(Y, model.predict_proba(FILMS)[:, 1]) > 0.95
    assert next(model.net_.module_.parameters()).is_cuda


def test_a_score_ignores_its_batch_neighbours(model):
    alone = np.vstack([model.predict_proba(film[None]) for film in FILMS[:8]])
    np.testing.assert_allclose(model.predict_proba(FILMS)[:8], alone, atol=1e-5)


def test_the_global_random_state_is_left_alone():
    before = torch.cuda.get_rng_state()
    for device in ("cuda", "cpu"):
        small_image(device=device, **PARAMS).fit(FILMS, Y)
        assert torch.equal(torch.cuda.get_rng_state(), before)


def test_the_device_is_waited_for_once_an_epoch():
    """Not once a step: the next one is to be queued while the device works."""
    counts = []
    for n in (32, 96):  # 2 and 6 steps an epoch
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            small_image(device="cuda", early_stopping=False, **PARAMS).fit(FILMS[:n], Y[:n])
            torch.cuda.set_sync_debug_mode("default")
        counts.append(sum("synchroniz" in str(warning.message) for warning in warned))
    assert counts[0] == counts[1] > 0
