"""Time from a file of 2500 x 2048 pixels and 12 bits to 224 x 224 bytes, beside other ways to it.

    python -m tests.benchmarks.reading_speed

One thread. The ways take turns, so that a busy machine slows all of them alike. MONAI takes part
where it is installed (the extra `benchmarks`); it applies no window and no polarity.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import logging
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless
from scipy.ndimage import zoom

from skosteo.datasets.dicom_writer import write_radiograph
from skosteo.datasets.phantom import draw_film
from skosteo.dicom import read_radiograph

SHAPE, SIZE, ROUNDS = (2500, 2048), 224, 11
COMPRESSED = {
    "JPEG 2000 lossless": (JPEG2000Lossless, imagecodecs.jpeg2k_decode),
    "JPEG-LS lossless": (JPEGLSLossless, imagecodecs.jpegls_decode),
    "RLE lossless": (RLELossless, lambda frame: imagecodecs.dicomrle_decode(frame, dtype="<u2")),
    "JPEG lossless": (JPEGLosslessSV1, imagecodecs.ljpeg_decode),
}


def write_films(folder):
    """Paths of one film in each encoding, MONOCHROME1; its noise is that of the photons."""
    small = draw_film(anatomy=0, random_state=0)
    film = zoom(small, np.divide(SHAPE, small.shape), order=1)
    film += np.random.default_rng(0).normal(0, 0.004, SHAPE)
    film = np.clip(film, 0, 1)
    paths = {}
    for name, window in [("window", True), ("no window", False)]:
        paths[name] = folder / f"{name}.dcm"
        write_radiograph(
            paths[name], film, patient_id="1", photometric="MONOCHROME1", window=window
        )
    for name, (syntax, _) in COMPRESSED.items():
        ds = dcmread(paths["window"])
        if syntax == JPEGLosslessSV1:
            frame = imagecodecs.jpeg8_encode(
                ds.pixel_array, lossless=True, predictor=1, bitspersample=12
            )
            ds.PixelData = encapsulate([frame])
            ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
            ds.file_meta.TransferSyntaxUID = syntax
        else:
            ds.compress(syntax)
        paths[name] = folder / f"{name}.dcm"
        ds.save_as(paths[name])
    return paths


def by_skosteo(path):
    return read_radiograph(path).to_uint8(SIZE)


def by_pydicom_and_pillow(path):
    ds = dcmread(path)
    pixels = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds).astype(np.float32)
    low, high = pixels.min(), pixels.max()
    levels = ((pixels - low) * (255 / (high - low))).astype(np.uint8)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        levels = 255 - levels
    side = max(SHAPE)
    square = Image.new("L", (side, side))
    square.paste(Image.fromarray(levels), ((side - SHAPE[1]) // 2, 0))
    return np.asarray(square.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def decoded_by_pydicom(path):
    return dcmread(path).pixel_array


def by_monai():
    """The usual transforms, or None where MONAI is absent."""
    try:
        import torch
        from monai.transforms import (
            Compose,
            EnsureChannelFirst,
            LoadImage,
            Resize,
            ScaleIntensity,
            SpatialPad,
        )
    except ImportError:
        return None
    torch.set_num_threads(1)
    chain = Compose(
        [
            LoadImage(reader="PydicomReader", image_only=True),
            EnsureChannelFirst(),
            ScaleIntensity(0, 255),
            SpatialPad((max(SHAPE),) * 2),
            Resize((SIZE, SIZE), mode="area"),
        ]
    )
    return lambda path: chain(path).numpy().astype(np.uint8)


def ways(name, path, monai):
    """Names and functions of the ways to read a film, without those that cannot decode it."""
    found = {"skosteo": by_skosteo, "pydicom and Pillow": by_pydicom_and_pillow}
    if monai:
        found["MONAI"] = monai
    found["decoded by pydicom"] = decoded_by_pydicom
    if name in COMPRESSED:
        decode = COMPRESSED[name][1]
        frame = next(generate_frames(dcmread(path).PixelData, number_of_frames=1))
        found["its decoder alone"] = lambda path: decode(frame)
    for way, function in list(found.items()):
        try:
            function(path)  # once before it counts, for what is loaded late
        except (RuntimeError, NotImplementedError):
            del found[way]
    return found


def milliseconds(function, path):
    start = time.perf_counter()
    function(path)
    return (time.perf_counter() - start) * 1000


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    monai = by_monai()
    if monai is None:
        print("MONAI is absent")
    print(f"{'milliseconds':42}    min  median   x skosteo")
    with tempfile.TemporaryDirectory() as folder:
        for name, path in write_films(Path(folder)).items():
            functions = ways(name, path, monai)
            taken = {way: [] for way in functions}
            for _ in range(ROUNDS):
                for way, function in functions.items():
                    taken[way].append(milliseconds(function, path))
            for way, times in taken.items():
                ratio = min(times) / min(taken["skosteo"])
                print(f"{name:22}{way:20}{min(times):7.0f} {median(times):7.0f} {ratio:11.2f}")


if __name__ == "__main__":
    main()
