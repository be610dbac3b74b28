"""Honest scores: counts first, then rates with 95 % intervals."""

from skosteo.evaluation.calibration import CalibrationLine, calibration_line
from skosteo.evaluation.comparison import DelongTest, delong_test
from skosteo.evaluation.metrics import auc_interval
from skosteo.evaluation.report import Report, evaluate

__all__ = [
    "CalibrationLine",
    "DelongTest",
    "Report",
    "auc_interval",
    "calibration_line",
    "delong_test",
    "evaluate",
]
