"""Probability fusion: an image branch, a clinical branch and more, joined by what they say."""

import warnings
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from joblib import Memory
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import make_pipeline
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    check_memory,
    validate_data,
)

from skosteo._validation import (
    check_groups,
    check_weights,
    encode_target,
    gives_probabilities,
    unchanged_on_error,
)
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.classifier import ClinicalOsteoClassifier
from skosteo.exceptions import InputError, InSampleWarning
from skosteo.fusion.columns import (
    check_other_branches,
    check_present,
    presence,
    resolve_columns,
    split_columns,
)
from skosteo.fusion.final_estimators import fit_final_estimators
from skosteo.fusion.out_of_fold import Splits, judge, learn, splits_of_used_rows
from skosteo.image.classifier import ImageOsteoClassifier


class ProbabilityFusionClassifier(ClassifierMixin, _BaseComposition):
    r"""Fuse the probabilities of an image and a clinical classifier, and of others, by a small net.

    .. math:: P(y = 1) = f\bigl(P_\text{image}(y = 1),\; P_\text{clinical}(y = 1), \dots\bigr)

    In `fit`, each branch is cloned and gives every training row a probability from a fold that did
    not hold the row's patient; :math:`f` learns from these. Then all branches are fitted again on
    all rows.

    Parameters
    ----------
    image : classifier or None, default=None
        Branch that sees the image column; None: an `ImageOsteoClassifier`.
    clinical : classifier or None, default=None
        Branch that sees the clinical columns; None: a pipeline of `ClinicalPreprocessor` and
        `ClinicalOsteoClassifier`. Any classifier with ``predict_proba`` serves in either place, a
        pipeline that ends in XGBoost for instance.
    other_branches : list of (str, classifier, columns) or None, default=None
        Further branches, each with a name and the columns that it sees: a lateral film, the report
        of a CT, a risk index. Parameters of theirs are ``name__parameter``. A branch must take the
        gaps of its columns: put an imputer before a risk index.
    image_column : str or None, default="image"
        Column of the image branch. None: the image and the clinical branch see every column.
    clinical_columns : list of str or None, default=None
        Columns of the clinical branch; None: all but the image column. With `other_branches` they
        must be named.
    final_estimator : classifier, "logistic", "mean" or None, default=None
        :math:`f`, on a matrix (n, k) of probabilities, image first. None: k -> 32 -> 1 neurons.
        "logistic": logistic regression on the log odds. "mean": the plain mean of the log odds,
        which learns nothing.
    cv : int, cross-validator, "prefit" or None, default=5
        Folds of the out-of-fold probabilities; a number is stratified, shuffled, and grouped by
        patient if `fit` is given ``groups``. "prefit": the branches are fitted already and stay
        as they are. That is the paper's literal mode; give `fit` rows that the branches have not
        seen, or :math:`f` learns from probabilities that are better than they will ever be again.
        None does just that, with a warning, to show what it costs.
    memory : path, joblib.Memory or None, default=None
        Where fitted branches are kept. A search over the parameters of one branch then does not
        fit the others again, if ``random_state`` is an int. A branch is known by its parameters and
        by what it sees; a film by path, size and time of change. The folder holds what branches
        have learnt of patients, and pickles: protect it, and use no one else's.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds the branches and the final estimator that are None here.

    Attributes
    ----------
    image_, clinical_ : classifier
        The branches, fitted on all rows that are not empty to them.
    branches_ : dict of str to classifier
        All branches by name, in the order of the columns of `branch_probabilities`.
    final_estimator_ : classifier
        The fusion of all branches.
    final_estimators_ : dict of tuple of str to classifier
        The fusion of each set of branches that enough rows have, by their names.
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    columns_ : dict of str to list of str
        Columns that each branch sees; empty where X was an array, which all see whole.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    The paper trains the fusion on the probabilities that its branches give their own training
    patients. With an image branch that fits those by heart the fusion learns to trust it alone, and
    can be worse than the clinical branch on its own. Hence ``cv=5``.

    A row may lack all that a branch looks at: a patient without a film, or without blood values. It
    is answered by the fusion of the branches that are left, which `fit` has learnt from all rows
    that have them, with a `MissingModalityWarning`; `branches_used` says who answered. A single
    branch goes through a fusion too. Such answers are calibrated where modalities are missing at
    random, and not where the ill are filmed more often than the well. k branches take
    :math:`2^k - 1` fusions, less those of sets that too few rows of `fit` have: with more than
    four, "logistic" saves time.

    With ``groups``, a branch that splits by itself must know them too: a `GridSearchCV` with a
    group cross-validator does, a `CalibratedClassifierCV` with a number of folds does not.

    The default net weighs the classes alike (``class_weight="balanced"``), as the paper's nets do:
    it says .5 where a patient is as likely ill as the average patient is. "logistic" gives the
    probability in a population like that of `fit`.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Wolpert DH. Stacked generalization. Neural Networks 1992;5:241-259.
    doi:10.1016/S0893-6080(05)80023-1

    Examples
    --------
    >>> from skosteo import ClinicalOsteoClassifier, ImageOsteoClassifier
    >>> from skosteo.datasets import make_cohort
    >>> cohort = make_cohort(60, random_state=0)
    >>> image = ImageOsteoClassifier(
    ...     backbone="cnn", pretrained=False, image_size=32, hidden_layer_sizes=(16,), lr=1e-3,
    ...     max_epochs=2, batch_size=16, random_state=0,
    ... )
    >>> model = ProbabilityFusionClassifier(
    ...     image, ClinicalOsteoClassifier(batch_size=16), clinical_columns=["age"], cv=2,
    ...     random_state=0,
    ... )
    >>> model.fit(cohort.data, cohort.target, groups=cohort.groups)
    ProbabilityFusionClassifier(...)
    >>> model.predict_proba(cohort.data).shape
    (60, 2)
    """

    # patients reach the folds and the branches wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True, "sample_weight": True}

    def __init__(
        self,
        image: Any = None,
        clinical: Any = None,
        *,
        other_branches: Sequence[tuple[str, Any, list[str]]] | None = None,
        image_column: str | None = "image",
        clinical_columns: list[str] | None = None,
        final_estimator: Any = None,
        cv: int | BaseCrossValidator | str | None = 5,
        memory: str | PathLike | Memory | None = None,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.image = image
        self.clinical = clinical
        self.other_branches = other_branches
        self.image_column = image_column
        self.clinical_columns = clinical_columns
        self.final_estimator = final_estimator
        self.cv = cv
        self.memory = memory
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, and with ``deep`` those of all branches: see scikit-learn."""
        return self._get_params("_other_pairs", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, of branches as ``branch__parameter``: see scikit-learn."""
        if "other_branches" in params:  # before parameters of what it names
            self.other_branches = params.pop("other_branches")
        self._set_params("_other_pairs", **params)
        return self

    @property
    def _other_pairs(self) -> list[tuple[str, Any]]:
        try:
            return [(name, branch) for name, branch, _ in self.other_branches or ()]
        except (TypeError, ValueError):  # `fit` says what is wrong, get_params must not
            return []

    @_other_pairs.setter
    def _other_pairs(self, pairs: list[tuple[str, Any]]) -> None:
        columns = (columns for *_, columns in self.other_branches or ())
        self.other_branches = [(*pair, c) for pair, c in zip(pairs, columns, strict=True)]

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the branches and their fusion.

        Parameters
        ----------
        X : DataFrame or array-like
            A row per study: the image column and the clinical columns. Each branch sees all of a
            plain array.
        y : array-like of shape (n,)
            Two classes; the second in sorted order is the positive one.
        sample_weight : array-like of shape (n,), optional
            Not negative; passed to the branches and the fusion. Rows of weight 0 are left out.
        groups : array-like of shape (n,), optional
            Patient of each row: no patient is on both sides of a fold, nor of an early-stopping
            split inside a branch.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            A column is missing, y is not binary, no row has all that the branches look at, or a
            branch cannot take the sample weights.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups)

    def _fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        check_other_branches(self.other_branches, self._other_pairs, self.get_params(deep=False))
        classes, labels = encode_target(y)
        check_consistent_length(X, labels)
        patients = check_groups(groups, len(labels))
        weights = check_weights(sample_weight, X, labels)
        others = {name: columns for name, _, columns in self.other_branches or ()}
        self.columns_ = resolve_columns(X, self.image_column, self.clinical_columns, others)
        X = self._check(X, reset=True)

        used = np.flatnonzero(weights > 0)
        codes, parts = labels[used], split_columns(_safe_indexing(X, used), self.columns_)
        metadata: dict[str, NDArray] = {}
        if sample_weight is not None:
            metadata["sample_weight"] = weights[used]
        if patients is not None:
            metadata["groups"] = patients[used]
        check_present(parts, "It learns from the others.")

        seed = check_random_state(self.random_state).randint(2**31 - 1)
        if isinstance(self.cv, str):
            self.branches_ = self._prefit_branches(classes)
            fused = self._judged(parts)
        else:
            splits = None
            if self.cv is not None:
                splits = splits_of_used_rows(self.cv, labels, patients, used, seed)
            fused = self._learn(parts, codes, metadata, splits, seed)
        self.image_, self.clinical_ = self.branches_["image"], self.branches_["clinical"]
        self.final_estimators_ = fit_final_estimators(
            self.final_estimator, list(self.branches_), fused, codes, metadata, seed
        )
        self.final_estimator_ = self.final_estimators_[tuple(self.branches_)]
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        return self._fuse(self.branch_probabilities(X))

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    def branch_probabilities(self, X: Any) -> NDArray[np.float64]:
        """Probability of the positive class by branch: shape (n, k), image and clinical first.

        NaN where a row lacks what the branch looks at.
        """
        parts = split_columns(self._read(X), self.columns_)
        check_present(parts, "The other branches answer.")
        return self._judged(parts)

    def branches_used(self, X: Any) -> pd.DataFrame:
        """Say for each row which branches answer, those that find anything to look at.

        Returns
        -------
        DataFrame of bool, shape (n, k)
            A column per branch.
        """
        return presence(split_columns(self._read(X), self.columns_))

    def _learn(
        self,
        parts: dict[str, Any],
        codes: NDArray,
        metadata: dict[str, NDArray],
        splits: Splits | None,
        seed: int,
    ) -> NDArray[np.float64]:
        """Fit all branches, and return the probabilities (n, k) that the fusion learns from."""
        if splits is None:
            warnings.warn(
                "cv=None: the fusion learns from what the branches say of the very rows that they "
                "were trained on, and will trust most the one that knows them by heart. Use cv=5.",
                InSampleWarning,
                stacklevel=4,
            )
        kept = self.memory
        memory = check_memory(fspath(kept) if isinstance(kept, PathLike) else kept)
        learnt = {
            name: learn(branch, parts[name], codes, splits, metadata, memory)
            for name, branch in self._default_or_clone(seed).items()
        }
        self.branches_ = {name: fitted for name, (fitted, _) in learnt.items()}
        return np.column_stack([probability for _, probability in learnt.values()])

    def _read(self, X: Any) -> Any:
        check_is_fitted(self)
        if self.image_column is None or not isinstance(X, pd.DataFrame):
            return self._check(X, reset=False)
        return X

    def _check(self, X: Any, *, reset: bool) -> Any:
        # what the values are is for the branches to judge
        if isinstance(X, pd.DataFrame):
            return validate_data(self, X, reset=reset, skip_check_array=True)
        return validate_data(
            self, X, reset=reset, dtype=None, allow_nd=True, ensure_all_finite=False
        )

    def _fuse(self, fused: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of each class (n, 2), of what the branches say: (n, k), NaN for nothing."""
        names, answers = np.array(list(self.branches_)), np.empty((len(fused), 2))
        for known in np.unique(~np.isnan(fused), axis=0):
            rows = np.flatnonzero((~np.isnan(fused) == known).all(axis=1))
            final = self.final_estimators_.get(tuple(names[known].tolist()))
            if final is None:
                raise InputError(
                    f"{len(rows)} of {len(fused)} rows hold something for {names[known].tolist()} "
                    "alone, and fit had too few such rows of both classes to learn what to make of "
                    "them. Leave them out, or fit on more."
                )
            answers[rows] = final.predict_proba(fused[np.ix_(rows, known)])
        return answers

    def _judged(self, parts: dict[str, Any]) -> NDArray[np.float64]:
        return np.column_stack(
            [judge(branch, parts[name]) for name, branch in self.branches_.items()]
        )

    def _branches(self) -> dict[str, Any]:
        return {"image": self.image, "clinical": self.clinical, **dict(self._other_pairs)}

    def _default_or_clone(self, seed: int) -> dict[str, Any]:
        branches = self._branches()
        if self.image is None:
            branches["image"] = ImageOsteoClassifier(
                image_column=self.image_column, random_state=seed
            )
        if self.clinical is None:
            net = ClinicalOsteoClassifier(random_state=seed)
            branches["clinical"] = make_pipeline(ClinicalPreprocessor(), net)
        for name, branch in branches.items():
            if not gives_probabilities(branch):
                raise InputError(
                    f"{name}={type(branch).__name__} is not a classifier with predict_proba. "
                    "For a support vector machine, wrap it in CalibratedClassifierCV."
                )
        return {name: clone(branch) for name, branch in branches.items()}

    def _prefit_branches(self, classes: NDArray) -> dict[str, Any]:
        if self.cv != "prefit":
            raise InputError(
                f"cv={self.cv!r}: allowed are a number of folds, a cross-validator, None, or "
                "'prefit'."
            )
        for name, branch in self._branches().items():
            if branch is None:
                raise InputError(f"cv='prefit' needs a fitted classifier for {name}=, not None.")
            check_is_fitted(branch)
            if not np.array_equal(branch.classes_, classes):
                raise InputError(
                    f"The {name} branch was fitted on the classes {branch.classes_.tolist()}, "
                    f"y has {classes.tolist()}. Fit all on the same labels."
                )
        return self._branches()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        branches = [b for b in (self.image, self.clinical) if b is not None]
        tags.input_tags.allow_nan = bool(branches) and all(
            get_tags(branch).input_tags.allow_nan for branch in branches
        )
        return tags
