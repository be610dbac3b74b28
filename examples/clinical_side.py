"""
From a hospital's table to a cohort and an honest comparison
============================================================

A table as a hospital exports it: one site writes calcium in another unit, dates come in two
spellings, some films are of another day than the DXA, reports name the diagnosis. It becomes a
cohort whose every exclusion is counted, a Table 1, and a comparison of five models, one of which
is the bar to clear: logistic regression on age, sex and body mass index.

By default the table is **synthetic**. Real people with measured density take the same road, where
``SKOSTEO_DATA`` names their folder or there is internet::

    python examples/clinical_side.py --data nhanes
"""

# %%
# What to run
# -----------

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor, RiskIndexClassifier
from skosteo.clinical import check_values, select_cohort
from skosteo.datasets import draw_patients, fetch_nhanes
from skosteo.evaluation import calibration_line, delong_test, evaluate
from skosteo.presets import clinical_baseline

parser = argparse.ArgumentParser()
parser.add_argument("--data", choices=["synthetic", "nhanes"], default="synthetic")
parser.add_argument("--report", type=Path, default=Path("report"), help="folder for the results")
args, _ = parser.parse_known_args()
args.report.mkdir(parents=True, exist_ok=True)
synthetic = args.data == "synthetic"
started = time.perf_counter()

# %%
# The table
# ---------
# Columns are known by their names, in many spellings, and so are the units that the names state.


def hospital_table():
    """1,500 SYNTHETIC studies of 1,400 patients at three sites, with all that goes wrong."""
    rng = np.random.default_rng(0)
    people = draw_patients(1400, clinical_signal=0.7, random_state=0)
    table = people.drop(columns=["osteoporosis", "bmd_g_cm2", "image_view", "clinical_view"])
    table = pd.concat([table, table.sample(100, random_state=0)], ignore_index=True)  # came twice
    n = len(table)
    table.loc[rng.random(n) < 0.06, "age"] -= 30
    site = rng.choice(["A", "B", "C"], n)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    later = day + pd.to_timedelta(rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 9], n), unit="D")
    table["film taken"] = day.strftime("%Y-%m-%d 08:30")
    table["DXA done"] = np.where(site == "A", later.strftime("%Y-%m-%d"), later.strftime("%Y%m%d"))
    table["malignant tumour"] = rng.choice(["no", "yes", ""], n, p=[0.93, 0.05, 0.02])
    table["hormone drugs"] = rng.random(n) < 0.03
    table["osteoporosis drugs"] = (table["t_score"] < -2.5) & (rng.random(n) < 0.5)
    table["t_score"] = table["t_score"].round(1).where(rng.random(n) > 0.02)
    blood = ["wbc_10e9_l", "platelets_10e9_l", "calcium_mmol_l", "glucose_mmol_l"]
    table.loc[rng.random(n) < 0.05, blood] = np.nan  # no blood taken
    table.loc[site == "B", "calcium_mmol_l"] *= 4.008  # mg/dL, as this site's laboratory writes
    known = (table["t_score"] < -2.5) & (rng.random(n) < 0.3)
    table.loc[known, "xray_description"] += " Known osteoporosis."
    names = {
        "age": "Age",
        "sex": "Sex",
        "height_cm": "Height (cm)",
        "weight_kg": "Weight (kg)",
        "bmi": "BMI",
        "wbc_10e9_l": "WBC",
        "platelets_10e9_l": "Platelets",
        "calcium_mmol_l": "Calcium",
        "glucose_mmol_l": "Fasting glucose",
        "xray_diagnosis": "X-ray diagnosis",
        "xray_description": "X-ray description",
        "t_score": "T-score",
    }
    return table.assign(site=site).rename(columns=names)


if synthetic:
    where = "SYNTHETIC table (says nothing about real patients)"
    table = hospital_table()
else:
    where = "NHANES, measured DXA of the femoral neck"
    people = fetch_nhanes(min_age=0)
    table = people.frame[["seqn", "cycle", "bmd_g_cm2", *people.feature_names]]
print(f"{where}: {len(table)} rows, {len(table.columns)} columns\n")

# %%
# Units
# -----
# Calcium of 9.3 cannot be mmol/L. What looks like another unit is reported with the remedy, and
# never converted by itself.

findings = check_values(table)
for finding in findings.itertuples():
    looks = finding.looks_like or "no person's"
    print(f"{finding.column}: {finding.n_rows} of {finding.n_values} values look like {looks}")
    print(f"  {finding.remedy}")
if synthetic:
    print(f"  Sites of these rows: {table.loc[table['Calcium'] > 6, 'site'].unique().tolist()}")
    table.loc[table["site"] == "B", "Calcium"] *= 0.2495
print(f"Findings: {len(findings)} before, {len(check_values(table))} now\n")

# %%
# The cohort
# ----------
# The paper's criteria in order, each with what it leaves. Columns that would give the answer away
# are taken out, and named.

