"""Every fusion beside its branches: the rows of the paper's Table 4, and more.

On synthetic cohorts, each with fresh patients to be judged on, and on the real films of Hannover,
whose target is ICU stay, which is not osteoporosis.

python -m tests.benchmarks.fusions
python -m tests.benchmarks.fusions --real 0 --seeds 10
"""

import argparse
import tempfile
import time

import pandas as pd
import sklearn
from scipy.stats import t
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalPreprocessor,
    FeatureFusionClassifier,
    FoldEnsembleClassifier,
    ProbabilityFusionClassifier,
)
from skosteo.datasets import fetch_hannover_cxr, make_cohort
from skosteo.datasets.cohort import best_auc, fused_signal
from skosteo.evaluation import auc_interval, delong_test
from skosteo.presets import ensemble_classifier, quick_image_classifier

PROBABILITY = {
    "PF": {},
    "PF logistic": {"final_estimator": "logistic"},
    "PF mean of logits": {"final_estimator": "mean"},
}
FEATURES = {"FF": "concat", "LFF": "learned", "cross-attention": "attention"}


def judge(train, y, groups, test, seed, folder, size):
    """Fit every model on the training rows; the probability of each test row by model."""
    image = quick_image_classifier(image_size=size, cache_dir=folder, random_state=seed)
    clinical = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=seed))
    said = {}
    for name, changes in PROBABILITY.items():
        model = ProbabilityFusionClassifier(
            image, clinical, memory=f"{folder}/branches", random_state=seed, **changes
        )
        said[name] = model.fit(train, y, groups=groups).predict_proba(test)[:, 1]
    said["image"], said["clinical"] = model.branch_probabilities(test).T
    # the paper's literal mode: the fusion learns from what the branches say of their own rows
    prefit = ProbabilityFusionClassifier(
        model.image_, model.clinical_, cv="prefit", random_state=seed
    )
    said["PF prefit (paper)"] = prefit.fit(train, y).predict_proba(test)[:, 1]
    for name, strategy in FEATURES.items():
        model = FeatureFusionClassifier(image, strategy=strategy, random_state=seed)
        said[name] = model.fit(train, y, groups=groups).predict_proba(test)[:, 1]
    said |= ensembles(image, train, y, groups, test, seed, folder)
    return pd.DataFrame(said)


def ensembles(image, train, y, groups, test, seed, folder):
    """A vote of all kinds of models, and of the folds of one: PF without a net, which is quick."""
    vote = ensemble_classifier(image, memory=f"{folder}/branches")
    fusion = ProbabilityFusionClassifier(image, final_estimator="logistic", random_state=seed)
    models = {"ensemble": vote, "PF logistic, 5 folds averaged": FoldEnsembleClassifier(fusion)}
    with sklearn.config_context(enable_metadata_routing=True):
        for model in models.values():
            model.fit(train, y, groups=groups)
    return {name: model.predict_proba(test)[:, 1] for name, model in models.items()}


def synthetic(seeds, n, signal, folder):
    """AUC on fresh patients, a cohort per seed."""
    rows = []
    for seed in seeds:
        start = time.perf_counter()
        cohort = make_cohort(
            2 * n, image_signal=signal, clinical_signal=signal, random_state=1000 + seed
        )
        X, y, groups = cohort.data, cohort.target, cohort.groups
        said = judge(X[:n], y[:n], groups[:n], X[n:], seed, folder, 160)
        rows.append({name: roc_auc_score(y[n:], said[name]) for name in said})
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    aucs = pd.DataFrame(rows)
    half = t.ppf(0.975, len(aucs) - 1) * aucs.sem()
    gain = aucs.sub(aucs[["image", "clinical"]].max(axis=1), axis=0)
    gain_half = t.ppf(0.975, len(aucs) - 1) * gain.sem()
    return pd.DataFrame(
        {
            "AUC": aucs.mean(), "low": aucs.mean() - half, "high": aucs.mean() + half,
            "over the better branch": gain.mean(),
            "its low": gain.mean() - gain_half, "its high": gain.mean() + gain_half,
        }
    )  # fmt: skip


def hannover(seeds, folder):
    """AUC by cross-validation over patients; the mean probability of all seeds is judged."""
    cohort = fetch_hannover_cxr()
    X, y, groups = cohort.data, cohort.target, cohort.groups
    runs = []
    for seed in seeds:
        start = time.perf_counter()
        said = []
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for train, test in folds.split(X, y, groups):
            part = judge(
                X.iloc[train], y.iloc[train], groups.iloc[train], X.iloc[test], seed, folder, 224
            )
            said.append(part.set_index(X.index[test]))
        runs.append(pd.concat(said).sort_index())
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    mean = sum(runs) / len(runs)
    mean["projection alone"] = (cohort.frame["projection"] == "ap").astype(float)
    table = {}
    for name in mean:
        auc, low, high = auc_interval(y, mean[name], groups=groups)
        test = delong_test(y, mean[name], mean["image"], groups=groups)
        single = [roc_auc_score(y, run[name]) for run in runs if name in run]
        table[name] = {
            "AUC": auc, "low": low, "high": high, "over the image": test.difference,
            "its low": test.low, "its high": test.high,
            "single seeds": " ".join(f"{auc:.3f}" for auc in single),
        }  # fmt: skip
    return pd.DataFrame(table).T


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--patients", type=int, default=240)
    parser.add_argument("--signal", type=float, default=0.7)
    parser.add_argument("--real", type=int, default=1)
    args = parser.parse_args()
    pd.options.display.width, pd.options.display.max_columns = 200, 20
    pd.options.display.float_format = "{:.3f}".format
    with tempfile.TemporaryDirectory() as folder:
        table = synthetic(range(args.seeds), args.patients, args.signal, folder)
        both = best_auc(fused_signal(args.signal, args.signal))
        print(
            f"\nSYNTHETIC: {args.seeds} cohorts of {args.patients} patients and as many fresh "
            f"ones; at best {best_auc(args.signal):.3f} for a branch and {both:.3f} for both\n"
            f"{table}\n"
        )
        if args.real:
            print(
                "Hannover: ICU stay, NOT osteoporosis, and confounded with projection\n"
                f"{hannover(range(args.seeds), folder)}"
            )


if __name__ == "__main__":
    main()
