"""A model of one cohort, and the patients of another hospital."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.utils import Bunch

from skosteo import presets

mpl.use("Agg")


def cohort(seed, n, years=66):
    """People with sex and age, of whom the old and the women are ill more often."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"age": rng.normal(years, 9, n).round(), "sex": rng.choice(["F", "M"], n)})
    women = (data["sex"] == "F").to_numpy()
    risk = expit(-1 + (data["age"].to_numpy() - 66) / 8 + women)
    target = pd.Series((rng.random(n) < risk).astype(int), name="osteoporosis")
    return Bunch(data=data, target=target, groups=np.arange(n))


@pytest.fixture(scope="session")
def site():
    home, there = cohort(0, 400), cohort(1, 500, years=70)
    model = presets.clinical_baseline("logistic").fit(home.data, home.target)
    return model, home, there
