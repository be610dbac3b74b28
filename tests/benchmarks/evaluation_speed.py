"""Time of an AUC with its interval, beside 2,000 bootstraps of scikit-learn and confidenceinterval.

python -m tests.benchmarks.evaluation_speed

confidenceinterval is compared where it is importable. Of scikit-learn's 2,000 draws 20 are timed,
since each takes as long as the next.
"""

import time

import numpy as np
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import auc_interval, compare, evaluate

try:
    from confidenceinterval import roc_auc_score as packaged
except ImportError:
    packaged = None

ROUNDS, DRAWS, TIMED = 5, 2000, 20


def scores(n):
    rng = np.random.default_rng(0)
    y = rng.random(n) < 0.2
    return y, 1 / (1 + np.exp(-(1.2 * y + rng.normal(size=n) - 1)))


def bootstrapped(y, p):
    rng = np.random.default_rng(0)
    for _ in range(TIMED):
        rows = rng.integers(0, len(y), len(y))
        roc_auc_score(y[rows], p[rows])


def seconds(call, *arguments):
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def main():
    print(f"one thread, median of {ROUNDS} rounds, milliseconds")
    for n in (1_000, 10_000, 100_000):
        y, p = scores(n)
        contestants = {
            "skosteo auc_interval": (auc_interval, 1),
            f"scikit-learn, {DRAWS} bootstraps": (bootstrapped, DRAWS / TIMED),
        }
        if packaged is not None:
            contestants["confidenceinterval"] = (lambda y, p: packaged(y.astype(int), p), 1)
        taken = {name: [] for name in contestants}
        for _ in range(ROUNDS):
            for name, (call, times) in contestants.items():
                taken[name].append(seconds(call, y, p) * times)
        ours = np.array(taken["skosteo auc_interval"])
        for name, each in taken.items():
            ratio = np.median(np.array(each) / ours)
            print(f"{n:7}  {name:34} {1000 * np.median(each):12.2f}   {ratio:8.1f} times ours")
    groups = np.arange(len(y)) // 3
    whole = seconds(lambda: evaluate(y, p, groups=groups, prevalence=0.05))
    pair = seconds(lambda: compare(y, {"a": p, "b": p**2 * 0.9}, groups=groups))
    print(f"{n:7}  3 films a patient: evaluate {1000 * whole:.0f}, compare {1000 * pair:.0f}")


if __name__ == "__main__":
    main()
