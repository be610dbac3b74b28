"""Films as columns for any learner: backbones, pooling, components and learners, all frozen.

Then tuned by adapters, in sample and cross-fitted, beside the frozen ones of the same folds
(``--only-tuned`` leaves out the rest). Out of folds by patient, on the real films of Hannover,
whose target is ICU stay and not osteoporosis, and on a synthetic cohort. The quick image
classifier stands beside them, in the same folds. At Hannover a transformer of random weights does
as well as trained ones: the projection shows in anything, and no backbone is to be chosen by these
films.

python -m tests.benchmarks.embeddings
python -m tests.benchmarks.embeddings --seeds 1 --backbones efficientnet_lite0 --learners logistic
"""

import argparse
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from skosteo import RadiographEmbedder
from skosteo.datasets import fetch_hannover_cxr, make_cohort
from skosteo.presets import quick_image_classifier

BACKBONES = {
    "efficientnet_lite0": {},
    "efficientnet_lite1": {},
    "efficientnet_lite2": {},
    "vit_tiny_patch16_224": {"pretrained": False},  # random weights
}
LEARNERS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "logistic, C=.01": make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)),
    "logistic, C=.001": make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=2000)),
    "random forest": RandomForestClassifier(200, random_state=0),
    "XGBoost": XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, random_state=0),
}
REDUCED = {"all": [], "PCA 50": [PCA(50, svd_solver="full")]}


def out_of_fold(model, X, y, groups, seed, by_patient=False):
    """AUC over all rows, each judged by a model that has not seen its patient."""
    probability = np.zeros(len(y))
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(X, y, groups):
        given = {"groups": groups[train]} if by_patient else {}
        fitted = clone(model).fit(X[train], y[train], **given)
        probability[test] = fitted.predict_proba(X[test])[:, 1]
    return roc_auc_score(y, probability)


def judged(cohort, args, folder):
    """AUC of every model in the folds of every seed."""
    X, y, groups = (p.to_numpy() for p in (cohort.data["image"], cohort.target, cohort.groups))
    for backbone in args.backbones:
        for pooling in ("max", "mean"):
            embedder = RadiographEmbedder(
                backbone, pooling=pooling, cache_dir=folder, random_state=0, **BACKBONES[backbone]
            )
            start = time.perf_counter()
            columns = embedder.fit_transform(X)
            seconds = (time.perf_counter() - start) / len(X)
            print(f"{backbone}, {pooling}: {seconds:.3f} s a film", flush=True)
            for reduced, steps in REDUCED.items():
                for learner in args.learners:
                    if pooling == "mean" and not learner.startswith("logistic"):
                        continue  # trees take minutes
                    model = make_pipeline(*steps, LEARNERS[learner])
                    said = {"backbone": backbone, "columns": f"{reduced}, {pooling}"}
                    for seed in range(args.seeds):
                        auc = out_of_fold(model, columns, y, groups, seed)
                        yield {**said, "learner": learner, "seed": seed, "AUC": auc}
    for seed in range(args.seeds):
        quick = quick_image_classifier(cache_dir=folder, random_state=seed)
        auc = out_of_fold(quick, X, y, groups, seed, by_patient=True)
        said = {"backbone": "efficientnet_lite0", "columns": "all, max", "learner": "quick image"}
        yield {**said, "seed": seed, "AUC": auc}


def tuned(cohort, args, folder):
    """AUC of logistic regression behind embeddings frozen, tuned in sample, and cross-fitted."""
    X, y, groups = (p.to_numpy() for p in (cohort.data["image"], cohort.target, cohort.groups))
    learner, backbone = LEARNERS["logistic, C=.01"], "efficientnet_lite0"
    for seed in range(args.seeds):
        frozen = RadiographEmbedder(backbone, cache_dir=folder, random_state=seed)
        lora = clone(frozen).set_params(tune="lora")
        probability = {name: np.zeros(len(y)) for name in ("frozen", "in-sample", "cross-fitted")}
        cv = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for train, test in cv.split(X, y, groups):
            columns = {"frozen": frozen.fit_transform(X[train])}
            columns["cross-fitted"] = lora.fit_transform(X[train], y[train], groups=groups[train])
            columns["in-sample"] = lora.transform(X[train])
            for name, seen in columns.items():
                new = (frozen if name == "frozen" else lora).transform(X[test])
                fitted = clone(learner).fit(seen, y[train])
                probability[name][test] = fitted.predict_proba(new)[:, 1]
        for name, p in probability.items():
            said = f"lora, {name}" if name != "frozen" else name
            yield {"backbone": backbone, "columns": said, "learner": "logistic, C=.01"} | {
                "seed": seed,
                "AUC": roc_auc_score(y, p),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--patients", type=int, default=240)
    parser.add_argument("--only-tuned", action="store_true")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=[*BACKBONES])
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[*LEARNERS])
    args = parser.parse_args()
    cohorts = {
        "Hannover, ICU stay": fetch_hannover_cxr(),
        "synthetic; the films allow .78": make_cohort(args.patients, random_state=1000),
    }
    for name, cohort in cohorts.items():
        with tempfile.TemporaryDirectory() as folder:
            rows = [] if args.only_tuned else [*judged(cohort, args, folder)]
            rows = pd.DataFrame([*rows, *tuned(cohort, args, folder)])
        table = rows.pivot_table("AUC", ["backbone", "columns"], "learner", sort=False)
        print(f"\n{name}: mean AUC of {args.seeds} seeds")
        print(table.round(3).to_string(na_rep=""), "\n", flush=True)


if __name__ == "__main__":
    main()
