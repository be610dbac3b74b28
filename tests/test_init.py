"""`import skosteo` gives the public names and loads nothing heavy."""

import subprocess
import sys

import pytest

import skosteo

PUBLIC = [
    "ClinicalOsteoClassifier",
    "ClinicalPreprocessor",
    "FeatureFusionClassifier",
    "ImageOsteoClassifier",
    "ProbabilityFusionClassifier",
    "Radiograph",
    "RadiographReader",
    "RiskIndexClassifier",
    "__version__",
    "clinical",
    "datasets",
    "evaluation",
    "exceptions",
    "explain",
    "presets",
    "read_radiograph",
]


def test_public_names_are_pinned():
    assert sorted(skosteo.__all__) == PUBLIC == sorted(dir(skosteo))
    for name in PUBLIC:
        assert getattr(skosteo, name) is not None


def test_unknown_name():
    with pytest.raises(AttributeError, match="ImageOsteoRegressor"):
        _ = skosteo.ImageOsteoRegressor


def loaded_after(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_import_is_lazy():
    assert not loaded_after("import skosteo") & {"torch", "skorch", "sklearn", "pandas", "numpy"}


def test_data_and_evaluation_need_no_torch():
    statement = "from skosteo import RadiographReader, ClinicalPreprocessor, datasets, evaluation"
    assert not loaded_after(statement) & {"torch", "skorch", "timm", "matplotlib"}