if synthetic:
    cohort = select_cohort(
        table,
        t_score="T-score",
        same_day=["film taken", "DXA done"],
        exclude=["malignant tumour", "hormone drugs"],
        patient="patient_id",
    )
else:
    cohort = select_cohort(table, bmd="bmd_g_cm2", patient="seqn")
print(cohort.flow.frame().to_string(index=False))
print(cohort, "\n")
axes = cohort.flow.plot()
axes.set_title(where, fontsize=8)
axes.figure.savefig(args.report / "cohort_flow.png", dpi=150, bbox_inches="tight")

# %%
# Table 1
# -------

split = "site" if synthetic else "cycle"
characteristics = cohort.table_one(by=split)
print(f"{where}\n{characteristics.to_string()}\n")
characteristics.to_csv(args.report / "cohort_table_one.csv")

# %%
# Models
# ------
# Each takes the table as it is. The index asks for age and weight, and says nothing of a patient
# without: gaps get the median of the training rows.

X, y, patient = cohort.data.drop(columns=split), cohort.target, cohort.groups
age_and_weight = ["Age", "Weight (kg)"] if synthetic else ["age", "weight_kg"]
filled = make_column_transformer(
    (SimpleImputer(strategy="median"), age_and_weight), verbose_feature_names_out=False
).set_output(transform="pandas")
NET, BAR = "clinical net", "logistic, age + sex + BMI"
models = {
    NET: make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=0)),
    "logistic regression": clinical_baseline("logistic"),
    "XGBoost": clinical_baseline("xgboost", random_state=0),
    "OSTA": make_pipeline(filled, RiskIndexClassifier("osta")),
    BAR: clinical_baseline("age_sex_bmi"),
}
if synthetic:
    masked = ClinicalPreprocessor().fit(X).masked_
    print(f"Taken out of the report texts, which would give the answer away:\n{masked}\n")

# %%
# An honest comparison
# --------------------
# Synthetic: five folds, no patient in two of them, nor on both sides of the net's early-stopping
# split. NHANES: one cycle trains, the other tests.

if synthetic:
    folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, patient))
    trials = {"5-fold cross-validation by patient": folds}
else:
    cycle = cohort.data["cycle"].to_numpy()
    rows = {name: np.flatnonzero(cycle == name) for name in ("2013-2014", "2017-2018")}
    trials = {
        f"trained on {a}, tested on {b}": [(rows[a], rows[b])]
        for a, b in (("2013-2014", "2017-2018"), ("2017-2018", "2013-2014"))
    }

for number, (title, folds) in enumerate(trials.items(), start=1):
    probability = pd.DataFrame(index=X.index, columns=list(models), dtype=float)
    for name, model in models.items():
        for train, test in folds:
            known = {"clinicalosteoclassifier__groups": patient.iloc[train]} if name == NET else {}
            fitted = clone(model).fit(X.iloc[train], y.iloc[train], **known)
            probability.loc[X.index[test], name] = fitted.predict_proba(X.iloc[test])[:, 1]
    probability = probability.dropna()
    target, groups = y[probability.index], patient[probability.index]
    report = evaluate(target, probability, groups=groups)
    print(f"{where}: {y.name}, {title}\n\n{report}\n")

    lines = []
    for name, p in probability.items():
        line = {}
        if name != BAR:
            test = delong_test(target, p, probability[BAR], groups=groups)
            chance = "p < .001" if test.pvalue < 0.001 else f"p = {test.pvalue:.3f}"
            line["AUC less the bar's"] = (
                f"{test.difference:+.3f} [{test.low:+.3f}, {test.high:+.3f}], {chance}"
            )
        if name != "OSTA":  # its probability is an order, not calibrated
            of = calibration_line(target, p, groups=groups)
            line["slope"] = f"{of.slope:.2f} [{of.slope_low:.2f}, {of.slope_high:.2f}]"
            line["intercept"] = f"{of.intercept:.2f} [{of.intercept_low:.2f}, "
            line["intercept"] += f"{of.intercept_high:.2f}]"
        lines.append(pd.Series(line, name=name))
    print(f"{pd.DataFrame(lines).fillna('-').to_string()}\n")

    report.frame().to_csv(args.report / f"clinical_table_{number}.csv", index=False)
    axes = report.plot()
    axes.set_title(f"{where}\n{y.name}, {title}", fontsize=8, wrap=True)
    axes.figure.savefig(args.report / f"clinical_roc_{number}.png", dpi=150)

# %%
# The net is trained with class weights, so that its probabilities are those of equal classes: its
# order is right and its intercept far from 0. Give ``class_weight=None``, or recalibrate, where
# probabilities are to be read as such.

print(f"{args.report}/ holds cohort_flow.png, cohort_table_one.csv, clinical_roc_*.png, ...")
print(f"Done in {time.perf_counter() - started:.0f} s")
