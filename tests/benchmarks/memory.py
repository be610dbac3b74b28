"""Memory of cross_validate with two workers at 1,200 films, and the pickled size of its X.

    python -m tests.benchmarks.memory

Peaks are those of single processes, libraries included; what these take alone is printed first.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

os.environ["OMP_NUM_THREADS"] = "1"

IMPORTS = "import sklearn.model_selection, torch, skorch, pandas, timm"


def megabytes(who):
    return getrusage(who).ru_maxrss / 1024


def main():
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    print(f"importing the libraries alone: {megabytes(RUSAGE_CHILDREN):.0f} MB")

    import numpy as np
    from joblib.externals.loky import get_reusable_executor
    from PIL import Image
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate

    from skosteo.datasets.cohort import draw_patients
    from skosteo.presets import quick_image_classifier

    with tempfile.TemporaryDirectory() as folder:
        frame = draw_patients(1200, random_state=0)
        rng = np.random.default_rng(0)
        paths = [os.path.join(folder, f"film_{i:04d}.png") for i in range(1200)]
        for path in paths:
            Image.fromarray(rng.integers(0, 255, (256, 224), dtype=np.uint8)).save(path)
        X, y = frame.assign(image=paths), np.resize([0, 1], 1200)
        print(f"X pickles to {len(pickle.dumps(X)) / 1e6:.2f} MB")
        model = quick_image_classifier(
            hidden_layer_sizes=(1024, 512, 256), max_epochs=3,
            cache_dir=os.path.join(folder, "cache"), random_state=0,
        )  # fmt: skip
        start = time.perf_counter()
        groups = np.arange(1200) // 2
        cross_validate(
            model, X, y, groups=groups, params={"groups": groups},
            cv=StratifiedGroupKFold(5), scoring="roc_auc", n_jobs=2,
        )  # fmt: skip
        get_reusable_executor().shutdown(wait=True)
        print(f"cross_validate: {time.perf_counter() - start:.0f} s")
    print(f"main process: {megabytes(RUSAGE_SELF):.0f} MB")
    print(f"largest worker: {megabytes(RUSAGE_CHILDREN):.0f} MB")


if __name__ == "__main__":
    main()
