"""Processes that have imported skosteo and done nothing else: forks of one, which waits for code.

An interpreter that imports all of it takes 5 s; a fork takes none.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

_SERVER = """
import json, os, sys, traceback
from skosteo import *
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if not pid:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        code = 1
        try:
            exec(job["code"], {"argv": job["argv"]})
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Fresh:
    """The parent's end: runs one piece of code at a time."""

    def __init__(self, folder):
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            cwd=Path(__file__).parents[1], env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.pid = None

    def start(self, code, *argv):
        """Run code, which finds its arguments, as texts, in ``argv``."""
        out, err = (str(self._folder / name) for name in ("out", "err"))
        job = {"code": code, "argv": list(map(str, argv)), "out": out, "err": err}
        self._server.stdin.write(json.dumps(job).encode() + b"\n")
        self.pid = int(self._server.stdout.readline())

    def poll(self):
        """None while it runs, as of a ``Popen``."""
        return 0 if select.select([self._server.stdout], [], [], 0)[0] else None

    def wait(self):
        """Return the exit status; below 0 the signal that ended it."""
        return int(self._server.stdout.readline())

    def run(self, code, *argv):
        """Run code to its end and return what it has printed; it may not fail."""
        self.start(code, *argv)
        status = self.wait()
        out, err = self.said()
        assert status == 0, (status, err)
        return out

    def said(self):
        """Return what the last one has printed, and what it has complained of."""
        return tuple((self._folder / name).read_text() for name in ("out", "err"))

    def close(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
