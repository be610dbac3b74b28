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

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
# Why it matters
# --------------
# With the column that tells, any model is perfect. Without it, and split by patient, the same model
# says what the values really know.

model = make_pipeline(ClinicalPreprocessor(), StandardScaler(), LogisticRegression())
folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, patient))
values = X.drop(columns=["image", "ward"])
told = values.assign(bone_clinic=(X["ward"] == "bone clinic").astype(float))
for name, table in {"with the ward": told, "without it": values}.items():
    auc = cross_val_score(model, table, y, cv=folds, scoring="roc_auc")
    print(f"AUC {name}: {auc.mean():.3f}")
work.cleanup()
