"""Texture of one film or region: four families of features, each a list of names and a function.

The functions take grey values ``z`` (rows, columns) of mean 0 and standard deviation 1. Lengths are
in pixels of the film as it is read, frequencies in cycles per such pixel.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2, next_fast_len

from skosteo._extras import require

LEAST_SIDE = 16  # pixels of a film or region, each way

FREQUENCIES = (0.1, 0.2, 0.4)  # cycles per pixel: periods of 10, 5 and 2.5 pixels
ANGLES = (0, 45, 90, 135)  # degrees, where grey varies: 0 to the right, 90 downwards
REACH = 4  # standard deviations of a filter along its axes; 2.8 at 45 degrees
NEIGHBOURS = 8  # of a pixel in a binary pattern
RADII = (1, 2)  # pixels between it and them
DISTANCES = (1, 2, 4)  # pixels between the two of a pair
LEVELS = 32  # of grey that pairs are counted by
SPREAD = 3.0  # standard deviations from the mean to the last level, which holds all beyond
MEASURES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
WAVELET, DEPTH = "haar", 3  # levels: details of 2, 4 and 8 pixels
DETAILS = ("horizontal", "vertical", "diagonal")
_FINE = 128  # grey levels per standard deviation, which tell all levels of 8 bits apart

VERSION = 1  # to be raised with every change of what is computed


class Family(NamedTuple):
    """Features of one kind."""

    names: tuple[str, ...]
    compute: Callable[[NDArray[np.float64]], Sequence[float]]


def gabor(z: NDArray[np.float64]) -> list[float]:
    """Mean squared modulus of the answers of complex Gabor filters of one octave."""
    from skimage.filters import gabor_kernel

    kernels = [
        gabor_kernel(frequency, theta=np.deg2rad(angle), n_stds=REACH)
        for frequency, angle in product(FREQUENCIES, ANGLES)
    ]
    reach = max(side for kernel in kernels for side in kernel.shape) // 2
    mirrored = np.pad(z, reach, mode="symmetric")
    shape = [next_fast_len(side) for side in mirrored.shape]
    waves = fft2(mirrored, shape)
    energies = []
    for kernel in kernels:
        top, left = (reach + side // 2 for side in kernel.shape)
        answer = ifft2(waves * fft2(kernel, shape))[
            top : top + z.shape[0], left : left + z.shape[1]
        ]
        energies.append(float((answer.real**2 + answer.imag**2).mean()))
    return energies


def lbp(z: NDArray[np.float64]) -> list[float]:
    """Proportion of the pixels with each local binary pattern, rotations alike.

    A pattern is uniform where the neighbours that are as bright as the pixel, or brighter, lie side
    by side; it goes by their number. Pixels within the radius of the border are left out.
    """
    from skimage.feature import local_binary_pattern

    grey = np.rint(z * _FINE).astype(np.int32)
    found: list[float] = []
    for radius in RADII:
        patterns = local_binary_pattern(grey, NEIGHBOURS, radius, method="uniform")
        inner = patterns[radius:-radius, radius:-radius].astype(np.intp)
        found += (np.bincount(inner.ravel(), minlength=NEIGHBOURS + 2) / inner.size).tolist()
    return found


def glcm(z: NDArray[np.float64]) -> list[float]:
    """Haralick's measures of how often two grey levels lie a distance apart, mean of the angles."""
    from skimage.feature import graycomatrix, graycoprops

    level = np.floor((z + SPREAD) * (LEVELS / (2 * SPREAD)))
    grey = np.clip(level, 0, LEVELS - 1).astype(np.uint8)
    pairs = graycomatrix(
        grey, DISTANCES, np.deg2rad(ANGLES), LEVELS, symmetric=True, normed=True
    )  # (levels, levels, distances, angles)
    by_measure = [graycoprops(pairs, measure).mean(axis=1) for measure in MEASURES]
    return np.transpose(by_measure).ravel().tolist()


def wavelet(z: NDArray[np.float64]) -> list[float]:
    """Energy of each detail and of the approximation per pixel: proportions of the variance."""
    from pywt import wavedec2

    rows, columns = (side - side % 2**DEPTH for side in z.shape)
    parts = wavedec2(z[:rows, :columns], WAVELET, mode="periodization", level=DEPTH)
    details = [detail for level in parts[:0:-1] for detail in level]  # the finest first
    return [float((part**2).sum() / (rows * columns)) for part in (*details, parts[0])]


FAMILIES = {
    "gabor": Family(
        tuple(f"gabor_{f:g}_{a}deg_energy" for f, a in product(FREQUENCIES, ANGLES)), gabor
    ),
    "lbp": Family(
        tuple(
            f"lbp_{NEIGHBOURS}_{radius}_{pattern}"
            for radius in RADII
            for pattern in (*(f"uniform_{n}" for n in range(NEIGHBOURS + 1)), "other")
        ),
        lbp,
    ),
    "glcm": Family(
        tuple(f"glcm_{d}px_{measure}" for d, measure in product(DISTANCES, MEASURES)), glcm
    ),
    "wavelet": Family(
        (
            *(f"wavelet_{WAVELET}_{k + 1}_{d}_energy" for k, d in product(range(DEPTH), DETAILS)),
            f"wavelet_{WAVELET}_{DEPTH}_approximation_energy",
        ),
        wavelet,
    ),
}  # fmt: skip


def texture(grey: NDArray, families: Sequence[str]) -> list[float]:
    """Compute the features of some families; 0 throughout where all pixels are alike."""
    if grey.min() == grey.max():
        return [0.0] * sum(len(FAMILIES[name].names) for name in families)
    z = grey.astype(np.float64)
    z -= z.mean()
    z /= z.std()
    return [value for name in families for value in FAMILIES[name].compute(z)]


def check_installed() -> None:
    """Refuse to go on without the libraries of the extra "texture"."""
    require("texture", "Texture")
