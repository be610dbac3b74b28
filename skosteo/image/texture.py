"""`RadiographTexture`: a column of films -> texture as named columns of numbers."""

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from numbers import Real
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skosteo._validation import check_image_column, guess, name_columns, to_pandas
from skosteo.exceptions import DicomError, InputError, renumbered
from skosteo.image.embedding_cache import embeddings, other_shapes
from skosteo.image.film_cache import CacheError, go_on_without
from skosteo.image.film_estimator import FilmEstimator, check_all_read
from skosteo.image.films import Films, film_digest
from skosteo.image.reader import check_none_missing, film_items
from skosteo.image.texture_features import (
    FAMILIES,
    LEAST_SIDE,
    VERSION,
    check_installed,
    texture,
)

Region = Sequence[float]  # top, left, height, width

_WHOLE: dict[str, Region] = {"": (0, 0, 1, 1)}
_AT_A_TIME = 256  # films that are in memory
_ROUNDING = 1e-9  # of proportions that add up to 1


class RadiographTexture(FilmEstimator, TransformerMixin, BaseEstimator):
    """Describe the texture of each film by named numbers, for any classifier of tables.

    Gabor energies, local binary patterns, grey-level co-occurrence and wavelet energies, computed
    by scikit-image and PyWavelets: ``pip install 'skosteo[texture]'``. It learns nothing from the
    films of `fit`, so that no film tells anything of another.

    Parameters
    ----------
    image_column : str, default="image"
        Column of a DataFrame that holds the films: paths of DICOM, PNG, JPEG or TIFF files, or
        2-D arrays with bone bright. Other columns do not matter.
    families : sequence of {"gabor", "lbp", "glcm", "wavelet"}, default=all four
        Which features, in this order.
    regions : mapping of str to (top, left, height, width), default=None
        Parts of the film by name, each as proportions, 0 to 1, of the height and width of the film
        without its dark margins: ``{"clavicle_left": (0.05, 0.55, 0.1, 0.35)}``; the patient's left
        is on the right of a film. Each has all the features. ``"film": (0, 0, 1, 1)`` adds the
        whole; None is the whole alone.
    image_size : int, default=224
        Side in pixels to which films from files are padded and resampled; arrays (n, h, w) keep
        their size. It is the scale of all features: 224 pixels of 1.8 mm on a film of 40 cm show
        edges of ribs and vessels; trabeculae, of .1 to .2 mm, are finer than a pixel at 1,024 too.
        A film takes some 35 ms at 224, 165 ms at 512.
    cache_dir : path or None, default=None
        Folder that keeps decoded films, and their texture, between fits: each is computed once for
        all folds. It holds patients' images: protect it as the films themselves.
    ignore_rules : iterable of str, default=()
        Rules of `skosteo.dicom.RULES` by which no film is refused.
    n_jobs : int or None, default=None
        Number of films that are decoded and described at a time, as in joblib.

    Attributes
    ----------
    reader_ : RadiographReader
        Reads the films.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    First the margins are cut off, rows and columns at the border that are all as dark as the
    darkest pixel: what pads a film to a square is no part of it. Then the grey values of the film,
    or of a region, are brought to mean 0 and standard deviation 1. A change of exposure, grey = a g
    + b with a > 0, therefore changes no feature of any family, but for rounding and for what black
    or white swallows; contrast as such is no texture. Where all pixels are alike, there is none,
    and all features are 0.

    ===================================== ========================================================
    name                                  feature
    ===================================== ========================================================
    "gabor_0.1_45deg_energy"              mean squared modulus of the answer of a complex Gabor
                                          filter of one octave, of .1, .2 or .4 cycles per pixel,
                                          to grey that varies at 0 (to the right), 45, 90
                                          (downwards) or 135 degrees; .5 for a grating that fits
    "lbp_8_1_uniform_3"                   proportion of the pixels of whose 8 neighbours, at a
                                          radius of 1 or 2 pixels, 3 are as bright or brighter and
                                          lie side by side
    "lbp_8_1_other"                       proportion of the pixels where these do not
    "glcm_2px_contrast"                   contrast, dissimilarity, homogeneity, energy and
                                          correlation of the grey levels of pixels 1, 2 or 4
                                          pixels apart (rounded to whole ones on the diagonals),
                                          mean over 0, 45, 90 and 135 degrees; 32 levels from -3
                                          to 3 standard deviations
    "wavelet_haar_2_horizontal_energy"    energy per pixel of the horizontal (grey varies
                                          downwards), vertical or diagonal details of level 1, 2
                                          or 3, of 2, 4 and 8 pixels
    "wavelet_haar_3_approximation_energy" energy of what is left; with the details it is 1, but for
                                          the up to 7 rows and columns that fill no 8 pixels
    ===================================== ========================================================

    In front stands the region: "clavicle_left__lbp_8_1_other".

    References
    ----------
    Ojala T, Pietikainen M, Maenpaa T. IEEE Trans Pattern Anal Mach Intell 2002;24:971-987.
    doi:10.1109/TPAMI.2002.1017623

    Haralick RM, Shanmugam K, Dinstein I. IEEE Trans Syst Man Cybern 1973;3:610-621.
    doi:10.1109/TSMC.1973.4309314

    Examples
    --------
    >>> import numpy as np
    >>> stripes = np.tile(np.sin(2 * np.pi * 0.2 * np.arange(60)), (1, 60, 1))  # 5 pixels apart
    >>> gabor = RadiographTexture(families=["gabor"]).set_output(transform="pandas")
    >>> gabor.fit_transform(stripes)[["gabor_0.2_0deg_energy", "gabor_0.2_90deg_energy"]].round(1)
       gabor_0.2_0deg_energy  gabor_0.2_90deg_energy
    0                    0.5                     0.0
    """

    def __init__(
        self,
        image_column: str = "image",
        *,
        families: Sequence[str] = ("gabor", "lbp", "glcm", "wavelet"),
        regions: Mapping[str, Region] | None = None,
        image_size: int = 224,
        cache_dir: str | os.PathLike[str] | None = None,
        ignore_rules: Iterable[str] = (),
        n_jobs: int | None = None,
    ) -> None:
        self.image_column = image_column
        self.families = families
        self.regions = regions
        self.image_size = image_size
        self.cache_dir = cache_dir
        self.ignore_rules = ignore_rules
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the form of X; no film is opened.

        Parameters
        ----------
        X : DataFrame, column of n films, or ndarray of shape (n, h, w)
            As in `transform`.
        y : ignored
            Here because scikit-learn's pipelines pass it.

        Returns
        -------
        RadiographTexture
            This instance.

        Raises
        ------
        InputError
            A parameter is wrong, or X holds no films.
        ImportError
            scikit-image or PyWavelets is not installed.
        """
        check_installed()
        _check_families(self.families)
        _check_regions(self.regions)
        reader = self._reader_of(self.image_size)
        reader.check_parameters()
        self._films(X, reset=True)
        self.reader_ = reader
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Describe every film.

        Parameters
        ----------
        X : DataFrame, column of n films, or ndarray of shape (n, h, w)
            A table of pandas, polars or pyarrow with the column `image_column`; or films as
            `RadiographReader` takes them; or all pixels as one array of numbers, which is not
            resampled.

        Returns
        -------
        ndarray of shape (n, d), or a table after `set_output`
            In the order of `get_feature_names_out`. Finite; rounded to single precision, so that
            it is the same with and without `cache_dir`.

        Raises
        ------
        DicomError
            A film cannot be read. The message begins with the row, counted from 1.
        InputError
            X holds no films, or a film or region is less than 16 pixels wide or high.
        """
        check_is_fitted(self)
        check_installed()
        films = self._films(X, reset=False)
        n, found = len(films), []
        for start in range(0, n, _AT_A_TIME):
            some = films[start : start + _AT_A_TIME]
            try:
                found.append(self._described(some))
            except (DicomError, InputError) as error:
                raise renumbered(error, range(start, start + len(some)), n) from None
        return np.concatenate(found).astype(np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the features, those of a region behind its name: "hilum__glcm_1px_energy"."""
        check_is_fitted(self)
        names = [name for family in self.families for name in FAMILIES[family].names]
        if self.regions is not None:
            names = [f"{region}__{name}" for region in self.regions for name in names]
        return np.array(names, dtype=object)

    def _films(self, X: Any, *, reset: bool) -> list[Any] | NDArray:
        """Return the films that X refers to, as a list, or the pixels that it holds, (n, h, w)."""
        X = to_pandas(X)
        if not reset:
            X = name_columns(self, X)
        is_table = isinstance(X, pd.DataFrame)
        films: list[Any] | NDArray
        if isinstance(X, np.ndarray) and X.ndim == 3:
            check_all_read(pixels := check_array(X, allow_nd=True, dtype="numeric"))
            films = pixels
        else:
            if is_table:
                check_image_column(X, self.image_column, "Name the column that holds the films.")
            films = film_items(X[self.image_column] if is_table else X)
            check_none_missing(films)
        if reset:
            self.n_features_in_ = 1
            self.__dict__.pop("feature_names_in_", None)
            self._column = self.image_column if is_table else None
            self._film_shape = films.shape[1:] if isinstance(films, np.ndarray) else None
            if is_table:
                validate_data(self, X, skip_check_array=True)
        return films

    def _described(self, films: list[Any] | NDArray) -> NDArray[np.float32]:
        """Texture (n, d) of some films, from the folder where it is there already."""
        folder = self.reader_.cache_dir
        pixels = films if isinstance(films, np.ndarray) else self._read_files(films)
        regions = _WHOLE if self.regions is None else dict(self.regions)

        def compute(rows: list[int]) -> NDArray[np.float32]:
            describe = joblib.delayed(_describe)
            found = joblib.Parallel(n_jobs=self.n_jobs)(
                describe(pixels[[row]][0], regions, self.families) for row in rows
            )
            for row, result in zip(rows, found, strict=True):
                if isinstance(result, InputError):
                    raise result.at_rows([row], len(films))
            return np.array(found, dtype=np.float32)

        every = list(range(len(films)))
        if folder is None:
            return compute(every)
        if isinstance(pixels, Films):
            digests = pixels.digests.astype(str).tolist()
        else:
            digests = [film_digest(film) for film in pixels]
        try:
            known = embeddings(digests, self._digest(regions), compute, folder)
            if known.shape != (len(films), len(self.get_feature_names_out())):
                raise other_shapes()
        except CacheError as error:
            go_on_without(error)
            return compute(every)
        return known

    def _digest(self, regions: Mapping[str, Region]) -> str:
        """Stand for all that decides the texture of a film."""
        libraries = [version(name) for name in ("scikit-image", "PyWavelets")]
        boxes = np.array([*regions.values()], dtype=np.float64)
        return joblib.hash(("texture", VERSION, [*self.families], boxes, libraries))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = tags.input_tags.string = True
        return tags


def _describe(
    film: NDArray, regions: Mapping[str, Region], families: Sequence[str]
) -> list[float] | InputError:
    """Texture of all regions of a film, one behind the other, or why there is none."""
    film = _without_margins(film)
    found: list[float] = []
    for name, (top, left, height, width) in regions.items():
        rows, columns = film.shape
        part = film[
            round(top * rows) : round((top + height) * rows),
            round(left * columns) : round((left + width) * columns),
        ]
        if min(part.shape) < LEAST_SIDE:
            what = f"the region {name!r}" if name else "the film"
            return InputError(
                f"{what} has {part.shape[0]} x {part.shape[1]} pixels without dark margins, and "
                f"texture takes {LEAST_SIDE} each way; give a larger region or image_size"
            )
        found += texture(part, families)
    return found


def _without_margins(film: NDArray) -> NDArray:
    """Cut off rows and columns at the border whose pixels are all as dark as the darkest."""
    bright = film > film.min()
    if not bright.any():
        return film
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    return film[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _check_families(families: Any) -> None:
    known = f"Known are {', '.join(map(repr, FAMILIES))}."
    if isinstance(families, str) or not isinstance(families, Sequence) or not len(families):
        raise InputError(f"families={families!r}: give a list with at least one. {known}")
    for name in families:
        if name not in FAMILIES:
            raise InputError(f"families names {name!r}{guess(name, FAMILIES)} {known}")
    if len(set(families)) < len(families):
        raise InputError(f"families={families!r} names one twice. Leave it out.")


def _check_regions(regions: Any) -> None:
    if regions is None:
        return
    if not isinstance(regions, Mapping) or not regions:
        raise InputError(
            f"regions is a {type(regions).__name__} without regions; give a mapping of names to "
            "(top, left, height, width), or None for the whole film."
        )
    for name, region in regions.items():
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"regions holds the name {name!r}; give a text that is not blank.")
        numbers = isinstance(region, Sequence) and all(isinstance(v, Real) for v in region)
        if not numbers or len(region) != 4:
            raise InputError(
                f"The region {name!r} is {region!r}; give (top, left, height, width), four "
                "proportions of the film from 0 to 1."
            )
        top, left, height, width = region
        inside = min(top, left) >= 0 and min(height, width) > 0
        if not (inside and top + height <= 1 + _ROUNDING and left + width <= 1 + _ROUNDING):
            raise InputError(
                f"The region {name!r} is {region!r}, outside the film or empty: top + height and "
                "left + width are at most 1, as proportions of the film's height and width."
            )
