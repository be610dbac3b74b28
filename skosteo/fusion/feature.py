"""Feature fusion: one net that sees the film and the clinical values of a patient together."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch, _safe_indexing
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, from_numpy, nn

from skosteo.clinical import ClinicalPreprocessor
from skosteo.exceptions import InputError
from skosteo.fusion.columns import (
    check_present,
    presence,
    present_rows,
    resolve_columns,
    split_columns,
)
from skosteo.image.classifier import ImageOsteoClassifier, features
from skosteo.nets.feature_fusion import FeatureFusionNet
from skosteo.training.data import Studies
from skosteo.training.fit import Net
from skosteo.training.inference import apply_in_passes
from skosteo.training.net_classifier import NetClassifier

_STRATEGIES = ("concat", "learned", "attention")
_BRANCHES = ("frozen", "fine-tuned")


class FeatureFusionClassifier(NetClassifier):
    """Fuse what the image branch makes of a film with the clinical values, by one net.

    Parameters
    ----------
    image : ImageOsteoClassifier or None, default=None
        How films are read and what net sees them; None: an `ImageOsteoClassifier`. Its head is
        replaced by the fusion.
    clinical : transformer or None, default=None
        From the clinical columns to numbers, which are then standardised. None: a
        `ClinicalPreprocessor`; with "attention" one that leaves gaps as they are.
    strategy : {"concat", "learned", "attention"}, default="concat"
        "concat": image features and clinical values side by side, then 1024, 512 and 256 neurons.
        "learned": each side through 512, 256 and 128 neurons, then both through 128 and 64.
        "attention": the positions of the feature map and the clinical variables attend to each
        other; see `skosteo.nets.cross_attention.CrossAttention`. Missing values need no filling,
        and a film or all clinical values may be missing. The wavelet and the soft-attention branch
        of `image` have no part in it.
    image_branch : {"frozen", "fine-tuned"}, default="frozen"
        "frozen": fit `image` first, on the rows that are not set aside for early stopping, and keep
        what it has learnt as it is. An `image` whose net is frozen but for its head needs no such
        fit. "fine-tuned": train it together with the fusion; choose a small `lr`, such as 1e-5.
    clinical_columns : list of str or None, default=None
        Clinical columns; None: all but the image column.
    dropout : float, default=0.25
        Share of hidden neurons silenced in training, in [0, 1).
    lr : float, default=1e-4
        Learning rate of Adam in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=32
        Rows a step. More than there are rows to train on is an error.
    max_epochs : int, default=100
        Passes over the training rows, at most.
    early_stopping : bool, default=True
        Set rows aside, stop when their loss has not fallen for `n_iter_no_change` epochs, and keep
        the weights of the best epoch. The split is stratified, shuffled and, with ``groups`` in
        `fit`, keeps each patient on one side.
    validation_fraction : float, default=0.2
        Share of rows set aside, in (0, 0.5].
    n_iter_no_change : int, default=20
        Patience of early stopping, epochs.
    class_weight : "balanced", dict or None, default="balanced"
        "balanced" weighs a class by n / (2 n_class) of the rows trained on.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    random_state : int, RandomState or None, default=None
        Decides split, weights, shuffling, dropout and augmentation, and an `image` that is None.
    verbose : int, default=0
        1 shows a progress bar over epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    image_ : ImageOsteoClassifier
        Reads the films. Fitted on the rows of `fit` where ``image_branch="frozen"`` asks for it.
    clinical_ : transformer
        Fitted on the rows of `fit`.
    scaler_ : StandardScaler
        Mean and standard deviation of the clinical numbers.
    net_ : skorch.NeuralNet
        The trained net; the torch module is ``net_.module_``.
    columns_ : dict of str to list of str
        Columns that each side sees; empty where X was an array, which both see whole.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds.
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

    `fit` keeps in memory what a frozen backbone makes of each film: for "attention" its whole map,
    .25 MB a film with "efficientnet_lite0" and .4 MB with "resnet50" at 224 pixels.

    The paper names attention between the modalities as future work.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Schilcher J et al. Comput Biol Med 2024. doi:10.1016/j.compbiomed.2023.107704

    Examples
    --------
    >>> from skosteo import FeatureFusionClassifier, ImageOsteoClassifier
    >>> from skosteo.datasets import make_cohort
    >>> cohort = make_cohort(60, random_state=0)
    >>> image = ImageOsteoClassifier(
    ...     backbone="cnn", pretrained=False, image_size=32, freeze_backbone=True,
    ...     wavelet=False, soft_attention=False, augmentation=None,
    ... )
    >>> model = FeatureFusionClassifier(
    ...     image, strategy="attention", batch_size=16, max_epochs=2, random_state=0
    ... )
    >>> model.fit(cohort.data, cohort.target).predict_proba(cohort.data).shape
    (60, 2)
    >>> model.attention(cohort.data).clinical.shape  # a column per clinical variable
    (60, 11)
    """

    _no_film: Tensor  # (1, c, h, w)

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
        class_weight: str | dict | None = "balanced",
        device: str = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
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
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def branches_used(self, X: Any) -> pd.DataFrame:
        """Say for each row which sides hold anything to look at.

        Returns
        -------
        DataFrame of bool, shape (n, 2)
            Columns image and clinical.
        """
        check_is_fitted(self)
        return presence(split_columns(self._check(X, reset=False), self.columns_))

    def attention(self, X: Any) -> Bunch:
        """Return where film and clinical values look at each other, with ``strategy="attention"``.

        Parameters
        ----------
        X : DataFrame or array-like
            Rows as in `fit`.

        Returns
        -------
        Bunch
            image : ndarray of float32, shape (n, h, w)
                Share of each position of the feature map in what the clinical variables look at.
            clinical : DataFrame of shape (n, n_variables)
                Share of each variable in what the positions look at.

            The sum over a row of either is 1. Means over heads and tokens, of the last layer. NaN
            where a row has no film or no clinical value: there is nothing to look at.

        Raises
        ------
        InputError
            The strategy is another.
        """
        check_is_fitted(self)
        if self.strategy != "attention":
            raise InputError(
                f"strategy={self.strategy!r} has no attention to show. Set it to 'attention'."
            )
        module, studies = self.net_.module_, self._read(X, reset=False)
        looks = apply_in_passes(self.net_, module.attention, studies).numpy()
        n_variables = len(self._variable_names)
        used = self.branches_used(X).to_numpy()
        looks[~used.all(axis=1)] = np.nan
        index = X.index if isinstance(X, pd.DataFrame) else None
        return Bunch(
            image=looks[:, :-n_variables].reshape(-1, *module.map_shape),
            clinical=pd.DataFrame(looks[:, -n_variables:], index, self._variable_names),
        )

    def _prepare(
        self, X: Any, y: NDArray, weights: NDArray, groups: NDArray | None, train_on: NDArray
    ) -> None:
        """Fit what reads the table and, where it is to be frozen, what reads the films."""
        for name, value, allowed in (
            ("strategy", self.strategy, _STRATEGIES),
            ("image_branch", self.image_branch, _BRANCHES),
        ):
            if value not in allowed:
                raise InputError(f"{name}={value!r}: allowed are {list(allowed)}.")
        image = self._image()
        self.columns_ = resolve_columns(X, image.image_column, self.clinical_columns, {})
        self.image_ = image
        film = split_columns(self._check(X, reset=True), self.columns_)["image"]
        has_film = present_rows(film)
        if not has_film.any():
            raise InputError(
                f"None of {len(has_film)} rows has a film to learn from. Give some, or fit the "
                "clinical side alone."
            )
        if self.image_branch == "fine-tuned" and image.freeze_backbone is True:
            raise InputError(
                "image_branch='fine-tuned', but image has freeze_backbone=True. Set one of the two "
                "otherwise: image_branch='frozen', or freeze_backbone=False."
            )
        parts = split_columns(self._check(X, reset=True), self.columns_)
        has_film, _ = self._check_modalities(parts)
        clinical = ClinicalPreprocessor() if self.clinical is None else clone(self.clinical)
        if self.clinical is None and self.strategy == "attention":
            clinical.set_params(imputation="keep")
        self.clinical_ = clinical.fit(parts["clinical"], y)
        if self.image_branch == "frozen" and self._learns_features():
            # not from the rows set aside, which must be as new to the features as patients to come
            rows = np.intersect1d(np.flatnonzero(has_film), train_on)
            patients = None if groups is None else groups[rows]
            image.fit(_safe_indexing(parts["image"], rows), y[rows], weights[rows], patients)

    def _image(self) -> ImageOsteoClassifier:
        image = self.image
        if image is None:
            image = ImageOsteoClassifier(random_state=self.random_state)
        elif not isinstance(image, ImageOsteoClassifier):
            raise InputError(
                f"image={type(image).__name__}: the fusion needs the features of an "
                "ImageOsteoClassifier. Others can be a branch of ProbabilityFusionClassifier."
            )
        image = clone(image)
        if self.strategy == "attention":
            image.set_params(wavelet=False, soft_attention=False)
        return image

    def _learns_features(self) -> bool:
        """Whether the image branch has anything to learn but its head."""
        image = self.image_
        return image.freeze_backbone is not True or image.wavelet or image.soft_attention

    def _check(self, X: Any, *, reset: bool) -> Any:
        if isinstance(X, pd.DataFrame):
            # other columns and their order do not matter, unless all are pixels
            if reset or self.image_.image_column is None:
                validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        return validate_data(self, X, reset=reset, dtype="numeric")

    def _read(self, X: Any, *, reset: bool) -> Studies:
        parts = split_columns(self._check(X, reset=reset), self.columns_)
        # `_prepare` has checked those of fit
        present = map(present_rows, parts.values()) if reset else self._check_modalities(parts)
        has_film, has_table = present
        films = self._read_films(parts["image"], has_film, reset=reset)
        numbers = self.clinical_.transform(parts["clinical"])
        if issparse(numbers):
            raise InputError(
                f"clinical={type(self.clinical_).__name__} gives a sparse matrix. Set its "
                "sparse_output=False, or the like."
            )
        if reset:
            self.scaler_ = StandardScaler().fit(numbers)  # of the values that are there
            self._variables, self._variable_names = self._group_columns(numbers.shape[1])
        table = np.array(self.scaler_.transform(numbers), dtype=np.float32)
        table[~has_table] = np.nan  # whatever a transformer has filled in
        if self.strategy != "attention" and np.isnan(table).any():
            raise InputError(
                f"clinical= leaves gaps, and strategy={self.strategy!r} takes none. Fill them, as "
                "ClinicalPreprocessor() does, or set strategy='attention'."
            )
        return Studies(films, from_numpy(table), from_numpy(has_film))

    def _check_modalities(self, parts: dict[str, Any]) -> list[NDArray[np.bool_]]:
        """Return which rows have a film, and which a table; refuse or report those that lack it."""
        present = {name: present_rows(part) for name, part in parts.items()}
        if self.strategy == "attention":
            check_present(parts, "The other side answers.")
        else:
            for name, there in present.items():
                if not there.all():
                    raise InputError(
                        f"{(~there).sum()} of {len(there)} rows hold nothing in the {name} "
                        f"columns, the first is row {(~there).argmax() + 1}. Leave them out, or "
                        "use strategy='attention' or ProbabilityFusionClassifier, which answer "
                        "from what is there."
                    )
        return [present["image"], present["clinical"]]

    def _read_films(self, part: Any, has_film: NDArray[np.bool_], *, reset: bool) -> Tensor:
        rows = np.flatnonzero(has_film)
        if len(rows) == 0 and not reset:
            return self._no_film.expand(len(has_film), *self._no_film.shape[1:])
        known = part if len(rows) == len(has_film) else _safe_indexing(part, rows)
        films = self.image_._read(known, reset=reset and not hasattr(self.image_, "net_"))
        if reset:
            self._no_film = torch.zeros_like(films[:1].to("cpu"))
        if len(rows) == len(has_film):
            return films
        every = self._no_film.repeat(len(has_film), 1, 1, 1)
        every[from_numpy(rows)] = films.to("cpu")
        return every

    def _group_columns(self, n_columns: int) -> tuple[tuple[int, ...], list[str]]:
        """For each column of the matrix its variable, and the names of the variables."""
        sources = getattr(self.clinical_, "source_columns_", None)
        if sources is None:
            sources = [f"x{i}" for i in range(n_columns)]
        numbers, names = pd.factorize(np.asarray(sources, dtype=object))
        return tuple(numbers.tolist()), list(names)

    def _module_factory(self, inputs: Studies) -> Callable[[], nn.Module]:
        trunk, weights = self.image_._trunk(inputs.films), None
        if hasattr(self.image_, "net_"):
            state = self.image_.net_.module_.state_dict()
            weights = {k: v.cpu() for k, v in state.items() if not k.startswith("head.")}
            trunk |= {"pretrained": False, "augmentation": None}
        return partial(
            FeatureFusionNet,
            strategy=self.strategy,
            trunk=trunk,
            trunk_weights=weights,
            variables=self._variables,
            dropout=self.dropout,
        )

    def _embedding(self) -> Callable[[Net, Studies], Studies] | None:
        frozen = hasattr(self.image_, "net_")
        if not frozen and (
            self.image_.freeze_backbone is not True or self.image_.augmentation is not None
        ):
            return None
        return partial(_with_features, cache_dir=self.image_.cache_dir)


def _with_features(net: Net, studies: Studies, cache_dir: Any) -> Studies:
    return Studies(features(net, studies.films, cache_dir), studies.table, studies.has_film)
