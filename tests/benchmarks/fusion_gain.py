"""What fusion gains over its branches, on synthetic cohorts: a row per seed, a summary last.

python -m tests.benchmarks.fusion_gain --seeds 10 --signal 0.7
"""

import argparse
import tempfile

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalPreprocessor,
    ProbabilityFusionClassifier,
)
from skosteo.datasets import make_cohort
from skosteo.datasets.cohort import best_auc, fused_signal
from skosteo.presets import quick_image_classifier


def one_seed(seed, signal, n_patients, folder):
    cohort = make_cohort(
        n_patients, image_signal=signal, clinical_signal=signal, directory=f"{folder}/films",
        random_state=seed,
    )  # fmt: skip
    image = quick_image_classifier(image_size=160, cache_dir=f"{folder}/cache", random_state=seed)
    clinical = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=seed))
    model = ProbabilityFusionClassifier(image, clinical, random_state=seed)
    X, y, groups = cohort.data, cohort.target, cohort.groups
    probability = pd.DataFrame(index=X.index, columns=["image", "clinical", "fusion"], dtype=float)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(X, y, groups):
        fitted = clone(model).fit(X.iloc[train], y.iloc[train], groups=groups.iloc[train])
        probability.iloc[test, :2] = fitted.branch_probabilities(X.iloc[test])
        probability.iloc[test, 2] = fitted.predict_proba(X.iloc[test])[:, 1]
    return {name: roc_auc_score(y, p) for name, p in probability.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--signal", type=float, default=0.7)
    parser.add_argument("--patients", type=int, default=240)
    args = parser.parse_args()
    rows = []
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(one_seed(seed, args.signal, args.patients, folder))
        print(seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
    aucs = pd.DataFrame(rows)
    aucs["gain over the better branch"] = aucs["fusion"] - aucs[["image", "clinical"]].max(axis=1)
    aucs["gain over the image"] = aucs["fusion"] - aucs["image"]
    half = t.ppf(0.975, len(aucs) - 1) * aucs.std() / np.sqrt(len(aucs))
    summary = pd.DataFrame({"mean": aucs.mean(), "low": aucs.mean() - half})
    summary["high"] = aucs.mean() + half
    print(f"\nSYNTHETIC, {args.patients} patients, AUC over {args.seeds} seeds, 95 % t interval")
    print(summary.round(3).to_string())
    fused = fused_signal(args.signal, args.signal)
    print(f"best possible: branch {best_auc(args.signal):.3f}, fusion {best_auc(fused):.3f}")


if __name__ == "__main__":
    main()
