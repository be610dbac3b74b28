"""The paper in one call: one model judged on one's own patients, beside others, and a report of it.

Read the modules in this order: `run` (the call), `inputs`, `films` and `design` (rows and splits),
`models` (what is fitted), `fitting` and `store` (split by split, resumed after a crash), `assessed`
(risks and thresholds of the rows that are judged), `final` and `explaining` (the model that is
kept), `results` with `characteristics`, `adequacy`, `usefulness`, `imputation` and `folds` (tables
and figures), `folder` and `report` (what is written).
"""

from skosteo.study.results import Study
from skosteo.study.run import run_study

__all__ = ["Study", "run_study"]
