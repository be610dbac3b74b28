"""Osteoporosis screening from chest X-rays and clinical values, as scikit-learn estimators.

Public names are loaded on first use (PEP 562), so that ``import skosteo`` stays as light as
``import sklearn`` and torch is imported only by those who train or predict. Where it is not
installed, the estimators of nets are not listed, and say when asked for which extra brings it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skosteo._extras import is_installed, require

__version__ = "0.1.0"

_HOME = {
    "ClinicalOsteoClassifier": "clinical.classifier",
    "ClinicalOsteoRegressor": "clinical.regressor",
    "ClinicalPreprocessor": "clinical",
    "FeatureFusionClassifier": "fusion.feature",
    "FoldEnsembleClassifier": "fusion.fold_ensemble",
    "FusionOsteoRegressor": "fusion.regressor",
    "ImageOsteoClassifier": "image.classifier",
    "ImageOsteoRegressor": "image.regressor",
    "ProbabilityFusionClassifier": "fusion.probability",
    "Radiograph": "dicom",
    "RadiographEmbedder": "image.embedder",
    "RadiographReader": "image.reader",
    "RadiographTexture": "image.texture",
    "RecalibratedClassifier": "recalibration",
    "RiskIndexClassifier": "clinical.risk_indices",
    "Scorer": "scoring",
    "how_many_local_patients": "recalibration",
    "load_model": "persistence",
    "read_card": "persistence",
    "read_radiograph": "dicom",
    "save_model": "persistence",
    "update_model": "recalibration",
    "validate": "validation",
}
_MODULES = ("clinical", "datasets", "evaluation", "exceptions", "explain", "presets", "study")
_NEED_NETS = {
    "ClinicalOsteoClassifier",
    "ClinicalOsteoRegressor",
    "FeatureFusionClassifier",
    "ImageOsteoClassifier",
    "ImageOsteoRegressor",
    "RadiographEmbedder",
}

__all__ = ["__version__", *sorted(_HOME), *_MODULES]
if not is_installed("nets"):
    __all__ = [name for name in __all__ if name not in _NEED_NETS]

if TYPE_CHECKING:  # the same names for type checkers, which see the aliases as exports
    from skosteo import clinical as clinical
    from skosteo import datasets as datasets
    from skosteo import evaluation as evaluation
    from skosteo import exceptions as exceptions
    from skosteo import explain as explain
    from skosteo import presets as presets
    from skosteo import study as study
    from skosteo.clinical import ClinicalPreprocessor as ClinicalPreprocessor
    from skosteo.clinical.classifier import ClinicalOsteoClassifier as ClinicalOsteoClassifier
    from skosteo.clinical.regressor import ClinicalOsteoRegressor as ClinicalOsteoRegressor
    from skosteo.clinical.risk_indices import RiskIndexClassifier as RiskIndexClassifier
    from skosteo.dicom import Radiograph as Radiograph
    from skosteo.dicom import read_radiograph as read_radiograph
    from skosteo.fusion.feature import FeatureFusionClassifier as FeatureFusionClassifier
    from skosteo.fusion.fold_ensemble import FoldEnsembleClassifier as FoldEnsembleClassifier
    from skosteo.fusion.probability import (
        ProbabilityFusionClassifier as ProbabilityFusionClassifier,
    )
    from skosteo.fusion.regressor import FusionOsteoRegressor as FusionOsteoRegressor
    from skosteo.image.classifier import ImageOsteoClassifier as ImageOsteoClassifier
    from skosteo.image.embedder import RadiographEmbedder as RadiographEmbedder
    from skosteo.image.reader import RadiographReader as RadiographReader
    from skosteo.image.regressor import ImageOsteoRegressor as ImageOsteoRegressor
    from skosteo.image.texture import RadiographTexture as RadiographTexture
    from skosteo.persistence import load_model as load_model
    from skosteo.persistence import read_card as read_card
    from skosteo.persistence import save_model as save_model
    from skosteo.recalibration import RecalibratedClassifier as RecalibratedClassifier
    from skosteo.recalibration import how_many_local_patients as how_many_local_patients
    from skosteo.recalibration import update_model as update_model
    from skosteo.scoring import Scorer as Scorer
    from skosteo.validation import validate as validate
else:

    def __getattr__(name: str) -> Any:
        if name in _NEED_NETS:
            require("nets", name)
        if name in _HOME:
            return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
