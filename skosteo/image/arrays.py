"""Films that are arrays: what their pixels must be, in `fit` and after it."""

import numpy as np
import torch
from torch import Tensor

from skosteo.exceptions import InputError
from skosteo.image.film_rows import FilmRows

_LARGEST_PIXEL = 1e9
_LEAST_RANGE = 0.01  # of a film of `fit`; 0 to 1 is 1/255 of 0 to 255


def pixel_range(films: Tensor | FilmRows) -> tuple[float, float]:
    """Pixel values that the net is to see as black and white; refuse those that no film has."""
    if isinstance(films, FilmRows) or films.dtype == torch.uint8:
        return 0.0, 255.0
    beyond = films.abs().amax(dim=(1, 2, 3)) > _LARGEST_PIXEL
    if beyond.any():
        raise InputError(
            f"the film has pixels beyond {_LARGEST_PIXEL:g}, as none has; check how it was read"
        ).at_rows(np.flatnonzero(beyond), len(films))
    low, high = float(films.min()), float(films.max())
    return low, high if high > low else low + 1


def typical_range(films: Tensor | FilmRows) -> float:
    """Range of pixels within a film, the median of all: a single pixel cannot set it."""
    if isinstance(films, FilmRows) or not films.is_floating_point():
        return 255.0
    return float((films.amax(dim=(1, 2, 3)) - films.amin(dim=(1, 2, 3))).median())


def check_scale(films: Tensor, low: float, high: float, typical: float) -> None:
    """Refuse films on another scale than those of `fit`: `pixel_range` and `typical_range`."""
    remedy = f"the model was fitted on pixels from {low:g} to {high:g}; give films on that scale"
    least, most = films.amin(dim=(1, 2, 3)), films.amax(dim=(1, 2, 3))
    span = high - low
    beyond = (most > high + span) | (least < low - span)
    if beyond.any():
        raise InputError(f"the film has pixels far beyond: {remedy}").at_rows(
            np.flatnonzero(beyond), len(films)
        )
    if float(most.max() - least.min()) < typical * _LEAST_RANGE:
        raise InputError(f"all films together have next to no range: {remedy}")
