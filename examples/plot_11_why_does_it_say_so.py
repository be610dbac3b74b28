"""
Why does it say so?
===================

A doctor who is told "risk .77" asks why. Three answers: which clinical values moved the risk
(Shapley values), where on the film the network looked (Grad-CAM), and what the fusion made of both.
None of them says what causes the disease.

On **synthetic** patients.
"""

# %%
# A fusion
# --------

import tempfile

import matplotlib.pyplot as plt
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor, ProbabilityFusionClassifier
from skosteo.datasets import make_cohort
from skosteo.explain import explain_fusion, grad_cam, shap_values
from skosteo.presets import quick_image_classifier

cohort = make_cohort(160, image_signal=0.8, clinical_signal=0.7, random_state=6)
X, y, patient = cohort.data, cohort.target, cohort.groups
values = list(X.columns.drop(["image", "xray_description"]))
learn, new = slice(None, 120), slice(120, None)
work = tempfile.TemporaryDirectory()
model = ProbabilityFusionClassifier(
    quick_image_classifier(image_size=160, cache_dir=work.name, random_state=0),
    make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=0)),
    clinical_columns=values,
    random_state=0,
).fit(X[learn], y[learn], groups=patient[learn])

# %%
# Which values moved the risk
# ---------------------------
# Right of 0 the value raised the risk, dark where the variable is high. The contributions of a
# patient add up to the difference between his risk and the mean.

clinical = shap_values(model.clinical_, X[values][new], background=X[values][learn][:40])
clinical.plot()

# %%
# Where the network looked
# ------------------------
# Behind a backbone that was not trained on these films, such a map is not to be relied on: of
# lesions planted in synthetic films, its brightest point lay on 15 to 20 in 100.

grad_cam(model, X[new][:3]).plot()

# %%
# What became of both probabilities
# ---------------------------------
# Beside patients of whom the model has not learned.

explain_fusion(model, X[new][:1], background=X[new][1:]).plot()
plt.show()
work.cleanup()
