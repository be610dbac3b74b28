"""The paper in one call: models compared on one's own patients, and a report of it.

Read the modules in this order: `run` (the call), `inputs`, `films` and `design` (rows and splits),
`models` (what is fitted), `running` and `store` (by fold, resumed after a crash), `explaining`,
`study` and `folds` (the results), `published` (the paper's), `figures`, `about`, `captions`,
`checklists`, `content` and `page` (the report), `saving`, and `command` (the same from a shell).
"""

from skosteo.study.run import run_study
from skosteo.study.study import Study

__all__ = ["Study", "run_study"]
