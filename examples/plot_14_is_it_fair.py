"""
Is it as good for men as for women?
===================================

One figure for all patients hides whom a model fails. Subgroups with intervals show it, differences
at the same threshold say how much, and levels that few patients have are suppressed, because they
tell nothing and may tell somebody.

On **synthetic** patients, of clinical values alone.
"""

# %%
# Risks of patients whom the model has not seen
# ---------------------------------------------

import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skosteo.datasets import CLINICAL, draw_patients
from skosteo.evaluation import age_band, subgroups
from skosteo.presets import clinical_baseline

patients = draw_patients(900, clinical_signal=0.7, random_state=9)  # without their films
X, y = patients[CLINICAL], patients["osteoporosis"]
folds = StratifiedKFold(5, shuffle=True, random_state=0)
model = clinical_baseline("logistic")
risk = cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]

# %%
# By sex and by age
# -----------------
# Of several levels one may differ by chance: such a table is for looking, not for testing.

found = subgroups(y, risk, {"sex": X["sex"], "age": age_band(X["age"])})
print(found.frame().to_string())
axes = found.plot()
plt.gcf().suptitle("SYNTHETIC patients", fontsize=9)
plt.show()
