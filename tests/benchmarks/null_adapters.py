"""What do adapters fitted to labels by chance teach a learner behind them?

Cohorts of noise, three films a patient, and labels by chance. Adapters are fitted in the training
rows of each of three folds by patient, as a user's pipeline does; the logistic regression behind
them learns from their cross-fitted columns (`fit_transform`), or, as the literature often does,
from those of the adapters that saw the same labels (`fit` and `transform`). A mean AUC of .50 is
right. 9 to 28 s a cohort on one core.

python -m tests.benchmarks.null_adapters 100
"""

import argparse
import time

import numpy as np
from scipy.stats import t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import RadiographEmbedder
from tests.image.test_tuning import cohort


def learner():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))


def judged(X, y, groups):
    """AUC of new patients by the columns learnt from, and that of the training rows themselves."""
    said = {name: np.empty(len(y)) for name in ("cross-fitted", "in sample")}
    own = {name: [] for name in said}
    for train, test in StratifiedGroupKFold(3).split(X, y, groups):
        adapted = RadiographEmbedder(
            "test_vit", pretrained=False, tune="lora", pooling="mean", random_state=0
        )
        columns = adapted.fit_transform(X[train], y[train], groups=groups[train])
        for name, seen in zip(said, (columns, adapted.transform(X[train])), strict=True):
            said[name][test] = (
                learner().fit(seen, y[train]).predict_proba(adapted.transform(X[test]))[:, 1]
            )
            own[name].append(inner(seen, y[train], groups[train]))
    return [v for n in said for v in (roc_auc_score(y, said[n]), np.mean(own[n]))]


def inner(columns, y, groups):
    """AUC out of folds by patient of the columns that a learner is given, as a search sees it."""
    p = np.empty(len(y))
    for train, test in StratifiedGroupKFold(5).split(columns, y, groups):
        p[test] = learner().fit(columns[train], y[train]).predict_proba(columns[test])[:, 1]
    return roc_auc_score(y, p)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", type=int, nargs="?", default=100)
    parser.add_argument("--patients", type=int, default=120)
    args = parser.parse_args()
    start, rows = time.perf_counter(), []
    for seed in range(args.cohorts):
        rows.append(judged(*cohort(seed, args.patients)))
        if (seed + 1) % 10 == 0:
            aucs = np.array(rows)
            half = t.ppf(0.975, len(aucs) - 1) * aucs.std(axis=0, ddof=1) / np.sqrt(len(aucs))
            names = [
                f"{name}, {of}"
                for name in ("cross-fitted", "in sample")
                for of in ("new patients", "a search's inner folds")
            ]
            print(f"{seed + 1} cohorts, {time.perf_counter() - start:.0f} s")
            for name, mean, h in zip(names, aucs.mean(axis=0), half, strict=True):
                print(f"  {name}: {mean:.3f} [{mean - h:.3f}, {mean + h:.3f}]", flush=True)


if __name__ == "__main__":
    main()
