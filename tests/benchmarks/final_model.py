"""Whether a study's final model does on fresh patients what its report says.

python -m tests.benchmarks.final_model [cohorts]

Synthetic cohorts of 240 patients, each a study in which image model, clinical net and logistic
regression are the primary model in turn, and 600 fresh patients of the same kind: AUC, observed /
expected, slope and sensitivity as the report has them, and as the saved model has them there. 4
minutes a cohort on one core.
"""

import sys
import tempfile

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from skosteo.datasets import make_cohort
from skosteo.evaluation import calibration_line
from skosteo.study import run_study

NAMES = ("image", "clinical", "logistic")


def lines(seed):
    signals = {"image_signal": 0.7, "clinical_signal": 0.7}
    here = make_cohort(240, **signals, random_state=seed)
    fresh = make_cohort(600, **signals, random_state=1000 + seed)
    y = np.asarray(fresh.target)
    for primary in NAMES:
        with tempfile.TemporaryDirectory() as cache:
            study = run_study(
                here.data, here.target, groups=here.groups, models=NAMES, primary=primary,
                n_repeats=1, internal_validation="repeated_cv", verbose=0, random_state=seed,
                cache_dir=cache,
            )  # fmt: skip
            figures = study.figures().set_index("figure")["estimate"]
            seen = study.models[primary].part(fresh.data)
            risk = study.final_model_.predict_proba(seen)[:, 1]
            positive = study.final_model_.predict(seen) == 1
        names = {"AUC": "AUC", "O/E": "observed / expected", "slope": "calibration slope",
                 "sensitivity": "sensitivity", "specificity": "specificity"}  # fmt: skip
        yield {"model": primary, "where": "report", **{k: figures[v] for k, v in names.items()}}
        yield {
            "model": primary, "where": "fresh patients", "AUC": roc_auc_score(y, risk),
            "O/E": y.mean() / risk.mean(), "slope": calibration_line(y, risk).slope,
            "sensitivity": positive[y == 1].mean(), "specificity": (~positive)[y == 0].mean(),
        }  # fmt: skip


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found = pd.DataFrame([line for seed in range(n) for line in lines(seed)])
    by = found.groupby(["model", "where"], sort=False)
    print(f"SYNTHETIC: mean of {n} cohorts\n{by.mean().round(3).to_string()}\n")
    print(f"standard deviation\n{by.std().round(3).to_string()}")


if __name__ == "__main__":
    main()
