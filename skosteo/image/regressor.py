"""Bone density, or a T-score, from radiographs."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, ClassVar

import torch
from numpy.random import RandomState

from skosteo.image.film_net import FilmNet
from skosteo.training.net_regressor import NetRegressor


class ImageOsteoRegressor(FilmNet, NetRegressor):
    """The image model with a Gaussian head: films to a mean and a spread of each site's density.

    Parameters
    ----------
    image_column : str or None, default="image"
        Column of a DataFrame that holds the films; None: every column is a pixel.
    backbone : str, default="resnet50"
        "cnn", or a network of timm.
    pretrained : bool or path, default=True
        True fetches weights by the name of the backbone, False starts at random, a path reads a
        state dict.
    image_size : int or None, default=None
        Side in pixels to which films are padded and resampled; None: that of the backbone.
    wavelet : bool, default=True
        Whether a branch of the Haar transform follows the backbone.
    soft_attention : bool, default=True
        Whether a branch of soft attention follows the backbone. `attention_map` shows it.
    gradient_fusion : {"running", "batch", "fixed", "reference", "learned"}, default="running"
        How the two branches are weighed; the gradients are those of the likelihood.
    hidden_layer_sizes : sequence of int, default=(1024, 512, 256)
        Neurons of the hidden layers of the head.
    dropout : float, default=0.25
        Proportion of hidden neurons set to 0 in training, in [0, 1).
    freeze_backbone : bool or "stem", default=False
        True: train the layers behind the backbone only; "stem": all but the stem and first stage.
    augmentation : {"chest", "paper"} or None, default="chest"
        Random views of each film in training.
    lr : float, default=1e-5
        Learning rate of the optimiser in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=32
        Films a step; clipped, with a warning, to the films that there are to train on.
    max_epochs : int, default=100
        Passes over the training films, at most.
    early_stopping : bool, default=True
        Set films aside, by patient where `fit` is given ``groups``. Their loss says when to stop,
        and they say how wide the spreads must be: without them the spreads are too narrow.
    validation_fraction : float, default=0.2
        Proportion of films set aside, in (0, 0.5].
    n_iter_no_change : int, default=20
        Patience of early stopping, epochs.
    optimizer : class, default=torch.optim.Adam
        Optimiser of `torch.optim`.
    callbacks : list of skorch callbacks or None, default=None
        As in skorch: callbacks, or (name, callback).
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    cache_dir : path or None, default=None
        Folder that keeps decoded films between fits, and what a frozen backbone makes of them.
    ignore_rules : iterable of str, default=()
        Rules of `skosteo.dicom.RULES` by which no film is refused.
    n_jobs : int or None, default=None
        Number of films decoded at a time, as in joblib.
    random_state : int, RandomState or None, default=None
        Decides split, weights, shuffling, dropout and augmentation.
    verbose : int, default=0
        1 shows a progress bar over epochs.
    **module__params
        Parameters of skorch's net, by its names.

    Attributes
    ----------
    sites_ : list of str
        Names of the sites: of the columns of y; "y", or "y0", "y1", ..., where it has none.
    spread_factor_ : ndarray of shape (k,)
        What the net's spreads are multiplied by, so that 90 % intervals hold 90 % of the films set
        aside.
    net_ : skorch.NeuralNetRegressor
        The trained net. It takes what `net_inputs` gives, and gives means and logarithms of
        spreads, (n, 2k), of standardised densities.
    reader_, pixel_range_, gradient_weights_, n_iter_, n_features_in_, feature_names_in_
        As in `ImageOsteoClassifier`.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, lr, seconds and, with both branches,
        g_wavelet and g_attention. Without early stopping there is no valid_loss.

    Notes
    -----
    Parameters that are also those of `ImageOsteoClassifier` are described there at length, and X
    may be what it may be there. y is as in `ClinicalOsteoRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> t_score = rng.normal(-1, 1, 64)
    >>> films = rng.integers(0, 50, (64, 16, 16)) + 40 * (t_score[:, None, None] + 4).clip(0, 5)
    >>> model = ImageOsteoRegressor(
    ...     backbone="cnn", pretrained=False, hidden_layer_sizes=(32,), lr=1e-3, max_epochs=15,
    ...     random_state=0,
    ... )
    >>> model.fit(films.astype(np.uint8), t_score).score(films.astype(np.uint8), t_score) > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **NetRegressor._parameter_constraints,
        **FilmNet._parameter_constraints,
    }

    def __init__(
        self,
        image_column: str | None = "image",
        backbone: str = "resnet50",
        *,
        pretrained: bool | str | PathLike = True,
        image_size: int | None = None,
        wavelet: bool = True,
        soft_attention: bool = True,
        gradient_fusion: str = "running",
        hidden_layer_sizes: Sequence[int] = (1024, 512, 256),
        dropout: float = 0.25,
        freeze_backbone: bool | str = False,
        augmentation: str | None = "chest",
        lr: float = 1e-5,
        batch_size: int = 32,
        max_epochs: int = 100,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 20,
        optimizer: type = torch.optim.Adam,
        callbacks: list | None = None,
        device: str = "auto",
        cache_dir: str | PathLike | None = None,
        ignore_rules: Iterable[str] = (),
        n_jobs: int | None = None,
        random_state: int | RandomState | None = None,
        verbose: int = 0,
        **module__params: Any,
    ) -> None:
        self.image_column = image_column
        self.backbone = backbone
        self.pretrained = pretrained
        self.image_size = image_size
        self.wavelet = wavelet
        self.soft_attention = soft_attention
        self.gradient_fusion = gradient_fusion
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.freeze_backbone = freeze_backbone
        self.augmentation = augmentation
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.device = device
        self.cache_dir = cache_dir
        self.ignore_rules = ignore_rules
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self._set_skorch_params(module__params)
