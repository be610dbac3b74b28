"""The image model: a convolutional net on radiographs."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

import torch
from numpy.random import RandomState

from skosteo.image.film_net import FilmNet
from skosteo.training.net_classifier import NetClassifier


class ImageOsteoClassifier(FilmNet, NetClassifier):
    """The paper's image model: a backbone, a wavelet and a soft-attention branch, and a head.

    Parameters
    ----------
    image_column : str or None, default="image"
        Column of a DataFrame that holds the films: paths of DICOM, PNG, JPEG or TIFF files, or
        2-D arrays with bone bright. None: every column of the DataFrame is a pixel.
    backbone : str, default="resnet50"
        "cnn", a plain net of four convolutions, or a network of timm: a convolutional one, such as
        "resnet50", "vgg16", "inception_v3", "efficientnet_lite0", or a vision transformer, such as
        "vit_small_patch14_dinov2", whose patches are the map that the branches see. A tag picks
        one of timm's weights by name: "resnet50.tv_in1k".
    pretrained : bool or path, default=True
        True fetches weights by that name (for "efficientnet_lite0", "1" and "2" from installed
        packages, without internet), False starts at random, a path reads a state dict of torch or
        safetensors: of timm's network, of DINOv2's, or of torchxrayvision's DenseNet.
    image_size : int or None, default=None
        Side in pixels to which films are padded and resampled; None: 299 for "inception_v3", 240
        for "efficientnet_lite1", 260 for "efficientnet_lite2", else 224. A transformer takes a
        multiple of its patches' side. Numeric arrays keep their own size.
    wavelet : bool, default=True
        Whether a branch of the Haar transform follows the backbone.
    soft_attention : bool, default=True
        Whether a branch of soft attention follows the backbone. `attention_map` shows it.
    gradient_fusion : {"running", "batch", "fixed", "reference", "learned"}, default="running"
        How the two branches are weighed, where both are there. "running": by equation 1, the
        gradients a running mean over the batches of the training; "batch": those of the batch
        itself, in training; "fixed": half and half, the honest control; "reference": the constant
        weights 1/3 and 1/2 of the published code that the block comes from; "learned": two weights
        that are trained like all others.
    hidden_layer_sizes : sequence of int, default=(1024, 512, 256)
        Neurons of the hidden layers of the head.
    dropout : float, default=0.25
        Proportion of hidden neurons set to 0 in training, in [0, 1).
    freeze_backbone : bool or "stem", default=False
        True: train the layers behind the backbone only. Without augmentation each film then passes
        the backbone once per fit instead of once per epoch and, with `cache_dir`, once for all
        folds, candidates and workers. `fit` keeps what comes of it in memory: with "resnet50" and
        a branch .4 MB a film. "stem": keep the stem and the first stage as they are, where the
        backbone has any.
    augmentation : {"chest", "paper"} or None, default="chest"
        Random views of each film in training. "chest": flipped left to right, turned by up to 10
        degrees, shifted and zoomed by up to 10 %, its contrast changed by up to 30 %. "paper": the
        same, but turned by up to 90 degrees, and also flipped upside down.
    lr : float, default=1e-5
        Learning rate of the optimiser in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=32
        Films a step; clipped, with a warning, to the films that there are to train on.
    max_epochs : int, default=100
        Passes over the training films, at most.
    early_stopping : bool, default=True
        Set films aside, stop when their loss has not fallen for `n_iter_no_change` epochs, and
        keep the weights of the best epoch. The split is stratified, shuffled and, with ``groups``
        in `fit`, keeps each patient on one side.
    validation_fraction : float, default=0.2
        Proportion of films set aside, in (0, 0.5].
    n_iter_no_change : int, default=20
        Patience of early stopping, epochs.
    class_weight : "balanced", dict or None, default=None
        "balanced" weighs a class by n / (2 n_class) of the films trained on, as the paper does. The
        model then gives no risks any more: on NHANES its mean probability is .35 where .05 of the
        people are cases. None: a probability is a risk in a population like that of `fit`.
    optimizer : class, default=torch.optim.Adam
        Optimiser of `torch.optim`.
    callbacks : list of skorch callbacks or None, default=None
        As in skorch: callbacks, or (name, callback). An `LRScheduler` takes the place of the
        learning rate's own fall.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    cache_dir : path or None, default=None
        Folder that keeps decoded films between fits, and what a frozen backbone makes of them;
        None decodes them each time. Cross-validation reads each film many times: give a folder
        there.
    ignore_rules : iterable of str, default=()
        Rules of `skosteo.dicom.RULES` by which no film is refused.
    n_jobs : int or None, default=None
        Number of films decoded at a time, as in joblib.
    random_state : int, RandomState or None, default=None
        Decides split, weights, shuffling, dropout and augmentation.
    verbose : int, default=0
        1 shows a progress bar over epochs.
    **module__params
        Parameters of skorch's net, by its names: ``optimizer__weight_decay=1e-4``,
        ``module__dropout=0.5``, ``callbacks__name__parameter``.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    net_ : skorch.NeuralNetBinaryClassifier
        The trained net; the torch module is ``net_.module_``. It takes what `net_inputs` gives.
    reader_ : RadiographReader
        Reads the films, in `predict` as in `fit`.
    pixel_range_ : (float, float)
        Pixel values that the net sees as black and white: (0, 255) for films from files and for
        uint8 arrays, else the extremes of the arrays given to `fit`.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds and, with
        both branches, g_wavelet and g_attention. Without early stopping there are no valid_loss and
        valid_accuracy.
    gradient_weights_ : ndarray of shape (2,)
        g_wavelet and g_attention of equation 1, as predictions use them: a branch has the weight
        1 - g. Only with both branches.
    n_iter_ : int
        Epochs run.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    X may also be an array: of paths, (n,) or (n, 1); of films, (n, h, w) or (n, c, h, w) with one
    or three channels; or a matrix, whose rows count as films of one row of pixels. In an
    array of films, one that is 0 throughout is refused: it was not read.

    Other columns of a DataFrame, and their order, do not matter.

    The rows of the paper's Table 3 are the two booleans, those of its Table 2 are `backbone` with
    both False. `skosteo.presets` has its recipe whole.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(48) % 2
    >>> films = rng.integers(0, 100, (48, 16, 16)) + 100 * y[:, None, None]
    >>> model = ImageOsteoClassifier(
    ...     backbone="cnn", pretrained=False, hidden_layer_sizes=(32,), lr=1e-3, max_epochs=10,
    ...     random_state=0,
    ... )
    >>> float(model.fit(films.astype(np.uint8), y).score(films.astype(np.uint8), y))
    1.0
    """

    _parameter_constraints: ClassVar[dict] = {
        **NetClassifier._parameter_constraints,
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
        class_weight: str | Mapping | None = None,
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
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.device = device
        self.cache_dir = cache_dir
        self.ignore_rules = ignore_rules
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self._set_skorch_params(module__params)
