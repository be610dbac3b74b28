"""Evaluation of probabilities: scores with 95 % confidence intervals, comparisons, leakage.

Pure functions of labels and probabilities, but for `check_leakage`, which reads films and is
loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skosteo.evaluation.added_value import AddedValue, added_value
from skosteo.evaluation.bootstrap import BootstrapInterval, bootstrap_interval
from skosteo.evaluation.calibration import CalibrationLine, calibration_line
from skosteo.evaluation.calibration_curve import CalibrationCurve, calibration_curve
from skosteo.evaluation.comparison import Comparison, DelongTest, compare, delong_test
from skosteo.evaluation.decision_curve import DecisionCurve, decision_curve, net_benefit
from skosteo.evaluation.metrics import auc_interval
from skosteo.evaluation.operating_point import OperatingPoint, operating_point
from skosteo.evaluation.paired_tests import (
    McnemarTest,
    PairedTTest,
    holm,
    mcnemar_test,
    paired_t_test,
)
from skosteo.evaluation.pooling import PooledEstimate, pool_estimates
from skosteo.evaluation.reliability import Reliability, reliability
from skosteo.evaluation.report import Report, evaluate
from skosteo.evaluation.sample_size import development_sample_size, validation_sample_size
from skosteo.evaluation.subgroups import Subgroups, age_band, subgroups

__all__ = [
    "AddedValue",
    "BootstrapInterval",
    "CalibrationCurve",
    "CalibrationLine",
    "Comparison",
    "DecisionCurve",
    "DelongTest",
    "LeakageReport",
    "McnemarTest",
    "OperatingPoint",
    "PairedTTest",
    "PooledEstimate",
    "Reliability",
    "Report",
    "Subgroups",
    "added_value",
    "age_band",
    "auc_interval",
    "bootstrap_interval",
    "calibration_curve",
    "calibration_line",
    "check_leakage",
    "compare",
    "decision_curve",
    "delong_test",
    "development_sample_size",
    "evaluate",
    "holm",
    "mcnemar_test",
    "net_benefit",
    "operating_point",
    "paired_t_test",
    "pool_estimates",
    "reliability",
    "subgroups",
    "validation_sample_size",
]


if TYPE_CHECKING:
    from skosteo.evaluation.leakage import LeakageReport, check_leakage


def __getattr__(name: str) -> Any:
    if name in ("LeakageReport", "check_leakage"):
        return getattr(import_module("skosteo.evaluation.leakage"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
