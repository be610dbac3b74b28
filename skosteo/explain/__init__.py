"""Explanations of predictions: Shapley values of variables, Grad-CAM, contributions of branches.

Loaded on first use, so that torch is imported only where a net is explained.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skosteo._extras import is_installed, require

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
_NEED_NETS = {"GradCam", "grad_cam"}

__all__ = ["FusionView", "GradCam", "ShapValues", "explain_fusion", "grad_cam", "shap_values"]
if not is_installed("nets"):
    __all__ = [name for name in __all__ if name not in _NEED_NETS]


def __getattr__(name: str) -> Any:
    if name in _NEED_NETS:
        require("nets", name)
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
