"""What nets of films have in common: a table, a column or an array to pixels."""

from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data
from torch import Tensor, from_numpy

from skosteo._validation import check_image_column, name_columns
from skosteo.dicom.sources import is_source
from skosteo.exceptions import InputError
from skosteo.image.arrays import check_scale, pixel_range, typical_range
from skosteo.image.film_estimator import FilmEstimator, check_all_read
from skosteo.image.film_rows import FilmRows
from skosteo.image.reader import RadiographReader
from skosteo.nets.backbone import check_backbone

# What these were built for; the paper, like most, gives all others 224
_DEFAULT_SIZE = {"inception_v3": 299, "efficientnet_lite1": 240, "efficientnet_lite2": 260}


class FilmColumn(FilmEstimator):
    """Part of an estimator of a net whose X holds films: how it reads them, in `fit` and after it.

    It comes before scikit-learn's `BaseEstimator` among the bases.
    """

    image_column: str | None
    backbone: str
    pretrained: bool | str | PathLike
    image_size: int | None

    # learnt by `read_films`, beside what all estimators of films learn
    pixel_range_: tuple[float, float]

    def _validate_params(self) -> None:
        super()._validate_params()  # type: ignore[misc]
        check_backbone(self.backbone, self.pretrained)
        self._reader().check_parameters()

    def read_films(self, X: Any, *, reset: bool) -> Any:
        """Films of X as the net takes them, (n, c, h, w); with ``reset`` learn what X looks like.

        A tensor, or `FilmRows` where they come from files. For developers: fusions read films as
        their image branch does.
        """
        if reset:
            self._validate_params()
            self.reader_ = self._reader()
        films = self._film_column(X, reset=reset)
        inputs: Tensor | FilmRows
        if films is None:
            inputs = from_numpy(self._read_arrays(X, reset=reset))
        else:
            inputs = FilmRows(self._read_files(films, reset=reset))
        dtype = str(inputs.dtype).removeprefix("torch.")
        if reset:
            self.pixel_range_, self._pixel_dtype = pixel_range(inputs), dtype
            self._film_shape = tuple(inputs.shape[1:]) if films is None else None
            self._typical_range = typical_range(inputs)
        elif dtype != self._pixel_dtype:
            raise InputError(
                f"The model was fitted on {self._pixel_dtype} films and X holds {dtype}: "
                "their scales differ. Films from files and uint8 arrays are of one kind, all other "
                "arrays of another; give films as in fit."
            )
        elif isinstance(inputs, Tensor) and inputs.is_floating_point():
            check_scale(inputs, *self.pixel_range_, self._typical_range)
        return inputs

    def _reader(self) -> RadiographReader:
        size = self.image_size
        if size is None:
            size = _DEFAULT_SIZE.get(self.backbone, 224)
        return self._reader_of(size)

    def _film_column(self, X: Any, *, reset: bool) -> Any:
        """Return the films that X refers to, or None when X itself holds pixels."""
        if reset:
            self._column = self.image_column if isinstance(X, pd.DataFrame) else None
        elif self._column is not None:
            X = name_columns(self, X)
        if self._column is not None and isinstance(X, pd.DataFrame):
            remedy = (
                "Name the column that holds the films, or set image_column=None when every column "
                "is a pixel."
            )
            check_image_column(X, self._column, remedy)
            if reset:
                validate_data(self, X, skip_check_array=True)
            return X[self._column]
        if not _is_column_of_films(X):
            return None
        if reset:
            self.n_features_in_ = 1
        return X

    def _read_arrays(self, X: Any, *, reset: bool) -> NDArray:
        pixels = validate_data(self, X, reset=reset, allow_nd=True, dtype="numeric")
        if pixels.ndim == 2:
            pixels = pixels[:, None, :]
        else:
            check_all_read(pixels)
        if pixels.ndim == 3:
            pixels = pixels[:, None]
        if pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
            raise InputError(
                f"X has shape {np.shape(X)}. Films are (n, h, w), or (n, c, h, w) with c = 1 or 3."
            )
        # contiguous, and of a type that torch shares without a copy
        dtype = np.uint8 if pixels.dtype == np.uint8 else np.float32
        return np.ascontiguousarray(pixels, dtype=dtype)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.three_d_array = True
        return tags


def _is_column_of_films(X: Any) -> bool:
    if isinstance(X, list):
        return bool(X) and is_source(X[0])
    if not isinstance(X, np.ndarray | pd.Series):
        return False
    return (X.ndim == 1 or X.shape[1:] == (1,)) and not pd.api.types.is_numeric_dtype(X.dtype)
