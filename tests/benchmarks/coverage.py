"""How often the intervals of a report hold the truth, with 30, 100 and 400 patients.

python -m tests.benchmarks.coverage [runs]

Patients with one to three films each; two fixed models give every film a risk, and the outcome is
the patient's. Truths are those of 200,000 patients. Each interval of `Study.figures`, of the
differences between two models and of subgroups, in per cent of the runs in which it could be
estimated, and how often that was. 1,000 runs take 12 minutes on one core.
"""

import sys

import numpy as np
import pandas as pd
from scipy.special import expit

from skosteo.evaluation import calibration_curve, compare, decision_curve, subgroups
from skosteo.evaluation._scored import Scored
from skosteo.validation.figures import figures_of

AT = 0.25
SIZES = (30, 100, 400)


def cohort(rng, n):
    films = rng.integers(1, 4, n)
    patient = np.repeat(np.arange(n), films)
    bone, woman = rng.normal(size=n), rng.random(n) < 0.6
    y = (rng.random(n) < expit(-0.7 + 1.3 * bone + 0.4 * woman)).astype(int)
    seen = bone[patient] + rng.normal(0, 0.6, len(patient))
    risks = pd.DataFrame(
        {
            "one": expit(-0.5 + 0.9 * seen),
            "other": expit(-0.5 + 0.6 * seen + rng.normal(0, 0.5, len(patient))),
        }
    )
    return y[patient], risks, patient, np.where(woman[patient], "F", "M")


def estimates(rng, n):
    """Every figure with its limits, by name."""
    y, risks, patient, sex = cohort(rng, n)
    one = risks["one"].to_numpy()
    curve = calibration_curve(y, one, groups=patient)
    frame = figures_of(Scored.of_models(y, one, patient), AT, curve)
    found = {row.figure: (row.estimate, row.low, row.high) for row in frame.itertuples()}
    for row in compare(y, risks, groups=patient, threshold=AT).frame().itertuples():
        found[f"difference in {row.metric}"] = row.difference, row.low, row.high
    benefit = decision_curve(y, risks, [AT], groups=patient).differences("other")
    row = benefit[benefit["model"] == "one"].iloc[0]
    found["difference in net benefit"] = row["difference"], row["low"], row["high"]
    by = subgroups(y, one, {"sex": sex}, groups=patient, threshold=AT)
    for row in by.differences().itertuples():
        three = row.difference, row.low, row.high
        if row.level == "F":  # always men less women, whoever are more
            three = -row.difference, -row.high, -row.low
        found[f"{row.metric} by sex"] = three
    return found


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = np.random.default_rng(0)
    truth = {name: value for name, (value, *_) in estimates(rng, 200_000).items()}
    lines = {}
    for n in SIZES:
        held = {name: [] for name in truth}
        for _ in range(runs):
            try:
                found = estimates(rng, n)
            except ValueError:  # one class alone
                continue
            for name, (value, low, high) in found.items():
                if name in held and np.isfinite([value, low, high]).all():
                    held[name].append(low - 1e-12 <= truth[name] <= high + 1e-12)
        for name, hits in held.items():
            covered = 100 * np.mean(hits) if hits else np.nan
            lines.setdefault(name, {})[f"n = {n}"] = f"{covered:.1f} ({100 * len(hits) / runs:.0f})"
    print("Coverage, % (estimable, %)")
    print(pd.DataFrame.from_dict(lines, orient="index").to_string())


if __name__ == "__main__":
    main()
