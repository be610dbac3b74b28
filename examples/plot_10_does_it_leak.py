"""
Does my cohort leak?
====================

Most results that are too good to be true are not fraud but leakage: a patient on both sides of the
split, the same film twice under two names, a column that restates the answer. This page plants all
three in a **synthetic** cohort, and has them found.
"""

# %%
# A cohort with three faults
# --------------------------

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalPreprocessor
from skosteo.datasets import make_cohort
from skosteo.evaluation import check_leakage

work = tempfile.TemporaryDirectory()
cohort = make_cohort(120, images_per_patient=2, directory=Path(work.name), random_state=5)
X, y, patient = cohort.data, cohort.target, cohort.groups
X["ward"] = np.where(y == 1, "bone clinic", "general")  # where the ill were sent afterwards
X.loc[3, "image"] = X.loc[200, "image"]  # one film under two patients
train, test = train_test_split(
    np.arange(len(X)), random_state=0
)  # forgets that films have patients

# %%
# What is found
# -------------

report = check_leakage(X, y, patient, splits=[(train, test)])
print(report)

# %%
# What a leak is worth
# --------------------
# The same trees three times: with the column that tells, without it but in folds that forget whose
# film is whose, and as it should be. Both leaks look like success; trees that meet a patient again
# know the answer by heart.

values = X.drop(columns=["image", "ward"])
told = values.assign(bone_clinic=(X["ward"] == "bone clinic").astype(float))
by_row = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
by_patient = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, patient))
ways = {
    "with the ward": (told, by_patient),
    "folds by film": (values, by_row),
    "without a leak": (values, by_patient),
}
model = make_pipeline(ClinicalPreprocessor(), RandomForestClassifier(random_state=0))
auc = pd.DataFrame(
    {
        name: cross_val_score(model, table, y, cv=folds, scoring="roc_auc")
        for name, (table, folds) in ways.items()
    }
)
print(auc.mean().round(3).to_string())

# %%
# Each dot is a fold, each line a mean.

figure, axes = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
for row, name in enumerate(auc):
    color = "C2" if name == "without a leak" else "C3"
    axes.plot(auc[name], np.full(len(auc), row), "o", color=color, alpha=0.6)
    axes.vlines(auc[name].mean(), row - 0.3, row + 0.3, color=color)
axes.set_yticks(range(len(ways)), ways)
axes.set_xlabel("AUC of a fold, synthetic")
axes.invert_yaxis()
work.cleanup()
