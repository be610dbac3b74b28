"""Reading in a process of its own, where a death, a hang or a bomb is seen and harms nobody.

The process imports nothing but the reader, so that its memory is the reader's. Linux only. Other
modules may serve other readers by the same means.
"""

import os
import pickle
import resource
import select
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

HANGS_AFTER = 10  # seconds
ADDRESS_SPACE = 2**31  # bytes beyond what the process has after its imports


class Outcome(NamedTuple):
    """What became of one file."""

    kind: str  # "film", "refused", or what went wrong
    seconds: float
    before: float  # MB in memory when the reading began
    peak: float  # MB in memory at most while it lasted


class Child:
    """The parent's end of the process, which is started anew when it has died."""

    def __init__(self, *arguments, hangs_after=HANGS_AFTER):
        self._arguments, self._hangs_after = arguments or ("-m", __name__), hangs_after
        self._start()

    def _start(self):
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        self.baseline = pickle.load(self._process.stdout)  # MB after the imports

    def read(self, source, ignore_rules=()):
        """Read one file, a path or bytes, as a user would who wants its image and its facts."""
        pickle.dump((source, tuple(ignore_rules)), self._process.stdin)
        self._process.stdin.flush()
        answered, _, _ = select.select([self._process.stdout], [], [], self._hangs_after)
        if not answered:
            self._process.kill()
        try:
            return Outcome(*pickle.load(self._process.stdout))
        except EOFError:
            status = self._process.wait()
            kind = f"died with {status}" if answered else "hangs"
            self._close_pipes()
            self._start()
            return Outcome(kind, self._hangs_after, 0, 0)

    def _close_pipes(self):
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def close(self):
        self._close_pipes()
        self._process.wait()

    def __exit__(self, *_):
        self.close()


def serve(import_reader, clock=time.perf_counter):
    """Answer the parent until it closes the pipe: with what the reader makes of each file."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints is no answer
    kind_of = import_reader()
    limit = int(_megabytes("VmSize") * 2**20) + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answer = _megabytes("VmHWM")
    while True:
        pickle.dump(answer, answers)
        answers.flush()
        try:
            source, ignore_rules = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
        before, start = _megabytes("VmRSS"), clock()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            kind = kind_of(source, ignore_rules)
        seconds = clock() - start
        if warned:
            kind += ", with a warning"
        answer = kind, seconds, before, _megabytes("VmHWM")


def by_skosteo():
    from skosteo.dicom import read_radiograph
    from skosteo.exceptions import DicomError

    def kind_of(source, ignore_rules):
        try:
            film = read_radiograph(source, ignore_rules=ignore_rules)
            image, facts = film.to_uint8(224), film.facts
        except DicomError as error:
            # refused for want of memory is not refused before the memory was taken
            return "out of memory" if "MemoryError" in error.reason else "refused"
        except BaseException as error:  # a decoder in another language may raise even these
            return type(error).__name__
        in_range = film.pixels.min() >= 0 and film.pixels.max() <= 1  # False for NaN
        agreed = film.pixels.shape == (facts["rows"], facts["columns"])
        agreed = agreed and image.shape == (224, 224)
        return "film" if in_range and agreed else "a film beyond [0, 1] or of another shape"

    return kind_of


def _megabytes(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


if __name__ == "__main__":
    serve(by_skosteo)
