"""Draw which package of skosteo imports which: from the code itself, so that it cannot drift.

The layers are those that ``tests/test_layers.py`` enforces. An arrow that other arrows imply is
left out, and so are those to what every room may use, the row at the bottom.
``python docs/drawings/house.py house.svg``
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.test_layers import LEVEL, LEVELS, MODULES, home, imports

SHARED = ["exceptions", "_files", "_extras", "_validation", "_plotting", "splits"]
# how far to the right of the middle each room stands; its height is its layer
ACROSS = {
    "__main__": 0, "commands": 0, "study": -1.5, "scoring": 3.4, "validation": 0.9,
    "presets": -3.9, "explain": -2.0, "recalibration": 0.1, "_page": 2.4, "persistence": 8.2,
    "fusion": -1.6, "evaluation": 1.6, "clinical.classifier": -6.1,
    "clinical.regressor": -2.9, "clinical.table_net": 2.7, "clinical.risk_indices": 6.0,
    "image": 0.4, "datasets": 8.2, "training": -2.2, "nets": -2.2, "clinical": 3.9, "dicom": 0.4,
}  # fmt: skip
COLOURS = {True: ("#f3efe6", "#9a8456"), False: ("#e8eef7", "#4a6fa5")}  # shared or not


def arrows():
    """Pairs of rooms (user, used), by all imports, lazy and type-only ones included."""
    found = set()
    for module, path in MODULES.items():
        if not module:  # the public names of the root are for its users
            continue
        for name, *_ in imports(path):
            inner = name.removeprefix("skosteo.")
            if name.startswith("skosteo.") and home(inner) in LEVEL:
                found.add((home(module), home(inner)))
    return {(user, used) for user, used in found if LEVEL[used] < LEVEL[user]}


def reduced(pairs):
    """Return the pairs that no chain of other pairs implies."""
    below = {}
    for room in sorted(LEVEL, key=LEVEL.get):
        direct = {used for user, used in pairs if user == room}
        below[room] = direct.union(*(below[used] for used in direct))
    return {
        (user, used)
        for user, used in pairs
        if not any(used in below[between] for of, between in pairs if of == user)
    }


def _box(axes, room, x, y):
    face, edge = COLOURS[room in SHARED]
    width = 0.3 + 0.125 * len(room)
    style = {"boxstyle": "round,pad=0.06", "facecolor": face, "edgecolor": edge, "zorder": 2}
    box = FancyBboxPatch((x - width / 2, y - 0.2), width, 0.4, **style)
    axes.add_patch(box)
    axes.text(x, y, room, ha="center", va="center", fontsize=10, color="#1b2733", zorder=3)
    return box


def draw(path):
    """Write the map as SVG: who stands higher uses who stands lower."""
    figure = Figure(figsize=(11.5, 7.6))
    axes = figure.add_subplot()
    layers = [rooms for rooms in LEVELS if not rooms <= set(SHARED)]
    boxes = {
        room: _box(axes, room, ACROSS[room], y + 1)
        for y, rooms in enumerate(layers)
        for room in rooms - set(SHARED)
    }
    for number, room in enumerate(SHARED):
        _box(axes, room, 2.2 * (number - 2.2), -0.3)
    pairs = {(user, used) for user, used in arrows() if used in boxes}
    for user, used in sorted(reduced(pairs)):
        between = {"patchA": boxes[user], "patchB": boxes[used], "shrinkA": 0, "shrinkB": 0}
        ends = [(ACROSS[room], boxes[room].get_y() + 0.2) for room in (user, used)]
        arrow = FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=10, **between)
        arrow.set(color="#8793a3", zorder=1)
        axes.add_patch(arrow)
    axes.set(xlim=(-7.7, 9.3), ylim=(-0.8, len(layers) + 0.6))
    axes.axis("off")
    figure.savefig(path, format="svg", bbox_inches="tight", transparent=True)


if __name__ == "__main__":
    draw(sys.argv[1])
