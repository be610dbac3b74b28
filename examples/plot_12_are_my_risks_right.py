"""
Are my risks right?
===================

A model can put patients in the right order and still be wrong about every one of them: trained with
balanced classes, or in a clinic where every second patient is ill, it says .5 where one in ten is.
Recalibration on out-of-fold predictions puts risks right and leaves the order as it is.

On **synthetic** patients, of clinical values alone.
"""

# %%
# A model whose classes were balanced, as the paper's are
# -------------------------------------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import ClinicalPreprocessor, RecalibratedClassifier
from skosteo.datasets import CLINICAL, draw_patients
from skosteo.evaluation import calibration_line, reliability

everybody = draw_patients(3000, clinical_signal=0.7, random_state=7)  # without their films
is_case = everybody["osteoporosis"] == 1
patients = everybody[~is_case | (np.random.default_rng(0).random(3000) < 0.2)]  # few are ill
X, y, patient = patients[CLINICAL], patients["osteoporosis"], patients["patient_id"]
learn, test = slice(None, 800), slice(800, None)
print(f"{y.mean():.0%} of the patients are ill")
balanced = make_pipeline(
    ClinicalPreprocessor(), StandardScaler(), LogisticRegression(class_weight="balanced")
)

# %%
# As fitted, and recalibrated
# ---------------------------
# `RecalibratedClassifier` learns slope and intercept from predictions for patients whom the model
# had not seen. ``prevalence`` moves the risks to a place where more or fewer are ill.

risk = {}
for name, model in {
    "as fitted": balanced,
    "recalibrated": RecalibratedClassifier(balanced),
}.items():
    given = {"groups": patient[learn]} if name == "recalibrated" else {}
    risk[name] = model.fit(X[learn], y[learn], **given).predict_proba(X[test])[:, 1]
    line = calibration_line(y[test], risk[name], groups=patient[test])
    print(f"{name}: mean risk {risk[name].mean():.2f}, slope {line.slope:.2f}, "
          f"intercept {line.intercept:.2f}")  # fmt: skip
print(f"of the test patients {y[test].mean():.2f} are ill")
print(f"AUC {roc_auc_score(y[test], risk['as fitted']):.3f}, the same before and after")

# %%
# The picture
# -----------

axes = reliability(y[test], risk, groups=patient[test]).plot()
np.ravel(axes)[0].figure.suptitle("SYNTHETIC patients", fontsize=9)
plt.show()
