"""
A second hospital
=================

A model leaves the house in one file, and another hospital asks: does it hold here? It seldom does
without a change. This page saves a model, judges it on patients of another place, and lets the data
say what the smallest sufficient update is.

On **synthetic** patients: at the second hospital fewer people are ill, so that every risk is too
high there, while their order is as right as before.
"""

# %%
# A model with risks that are right where it was made
# ---------------------------------------------------

import tempfile
from pathlib import Path

import numpy as np

from skosteo import (
    RecalibratedClassifier,
    how_many_local_patients,
    load_model,
    read_card,
    save_model,
    update_model,
    validate,
)
from skosteo.datasets import CLINICAL, draw_patients
from skosteo.presets import clinical_baseline

here = draw_patients(600, clinical_signal=0.7, random_state=0)  # without their films
X, y = here[CLINICAL], here["osteoporosis"]
model = RecalibratedClassifier(clinical_baseline("logistic")).fit(X, y, groups=here["patient_id"])

# %%
# Out of the house, and in again
# ------------------------------
# The file holds no row of a patient. Loading it runs no code, and says if it answers otherwise than
# it did when it was saved.

work = tempfile.TemporaryDirectory()
file = Path(work.name, "model.skops")
card = "Synthetic patients; for the gallery only."
save_model(model, file, card=card)
print(f"{file.stat().st_size / 1000:.0f} kB; its card: {read_card(file)}")
model = load_model(file)

# %%
# The other hospital
# ------------------
# Of 1,200 patients, most of the cases are never referred there: 15 % are ill instead of 40 %.

everybody = draw_patients(1200, clinical_signal=0.7, random_state=9)
stays = (everybody["osteoporosis"] == 0) | (np.random.default_rng(0).random(1200) < 0.26)
there = everybody[stays]
X_there, y_there, patient_there = there[CLINICAL], there["osteoporosis"], there["patient_id"]
result = validate(model, X_there, y_there, groups=patient_there, threshold=0.25)
print(result)

# %%
# The picture: risks are too high, and an update puts them right on patients that it has not seen.

result.plot()

# %%
# The update
# ----------
# Kept as it is, a new intercept, or intercept and slope: a closed test chooses, so that a model
# that is right is seldom changed. How many patients that takes is a question to ask before, with
# the proportion of cases that is expected there.

print(how_many_local_patients(model.predict_proba(X_there), prevalence=0.14))
update = update_model(model, X_there, y_there, groups=patient_there)
print(update)
updated = update.model.predict_proba(X_there)[:, 1]
print(f"mean risk {updated.mean():.2f}, observed {y_there.mean():.2f}")
work.cleanup()
