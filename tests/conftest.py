"""One thread: the nets of the tests are too small to share, and waiting threads slow each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
