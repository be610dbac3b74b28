"""Adapters fitted to labels, and embeddings by those that have not seen the patient."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length
from torch import Tensor

from skosteo._validation import check_groups, check_weights, encode_target
from skosteo.exceptions import InputError
from skosteo.nets.image_net import ImageNet
from skosteo.splits import check_folds, fold_splitter, validation_split
from skosteo.training.fit import Recipe, labelled, train
from skosteo.training.inference import batched_forward
from skosteo.training.net import WeightedNet

N_FOLDS = 5
_VALIDATION_FRACTION = 0.2


class Labels(NamedTuple):
    """What is known of the n films of a fit beside their pixels."""

    codes: NDArray[np.int64]  # 0 and 1
    weights: NDArray[np.float64]
    patients: NDArray | None

    @classmethod
    def of(
        cls, X: Any, y: Any, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> "Labels":
        """Check that films can be tuned on these labels, before any is read.

        Raises
        ------
        InputError
            No labels, not two classes, or too few patients of one for the folds.
        """
        if y is None:
            raise InputError("tune='lora' learns from labels, and y is None. Give y, or tune=None.")
        _, codes = encode_target(y)
        check_consistent_length(X, codes)
        labels = cls(
            codes, check_weights(sample_weight, X, codes), check_groups(groups, len(codes))
        )
        members = np.arange(len(codes)) if labels.patients is None else labels.patients
        used = labels.weights > 0
        fewest = min(len(np.unique(members[used & (codes == code)])) for code in (0, 1))
        if fewest < N_FOLDS:
            unit = "films" if groups is None else "patients"
            raise InputError(
                f"tune='lora' cross-fits in {N_FOLDS} folds, and a class has {fewest} {unit} of a "
                f"weight above 0. Give {N_FOLDS} or more of each class, or tune=None."
            )
        return labels


def tuned_net(
    frozen: WeightedNet,
    stems: Tensor,
    labels: Labels,
    rows: NDArray,
    parameters: Mapping,
    recipe: Recipe,
) -> WeightedNet:
    """Fit adapters and a logistic head to rows, stopping early by some of their patients.

    Parameters
    ----------
    frozen : WeightedNet
        Has the weights that all begin with.
    stems : Tensor of shape (n, ...)
        What the blocks before the adapters make of the films.
    labels : Labels
    rows : ndarray
        Positions of the films to learn from; those of weight 0 are left out.
    parameters : mapping
        Of `ImageTrunk`.
    recipe : Recipe
        Its batch size is clipped to the rows.

    Returns
    -------
    Net
        A trained `ImageNet`.
    """
    rows = rows[labels.weights[rows] > 0]
    patients = None if labels.patients is None else labels.patients[rows]
    split = validation_split(labels.codes[rows], patients, _VALIDATION_FRACTION, recipe.seed)
    if split is None:
        raise InputError(
            f"tune='lora': {len(rows)} films are too few to set some of both classes aside for "
            "early stopping. Give more, or tune=None."
        )
    learn, stop = (
        labelled({"films": stems[rows[part]]}, labels.codes[rows[part]], labels.weights[rows[part]])
        for part in split
    )
    start = frozen.module_.state_dict()
    head = {"hidden_layer_sizes": (), "dropout": 0.0}
    net, _ = train(
        ImageNet,
        {**parameters, **head, "pretrained": False},
        learn,
        stop,
        recipe,
        prepare=lambda net: net.module_.load_state_dict(start, strict=False),
    )
    return net


def out_of_fold_embeddings(
    frozen: WeightedNet, stems: Tensor, labels: Labels, parameters: Mapping, recipe: Recipe
) -> NDArray[np.float32]:
    """Embed each film by adapters that were fitted to other patients: shape (n, d)."""
    codes, patients = labels.codes, labels.patients
    splitter = fold_splitter(N_FOLDS, patients, recipe.seed)
    folds = list(splitter.split(codes, codes, patients))
    check_folds(folds, codes, patients)
    embedded = np.empty((len(codes), frozen.module_.n_channels), np.float32)
    for train_on, test in folds:
        net = tuned_net(frozen, stems, labels, train_on, parameters, recipe)
        embedded[test] = embed_stems(net, stems[torch.from_numpy(test)])
    return embedded


def embed_stems(net: WeightedNet, stems: Tensor) -> NDArray[np.float32]:
    """Pass on what comes before the adapters, to embeddings (n, d)."""
    pooled = net.module_.pooled
    return batched_forward(net, lambda x: pooled(x["films"], None, None), {"films": stems}).numpy()
