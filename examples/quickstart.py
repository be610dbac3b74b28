"""
From films and a table to an honest score
=========================================

Three models of osteoporosis, from the film, from the clinical values and from both, judged on
patients that they have not seen.

By default on a **synthetic** cohort, made on the spot: DICOM files in the mixed encodings of real
hospitals, and a table with gaps. Two real data sets take the same road::

    python examples/quickstart.py --data hannover  # real chest films, target: ICU stay
    python examples/quickstart.py --data nhanes    # real people with measured DXA
"""

# %%
# What to run
# -----------

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalPreprocessor,
    ProbabilityFusionClassifier,
    RadiographReader,
    save_model,
)
from skosteo.datasets import fetch_hannover_cxr, fetch_nhanes, make_cohort
from skosteo.evaluation import evaluate
from skosteo.presets import quick_image_classifier

parser = argparse.ArgumentParser()
parser.add_argument("--data", choices=["synthetic", "hannover", "nhanes"], default="synthetic")
parser.add_argument("--report", type=Path, default=Path("report"), help="folder for the results")
args, _ = parser.parse_known_args()

started = time.perf_counter()
work = tempfile.TemporaryDirectory()  # films of the synthetic cohort, and decoded films
args.report.mkdir(parents=True, exist_ok=True)
for old in (
    "table.csv",
    "roc.png",
    "films.png",
    "model.skops",
):  # of an earlier run, perhaps on other data
    (args.report / old).unlink(missing_ok=True)

# %%
# The three models
# ----------------
# The image branch puts new layers behind an ImageNet network whose weights come from an installed
# package, so that no internet is needed. The clinical branch is a pipeline like any other.


def image_model(size):
    return quick_image_classifier(
        image_size=size, cache_dir=Path(work.name, "cache"), random_state=0, verbose=1
    )


def clinical_model():
    return make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=0))


# %%
# Cross-validation by patient
# ---------------------------
# One fit of the fusion trains all three. Inside, it learns from probabilities that its branches
# give to patients of other folds; outside, each patient is scored by models that never saw them.


def cross_validated(X, y, groups, model, n_folds=5):
    probability = pd.DataFrame(index=X.index, columns=["image", "clinical", "fusion"], dtype=float)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(X, y, groups)
    for number, (train, test) in enumerate(folds, start=1):
        print(f"Fold {number} of {n_folds}: {len(train)} films to learn from, {len(test)} to score")
        fitted = clone(model).fit(X.iloc[train], y.iloc[train], groups=groups.iloc[train])
        probability.iloc[test, :2] = fitted.branch_probabilities(X.iloc[test])
        probability.iloc[test, 2] = fitted.predict_proba(X.iloc[test])[:, 1]
    return probability, fitted, X.iloc[test]


# %%
# Three data sets
# ---------------


def synthetic():
    print("Drawing 240 synthetic patients and writing their films as DICOM ...")
    cohort = make_cohort(
        240,
        image_signal=0.7,
        clinical_signal=0.7,
        directory=Path(work.name, "films"),
        random_state=0,
    )
    model = ProbabilityFusionClassifier(image_model(160), clinical_model(), random_state=0)
    probability, *last = cross_validated(cohort.data, cohort.target, cohort.groups, model)
    title = "SYNTHETIC cohort: osteoporosis, T-score <= -2.5 (says nothing about real patients)"
    return probability, cohort.target, cohort.groups, cohort.data["image"], title, *last


def hannover():
    cohort = fetch_hannover_cxr()
    print(cohort.DESCR)
    model = ProbabilityFusionClassifier(image_model(224), clinical_model(), random_state=0)
    probability, *last = cross_validated(cohort.data, cohort.target, cohort.groups, model)
    probability["projection alone"] = (cohort.frame["projection"] == "ap").astype(float)
    title = (
        "Hannover chest X-rays: ICU stay, NOT osteoporosis; ICU is confounded with projection "
        "(AP 179/194, PA 7/49)"
    )
    return probability, cohort.target, cohort.groups, cohort.data["image"], title, *last


def nhanes():
    people = fetch_nhanes()
    train = people.frame["cycle"] == "2013-2014"
    everything, basics = people.data.columns, ["age", "sex", "bmi"]
    healthy, ill = people.target[train].value_counts().sort_index()
    trees = XGBClassifier(
        n_estimators=100, max_depth=2, learning_rate=0.1, scale_pos_weight=healthy / ill
    )
    logistic = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    models = {
        "clinical net": (everything, clinical_model()),
        "logistic regression": (everything, make_pipeline(ClinicalPreprocessor(), logistic)),
        "XGBoost": (everything, make_pipeline(ClinicalPreprocessor(), trees)),
        "logistic, age + sex + BMI": (basics, make_pipeline(ClinicalPreprocessor(), logistic)),
    }
    probability = pd.DataFrame(index=people.data.index[~train])
    for name, (columns, model) in models.items():
        print(f"Training {name} on {train.sum()} people of 2013-2014")
        model.fit(people.data.loc[train, columns], people.target[train])
        probability[name] = model.predict_proba(people.data.loc[~train, columns])[:, 1]
    title = (
        "NHANES, measured DXA, no films: femoral neck T-score <= -2.5, "
        "trained on 2013-2014, tested on 2017-2018"
    )
    new = people.data.loc[~train, columns]
    return probability, people.target[~train], people.groups[~train], None, title, model, new


probability, y, groups, films, title, fitted, new = {
    "synthetic": synthetic,
    "hannover": hannover,
    "nhanes": nhanes,
}[args.data]()

# %%
# What came out
# -------------
# Every rate stands beside the counts that it comes from and a 95 % interval.

report = evaluate(y, probability, groups=groups)
print(f"\n{title}\n\n{report}\n")
report.frame().to_csv(args.report / "table.csv", index=False)

axes = report.plot()
axes.set_title(title, fontsize=8, wrap=True)
axes.figure.savefig(args.report / "roc.png", dpi=150)

# %%
# What the model sees
# -------------------
# Black is air and bone is bright, whatever the file said; padded to a square, never stretched.

if films is not None:
    shown = films[y.sort_values(kind="stable").index].groupby(y).head(3)
    pixels = RadiographReader(224).transform(shown)
    figure, grid = plt.subplots(2, 3, figsize=(7.5, 5.4), layout="constrained")
    for axis, picture, label in zip(grid.flat, pixels, y[shown.index], strict=True):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axis.set_title(f"target {label}", fontsize=8)
        axis.axis("off")
    figure.suptitle(title, fontsize=8, wrap=True)
    figure.savefig(args.report / "films.png", dpi=150)

# %%
# The model leaves the house
# --------------------------
# One file, which holds no patient and runs no code. In another process, as at another hospital, it
# scores somebody whom it has never seen.

save_model(fitted, args.report / "model.skops")
new.head(1).to_csv(Path(work.name, "new.csv"), index=False)
score = Path(work.name, "score.csv")
command = ["predict", args.report / "model.skops", Path(work.name, "new.csv"), "--out", score]
subprocess.run([sys.executable, "-m", "skosteo", *command, "--quiet"], check=True)
print(f"{pd.read_csv(score, keep_default_na=False).to_string(index=False)}\n")

pictures = " and films.png" if films is not None else ""
print(f"{args.report}/ holds model.skops, table.csv, roc.png{pictures}")
print(f"Done in {time.perf_counter() - started:.0f} s")
work.cleanup()
