"""
From a hospital's folder to pictures, and a list of what was refused
=====================================================================

A folder as hospitals send them: one **synthetic** film stored in eight ways, and among them a
lateral view, a CT slice, a film with a name burned in, a damaged file and a missing one. All are
read in one call; what is no chest film is refused with a reason, and nothing else is lost.
"""

# %%
# A folder of mixed quality
# -------------------------
# The same film is written with large values white or black, in 10 to 16 bits, with and without a
# window, rescaled, and compressed. Any tool that shows stored values gives eight different films.

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from pydicom import dcmread

from skosteo import RadiographReader, read_radiograph
from skosteo.datasets.dicom_writer import write_radiograph
from skosteo.datasets.phantom import draw_film

parser = argparse.ArgumentParser()
parser.add_argument("--report", type=Path, default=Path("report"), help="folder for the picture")
args, _ = parser.parse_known_args()

work = tempfile.TemporaryDirectory()
folder = Path(work.name)
film = draw_film(random_state=0)
ENCODINGS = {
    "white is high": {},
    "black is high": {"photometric": "MONOCHROME1"},
    "16 bits": {"bits": 16},
    "10 bits": {"bits": 10},
    "no window": {"window": False},
    "rescaled": {"rescale": (0.5, -300.0)},
    "JPEG 2000": {},
    "RLE": {"photometric": "MONOCHROME1"},
}
COMPRESSED = {"JPEG 2000": "1.2.840.10008.1.2.4.90", "RLE": "1.2.840.10008.1.2.5"}
REFUSED = {
    "lateral": {"ViewPosition": "LL"},
    "CT": {"Modality": "CT"},
    "name burned in": {"BurnedInAnnotation": "YES"},
}

for name, encoding in (ENCODINGS | {key: {} for key in [*REFUSED, "damaged"]}).items():
    path = folder / f"{name}.dcm"
    write_radiograph(path, film, patient_id="0001", **encoding)
    if name in COMPRESSED:
        dataset = dcmread(path)
        dataset.compress(COMPRESSED[name])
        dataset.save_as(path)
    if name in REFUSED:
        dataset = dcmread(path)
        for keyword, value in REFUSED[name].items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
damaged = folder / "damaged.dcm"
damaged.write_bytes(damaged.read_bytes()[:100_000])

# %%
# Read all of it
# --------------
# ``errors="report"`` reads on where a film is refused: its row stays, black, and is listed. The
# cache makes the next call a matter of milliseconds.

names = [*ENCODINGS, *REFUSED, "damaged", "missing"]
paths = pd.Series([folder / f"{name}.dcm" for name in names])
reader = RadiographReader(224, cache_dir=folder / "cache", n_jobs=2, errors="report")
images = reader.transform(paths)

print(f"{len(images) - len(reader.report_)} of {len(images)} films read; refused or unreadable:\n")
for row in reader.report_.itertuples():
    print(f"  {names[row.position]} ({row.rule}): {row.reason}\n    -> {row.remedy}")

# %%
# The same film, however it was stored
# ------------------------------------

read = images[: len(ENCODINGS)].astype(int)
print(f"\nlargest difference between the {len(read)} ways of storing, of 255 greys: ", end="")
print(np.ptp(read, axis=0).max())
print("what a film tells beside its pixels:", read_radiograph(paths[0]).facts)

args.report.mkdir(parents=True, exist_ok=True)
figure, grid = plt.subplots(3, 5, figsize=(9, 6), layout="constrained")
for axis, name, image in zip(grid.flat, names, images, strict=False):
    axis.imshow(image, cmap="gray", vmin=0, vmax=255)
    axis.set_title(name, fontsize=8)
for axis in grid.flat:
    axis.axis("off")
figure.suptitle("One synthetic film as it is read from each file; black: refused", fontsize=9)
figure.savefig(args.report / "reading.png", dpi=150)
print(f"{args.report}/ holds reading.png")
work.cleanup()
