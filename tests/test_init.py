"""`import skosteo` gives the public names and loads nothing heavy."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from mypy import api as mypy

import skosteo

PUBLIC = [
    "ClinicalOsteoClassifier",
    "ClinicalOsteoRegressor",
    "ClinicalPreprocessor",
    "FeatureFusionClassifier",
    "FoldEnsembleClassifier",
    "FusionOsteoRegressor",
    "ImageOsteoClassifier",
    "ImageOsteoRegressor",
    "ProbabilityFusionClassifier",
    "Radiograph",
    "RadiographEmbedder",
    "RadiographReader",
    "RadiographTexture",
    "RecalibratedClassifier",
    "RiskIndexClassifier",
    "Scorer",
    "__version__",
    "clinical",
    "datasets",
    "evaluation",
    "exceptions",
    "explain",
    "how_many_local_patients",
    "load_model",
    "presets",
    "read_card",
    "read_radiograph",
    "save_model",
    "study",
    "update_model",
    "validate",
]


def test_public_names_are_pinned():
    assert sorted(skosteo.__all__) == PUBLIC == sorted(dir(skosteo))
    for name in PUBLIC:
        assert getattr(skosteo, name) is not None


def test_unknown_name():
    with pytest.raises(AttributeError, match="ImageOsteoTransformer"):
        _ = skosteo.ImageOsteoTransformer


def loaded_after(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_import_is_lazy():
    assert not loaded_after("import skosteo") & {"torch", "skorch", "sklearn", "pandas", "numpy"}


def test_the_core_imports_no_torch_where_it_is_installed_either():
    """But for skops, which imports all that scikit-learn may import."""
    saving = {"Scorer", "load_model", "read_card", "save_model", "study"}
    names = {*PUBLIC} - skosteo._NEED_NETS - saving
    statement = f"from skosteo import {', '.join(names)}"
    assert not loaded_after(statement) & {"torch", "skorch", "timm", "matplotlib"}


def test_public_names_have_their_types(tmp_path):
    """As mypy sees them for a user; with the options and the cache of `make types`."""
    assert files("skosteo").joinpath("py.typed").is_file()
    names = [name for name in PUBLIC if name != "__version__"]
    user = [f"from skosteo import {name}\nreveal_type({name})" for name in names]
    user += ["reveal_type(ImageOsteoClassifier())", "import skosteo", "skosteo.ImageRegressor"]
    (tmp_path / "user.py").write_text("\n".join(user))
    config = Path(__file__).parents[1] / "setup.cfg"
    said, complaint, _ = mypy.run(["--config-file", str(config), str(tmp_path / "user.py")])
    shown = [line for line in said.splitlines() if "Revealed type" in line]
    assert len(shown) == len(names) + 1, said + complaint
    assert not [line for line in shown if line.endswith('"Any"')]
    assert shown[-1].endswith('"skosteo.image.classifier.ImageOsteoClassifier"')
    errors = [line for line in said.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert 'Module has no attribute "ImageRegressor"' in errors[0]
