"""How often the intervals of a cross-validated study hold what its final model does elsewhere.

python -m tests.benchmarks.study_coverage [studies]

Logistic regression of all synthetic clinical columns but the free text, in 200 patients, judged by
two repeats of five folds; then its saved model on 20,000 other patients. Printed are the mean error
of each figure and the studies, in per cent, whose interval held it. 100 studies take 6 minutes on
one core.
"""

import sys

import numpy as np
import pandas as pd

from skosteo.datasets.cohort import CLINICAL, draw_patients
from skosteo.evaluation import calibration_curve
from skosteo.evaluation._scored import Scored
from skosteo.study import run_study
from skosteo.validation.figures import figures_of

COLUMNS = [column for column in CLINICAL if column != "xray_description"]


def study_of(seed):
    people = draw_patients(200, random_state=seed)
    return run_study(
        people[COLUMNS], people["osteoporosis"], image_column=None, models=["logistic"],
        primary="logistic", n_repeats=2, verbose=0, random_state=seed,
    )  # fmt: skip


def elsewhere(study, fresh):
    model, y = study.final_model_, fresh["osteoporosis"].to_numpy()
    risk = model.predict_proba(study.models["logistic"].part(fresh[COLUMNS]))[:, 1]
    curve = calibration_curve(y, risk)
    return figures_of(Scored.of_models(y, risk), model.threshold, curve)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    fresh, lines = draw_patients(20_000, random_state=10**6), []
    for seed in range(n):
        study = study_of(seed)
        truth = elsewhere(study, fresh).set_index("figure")["estimate"]
        for row in study.figures().itertuples():
            error, known = row.estimate - truth[row.figure], np.isfinite(row.low)
            held = row.low <= truth[row.figure] <= row.high if known else np.nan
            lines.append((row.figure, error, held))
        if (seed + 1) % 50 == 0 or seed + 1 == n:
            found = pd.DataFrame(lines, columns=["figure", "error", "held"])
            found["held"] = 100 * found["held"].astype(float)
            table = found.groupby("figure", sort=False).mean().round(3)
            print(f"{seed + 1} synthetic studies\n{table.to_string()}", flush=True)


if __name__ == "__main__":
    main()
