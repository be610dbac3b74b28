"""Four ways to say from 200 patients how good a model is, against the AUC on 20,000 others.

python -m tests.benchmarks.internal_validation --cohorts 100

Each synthetic cohort gives a logistic regression and a random forest (the clinical baselines, here
with 25 trees) on all clinical columns but the free text, imputation inside. Their AUC is estimated
by cross-validation in 5 folds, repeated 5 times, as the mean over folds and of all rows together;
by a split of 5/6 to 1/6; and by Harrell's bootstrap (50 samples), whose interval is the apparent
one moved by the optimism. The truth is the AUC of the model refitted to all 200. Printed are bias
with its 95 % interval, root mean squared error and coverage. 7 minutes on one core.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline

from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.evaluation import auc_interval, evaluate
from skosteo.presets import clinical_baseline

PATIENTS, FRESH, REPEATS, FOLDS, SAMPLES = 200, 20_000, 5, 5, 50


def models():
    return {
        "logistic regression": make_pipeline(SimpleImputer(), *clinical_baseline("logistic")[1:]),
        "random forest": make_pipeline(
            SimpleImputer(),
            clinical_baseline("random_forest", n_estimators=25, random_state=0)[-1],
        ),
    }


def draw(n, seed):
    """Numbers and 0/1 codes, of which only the imputation has to be learned."""
    patients = draw_patients(n, random_state=seed)
    words = ["sex", "xray_diagnosis"]
    numbers = patients[[c for c in CLINICAL if c not in (*words, "xray_description")]]
    codes = pd.get_dummies(patients[words], dtype=float)
    X = pd.concat([numbers, codes.reindex(columns=sorted(codes))], axis=1)
    return X.to_numpy(), patients["osteoporosis"].to_numpy()


def risks(model, X, y, new):
    return clone(model).fit(X, y).predict_proba(new)[:, 1]


def cross_validated(model, X, y, seed):
    said, fold = np.empty((2, REPEATS, len(y)))
    for repeat in range(REPEATS):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=1000 * seed + repeat)
        for number, (train, test) in enumerate(folds.split(X, y)):
            said[repeat, test] = risks(model, X[train], y[train], X[test])
            fold[repeat, test] = FOLDS * repeat + number
    given = np.tile(y, REPEATS), said.ravel()
    patient = np.tile(np.arange(len(y)), REPEATS)
    mean = evaluate(*given, groups=patient, folds=fold.ravel()).frame().iloc[0]
    return {
        "cross-validation, 5 x 5": tuple(mean[["estimate", "low", "high"]]),
        "the same, folds pooled": auc_interval(*given, groups=patient),
    }


def split(model, X, y, seed):
    train, test = train_test_split(
        np.arange(len(y)), test_size=1 / 6, stratify=y, random_state=seed
    )
    found = auc_interval(y[test], risks(model, X[train], y[train], X[test]))
    return {"split, 5/6 to 1/6": found}


def bootstrapped(model, X, y, seed):
    rng = np.random.default_rng(seed)
    optimism = []
    for _ in range(SAMPLES):
        rows = rng.integers(len(y), size=len(y))
        fitted = clone(model).fit(X[rows], y[rows])
        seen, all_rows = (fitted.predict_proba(part)[:, 1] for part in (X[rows], X))
        optimism.append(roc_auc_score(y[rows], seen) - roc_auc_score(y, all_rows))
    found = np.array(auc_interval(y, risks(model, X, y, X))) - np.mean(optimism)
    return {"bootstrap optimism": found}


def summary(found):
    lines = []
    for (model, way), part in found.groupby(["model", "way"], sort=False):
        error = part["estimate"] - part["truth"]
        half = 1.96 * error.std(ddof=1) / np.sqrt(len(error))
        lines.append({
            "model": model, "way": way, "truth": part["truth"].mean(),
            "estimate": part["estimate"].mean(), "bias": error.mean(),
            "low": error.mean() - half, "high": error.mean() + half,
            "RMSE": np.sqrt((error**2).mean()),
            "coverage, %": 100 * part["truth"].between(part["low"], part["high"]).mean(),
            "width": (part["high"] - part["low"]).mean(),
        })  # fmt: skip
    return pd.DataFrame(lines).set_index(["model", "way"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=100)
    n_cohorts = parser.parse_args().cohorts
    X_fresh, y_fresh = draw(FRESH, 10**6)
    lines = []
    for seed in range(n_cohorts):
        X, y = draw(PATIENTS, seed)
        for name, model in models().items():
            truth = roc_auc_score(y_fresh, risks(model, X, y, X_fresh))
            for estimate in (cross_validated, split, bootstrapped):
                for way, found in estimate(model, X, y, seed).items():
                    lines.append((name, way, truth, *found))
        if (seed + 1) % 20 == 0 or seed + 1 == n_cohorts:
            columns = ["model", "way", "truth", "estimate", "low", "high"]
            print(f"{seed + 1} synthetic cohorts of {PATIENTS} patients")
            print(summary(pd.DataFrame(lines, columns=columns)).round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
