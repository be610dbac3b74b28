"""
Can I have the T-score itself?
==============================

A label throws away most of what a DXA scan has measured: -2.4 and +1 are both "no". A regressor
learns from the density itself, and answers for any limit: the expected T-score with an interval,
the risk of osteoporosis and that of low bone mass, from one model.

On **synthetic** patients, of clinical values alone.
"""

# %%
# One model, several answers
# --------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import ClinicalOsteoRegressor, ClinicalPreprocessor
from skosteo.datasets import CLINICAL, draw_patients
from skosteo.evaluation import reliability

patients = draw_patients(1000, clinical_signal=0.8, random_state=10)  # without their films
X, t_score = patients[CLINICAL], patients["t_score"]
learn, test = slice(None, 500), slice(500, None)
prepare = make_pipeline(ClinicalPreprocessor(), StandardScaler()).fit(X[learn])
model = ClinicalOsteoRegressor(random_state=0).fit(prepare.transform(X[learn]), t_score[learn])
new, measured = prepare.transform(X[test]), t_score[test].to_numpy()

expected, spread = model.predict(new, return_std=True)
lower, upper = model.predict_interval(new, coverage=0.9)
for t, low, high, truth in list(zip(expected, lower, upper, measured, strict=True))[:3]:
    print(f"T = {t:.1f} [{low:.1f}, {high:.1f}], measured {truth:.1f}")

# %%
# Do the intervals hold what they say?
# ------------------------------------

held = (lower <= measured) & (measured <= upper)
print(f"the 90 % intervals hold {held.mean():.0%} of {len(held)} new patients")
print(f"correlation with the measured T-score: {np.corrcoef(expected, measured)[0, 1]:.2f}")
figure, axes = plt.subplots(figsize=(5, 4.5), layout="constrained")
order = np.argsort(expected)
axes.fill_between(expected[order], lower[order], upper[order], color="#dbe3ec", label="90 %")
axes.plot(expected, measured, ".", color="#1b3a5c", ms=4)
axes.axline((0, 0), slope=1, color="gray", lw=1)
axes.set(xlabel="expected T-score", ylabel="measured T-score", title="SYNTHETIC patients")
axes.legend(frameon=False)

# %%
# Risks for two limits
# --------------------

risk = {
    "T <= -2.5": model.probability_below(new, threshold=-2.5),
    "T <= -1": model.probability_below(new, threshold=-1),
}
for name, limit in {"T <= -2.5": -2.5, "T <= -1": -1}.items():
    print(f"{name}: AUC {roc_auc_score(measured <= limit, risk[name]):.3f}")
axes = reliability(measured <= -2.5, risk["T <= -2.5"]).plot()
np.ravel(axes)[0].figure.suptitle("SYNTHETIC patients: risk of T <= -2.5", fontsize=9)
plt.show()
