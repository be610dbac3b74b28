"""Fit time of the clinical net at the paper's size, beside a bare loop and scikit-learn's own net.

python -m tests.benchmarks.clinical_speed
"""

import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import nn

from skosteo import ClinicalOsteoClassifier

ROWS, COLUMNS, BATCH, EPOCHS, ROUNDS = 1184, 9, 32, 50, 7


def loop(X, y, fused):
    """What one would write by hand: index, forward, backward, step."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(COLUMNS, 50), nn.ReLU(), nn.Dropout(0.25), nn.Linear(50, 1))
    optimizer = torch.optim.Adam(net.double().parameters(), lr=1e-3, fused=fused)
    loss = nn.BCEWithLogitsLoss()
    inputs, target = torch.from_numpy(X), torch.from_numpy(y).double()
    for _ in range(EPOCHS):
        for index in torch.randperm(len(inputs)).split(BATCH):
            optimizer.zero_grad()
            loss(net(inputs[index]).squeeze(1), target[index]).backward()
            optimizer.step()


def ours(X, y):
    ClinicalOsteoClassifier(
        max_epochs=EPOCHS, early_stopping=False, device="cpu", random_state=0
    ).fit(X, y)


def sklearns(X, y):
    MLPClassifier(
        (50,), batch_size=BATCH, max_iter=EPOCHS, n_iter_no_change=EPOCHS, tol=0, alpha=0
    ).fit(X, y)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    y = (X[:, 0] + rng.normal(size=ROWS) > 0).astype(int)
    contestants = {
        "skosteo": ours,
        "bare loop": lambda X, y: loop(X, y, fused=False),
        "bare loop, fused Adam": lambda X, y: loop(X, y, fused=True),
        "MLPClassifier": sklearns,
    }
    seconds = {name: [] for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, fit in contestants.items():
            start = time.perf_counter()
            fit(X, y)
            if turn:  # the first is to warm up
                seconds[name].append(time.perf_counter() - start)
    print(f"{ROWS} x {COLUMNS}, batches of {BATCH}, {EPOCHS} epochs, one thread, {ROUNDS} rounds")
    for name in contestants:
        best = min(seconds[name])
        ratio = np.median(np.divide(seconds["skosteo"], seconds[name]))
        print(f"{name:22} {best:.3f} s at best; skosteo takes {ratio:.2f} of it (median of rounds)")


if __name__ == "__main__":
    main()
