"""
Which threshold?
================

A probability of .5 is nobody's threshold for a scan that costs little and a fracture that costs
much. How many people may be referred for one case found is a question for clinicians; what each
threshold does to 1,000 people is a question that data answer.

On **synthetic** patients, of clinical values alone.
"""

# %%
# A model, and predictions that it has not learned from
# -----------------------------------------------------

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skosteo.datasets import CLINICAL, draw_patients
from skosteo.evaluation import decision_curve, evaluate, operating_point
from skosteo.presets import clinical_baseline

patients = draw_patients(1000, clinical_signal=0.7, random_state=2)  # without their films
X, y = patients[CLINICAL], patients["osteoporosis"]
learn, test = slice(None, 500), slice(500, None)
model = clinical_baseline("logistic")
folds = StratifiedKFold(5, shuffle=True, random_state=0)
out_of_fold = cross_val_predict(model, X[learn], y[learn], cv=folds, method="predict_proba")[:, 1]
risk = model.fit(X[learn], y[learn]).predict_proba(X[test])[:, 1]

# %%
# Chosen on the training patients, judged on the others
# -----------------------------------------------------
# A threshold chosen on the patients who judge it looks better than it is. Here it is the one whose
# out-of-fold sensitivity is .90, or .80, or the best sum of sensitivity and specificity.

points = {
    "sensitivity .90": operating_point(y[learn], out_of_fold, sensitivity=0.9),
    "sensitivity .80": operating_point(y[learn], out_of_fold, sensitivity=0.8),
    "Youden's index": operating_point(y[learn], out_of_fold),
}
for name, point in points.items():
    report = evaluate(y[test], risk, threshold=point.threshold)
    print(f"{name}: threshold {point.threshold:.2f}\n{report}\n")

# %%
# What becomes of 1,000 people
# ----------------------------
# At a prevalence of 15 %, which is not that of these patients: rates by class stay, numbers change.

prevalence = 0.15
rows = {}
for name, point in points.items():
    positive = risk >= point.threshold
    found = 1000 * prevalence * positive[y[test] == 1].mean()
    referred = found + 1000 * (1 - prevalence) * positive[y[test] == 0].mean()
    rows[name] = {"referred": referred, "found": found, "missed": 1000 * prevalence - found}
rows["refer everyone"] = {"referred": 1000, "found": 1000 * prevalence, "missed": 0}
thousand = pd.DataFrame(rows).T.round().astype(int)
thousand["referrals per case found"] = (thousand["referred"] / thousand["found"]).round(1)
print(thousand)

# %%
# Is it useful at all?
# --------------------
# Net benefit weighs a missed case against needless scans by the threshold itself: where the model's
# line is above "treat all" and "treat none", using it does more good than either.

curve = decision_curve(y[test], {"logistic regression": risk}, prevalence=prevalence)
axes = curve.plot()
axes.set_title("SYNTHETIC patients, prevalence 15 %", fontsize=9)
plt.show()
