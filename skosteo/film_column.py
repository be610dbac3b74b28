"""A column of films in any of its forms -> a list of paths and arrays, and their checks."""

import os
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.exceptions import InputError


def film_items(X: Any) -> list[Any]:
    """Take the images out of a column in any of its forms."""
    if isinstance(X, str | os.PathLike):
        raise InputError("X is one path; put it in a list: [path]")
    if hasattr(X, "columns"):
        X = X.to_numpy()
        if X.shape[1] != 1:
            raise InputError(f"X has {X.shape[1]} columns; pick the one of the images: X['image']")
    if isinstance(X, np.ndarray) and X.ndim == 2:
        if X.dtype.kind in "biuf" or X.shape[1] != 1:
            raise InputError(
                f"X is an array of shape {X.shape}; give the column of the images, X[:, j], or put "
                "a single image in a list: [pixels]"
            )
        X = X[:, 0]
    if not isinstance(X, list | tuple | np.ndarray | pd.Series) or getattr(X, "ndim", 1) == 0:
        raise InputError(
            f"X is a {type(X).__name__}; give a column of paths or of 2-D arrays: a Series, a "
            "DataFrame of one column, a list or an array"
        )
    if len(X) == 0:
        raise InputError("X has no rows; give at least one image")
    return list(X)


def check_none_missing(items: list[Any]) -> None:
    """Refuse items that are None, NaN or empty, by their rows."""
    missing = [row for row, item in enumerate(items, start=1) if is_missing(item)]
    if not missing:
        return
    rows = ", ".join(map(str, missing[:5]))
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    raise InputError(
        f"the image is missing in row{'s' if len(missing) > 1 else ''} {rows}{more} of "
        f"{len(items)}; leave these rows out, or fill in their paths"
    )


def is_missing(item: Any) -> bool:
    """Whether an item is None, NaN, NA or a string of blanks."""
    if isinstance(item, str):
        return not item.strip()
    return bool(pd.api.types.is_scalar(item) and pd.isna(item))


def checked_pixels(item: Any) -> NDArray[np.float32]:
    """Brightness in [0, 1] of an array of pixels as displayed; shape (rows, columns)."""
    allowed = "give a path, or a 2-D array of uint8 from 0 to 255 or of float from 0 to 1"
    if not isinstance(item, np.ndarray):
        raise InputError(f"the image is a {type(item).__name__}; {allowed}")
    if item.ndim != 2 or item.size == 0:
        raise InputError(f"the image is an array of shape {item.shape}; {allowed}")
    if item.dtype != np.uint8 and item.dtype.kind != "f":
        raise InputError(f"the image is an array of {item.dtype}; {allowed}")
    # written so that NaN fails it
    if item.dtype != np.uint8 and not (item.min() >= 0 and item.max() <= 1):
        raise InputError(f"the image has float pixels outside 0 to 1 or not finite; {allowed}")
    if item.min() == item.max():
        raise InputError("the image is blank: all its pixels are alike; give the film itself")
    scale = 255 if item.dtype == np.uint8 else 1
    return item.astype(np.float32) / np.float32(scale)
