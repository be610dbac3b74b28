"""
Does the film add to age, sex and BMI?
======================================

A network that sees a chest film can tell age and sex from it, and both tell much of the bone. So a
film has to show what it adds to what everybody knows already, and not only that it predicts.

On **synthetic** patients whose films know something of the bone that the table does not: the answer
is known to be yes.
"""

# %%
# Two risks for every patient
# ---------------------------
# One by the logistic regression of age, sex and BMI, the other by the film alone. Both are
# out-of-fold predictions: no patient is judged by a model that has seen one of his films.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skosteo.datasets import make_cohort
from skosteo.evaluation import added_value, evaluate
from skosteo.presets import clinical_baseline, quick_image_classifier

cohort = make_cohort(200, image_signal=0.6, clinical_signal=0.6, random_state=1)
X, y, patient = cohort.data, cohort.target, cohort.groups
work = tempfile.TemporaryDirectory()
models = {
    "age, sex, BMI": clinical_baseline("age_sex_bmi"),
    "film": quick_image_classifier(image_size=160, cache_dir=work.name, random_state=0),
}
folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, patient))
risk = {
    name: cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
    for name, model in models.items()
}
print(evaluate(y, risk, groups=patient))

# %%
# The increment, with its test
# ----------------------------
# A logistic regression of the outcome on both log odds. The odds ratio says what one standard
# deviation of the film's risk adds among patients of the same age, sex and BMI. Whether it adds to
# all clinical values is another question: take the risk of a clinical model as the first. The
# report of ``skosteo study`` asks the first, and the other with ``--comparator clinical``.

found = added_value(y, risk["age, sex, BMI"], risk["film"], groups=patient)
print(f"odds ratio per SD of the film: {found.odds_ratio:.2f} [{found.low:.2f}, {found.high:.2f}]")
print(f"AUC without the film {found.auc_base:.3f}, with it {found.auc_both:.3f}")

# %%
# The control: a film that knows nothing new
# ------------------------------------------
# The same question about a second risk made of noise. Report the film's increment beside such a
# control if a reviewer doubts it.

noise = 1 / (1 + np.exp(-np.random.default_rng(0).normal(size=len(y))))
chance = added_value(y, risk["age, sex, BMI"], noise, groups=patient)
figure, axes = plt.subplots(figsize=(6, 2), layout="constrained")
for row, result in enumerate([found, chance]):
    axes.plot([result.low, result.high], [row, row], color="#1b3a5c", lw=2)
    axes.plot(result.odds_ratio, row, "o", color="#1b3a5c")
    axes.text(result.high * 1.05, row, f"{result.odds_ratio:.2f}", va="center")
axes.axvline(1, color="gray", lw=1)
axes.set(xscale="log", yticks=[0, 1], yticklabels=["the film", "noise"], ylim=(1.5, -0.5))
axes.set_xticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
axes.minorticks_off()
axes.set_xlabel("odds ratio per SD, beside age, sex and BMI [95 % interval]")
axes.set_title("SYNTHETIC patients: what a second risk adds", fontsize=9)
work.cleanup()
