"""What docs/guide/engines.md shows, run: all score as a plain call does, whoever is killed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skosteo import Scorer, save_model
from tests.small_models import lacking, small_fusion, write_films

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guide" / "engines.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## (\w+)\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
SEARCHES = re.findall(r"```python\n(import joblib\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ENGINES = {"Ray": "ray", "Dask": "distributed", "Spark": "pyspark"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A model, and studies of which some lack a film or values, and the last eight all of it."""
    home = tmp_path_factory.mktemp("home")
    X, y, _ = write_films(home)
    save_model(small_fusion().fit(X, y), home / "model.skops")
    X = lacking(X, film=[3, 5, *range(40, 48)], table=[4, 5, *range(40, 48)])
    X.loc[1, "image"] = str(home / "gone.dcm")
    X.insert(0, "study", [f"s{i:03}" for i in range(len(X))])
    X.to_parquet(home / "studies.parquet")
    return home


@pytest.fixture
def folder(home, tmp_path):
    for name in ("model.skops", "studies.parquet"):
        (tmp_path / name).write_bytes((home / name).read_bytes())
    return tmp_path


def python(code, folder):
    """Run code in a process of its own, in a folder."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PYSPARK_PYTHON": sys.executable,
        "DASK_TEMPORARY_DIRECTORY": str(folder / "scratch"),
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def run(engine, folder, deaths=0):
    """Run the block of an engine with parts of eight rows; the worker of one dies so often."""
    pytest.importorskip(ENGINES.get(engine, engine))
    for death in range(deaths):
        (folder / f"death_{death}").touch()
    code = BLOCKS[engine].replace("256", "8")
    assert code.count("from skosteo import Scorer") == 1
    code = code.replace(
        "from skosteo import Scorer", "from tests.mortal import MortalScorer as Scorer"
    )
    return python(code, folder)


def check_scores(folder):
    """Each row is there once, as a plain call scores it; no process has loaded the model twice."""
    scores = pd.read_parquet(next(folder.glob("scores*"))).sort_values("study", ignore_index=True)
    table = pd.read_parquet(folder / "studies.parquet")
    expected = Scorer(folder / "model.skops", keep=["study"])(table)
    assert scores["study"].tolist() == expected["study"].tolist()
    np.testing.assert_allclose(scores["probability"], expected["probability"], atol=1e-6, rtol=0)
    assert scores["predicted"].isna().sum() == 9
    rest = expected.columns.drop("probability")
    pd.testing.assert_frame_equal(scores[rest], expected[rest], check_dtype=False)
    loads = [path.name.split("_")[1] for path in folder.glob("load_*")]
    assert len(loads) == len(set(loads)) > 1


@pytest.mark.slow
def test_joblib(folder):
    done = run("joblib", folder)
    assert done.returncode == 0, done.stderr
    check_scores(folder)


@pytest.mark.slow
def test_dask_with_a_worker_that_dies(folder):
    done = run("Dask", folder, deaths=1)
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("death_*"))
    check_scores(folder)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_dies_twice_takes_no_row_with_it(engine, folder):
    done = run(engine, folder, deaths=2)
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("death_*"))
    check_scores(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "tried", "said"),
    [("joblib", 1, "TerminatedWorkerError"), ("Ray", 4, "worker died unexpectedly"),
     ("Dask", 4, "KilledWorker"), ("Spark", 4, "crashed")],
)  # fmt: skip
def test_a_row_of_which_every_worker_dies_ends_the_run(engine, tried, said, folder):
    done = run(engine, folder, deaths=20)
    assert done.returncode != 0
    assert said in done.stderr
    assert len(list(folder.glob("death_*"))) == 20 - tried


SEARCH = """
import pandas as pd
from sklearn.model_selection import GridSearchCV
from tests.small_models import small_clinical

X = pd.read_parquet("studies.parquet")[["age", "bmi"]][6:40]
y = [0, 1] * 17
search = GridSearchCV(small_clinical(), {"lr": [1e-4, 1e-2]}, scoring="neg_log_loss", cv=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["Ray", "Dask"])
def test_a_search_gives_the_scores_that_it_gives_here(engine, folder):
    name = ENGINES[engine]
    pytest.importorskip(name)
    (block,) = [block for block in SEARCHES if f"from {name}" in block]
    scores = []
    for code in (block, "search.fit(X, y)\n"):
        done = python(f"{SEARCH}{code}print(*search.cv_results_['mean_test_score'])", folder)
        assert done.returncode == 0, done.stderr
        scores.append([float(score) for score in done.stdout.split()[-2:]])
    np.testing.assert_allclose(*scores, rtol=1e-9)
    assert scores[0][0] != scores[0][1]
