"""How often a whole study finds its primary model better than the comparator where neither is.

python -m tests.benchmarks.null_studies [studies]

Outcomes are drawn by chance, so that no model can tell anything: 200 patients with up to three
films each, logistic regression of ten columns against that of age, sex and BMI, judged by two
repeats of five folds. 400 studies take 15 minutes on one core.
"""

import sys

import numpy as np
import pandas as pd
from scipy.stats import beta

from skosteo.study import run_study


def pvalue(seed):
    rng = np.random.default_rng(seed)
    n = 200
    table = pd.DataFrame(rng.normal(size=(n, 7)), columns=[f"value_{i}" for i in range(7)])
    table["age"], table["bmi"] = rng.normal(65, 10, n).round(), rng.normal(25, 4, n).round(1)
    table["sex"] = rng.choice(["F", "M"], n)
    patient = np.repeat(np.arange(n), rng.integers(1, 4, n))
    y = (rng.random(n) < 0.35).astype(int)
    study = run_study(
        table.iloc[patient].reset_index(drop=True), y[patient], groups=patient, image_column=None,
        models=["logistic", "age_sex_bmi"], primary="logistic", n_repeats=2, verbose=0,
        random_state=seed,
    )  # fmt: skip
    found = study.comparison().frame().query("metric == 'AUC'").iloc[0]
    return found["pvalue"], -found["difference"]


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    p, difference = np.array([pvalue(seed) for seed in range(n)]).T
    for name, rejected in (("P < .05", p < 0.05), ("and better", (p < 0.05) & (difference > 0))):
        k = int(rejected.sum())
        low, high = beta.ppf([0.025, 0.975], [k, k + 1], [n - k + 1, n - k])
        print(f"{name}: {k}/{n} = {k / n:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
