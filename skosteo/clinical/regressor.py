"""Bone density, or a T-score, from a table of numbers."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from numpy.random import RandomState

from skosteo.clinical.table_net import TableNet
from skosteo.training.net_regressor import NetRegressor


class ClinicalOsteoRegressor(TableNet, NetRegressor):
    """Standardise the columns, then small nets that learn at once and give a mean and a spread.

    Each member adds a linear regression and a net of one hidden layer, for the mean and for the
    logarithm of the spread of every site. Members leave other rows aside, so that together they
    learn from all, and all rows say when to stop and how wide the spreads must be.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(32,)
        Neurons of the hidden layers of each member.
    dropout : float, default=0.25
        Proportion of hidden neurons set to 0 in training, in [0, 1).
    n_members : int, default=10
        Number of members. 1: one net without linear regression beside it, whose early stopping
        costs it the rows that it sets aside.
    lr : float, default=3e-3
        Learning rate of the optimiser in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=64
        Rows a step; clipped, with a warning, to the rows that there are to train on.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : bool, default=True
        As in `ClinicalOsteoClassifier`; folds are stratified by the half in which a density lies.
        Without it the spreads are those that the nets give their own training rows, and too narrow.
    validation_fraction : float, default=0.2
        Proportion of rows that one member alone sets aside, in (0, 0.5].
    n_iter_no_change : int, default=20
        Patience of early stopping, epochs.
    optimizer : class, default=torch.optim.Adam
        Optimiser of `torch.optim`.
    callbacks : list of skorch callbacks or None, default=None
        As in skorch: callbacks, or (name, callback). An `LRScheduler` takes the place of the
        learning rate's own fall.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...
    random_state : int, RandomState or None, default=None
        Decides split, weights, shuffling and dropout.
    verbose : int, default=0
        1 shows a progress bar over epochs.
    **module__params
        Parameters of skorch's net, by its names: ``optimizer__weight_decay=1e-4``,
        ``module__dropout=0.5``, ``callbacks__name__parameter``.

    Attributes
    ----------
    sites_ : list of str
        Names of the sites: of the columns of y; "y", or "y0", "y1", ..., where it has none.
    spread_factor_ : ndarray of shape (k,)
        What the nets' spreads are multiplied by, so that 90 % intervals hold 90 % out-of-fold.
    net_ : skorch.NeuralNetRegressor
        The trained net; the torch module is ``net_.module_``. It takes what `net_inputs` gives, and
        gives means and raw spreads, (n, 2k), of standardised densities.
    scaler_ : StandardScaler
        Mean and standard deviation of the rows given to `fit`.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, lr, seconds. Of several members, valid_loss
        is out-of-fold, over all rows; without early stopping there is none.
    n_iter_ : int
        Epochs run.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if they had names.

    Notes
    -----
    A value more than 5 standard deviations from the mean of `fit` counts as so far: of one person
    of NHANES with 400 white cells, the code for 400 or more, the net would else expect T = -17.

    Columns must be numbers without missing values: put a `ClinicalPreprocessor` or an imputer in
    front. Of several sites each patient needs one; the loss is the mean negative log likelihood of
    what was measured.

    The unit is that of y: g/cm2, or T-scores of `skosteo.clinical.t_score`, for which the default
    threshold of `probability_below` is meant. Scanners of different makers do not share a unit.

    References
    ----------
    Nix DA, Weigend AS. Estimating the mean and variance of the target probability distribution.
    IEEE ICNN 1994;1:55-60. doi:10.1109/ICNN.1994.374138

    Lakshminarayanan B et al. Deep ensembles. arXiv:1612.01474

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> age, bmi = rng.normal(69, 10, 200), rng.normal(24, 4, 200)
    >>> t_score = -1 - (age - 69) / 15 + (bmi - 24) / 8 + rng.normal(0, 0.5, 200)
    >>> model = ClinicalOsteoRegressor(max_epochs=50, random_state=0)
    >>> model.fit(np.column_stack([age, bmi]), t_score)
    ClinicalOsteoRegressor(max_epochs=50, random_state=0)
    >>> mean, std = model.predict([[85, 19], [50, 31]], return_std=True)
    >>> mean.round(), model.probability_below([[85, 19], [50, 31]]).round()
    (array([-3.,  1.]), array([1., 0.]))
    """

    _limit = 5.0

    _parameter_constraints: ClassVar[dict] = {
        **NetRegressor._parameter_constraints,
        **TableNet._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (32,),
        dropout: float = 0.25,
        *,
        n_members: int = 10,
        lr: float = 3e-3,
        batch_size: int = 64,
        max_epochs: int = 200,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 20,
        optimizer: type = torch.optim.Adam,
        callbacks: list | None = None,
        device: str = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
        **module__params: Any,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.n_members = n_members
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_skorch_params(module__params)
