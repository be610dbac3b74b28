"""Memory and time of reading many films with a cache folder, cold and warm.

    python -m tests.benchmarks.reading_memory [1000 100000]

The films are distinct PNG files of 64 x 64 pixels, read at 64 pixels in a process of their own.
Two peaks are printed: anonymous memory, which is what the process itself holds, and the whole
resident set, which also counts libraries and mapped files.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

READ = """
import sys, threading, time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from skosteo import RadiographReader

def anonymous():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024

def watch():
    while not over.wait(0.01):
        peak[0] = max(peak[0], anonymous())

films, cache = map(Path, sys.argv[1:])
reader = RadiographReader(64, cache_dir=cache)
before, peak, over = anonymous(), [0], threading.Event()
threading.Thread(target=watch).start()
start = time.perf_counter()
images = reader.transform([f"{films}/{i}.png" for i in range(sum(1 for _ in films.iterdir()))])
seconds = time.perf_counter() - start
over.set()
most, resident = max(peak[0], anonymous()), getrusage(RUSAGE_SELF).ru_maxrss / 1024
print(
    f"{len(images):>7,} films: {seconds:6.1f} s, array {images.nbytes / 1e6:.0f} MB, anonymous "
    f"{before:.0f} MB before and {most:.0f} MB at most, resident {resident:.0f} MB at most"
)
"""


def write_films(folder, n):
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(n):
        film = rng.integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(film).save(folder / f"{i}.png", compress_level=0)


def main(counts):
    for n in counts:
        with tempfile.TemporaryDirectory() as folder:
            films, cache = Path(folder, "films"), Path(folder, "cache")
            films.mkdir()
            write_films(films, n)
            for state in ("cold", "warm"):
                print(state, end=" ", flush=True)
                subprocess.run([sys.executable, "-c", READ, films, cache], check=True)


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [1_000, 100_000])
