"""A scorer whose process is killed at a certain row, and that leaves word of each model loaded."""

import os
import signal
import time
from pathlib import Path

import skosteo.scoring
from skosteo import Scorer

FATAL = "s020"


class MortalScorer(Scorer):
    """Takes a file ``death_...`` beside the model, if one is left, before it dies of the row."""

    def __call__(self, X):
        if FATAL in X["study"].tolist():
            for death in Path(self._given).parent.glob("death_*"):
                death.unlink(missing_ok=True)
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(X)


def _load(path, load=skosteo.scoring.load_model):
    (Path(path).parent / f"load_{os.getpid()}_{time.time_ns()}").touch()
    return load(path)


skosteo.scoring.load_model = _load
