"""
A patient without a film
========================

In a clinic somebody always lacks something: the film is at another hospital, the blood was not
taken. A model that then refuses is of little use, and one that fills the gap without a word is
dangerous. The fusion answers from what is there, and says so.

On **synthetic** patients.
"""

# %%
# A fusion, and three patients
# ----------------------------
# The second has no film, the third no clinical values.

import tempfile
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor, ProbabilityFusionClassifier
from skosteo.datasets import make_cohort
from skosteo.evaluation import evaluate, reliability
from skosteo.exceptions import MissingModalityWarning
from skosteo.presets import quick_image_classifier

cohort = make_cohort(360, image_signal=0.7, clinical_signal=0.7, random_state=4)
X, y, patient = cohort.data, cohort.target, cohort.groups
clinical_columns = X.columns.drop("image")
learn, test = slice(None, 180), slice(180, None)
work = tempfile.TemporaryDirectory()
model = ProbabilityFusionClassifier(
    quick_image_classifier(image_size=160, cache_dir=work.name, random_state=0),
    make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=0)),
    random_state=0,
).fit(X[learn], y[learn], groups=patient[learn])

three = X[test][:3].reset_index(drop=True)
three.loc[1, "image"] = None
three.loc[2, clinical_columns] = None
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always", MissingModalityWarning)
    probability = model.predict_proba(three)[:, 1]
print(said[0].message)
print(model.branches_used(three).assign(probability=probability.round(2)))

# %%
# Are such answers any good?
# --------------------------
# All test patients three times: whole, without their film, without their values. Each set has a
# fusion of its own, learned from the same out-of-fold predictions, so that the risks of patients
# with gaps are calibrated too; what is lost is discrimination.


def without(columns):
    table = X[test].copy()
    table[columns] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingModalityWarning)
        return model.predict_proba(table)[:, 1]


risk = {
    "film and values": model.predict_proba(X[test])[:, 1],
    "values alone": without(["image"]),
    "film alone": without(list(clinical_columns)),
}
print(evaluate(y[test], risk, groups=patient[test]))
axes = reliability(y[test], risk, groups=patient[test]).plot()
figure = np.ravel(axes)[0].figure
figure.suptitle("SYNTHETIC patients: risks with and without a gap", fontsize=9)
plt.show()
work.cleanup()
