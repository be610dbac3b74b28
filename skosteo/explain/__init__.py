"""Explanations of predictions: Shapley values of variables, Grad-CAM, contributions of branches.

Loaded on first use, so that torch is imported only where a net is explained.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skosteo.explain.fusion_view import FusionView, explain_fusion
    from skosteo.explain.gradcam import GradCam, grad_cam
    from skosteo.explain.shapley import ShapValues, shap_values

_HOME = {
    "FusionView": "fusion_view",
    "GradCam": "gradcam",
    "ShapValues": "shapley",
    "explain_fusion": "fusion_view",
    "grad_cam": "gradcam",
    "shap_values": "shapley",
}

__all__ = ["FusionView", "GradCam", "ShapValues", "explain_fusion", "grad_cam", "shap_values"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
