"""The clinical model: small nets on a table of numbers, the paper's among them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.special import logit

from skosteo.clinical.table_net import TableNet
from skosteo.training.net import WeightedNet
from skosteo.training.net_classifier import NetClassifier
from skosteo.training.net_estimator import Plan


class ClinicalOsteoClassifier(TableNet, NetClassifier):
    """Standardise the columns, then small nets that learn at once and give one probability.

    Each member adds a logistic regression and a net of one hidden layer, and begins at the
    proportion of cases. Members leave other rows aside, so that together they learn from all, and
    all rows say when to stop: the epoch is that of the lowest out-of-fold loss. Their mean log odds
    are the answer. On small tables that loses next to nothing to logistic regression, where one net
    whose epoch is chosen on a few rows may lose much.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(32,)
        Neurons of the hidden layers of each member.
    dropout : float, default=0.25
        Proportion of hidden neurons set to 0 in training, in [0, 1).
    n_members : int, default=10
        Number of members. 1: one net without logistic regression beside it, as in the paper, whose
        early stopping costs it the rows that it sets aside.
    lr : float, default=3e-3
        Learning rate of the optimiser in the first epoch; it falls by 1 % an epoch to a tenth.
    batch_size : int, default=64
        Rows a step; clipped, with a warning, to the rows that there are to train on.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : bool, default=True
        Set rows aside, stop when their loss has not fallen for `n_iter_no_change` epochs, and keep
        the weights of the best epoch. The split is stratified, shuffled and, with ``groups`` in
        `fit`, keeps each patient on one side. Each of several members sets another of `n_members`
        folds aside; an epoch is then better if it ends after the 60th step and lowers the loss,
        summed over the rows, by .1 for each epoch since the best.
    validation_fraction : float, default=0.2
        Proportion of rows that one member alone sets aside, in (0, 0.5].
    n_iter_no_change : int, default=20
        Patience of early stopping, epochs.
    class_weight : "balanced", dict or None, default=None
        "balanced" weighs a class by n / (2 n_class) of the rows trained on, as the paper does. The
        model then gives no risks any more: on NHANES its mean probability is .35 where .05 of the
        people are cases. None: a probability is a risk in a population like that of `fit`.
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
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    net_ : skorch.NeuralNetBinaryClassifier
        The trained net; the torch module is ``net_.module_``. It takes what `net_inputs` gives.
    scaler_ : StandardScaler
        Mean and standard deviation of the rows given to `fit`.
    history_ : DataFrame
        A row per epoch: epoch, train_loss, valid_loss, valid_accuracy, lr, seconds. Of several
        members, valid_loss and valid_accuracy are out-of-fold, over all rows; without early
        stopping there are none.
    n_iter_ : int
        Epochs run.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if they had names.

    Notes
    -----
    Columns must be numbers without missing values: put a `ClinicalPreprocessor` or an imputer in
    front. In double precision, a patient's probability does not depend on who else is in the batch.
    The learning rate of the paper, 1e-5, is its image model's; nets so small need more. The paper's
    own net is `skosteo.presets.paper_clinical_classifier`.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Nets trained at once and averaged: Gorishniy Y et al. TabM. arXiv:2410.24210; Wen Y et al.
    BatchEnsemble. arXiv:2002.06715

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

    _parameter_constraints: ClassVar[dict] = {
        **NetClassifier._parameter_constraints,
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
        class_weight: str | Mapping | None = None,
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
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_skorch_params(module__params)

    def _prepare_net(self, net: WeightedNet, plan: Plan, weights: NDArray[np.float64]) -> None:
        if self.n_members > 1:
            rows = plan.train_on
            net.module_.start_at(logit(np.average(plan.codes[rows], weights=weights[rows])))

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "n_members" not in state:  # files of release 0.1 hold one net
            state = state | {"n_members": 1}
        super().__setstate__(state)
