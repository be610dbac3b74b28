"""Whether the figures of README and guide are those that their commands print.

SKOSTEO_DATA=... python -m tests.benchmarks.documented [demo] [nhanes] [fusions]

Runs each command and looks for the figures of each cell, in their order, in one line of what it
prints; those that are not there are named, and the exit status is 1. A seed decides all figures on
one number of threads; with another, torch adds up in another order, and the last digits of nets of
single precision move. 30 minutes on two cores, most of them for the fusions.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "demo": ["examples/quickstart.py", "--data", "synthetic"],
    "nhanes": ["-m", "tests.benchmarks.nhanes"],
    "fusions": ["-m", "tests.benchmarks.fusions"],
}
# The page of each block, and its first line; it ends with an empty one
BLOCKS = {
    "demo": ("README.md", "                        AUC "),
    "nhanes": ("docs/guide/clinical_model.md", "| AUC [95 % interval] | 2013-14, "),
    "fusions": ("docs/guide/fusions.md", "| AUC [95 % interval] | **synthetic**"),
}


def figures(text):
    """Numbers of a text, as written without a zero in front of the point."""
    return re.findall(r"(?<![\d.])0?([.]\d+|\d+/\d+)", text)


def cells(name):
    """Cells of a block that hold figures."""
    page, first = BLOCKS[name]
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    block = lines[start : lines.index("" if "|" in lines[start] else "```", start)]
    for line in block:
        for cell in re.split(r"\||(?<=\])", line):
            if figures(cell):
                yield line, cell


def missing(name, printed):
    """Cells whose figures no printed line holds in their order."""
    lines = [" ".join(["", *figures(line), ""]) for line in printed.splitlines()]
    for line, cell in cells(name):
        wanted = " ".join(["", *figures(cell), ""])
        if not any(wanted in some for some in lines):
            yield f"{name}: {cell.strip()} in {line.split('  ')[0].strip('| ')!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default="all", choices=[*COMMANDS, "all"])
    found = []
    names = parser.parse_args().names
    for name in COMMANDS if names == "all" else names:
        command = [sys.executable, *COMMANDS[name]]
        run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found += missing(name, run.stdout)
        print(f"{name}: {sum(1 for _ in cells(name))} cells compared", flush=True)
    print("\n".join(found) or "all figures are there")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
