"""Final estimators (meta-learners) of the fusion: one probability from those of the branches."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skosteo._extras import require
from skosteo._validation import gives_probabilities, logits
from skosteo.exceptions import InputError
from skosteo.fusion.out_of_fold import fit_with_metadata


class MeanOfLogits(ClassifierMixin, BaseEstimator):
    r"""Average the log odds of the branches; it learns nothing.

    .. math:: P = \sigma\Bigl(\frac{1}{k} \sum_{i=1}^{k} \operatorname{logit} P_i\Bigr)

    Examples
    --------
    >>> mean = MeanOfLogits().fit([[0.2, 0.4], [0.5, 0.9]], [0, 1])
    >>> mean.predict_proba([[0.5, 0.9]]).round(2)
    array([[0.25, 0.75]])
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Note the classes."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probability of each class: shape (n, 2), from one of each branch: shape (n, k)."""
        positive = expit(logits(X).mean(axis=1))
        return np.stack([1 - positive, positive], axis=1)

    def predict(self, X: ArrayLike) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]


def check_final_estimator(final_estimator: Any) -> None:
    """Refuse what is neither None, a name, nor a classifier that gives probabilities."""
    if final_estimator is None:
        require("nets", "final_estimator=None, a net,", "set final_estimator='logistic'")
    named = isinstance(final_estimator, str) and final_estimator in ("logistic", "mean")
    if not (final_estimator is None or named or gives_probabilities(final_estimator)):
        raise InputError(
            f"final_estimator={final_estimator!r}: allowed are None (a net), 'logistic' (logistic "
            "regression on the log odds), 'mean' (their mean), or a classifier with predict_proba."
        )


def make_final_estimator(final_estimator: Any, n_rows: int, seed: int) -> Any:
    """Return what is to be fitted on the probabilities (n, k) of the branches.

    Parameters
    ----------
    final_estimator : classifier, "logistic", "mean" or None
        None: the paper's net of 32 neurons.
    n_rows : int
        Rows to learn from, of two classes.
    seed : int
        Seed of that net.
    """
    if final_estimator is None:
        from skosteo.clinical.classifier import ClinicalOsteoClassifier

        return ClinicalOsteoClassifier(
            hidden_layer_sizes=(32,),
            dropout=0.0,
            n_members=1,
            lr=1e-3,
            batch_size=min(32, n_rows // 2),  # with one step an epoch it learns too little
            # so few weights do not overfit, and where the branches know little the rows set aside
            # for early stopping would choose an epoch by chance
            early_stopping=False,
            max_epochs=100,
            random_state=seed,
        )
    if not isinstance(final_estimator, str):
        return clone(final_estimator)
    if final_estimator == "mean":
        return MeanOfLogits()
    # n rows cannot tell 1 / 2n from 0: the zeros and ones of a forest of few trees would else be
    # 14 units of log odds away, and decide the slope alone
    log_odds = FunctionTransformer(logits, kw_args={"edge": 0.5 / n_rows})
    # scikit-learn may be set to put out tables, here and not where the model predicts
    log_odds.set_output(transform="default")
    # hardly penalised, so that it is calibrated; but separable classes give no infinite slope
    return make_pipeline(log_odds, LogisticRegression(C=100))


def fit_final_estimators(
    final_estimator: Any,
    names: Sequence[str],
    fused: NDArray[np.float64],
    y: NDArray,
    metadata: Mapping[str, NDArray],
    seed: int,
) -> dict[tuple[str, ...], Any]:
    """Fit a fusion for every set of branches, on the rows that have them.

    Parameters
    ----------
    final_estimator, seed
        As in `make_final_estimator`.
    names : sequence of str
        Branches, in the order of the columns.
    fused : ndarray of shape (n, k)
        Probabilities by branch; NaN where it has none.
    y : ndarray of shape (n,)
        Labels of two classes.
    metadata : mapping
        sample_weight and groups, as far as they are given: each of shape (n,).

    Returns
    -------
    dict of tuple of str to classifier
        Without the sets that no rows of both classes have: it is for a prediction to say so.

    Raises
    ------
    InputError
        No rows of both classes have all branches.
    """
    fusions = {}
    for size in range(len(names), 0, -1):
        for chosen in map(list, combinations(range(len(names)), size)):
            rows = np.flatnonzero(~np.isnan(fused[:, chosen]).any(axis=1))
            if len(np.unique(y[rows])) == 2:
                known = {name: values[rows] for name, values in metadata.items()}
                final = make_final_estimator(final_estimator, len(rows), seed)
                fusions[tuple(names[j] for j in chosen)] = fit_with_metadata(
                    final, fused[rows][:, chosen], y[rows], known
                )
            elif size == len(names):
                raise InputError(
                    f"{len(rows)} rows hold something for each of the branches {list(names)}, and "
                    "they are not of both classes. The fusion learns from such rows: give more, or "
                    "leave a branch out."
                )
    return fusions


def fuse(
    final_estimators: Mapping[tuple[str, ...], Any],
    names: Sequence[str],
    probabilities: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probability of each class (n, 2), of those of the branches: (n, k), NaN where there is none.

    Rows that have the same branches are answered by the final estimator of these.
    """
    known, result = ~np.isnan(probabilities), np.empty((len(probabilities), 2))
    for branches in np.unique(known, axis=0):
        rows = np.flatnonzero((known == branches).all(axis=1))
        chosen = np.array(names)[branches].tolist()
        final = final_estimators.get(tuple(chosen))
        if final is None:
            raise InputError(
                f"something is there for {chosen} alone, and fit had too few such rows of both "
                "classes to learn what to make of them. Leave them out, or fit on more."
            ).at_rows(rows, len(known))
        result[rows] = final.predict_proba(probabilities[np.ix_(rows, branches)])
    return result
