"""Feature fusion: one net on the radiograph and the clinical values of a patient together."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skosteo.clinical import ClinicalPreprocessor
from skosteo.exceptions import InputError
from skosteo.fusion.columns import presence, validate_table
from skosteo.fusion.out_of_fold import validate_steps
from skosteo.fusion.study_reader import StudyReader
from skosteo.image.classifier import ImageOsteoClassifier
from skosteo.image.embedding import embed_films
from skosteo.nets.feature_fusion import FeatureFusionNet
from skosteo.training.data import Inputs
from skosteo.training.inference import batched_forward
from skosteo.training.net import WeightedNet
from skosteo.training.net_classifier import NetClassifier
from skosteo.training.net_estimator import Plan


class FeatureFusionClassifier(NetClassifier):
    """Fuse the image features of a radiograph with the clinical values, by one net.

    Parameters
    ----------
    image : ImageOsteoClassifier or None, default=None
        How radiographs are read and what net sees them; None: an `ImageOsteoClassifier`. The
        fusion replaces its head.
    clinical : transformer or None, default=None
        From the clinical columns to numbers, which are then standardised. None: a
        `ClinicalPreprocessor`; with "attention" one that leaves missing values as they are.
    strategy : {"concat", "learned", "attention"}, default="concat"
        "concat": image features and clinical values side by side, then 1024, 512 and 256 neurons.
        "learned": each side through 512, 256 and 128 neurons, then both through 128 and 64.
        "attention": the positions of the feature map and the clinical variables attend to each
        other; see `skosteo.nets.cross_attention.CrossAttention`. Missing values need no filling,
        and an image or all clinical values may be missing. The wavelet and the soft-attention
        branch of `image` have no part in it.
    image_branch : {"frozen", "fine-tuned"}, default="frozen"
        "frozen": fit `image` first, on the rows that are not set aside for early stopping, and keep
        what it has learnt as it is. An `image` whose net is frozen but for its head needs no such
        fit. "fine-tuned": train it together with the fusion; choose a small `lr`, such as 1e-5.
    clinical_columns : list of str or None, default=None
        Clinical columns; None: all but the image column.
    dropout : float, default=0.25
        Proportion of hidden neurons set to 0 in training, in [0, 1).
    lr : float, default=1e-4
        Learning rate of the optimiser in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=32
        Rows a step; clipped, with a warning, to the rows that there are to train on.
    max_epochs : int, default=100
        Passes over the training rows, at most.
    early_stopping : bool, default=True
        Set rows aside, stop when their loss has not fallen for `n_iter_no_change` epochs, and keep
        the weights of the best epoch. The split is stratified, shuffled and, with ``groups`` in
        `fit`, keeps each patient on one side.
    validation_fraction : float, default=0.2
        Proportion of rows set aside, in (0, 0.5].
    n_iter_no_change : int, default=20
        Patience of early stopping, epochs.
    class_weight : "balanced", dict or None, default=None
        "balanced" weighs a class by n / (2 n_class) of the rows trained on, as the paper does. The
        model then gives no risks any more: measured on NHANES, a clinical net's mean probability is
        .35 where .05 of the people are cases. None: a probability is a risk in a population like
        that of `fit`.
    optimizer : class, default=torch.optim.Adam
        Optimiser of `torch.optim`.
    callbacks : list of skorch callbacks or None, default=None
        As in skorch: callbacks, or (name, callback). An `LRScheduler` takes the place of the
        learning rate's own fall.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    random_state : int, RandomState or None, default=None
        Decides split, weights, shuffling, dropout and augmentation, and an `image` that is None.
    verbose : int, default=0
        1 shows a progress bar over epochs.
    **module__params
        Parameters of skorch's net, by its names: ``optimizer__weight_decay=1e-4``,
        ``module__dropout=0.5``, ``callbacks__name__parameter``.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    image_ : ImageOsteoClassifier
        Reads the radiographs. Fitted on the rows of `fit` where ``image_branch="frozen"`` asks for
        it.
    clinical_ : transformer
        Fitted on the rows of `fit`.
    scaler_ : StandardScaler
        Mean and standard deviation of the clinical numbers.
    strategy_ : str
        Strategy of the fit.
    net_ : skorch.NeuralNetBinaryClassifier
        The trained net; the torch module is ``net_.module_``. It takes what `net_inputs` gives.
    columns_ : dict of str to list of str
        Columns that each side sees; empty where X was an array, which both see whole.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds. Without
        early stopping there are no valid_loss and valid_accuracy.
    n_iter_ : int
        Epochs run.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    "concat" and "learned" are the FF and LFF of the paper, with the neurons of Schilcher et al.,
    whose names they are; the paper does not give its own. A frozen image branch has seen the rows
    that the fusion learns from, and its features tell them apart better than they ever will new
    ones: `ProbabilityFusionClassifier` is free of that.

    `fit` keeps in memory the features of a frozen backbone: for "attention" its whole map, .25 MB
    an image with "efficientnet_lite0" and .4 MB with "resnet50" at 224 pixels.

    The paper names attention between the modalities as future work.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Schilcher J et al. Comput Biol Med 2024. doi:10.1016/j.compbiomed.2023.107704

    Examples
    --------
    >>> from skosteo import FeatureFusionClassifier, ImageOsteoClassifier
    >>> from skosteo.datasets import make_cohort
    >>> cohort = make_cohort(40, random_state=0)
    >>> image = ImageOsteoClassifier(
    ...     backbone="cnn", pretrained=False, image_size=32, freeze_backbone=True,
    ...     wavelet=False, soft_attention=False, augmentation=None,
    ... )
    >>> model = FeatureFusionClassifier(
    ...     image, strategy="attention", batch_size=16, max_epochs=2, random_state=0
    ... )
    >>> model.fit(cohort.data, cohort.target).predict_proba(cohort.data).shape
    (40, 2)
    >>> model.attention(cohort.data).clinical.shape  # a column per clinical variable
    (40, 11)
    """

    _reader: StudyReader

    _module_class = FeatureFusionNet
    _parameter_constraints: ClassVar[dict] = {
        **NetClassifier._parameter_constraints,
        "strategy": [StrOptions({"concat", "learned", "attention"})],
        "image_branch": [StrOptions({"frozen", "fine-tuned"})],
    }

    def __init__(
        self,
        image: ImageOsteoClassifier | None = None,
        clinical: Any = None,
        *,
        strategy: str = "concat",
        image_branch: str = "frozen",
        clinical_columns: list[str] | None = None,
        dropout: float = 0.25,
        lr: float = 1e-4,
        batch_size: int = 32,
        max_epochs: int = 100,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 20,
        class_weight: str | Mapping | None = None,
        optimizer: type = torch.optim.Adam,
        callbacks: list | None = None,
        device: str = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
        **module__params: Any,
    ) -> None:
        self.image = image
        self.clinical = clinical
        self.strategy = strategy
        self.image_branch = image_branch
        self.clinical_columns = clinical_columns
        self.dropout = dropout
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
        self.random_state = random_state
        self.verbose = verbose
        self._set_skorch_params(module__params)

    def branches_used(self, X: Any) -> pd.DataFrame:
        """Say for each row which sides hold anything to look at.

        Returns
        -------
        DataFrame of bool, shape (n, 2)
            Columns image and clinical.
        """
        check_is_fitted(self)
        return presence(self._reader.parts(self._check(X, reset=False)))

    def _attends(self) -> bool:
        strategy = getattr(self, "strategy_", self.strategy)
        if strategy != "attention":
            raise AttributeError(
                f"strategy={strategy!r} has no attention to show. Set it to 'attention', and fit."
            )
        return True

    @available_if(_attends)
    def attention(self, X: Any) -> Bunch:
        """Return where image and clinical values look at each other; only with that strategy.

        Parameters
        ----------
        X : DataFrame or array-like
            Rows as in `fit`.

        Returns
        -------
        Bunch
            image : ndarray of float32, shape (n, h, w)
                Weight of each position of the feature map for the clinical variables.
            clinical : DataFrame of shape (n, n_variables)
                Weight of each variable for the positions.

            The sum over a row of either is 1. Means over heads and tokens, of the last layer. NaN
            where a row has no image or no clinical value: there is nothing to look at.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        module, inputs = self.net_.module_, self._reader.read(X)
        show, names = module.attention, self._reader.variable_names
        weights = batched_forward(self.net_, lambda some: show(**some), inputs).numpy()
        used = inputs["has_film"] & ~inputs["table"].isnan().all(dim=1)
        weights[~used.numpy()] = np.nan
        index = X.index if isinstance(X, pd.DataFrame) else None
        return Bunch(
            image=weights[:, : -len(names)].reshape(-1, *module.map_shape),
            clinical=pd.DataFrame(weights[:, -len(names) :], index, names),
        )

    def _inputs(self, X: Any, *, plan: Plan | None) -> Inputs:
        X = self._check(X, reset=plan is not None)
        if plan is None:
            return self._reader.read(X)
        reader = self._make_reader()
        inputs = reader.fit_read(X, plan)
        self._reader, self.strategy_ = reader, self.strategy
        self._name_parts()
        return inputs

    def _name_parts(self) -> None:
        reader = self._reader
        self.columns_, self.scaler_ = reader.columns, reader.scaler
        self.image_, self.clinical_ = reader.image, reader.clinical

    def __getstate__(self) -> dict[str, Any]:
        """As of all nets; what the reader of studies knows once."""
        state = super().__getstate__()
        if "_reader" in state:
            for name in ("columns_", "scaler_", "image_", "clinical_"):
                del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_reader" in state:
            self._name_parts()

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.image is not None and not isinstance(self.image, ImageOsteoClassifier):
            raise InputError(
                f"image={type(self.image).__name__}: the fusion needs the features of an "
                "ImageOsteoClassifier. Others can be a branch of ProbabilityFusionClassifier."
            )
        image = self._image()
        if self.image_branch == "fine-tuned" and image.freeze_backbone is True:
            raise InputError(
                "image_branch='fine-tuned', but image has freeze_backbone=True. Set one of the two "
                "otherwise: image_branch='frozen', or freeze_backbone=False."
            )
        validate_steps(image)
        validate_steps(self._clinical())

    def _make_reader(self) -> StudyReader:
        image = self._image()
        learns = image.freeze_backbone is not True or image.wavelet or image.soft_attention
        return StudyReader(
            image,
            self._clinical(),
            self.clinical_columns,
            needs_all=self.strategy != "attention",
            # where it has anything to learn but its head
            fit_image=self.image_branch == "frozen" and learns,
        )

    def _image(self) -> ImageOsteoClassifier:
        image = ImageOsteoClassifier(random_state=self.random_state)
        image = clone(image if self.image is None else self.image)
        if self.strategy == "attention":
            image.set_params(wavelet=False, soft_attention=False)
        return image

    def _clinical(self) -> Any:
        if self.clinical is not None:
            return clone(self.clinical)
        return ClinicalPreprocessor(imputation="keep" if self.strategy == "attention" else None)

    def _check(self, X: Any, *, reset: bool) -> Any:
        by_name = not reset and self.image_.image_column is not None
        return validate_table(self, X, reset=reset, by_name=by_name, dtype="numeric")

    def _module_parameters(self, inputs: Inputs) -> dict[str, Any]:
        trunk, frozen = self.image_.trunk_parameters(inputs["films"]), self._reader.fit_image
        if frozen:
            trunk |= {"pretrained": False, "augmentation": None}
        return {
            "strategy": self.strategy,
            "trunk": trunk,
            "freeze_trunk": frozen,
            "variables": self._reader.variables,
            "dropout": self.dropout,
        }

    def _prepare_net(self, net: WeightedNet, plan: Plan, weights: NDArray[np.float64]) -> None:
        if self._reader.fit_image:
            net.module_.load_trunk(self.image_.net_.module_.state_dict())

    def _embeds(self) -> bool:
        image = self.image_
        still = image.freeze_backbone is True and image.augmentation is None
        return self._reader.fit_image or still

    def _embed(self, net: WeightedNet, inputs: Inputs) -> Inputs:
        return embed_films(net, inputs, cache_dir=self.image_.reader_.cache_dir)
