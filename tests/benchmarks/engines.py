"""Rows a second, time to start and rows lost by the code of docs/guide/engines.md, beside a call.

    python -m tests.benchmarks.engines [--rows 512] [joblib] [Ray] [Dask] [Spark]

Films of a synthetic cohort, again and again, and a small fusion at 224 pixels; two workers of one
thread. Each block of the page runs in a process of its own, in parts of 32 rows: with the rows of
one part for its time to start, imports and the load of the model in it, and with all rows.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from skosteo import Scorer, save_model
from skosteo.datasets import make_cohort
from tests.small_models import small_fusion, small_image
from tests.test_engines import BLOCKS, ROOT

FILMS = PART = 32


def prepare(folder, rows):
    """Save a model and a table in a folder; return the table."""
    cohort = make_cohort(FILMS, directory=folder / "films", random_state=0)
    X = cohort.data[["age", "height_cm", "image"]]
    model = small_fusion(image=small_image(image_size=224, max_epochs=1))
    save_model(model.fit(X, cohort.target), folder / "model.skops")
    X = X.iloc[[row % FILMS for row in range(rows)]].reset_index(drop=True)
    X.insert(0, "study", [f"s{i:05}" for i in X.index])
    X.loc[X.index[::50], "image"] = "gone.dcm"
    return X


def run(code, folder, table):
    """Time that code takes with a table, in a process of its own, and its scores."""
    place = Path(tempfile.mkdtemp(dir=folder))
    shutil.copy(folder / "model.skops", place)
    table.to_parquet(place / "studies.parquet")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    command, start = [sys.executable, "-c", code], time.perf_counter()
    subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start, pd.read_parquet(next(place.glob("scores*")))


def loop(folder, table):
    """Time to load, rows a second and scores of a plain call on each part."""
    start = time.perf_counter()
    scorer = Scorer(folder / "model.skops", keep=["study"])
    scorer.model  # noqa: B018
    loaded = time.perf_counter()
    scores = pd.concat(scorer(table[i : i + PART]) for i in range(0, len(table), PART))
    return loaded - start, len(table) / (time.perf_counter() - loaded), scores


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engines", nargs="*", default=[*BLOCKS])
    parser.add_argument("--rows", type=int, default=512)
    given = parser.parse_args()
    print(f"{'':8} start, s   rows/s   lost  doubled  largest difference")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = prepare(folder, given.rows)
        start, rate, expected = loop(folder, table)
        print(f"{'loop':8} {start:8.1f} {rate:8.1f} {0:6} {0:8} {0.0:19.1e}", flush=True)
        for engine in given.engines:
            code = BLOCKS[engine].replace("256", str(PART)).replace("6)", f"{given.rows // PART})")
            start, _ = run(code, folder, table[:PART])
            taken, scores = run(code, folder, table)
            both = expected.merge(scores, on="study", suffixes=("", "_there"))
            moved = (both["probability"] - both["probability_there"]).abs().max()
            rate = (len(table) - PART) / (taken - start)
            lost = len(set(expected["study"]) - set(scores["study"]))
            doubled = scores["study"].duplicated().sum()
            print(
                f"{engine:8} {start:8.1f} {rate:8.1f} {lost:6} {doubled:8} {moved:19.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
