"""How many figures of a folder were compared with those recomputed, and which differ."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

TOLERANCE, TINY = 1e-6, 1e-10  # relative, and absolute for what is nearly 0
MINUS = "\N{MINUS SIGN}"


@dataclass
class Checked:
    """How many figures were compared, by file, which differ, and what was left out."""

    compared: Counter = field(default_factory=Counter)
    differ: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def number(self, file: str, where: Any, found: Any, expected: float):
        """Compare one figure; NaN is a figure too."""
        self.compared[file] += 1
        close = np.isclose(float(found), expected, TOLERANCE, TINY, equal_nan=True)
        if not close:
            self.differ.append(f"{file}: {where}: {found} in the file, {expected} recomputed")

    def frame(self, file: str, found: pd.DataFrame, expected: pd.DataFrame, keys: Sequence[str]):
        """Compare all numbers of a file, and that it has these lines and no others."""
        one, other = (x.set_index(list(keys)) for x in (found, expected))
        if sorted(map(str, one.index)) != sorted(map(str, other.index)):
            self.differ.append(f"{file}: the lines are {[*one.index]}, not {[*other.index]}")
            return
        for key, line in other.iterrows():
            for name, value in line.items():
                if isinstance(value, str):
                    self.text(file, (key, name), one.loc[key, name], value)
                else:
                    self.number(file, (key, name), one.loc[key, name], value)

    def text(self, file: str, where: Any, found: Any, expected: str | Sequence[float]):
        """Compare a text, or each number in it in turn; NaN is printed as no number."""
        if isinstance(expected, str):
            self.compared[file] += 1
            if str(found) != expected:
                self.differ.append(f"{file}: {where}: {found!r} in the file, not {expected!r}")
            return
        printed = re.findall(rf"[-{MINUS}]?\d*\.?\d+", re.sub(r"(?<=\d),(?=\d{3})", "", str(found)))
        numbers = [x for x in expected if not np.isnan(x)]
        if len(printed) != len(numbers):
            self.differ.append(f"{file}: {where}: {found!r} in the file, {numbers} recomputed")
        for text, number in zip(printed, numbers, strict=False):
            half = 0.5 / 10 ** len(text.partition(".")[2]) + 1e-7 if "." in text else 0
            self.compared[file] += 1
            if abs(float(text.replace(MINUS, "-")) - number) > half:
                self.differ.append(f"{file}: {where}: {text} in {found!r}, {number} recomputed")
