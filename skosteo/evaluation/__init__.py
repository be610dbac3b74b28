"""Honest scores: counts first, then rates with 95 % intervals."""

from .metrics import auc_interval
from .report import Report, evaluate

__all__ = ["Report", "auc_interval", "evaluate"]
