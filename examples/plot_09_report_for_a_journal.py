"""
A report for my journal
=======================

From a table of patients to the tables and figures of a paper, in one call. What a reviewer asks
for, leakage, calibration, clinical use, subgroups, is in the report before anybody asks.

On **synthetic** patients without their films, and with two models, so that it takes less than a
minute; ``make study`` does the whole, films and fusions included.
"""

# %%
# One call
# --------
# The primary model and its comparator are named before anything is fitted. ``limits`` stand in the
# first lines of the report.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from skosteo.datasets import CLINICAL, draw_patients
from skosteo.study import run_study

patients = draw_patients(200, clinical_signal=0.7, random_state=0)
work = tempfile.TemporaryDirectory()
out = Path(work.name, "study")
study = run_study(
    patients[CLINICAL],
    patients["osteoporosis"],
    groups=patients["patient_id"],
    image_column=None,
    out=out,
    title="Synthetic patients",
    limits=["SYNTHETIC patients."],
    models=["clinical", "age_sex_bmi"],
    verbose=0,
)
print(study)

# %%
# Tables
# ------
# Numbered as in the paper, as DataFrames; the CSV files of the folder hold the same numbers.

print(study.table(2).to_string())
print(study.comparison())
print(study.per_thousand().to_string())

# %%
# Figures
# -------
# The ROC curves, in which all patients were judged out-of-fold:

study.figure(5)
plt.show()

# %%
# Are the risks right?

study.figure("calibration")
plt.show()

# %%
# Is it worth using?

study.figure("decision_curve")
plt.show()

# %%
# What lies in the folder
# -----------------------
# One report that opens without a network, the model with its card, and everything as files.

for path in sorted(out.iterdir()):
    print(path.name)
work.cleanup()
