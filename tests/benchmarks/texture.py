"""Texture beside the quick image model, in the same folds; seconds for each film.

On a synthetic cohort, and on the real films of Hannover, whose target is ICU stay, which is not
osteoporosis.

python -m tests.benchmarks.texture
"""

import argparse
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skosteo import RadiographTexture
from skosteo.datasets import fetch_hannover_cxr, make_cohort
from skosteo.datasets.cohort import best_auc
from skosteo.evaluation import auc_interval, delong_test
from skosteo.image.texture_features import FAMILIES
from skosteo.presets import quick_image_classifier, texture_classifier


def out_of_fold(model, X, y, groups, seed):
    """Probability of each row by a model that has not seen its patient."""
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    said = cross_val_predict(model, X, y, groups=groups, cv=folds, method="predict_proba")
    return said[:, 1]


def compared(cohort, seeds, size, folder):
    """AUC of every model; intervals are those of the mean probability of all seeds."""
    X, y, groups = cohort.data[["image"]], np.asarray(cohort.target), cohort.groups
    kept = {"image_size": size, "cache_dir": folder}
    image = quick_image_classifier(random_state=0, **kept)
    models = {"quick image model": image, "texture": texture_classifier(**kept)}
    models |= {f"  {name} alone": texture_classifier(families=[name], **kept) for name in FAMILIES}
    rows, mean = {}, {}
    for name, model in models.items():
        start = time.process_time()
        said = [out_of_fold(model, X, y, groups, seed) for seed in seeds]
        seconds, mean[name] = time.process_time() - start, np.mean(said, axis=0)
        auc, low, high = auc_interval(y, mean[name], groups=groups)
        gain = delong_test(y, mean[name], mean["quick image model"], groups=groups)
        single = [auc_interval(y, one, groups=groups)[0] for one in said]
        rows[name] = {
            "AUC": auc, "low": low, "high": high, "over the image": gain.difference,
            "its low": gain.low, "its high": gain.high,
            "single seeds": " ".join(f"{auc:.3f}" for auc in single), "seconds": seconds,
        }  # fmt: skip
    return pd.DataFrame(rows).T


def speed(n=40):
    """Milliseconds of one core for a film that is in memory, by family and side."""
    rows = {}
    for side in (224, 512):
        films = np.random.default_rng(0).integers(0, 255, (n, side, side)).astype(np.uint8)
        for families in (*([name] for name in FAMILIES), [*FAMILIES]):
            texture = RadiographTexture(families=families).fit(films)
            texture.transform(films[:1])
            start = time.process_time()
            texture.transform(films)
            ms = (time.process_time() - start) / n * 1000
            rows.setdefault(", ".join(families), {})[f"{side} x {side}"] = ms
    return pd.DataFrame(rows).T


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--patients", type=int, default=240)
    parser.add_argument("--signal", type=float, default=0.7)
    parser.add_argument("--size", type=int, default=224)
    args = parser.parse_args()
    pd.options.display.width, pd.options.display.max_columns = 200, 20
    pd.options.display.float_format = "{:.3f}".format
    print(f"milliseconds a film\n{speed()}\n", flush=True)
    seeds = range(args.seeds)
    with tempfile.TemporaryDirectory() as folder:
        cohort = make_cohort(args.patients, image_signal=args.signal, random_state=1000)
        print(
            f"SYNTHETIC: {args.patients} patients; at best {best_auc(args.signal):.3f} on average\n"
            f"{compared(cohort, seeds, args.size, folder)}\n",
            flush=True,
        )
        print(
            "Hannover: ICU stay, NOT osteoporosis, and confounded with projection\n"
            f"{compared(fetch_hannover_cxr(), seeds, args.size, folder)}"
        )


if __name__ == "__main__":
    main()
