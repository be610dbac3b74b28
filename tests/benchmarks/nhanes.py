"""Every clinical model on people with measured density, trained on one cycle, tested on another.

SKOSTEO_DATA=... python -m tests.benchmarks.nhanes --out report/nhanes

For each label and direction a table, printed and written as CSV: AUC, its paired difference
(DeLong) from logistic regression on age + sex + BMI and from logistic regression on the same
columns, calibration slope and intercept; for the people as they are, and with survey weights, the
intervals then by survey unit. Models are trained without weights. The net comes as the paper's
preset and tuned by grid search inside the training cycle; what the search chose is printed, and a
choice without hidden layer is no net but a logistic regression. 4 minutes on one core.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skosteo import presets
from skosteo.clinical.risk_indices import RiskIndexClassifier
from skosteo.datasets import fetch_nhanes
from skosteo.evaluation import auc_interval, calibration_line, delong_test

BASICS = ["age", "sex", "bmi"]
LABORATORY = ["wbc_10e9_l", "platelets_10e9_l", "calcium_mmol_l", "glucose_mmol_l"]
COLUMNS = {
    "age + sex + BMI": BASICS,
    "+ laboratory": BASICS + LABORATORY,
    "laboratory": LABORATORY,
}
LOGISTIC = "logistic regression"
# Early stopping sets a fifth of the rows aside, of 155 positive ones 31: with so few it stops by
# chance. Cross-validation inside the training cycle finds that out, and whether a hidden layer is
# worth having; without one the net is a logistic regression.
STEP = "clinicalosteoclassifier__"
NET = {"batch_size": 128, "lr": 3e-3, "max_epochs": 50, "n_iter_no_change": 20}
GRID = [
    {f"{STEP}early_stopping": [True], f"{STEP}max_epochs": [1000]},
    {f"{STEP}early_stopping": [False], f"{STEP}dropout": [0.25, 0.5]},
    {
        f"{STEP}early_stopping": [False],
        f"{STEP}hidden_layer_sizes": [()],
        f"{STEP}lr": [1e-2],
        f"{STEP}class_weight": ["balanced", None],
    },
]


def learners(seed):
    """Models by name, each a pipeline that begins with the preprocessor."""
    net = presets.paper_clinical_classifier(**NET, random_state=seed)
    return {
        LOGISTIC: presets.clinical_baseline("logistic"),
        "clinical net, paper's": presets.paper_clinical_classifier(random_state=seed),
        "clinical net, tuned": GridSearchCV(
            net,
            GRID,
            scoring="roc_auc",
            cv=StratifiedKFold(5, shuffle=True, random_state=seed),
        ),
        "random forest": presets.clinical_baseline("random_forest", random_state=seed),
        "HistGradientBoosting": presets.clinical_baseline(
            "hist_gradient_boosting", random_state=seed
        ),
        "XGBoost": presets.clinical_baseline("xgboost", random_state=seed),
    }


def on_columns(model, columns):
    name = "clinicalpreprocessor__columns"
    prefix = "estimator__" if isinstance(model, GridSearchCV) else ""
    return clone(model).set_params(**{prefix + name: columns})


def probabilities(data, target, fitted, seed):
    """Probability of each model for the other cycle, by (model, columns)."""
    train, test, y = data[fitted], data[~fitted], target[fitted]
    found = {}
    for columns_name, columns in COLUMNS.items():
        for name, model in learners(seed).items():
            started = time.perf_counter()
            best = on_columns(model, columns).fit(train, y)
            found[name, columns_name] = best.predict_proba(test)[:, 1]
            chosen = {k.split("__")[1]: v for k, v in getattr(best, "best_params_", {}).items()}
            seconds = time.perf_counter() - started
            print(f"{name}, {columns_name}: {seconds:.1f} s", chosen or "", flush=True)
    age = on_columns(presets.clinical_baseline("logistic"), ["age"]).fit(train, y)
    found["age alone", "age"] = age.predict_proba(test)[:, 1]
    # an index says nothing without a weight: some 10 people get the training cycle's median
    median = train["weight_kg"].median()
    osta = RiskIndexClassifier("osta").fit(train.fillna({"weight_kg": median}), y)
    filled = test.fillna({"weight_kg": median})
    found["OSTA", "age, weight"] = osta.predict_proba(filled)[:, 1]
    return found


def score(y, found, **design):
    """A row per model: numbers, for the CSV."""
    bar = found[LOGISTIC, "age + sex + BMI"]
    rows = []
    for (name, columns), p in found.items():
        row = {"model": name, "columns": columns}
        row |= dict(zip(["auc", "low", "high"], auc_interval(y, p, **design), strict=True))
        for against, other in (("bar", bar), ("logistic", found.get((LOGISTIC, columns)))):
            if other is not None:
                test = delong_test(y, p, other, **design)
                row |= {f"{against}_{k}": v for k, v in test._asdict().items() if k != "statistic"}
        if name != "OSTA":  # its probability is an order, no probability
            row |= calibration_line(y, np.clip(p, 1e-4, 1 - 1e-4), **design)._asdict()
        rows.append(row)
    return pd.DataFrame(rows)


def show(numbers):
    """The same, as text."""

    def interval(prefix, names, digits):
        value, low, high = (numbers[prefix + name] for name in names)
        form = f"{{:.{digits}f}} [{{:.{digits}f}}, {{:.{digits}f}}]"
        return [
            form.format(*of) if np.isfinite(of[0]) else "-"
            for of in zip(value, low, high, strict=True)
        ]

    text = numbers[["model", "columns"]].copy()
    text["AUC"] = interval("", ["auc", "low", "high"], 3)
    for against, title in (
        ("bar_", "less logistic, age + sex + BMI"),
        ("logistic_", "less logistic, same columns"),
    ):
        text[title] = interval(against, ["difference", "low", "high"], 3)
        text[f"p {title.split(', ')[1]}"] = numbers[f"{against}pvalue"].map("{:.3f}".format)
    text["slope"] = interval("", ["slope", "slope_low", "slope_high"], 2)
    text["intercept"] = interval("", ["intercept", "intercept_low", "intercept_high"], 2)
    return text.replace("nan", "-")


def markdown(text):
    lines = [text.columns, ["---"] * len(text.columns), *text.to_numpy()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("report/nhanes"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for label in ("osteoporosis", "low_bone_mass"):
        people = fetch_nhanes(label=label)
        cycle = people.frame["cycle"]
        for train, test in (("2013-2014", "2017-2018"), ("2017-2018", "2013-2014")):
            tested = people.frame[cycle == test]
            y = people.target[cycle == test]
            positive, n = people.target[cycle == train].sum(), (cycle == train).sum()
            print(
                f"\n{people.target.name}: trained on {train}, {positive} of {n} positive; "
                f"tested on {test}, {y.sum()} of {len(y)}\n",
                flush=True,
            )
            found = probabilities(people.data, people.target, cycle == train, args.seed)
            units = tested["survey_stratum"] * 10 + tested["survey_unit"]
            survey = {"sample_weight": tested["survey_weight"], "groups": units}
            for name, design in (("unweighted", {}), ("survey weights", survey)):
                numbers = score(y, found, **design)
                file = f"{label}_{train[:4]}_to_{test[:4]}_{name.replace(' ', '_')}.csv"
                numbers.to_csv(args.out / file, index=False)
                print(f"\n{name}\n\n{markdown(show(numbers))}", flush=True)


if __name__ == "__main__":
    main()
