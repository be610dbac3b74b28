"""What the image models share: films, a backbone with its branches, and a head."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skosteo.dicom.rules import MAX_SIDE
from skosteo.image.embedding import embed_films
from skosteo.image.film_column import FilmColumn
from skosteo.nets.augmentation import PRESETS
from skosteo.nets.gradient_fusion import MODES
from skosteo.nets.heads import check_hidden_layer_sizes
from skosteo.nets.image_net import ImageNet
from skosteo.training.data import Inputs
from skosteo.training.inference import batched_forward
from skosteo.training.net import WeightedNet
from skosteo.training.net_estimator import NetEstimator, Plan


class FilmNet(FilmColumn, NetEstimator):
    """Part of an estimator of an image net, before a base of its target."""

    wavelet: bool
    soft_attention: bool
    gradient_fusion: str
    hidden_layer_sizes: Sequence[int]
    dropout: float
    freeze_backbone: bool | str
    augmentation: str | None

    _module_class = ImageNet
    _parameter_constraints: ClassVar[dict] = {
        "image_size": [Interval(Integral, 1, MAX_SIDE, closed="both"), None],
        "wavelet": [bool],
        "soft_attention": [bool],
        "gradient_fusion": [StrOptions(set(MODES))],
        "freeze_backbone": [bool, StrOptions({"stem"})],
        "augmentation": [StrOptions(set(PRESETS)), None],
    }

    @property
    def gradient_weights_(self) -> NDArray[np.float64]:
        """Weights g_wavelet and g_attention of equation 1, as predictions use them."""
        check_is_fitted(self)
        facts = self.net_.module_.facts()
        if not facts:
            raise AttributeError("gradient_weights_: the model has not both branches")
        return np.array([facts["g_wavelet"], facts["g_attention"]])

    def _has_attention(self) -> bool:
        fitted = hasattr(self, "net_")
        if not (self.net_.module_.attention is not None if fitted else self.soft_attention):
            raise AttributeError("attention_map: only with soft_attention=True")
        return True

    @available_if(_has_attention)
    def attention_map(self, X: Any) -> NDArray[np.float32]:
        """Return where on each film the soft attention lies; only with ``soft_attention=True``.

        Parameters
        ----------
        X : DataFrame or array-like
            Films as in `fit`.

        Returns
        -------
        ndarray of float32, shape (n, h, w)
            Of the size of the backbone's feature map, 7 x 7 for "resnet50". All is positive, and
            the sum over a film is 16, the number of heads.
        """
        inputs, show = self.net_inputs(X), self.net_.module_.attention_map
        return batched_forward(self.net_, lambda some: show(**some), inputs).numpy()

    def _inputs(self, X: Any, *, plan: Plan | None) -> Inputs:
        return {"films": self.read_films(X, reset=plan is not None)}

    def _module_parameters(self, inputs: Inputs) -> dict[str, Any]:
        return {
            "hidden_layer_sizes": self.hidden_layer_sizes,
            "dropout": self.dropout,
            **self._head_parameters(),
            **self.trunk_parameters(inputs["films"]),
        }

    def trunk_parameters(self, films: Tensor) -> dict[str, Any]:
        """Parameters of the net but for its head, for films (n, c, h, w).

        For developers: fusions put a head of their own behind it.
        """
        return {
            "backbone": self.backbone,
            "pretrained": self.pretrained,
            "pixel_range": self.pixel_range_,
            "film_shape": tuple(films.shape[2:]),
            "wavelet": self.wavelet,
            "soft_attention": self.soft_attention,
            "gradient_fusion": self.gradient_fusion,
            "augmentation": self.augmentation,
            "freeze_backbone": self.freeze_backbone,
        }

    def _embeds(self) -> bool:
        return self.freeze_backbone is True and self.augmentation is None

    def _embed(self, net: WeightedNet, inputs: Inputs) -> Inputs:
        return embed_films(net, inputs, cache_dir=self.reader_.cache_dir)

    def _validate_params(self) -> None:
        super()._validate_params()
        check_hidden_layer_sizes(self.hidden_layer_sizes)
