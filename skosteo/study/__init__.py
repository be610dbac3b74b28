"""The paper in one call: models compared on one's own patients, and a report of it.

Read the modules in this order: `run` (the call), `inputs`, `films` and `design` (rows and splits),
`models` (what is fitted), `fitting`, `explaining` and `store` (by fold, resumed after a crash),
`results` and `folds` (scores, tables, comparisons), `report` (page, figures, files) and `cli` (the
same from a shell).
"""

from skosteo.study.results import Study
from skosteo.study.run import run_study

__all__ = ["Study", "run_study"]
