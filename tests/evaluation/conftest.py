"""Two models of 100 patients, one of which knows something, and what figures say of them."""

import matplotlib as mpl
import numpy as np
import pytest

from skosteo.evaluation import evaluate

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def report():
    y = np.repeat([0, 1], [60, 40])
    rng = np.random.default_rng(0)
    image = np.clip(0.4 * y + rng.normal(0.3, 0.2, 100), 0, 1)
    yield evaluate(y, {"image": image, "chance": rng.random(100)}, threshold=0.4)
    plt.close("all")
