"""Honest scores: counts first, then rates with 95 % intervals."""

from skosteo.evaluation.metrics import auc_interval
from skosteo.evaluation.report import Report, evaluate

__all__ = ["Report", "auc_interval", "evaluate"]
