"""Why a model said what it said: values of variables, places on films, shares of branches."""

from skosteo.explain.fusion_view import FusionView, explain_fusion
from skosteo.explain.gradcam import GradCam, grad_cam
from skosteo.explain.shapley import ShapValues, shap_values

__all__ = [
    "FusionView",
    "GradCam",
    "ShapValues",
    "explain_fusion",
    "grad_cam",
    "shap_values",
]
