import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import ClinicalOsteoClassifier
from skosteo.explain.fitted import is_a, nets_in_evaluation, thinned
from tests.small_models import small_clinical, small_fusion


class Derived(ClinicalOsteoClassifier):
    """A user's own."""


def test_a_class_is_known_by_its_name_and_so_are_those_derived_from_it():
    assert is_a(small_clinical(), "ClinicalOsteoClassifier")
    assert is_a(Derived(), "ClinicalOsteoClassifier")
    assert not is_a(Derived(), "Derived")
    assert not is_a(small_clinical(), "ImageOsteoClassifier")
    assert not is_a(None, "ClinicalOsteoClassifier")


def modes(model, mode=None):
    if mode is not None:
        model.net_.module_.train(mode)
    return {part.training for part in model.net_.module_.modules()}


@pytest.mark.parametrize(
    ("make", "nets"),
    [
        (small_clinical, lambda m: [m]),
        (lambda: make_pipeline(StandardScaler(), small_clinical()), lambda m: [m[-1]]),
        (
            lambda: GridSearchCV(small_clinical(), {"lr": [0.1]}, cv=2),
            lambda m: [m.best_estimator_],
        ),
        (
            lambda: VotingClassifier([("a", small_clinical())], voting="soft"),
            lambda m: m.estimators_,
        ),
        (
            lambda: CalibratedClassifierCV(small_clinical(), cv=2),
            lambda m: [one.estimator for one in m.calibrated_classifiers_],
        ),
        (
            lambda: small_fusion(image=small_clinical(), image_column=None, cv=2),
            lambda m: [*m.branches_.values(), *m.final_estimators_.values()],
        ),
    ],
    ids=["net", "pipeline", "search", "voting", "calibrated", "fusion"],
)
def test_every_net_inside_of_a_model_gets_its_mode_back(make, nets):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    model = make().fit(X, np.arange(40) % 2)
    inner = nets(model)
    assert len(inner) >= 1
    for mode in (True, False):
        for net in inner:
            modes(net, mode)
        with nets_in_evaluation(model):
            assert all(modes(net) == {False} for net in inner)
        assert all(modes(net) == {mode} for net in inner)


@pytest.mark.parametrize(("n", "left"), [(7, 7), (100, 100), (250, 100)])
def test_rows_are_thinned_evenly(n, left):
    kept = thinned(pd.DataFrame({"row": range(n)}), 100)["row"]
    assert len(kept) == left
    assert kept.iloc[[0, -1]].tolist() == [0, n - 1]


def loaded_after(code):
    code = f"import warnings; warnings.simplefilter('ignore'); {code}; import sys; "
    code += "print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


FOREST = """
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skosteo.clinical import ClinicalPreprocessor
from skosteo.explain import ShapValues, shap_values
X = np.random.default_rng(0).normal(size=(40, 3))
for first in (StandardScaler(), ClinicalPreprocessor()):
    model = make_pipeline(first, RandomForestClassifier(5)).fit(X, X[:, 0] > 0)
    assert shap_values(model, X[:3], X).values.shape == (3, 3)
"""


def test_explanations_are_imported_without_torch():
    code = "from skosteo.explain import ShapValues, FusionView"
    assert not loaded_after(code) & {"torch", "skorch", "shap", "matplotlib"}


@pytest.mark.slow
def test_a_forest_is_explained_without_torch():
    assert not loaded_after(f"exec({FOREST!r})") & {"torch", "skorch"}
