"""Honest scores: counts first, then rates with 95 % intervals; comparisons, and the whole study.

Pure functions of labels and probabilities, but for `check_leakage` and `run_study`, which read
films and are loaded on first use.
"""

from importlib import import_module
from typing import Any

from skosteo.evaluation.bootstrap import BootstrapInterval, bootstrap_interval
from skosteo.evaluation.calibration import CalibrationLine, calibration_line
from skosteo.evaluation.comparison import Comparison, DelongTest, compare, delong_test
from skosteo.evaluation.decision_curve import DecisionCurve, decision_curve, net_benefit
from skosteo.evaluation.metrics import auc_interval
from skosteo.evaluation.operating import OperatingPoint, operating_point
from skosteo.evaluation.paired_tests import (
    McnemarTest,
    PairedTTest,
    holm,
    mcnemar_test,
    paired_t_test,
)
from skosteo.evaluation.reliability import Reliability, reliability
from skosteo.evaluation.report import Report, evaluate
from skosteo.evaluation.subgroups import Subgroups, age_band, subgroups

_LATER = {
    "LeakageReport": "skosteo.evaluation.leakage",
    "check_leakage": "skosteo.evaluation.leakage",
    "run_study": "skosteo.study",
}

__all__ = [
    "BootstrapInterval",
    "CalibrationLine",
    "Comparison",
    "DecisionCurve",
    "DelongTest",
    "LeakageReport",
    "McnemarTest",
    "OperatingPoint",
    "PairedTTest",
    "Reliability",
    "Report",
    "Subgroups",
    "age_band",
    "auc_interval",
    "bootstrap_interval",
    "calibration_line",
    "check_leakage",
    "compare",
    "decision_curve",
    "delong_test",
    "evaluate",
    "holm",
    "mcnemar_test",
    "net_benefit",
    "operating_point",
    "paired_t_test",
    "reliability",
    "run_study",
    "subgroups",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
