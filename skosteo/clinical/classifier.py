"""The clinical model of the paper: a small net on a table of numbers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data
from torch import Tensor, from_numpy, nn

from skosteo.nets.heads import Head
from skosteo.training.net_classifier import NetClassifier


class ClinicalOsteoClassifier(NetClassifier):
    """Standardise the columns, then one hidden layer of 50 neurons to one probability.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(50,)
        Neurons of the hidden layers.
    dropout : float, default=0.25
        Share of hidden neurons silenced in training, in [0, 1).
    lr : float, default=1e-3
        Learning rate of Adam in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=32
        Rows a step. More than there are rows to train on is an error.
    max_epochs : int, default=200
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
        Decides split, weights, shuffling and dropout.
    verbose : int, default=0
        1 shows a progress bar over epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    net_ : skorch.NeuralNet
        The trained net; the torch module is ``net_.module_``.
    scaler_ : StandardScaler
        Mean and standard deviation of the rows given to `fit`.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds.
    n_iter_ : int
        Epochs run.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if they had names.

    Notes
    -----
    Net and arithmetic are in double precision: at this size it costs no time, and a patient's
    probability does not depend on who else is in the batch. The learning rate of the paper, 1e-5,
    is its image model's; so small a net needs 1e-3.

    Columns must be numbers without gaps: put a `ClinicalPreprocessor` or an imputer in front.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> age, bmi = rng.normal(69, 10, 200), rng.normal(24, 4, 200)
    >>> y = age - bmi + rng.normal(0, 10, 200) > 45
    >>> model = ClinicalOsteoClassifier(max_epochs=30, random_state=0)
    >>> model.fit(np.column_stack([age, bmi]), y).predict_proba([[85, 19]])[0, 1] > 0.5
    np.True_
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (50,),
        dropout: float = 0.25,
        lr: float = 1e-3,
        batch_size: int = 32,
        max_epochs: int = 200,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 20,
        class_weight: str | dict | None = "balanced",
        device: str = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
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

    def _read(self, X: Any, *, reset: bool) -> Tensor:
        matrix = validate_data(self, X, reset=reset, dtype=np.float64)
        if reset:
            self.scaler_ = StandardScaler().fit(matrix)
        return from_numpy(self.scaler_.transform(matrix))

    def _module_factory(self, inputs: Tensor) -> Callable[[], nn.Module]:
        return partial(_double_head, inputs.shape[1], self.hidden_layer_sizes, self.dropout)


def _double_head(n_features: int, hidden_layer_sizes: Sequence[int], dropout: float) -> nn.Module:
    return Head(n_features, hidden_layer_sizes, dropout).double()
