"""Two processes train one net: the same on both, and the same as one process trains."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import skosteo
from skosteo import distributed
from tests.small_models import small_clinical, small_image

ROOT = Path(skosteo.__file__).parents[1]

STUDY = """
import pickle, sys
import numpy as np
import pandas as pd
import torch.distributed as dist
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from tests.small_models import small_clinical, small_fusion, small_image

from skosteo.distributed import n_processes
from skosteo.exceptions import InputError
from tests.test_distributed import CLINICAL, FILMS, Y, TABLE

clinical = small_clinical(**CLINICAL).fit(TABLE, Y)
unseeded = small_clinical(random_state=None).fit(TABLE, Y)
image = clone(small_image()).fit(FILMS, Y)
again = pickle.loads(pickle.dumps(image))
assert np.array_equal(again.predict_proba(FILMS), image.predict_proba(FILMS))
try:
    small_clinical(batch_size=3).fit(TABLE, Y)
except InputError as error:
    refused = str(error)
others = np.random.default_rng(dist.get_rank()).permutation(64)
try:
    small_clinical().fit(TABLE[others], Y)
except InputError as error:
    different = str(error)
table = pd.DataFrame(TABLE, columns=["a", "b", "c"]).assign(image=list(FILMS))
fusion = small_fusion(random_state=None).fit(table, Y)
partly = small_image(gradient_fusion="learned", freeze_backbone="stem", warm_start=True)
partly.fit(FILMS, Y).fit(FILMS, Y)
search = GridSearchCV(small_clinical(), {"lr": [1e-3, 1e-2]}, cv=2, n_jobs=2).fit(TABLE, Y)
result = {
    "processes": n_processes(),
    "clinical": clinical.predict_proba(TABLE),
    "unseeded": unseeded.predict_proba(TABLE),
    "image": image.predict_proba(FILMS),
    "history": image.history_.drop(columns="seconds").to_numpy(),
    "epochs": clinical.n_iter_,
    "refused": refused,
    "different": different,
    "fusion": fusion.predict_proba(table),
    "partly": partly.predict_proba(FILMS),
    "searched": search.best_score_,
}
with open(f"{sys.argv[1]}/{dist.get_rank()}", "wb") as stream:
    pickle.dump(result, stream)
dist.destroy_process_group()
"""

# 51 rows train, so that the last batch of 8 is an uneven one of 3
CLINICAL = {"dropout": 0.0, "max_epochs": 8, "early_stopping": True}
rng = np.random.default_rng(0)
Y = np.resize([0, 1], 64)
TABLE = rng.normal(size=(64, 3)) + Y[:, None]
FILMS = (rng.integers(0, 120, (64, 24, 24)) + 60 * Y[:, None, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    import pickle

    folder = tmp_path_factory.mktemp("results")
    (folder / "study.py").write_text(STUDY)
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", str(folder / "study.py"), str(folder)),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=300,
        capture_output=True,
    )
    return [pickle.loads((folder / str(rank)).read_bytes()) for rank in (0, 1)]


def test_both_have_the_same_net(results):
    first, second = results
    assert first["processes"] == second["processes"] == 2
    for name in ("clinical", "unseeded", "image", "fusion", "partly"):
        np.testing.assert_array_equal(first[name], second[name])
    np.testing.assert_array_equal(first["history"][:, :2], second["history"][:, :2])


def test_it_is_the_net_of_one_process(results):
    alone = small_clinical(**CLINICAL).fit(TABLE, Y)
    assert results[0]["epochs"] == alone.n_iter_
    np.testing.assert_allclose(results[0]["clinical"], alone.predict_proba(TABLE), atol=1e-9)


def test_an_image_model_learns_as_well(results):
    """Batch norms see half a batch, and dropout is another: not the same, but as good."""
    alone = small_image().fit(FILMS, Y).predict_proba(FILMS)[:, 1]
    for probability in (alone, results[0]["image"][:, 1]):
        assert roc_auc_score(Y, probability) > 0.95


def test_batches_too_small_to_share_are_refused(results):
    assert "batch_size=3 leaves 2 processes less than 2 rows each" in results[0]["refused"]


def test_other_rows_on_each_are_refused(results):
    """As of a splitter without a seed: one would train on what another keeps out."""
    for result in results:
        assert result["different"].startswith("The processes were given different rows")


def test_workers_of_a_search_train_alone(results):
    assert results[0]["searched"] > 0.6


def test_one_process_is_the_usual_case():
    assert distributed.n_processes() == 1
    assert distributed.agreed(0.3) == 0.3
    assert distributed.from_first(7) == distributed.own_seed(7) == 7


SEARCH = """
import joblib
from distributed import Client, LocalCluster
from sklearn.model_selection import RandomizedSearchCV
from tests.small_models import small_image
from tests.test_distributed import FILMS, Y

if __name__ == "__main__":
    grid = {"lr": [1e-3, 1e-4], "dropout": [0.2, 0.5]}
    search = RandomizedSearchCV(small_image(), grid, n_iter=3, cv=2, random_state=0)
    here = search.fit(FILMS, Y).cv_results_["mean_test_score"]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        there = search.fit(FILMS, Y).cv_results_["mean_test_score"]
    assert (here == there).all(), (here, there)
    print("done")
"""


@pytest.mark.slow
def test_a_search_on_a_cluster_finds_the_same(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "search.py").write_text(SEARCH)
    done = subprocess.run(
        [sys.executable, "search.py"],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DASK_TEMPORARY_DIRECTORY": "scratch"},
        cwd=tmp_path,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "done\n", done.stderr
