"""A scorer whose process is killed at a certain row, and that leaves word of each model loaded."""

import os
import signal
import time
from pathlib import Path

import skosteo.scoring
from skosteo import Scorer, load_model

FATAL = "s020"


class MortalScorer(Scorer):
    """Takes a file ``death_...`` beside the model, if one is left, before it dies of the row."""

    def __call__(self, X):
        skosteo.scoring.load_model = _noted  # in a process of its own, not in that of the tests
        if FATAL in X["study"].tolist():
            for death in Path(self._given).parent.glob("death_*"):
                death.unlink(missing_ok=True)
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(X)


def _noted(path):
    (Path(path).parent / f"load_{os.getpid()}_{time.time_ns()}").touch()
    return load_model(path)
