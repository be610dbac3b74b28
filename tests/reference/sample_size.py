"""Numbers of pmsampsize 0.1.0 and pmvalsampsize 0.2.1 for tests/evaluation/test_sample_size.py.

By hand, where both are installed (they are not needed otherwise)::

    python tests/reference/sample_size.py

Both simulate a million patients, so that numbers that rest on the area vary by about 1 in 100.
"""

import contextlib
import io
import math

from scipy.special import logit
from scipy.stats import norm


def main():
    from pmsampsize.pmsampsize import pmsampsize
    from pmvalsampsize.pmvalsampsize import pmvalsampsize

    print("parameters, prevalence, AUC, shrinkage: n by criterion")
    for parameters, prevalence, auc, shrinkage in (
        (20, 0.2, 0.8, 0.9), (9, 0.07, 0.75, 0.9), (30, 0.5, 0.85, 0.9), (12, 0.3, 0.7, 0.95),
    ):  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            found = pmsampsize(
                type="b", cstatistic=auc, parameters=parameters, prevalence=prevalence,
                shrinkage=shrinkage, noprint=True,
            )  # fmt: skip
        sizes = [row[1] for row in found["results_table"][:3]]
        print((parameters, prevalence, auc, shrinkage), sizes, round(found["rsquared"], 4))

    print("prevalence, AUC: n for observed/expected, slope, AUC")
    for prevalence, auc in ((0.2, 0.8), (0.07, 0.75), (0.5, 0.85)):
        spread = math.sqrt(2) * norm.ppf(auc)
        with contextlib.redirect_stdout(io.StringIO()):
            found = pmvalsampsize(
                type="b", prevalence=prevalence, cstatistic=auc,
                lpcstat=float(logit(prevalence) - spread**2 / 2), tolerance=0.01, noprint=True,
            )  # fmt: skip
        print((prevalence, auc), [int(row[1]) for row in found["results_table"][:3]])


if __name__ == "__main__":
    main()
