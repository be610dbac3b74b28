"""Time of exact Shapley values of the clinical net, beside shap's Kernel and Exact explainers.

python -m tests.benchmarks.shap_speed
"""

import time
import warnings

import numpy as np
import torch

from skosteo import ClinicalOsteoClassifier
from skosteo.explain import shap_values

ROWS, COLUMNS, BACKGROUND, ROUNDS = 100, 9, 100, 3


def main():
    warnings.simplefilter("ignore")  # of shap, on import
    import shap

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, COLUMNS))
    y = (X[:, 0] - X[:, 1] * X[:, 2] + rng.normal(size=len(X)) > 0).astype(int)
    model = ClinicalOsteoClassifier(max_epochs=30, device="cpu", random_state=0).fit(X, y)
    background, rows = X[:BACKGROUND], X[-ROWS:]

    def function(matrix):
        return model.predict_proba(matrix)[:, 1]

    def kernel(**options):
        return shap.KernelExplainer(function, background).shap_values(rows, silent=True, **options)

    def exact():
        masker = shap.maskers.Independent(background, BACKGROUND)
        explainer = shap.ExactExplainer(function, masker)
        return explainer(rows, interactions=False, silent=True).values

    contestants = {
        "skosteo": lambda: shap_values(model, rows, background).values,
        "KernelExplainer": kernel,
        "KernelExplainer, l1_reg=False": lambda: kernel(l1_reg=False),
        "ExactExplainer": exact,
    }
    seconds = {name: [] for name in contestants}
    values = {}
    for turn in range(ROUNDS + 1):
        for name, explain in contestants.items():
            start = time.perf_counter()
            values[name] = explain()
            if turn:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    own = np.median(seconds["skosteo"])
    print(f"{ROWS} rows x {COLUMNS} features, {BACKGROUND} background rows, 1 thread")
    for name, times in seconds.items():
        gap = np.abs(values[name] - values["skosteo"]).max()
        middle = np.median(times)
        print(f"{name:30} {middle:7.3f} s  {middle / own:6.1f} x  largest difference {gap:.1e}")
    gap = np.abs(shap_values(model, rows, background).output - function(rows)).max()
    print(f"base + values against the probability: {gap:.1e}")


if __name__ == "__main__":
    main()
