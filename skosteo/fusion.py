"""Probability fusion: an image branch and a clinical branch, joined by their probabilities."""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical_classifier import ClinicalOsteoClassifier
from skosteo.distributed import from_first
from skosteo.exceptions import InputError
from skosteo.image_classifier import ImageOsteoClassifier
from skosteo.net_classifier import check_weights, encode_target
from skosteo.splits import check_folds, check_groups, fold_splitter


class ProbabilityFusionClassifier(ClassifierMixin, BaseEstimator):
    r"""Fuse the probabilities of an image and a clinical classifier by a small net.

    .. math:: P(y = 1) = f\bigl(P_\text{image}(y = 1),\; P_\text{clinical}(y = 1)\bigr)

    In `fit`, each branch is cloned and gives every training row a probability from a fold that did
    not hold the row's patient; :math:`f` learns from these. Then both branches are fitted again on
    all rows.

    Parameters
    ----------
    image : classifier or None, default=None
        Branch that sees the image column; None: an `ImageOsteoClassifier`.
    clinical : classifier or None, default=None
        Branch that sees the clinical columns; None: a pipeline of `ClinicalPreprocessor` and
        `ClinicalOsteoClassifier`. Any classifier with ``predict_proba`` serves in either place, a
        pipeline that ends in XGBoost for instance.
    image_column : str or None, default="image"
        Column of the image branch. None: both branches see every column.
    clinical_columns : list of str or None, default=None
        Columns of the clinical branch; None: all but the image column.
    final_estimator : classifier or None, default=None
        :math:`f`, on a matrix (n, 2) of probabilities, image first. None: 2 -> 32 -> 1 neurons.
    cv : int, cross-validator or "prefit", default=5
        Folds of the out-of-fold probabilities; a number is stratified, shuffled, and grouped by
        patient if `fit` is given ``groups``. "prefit": both branches are fitted already and stay
        as they are. That is the paper's literal mode; give `fit` rows that the branches have not
        seen, or :math:`f` learns from probabilities that are better than they will ever be again.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds the branches and the final estimator that are None here.

    Attributes
    ----------
    image_, clinical_ : classifier
        The branches, fitted on all rows.
    final_estimator_ : classifier
        The fusion, fitted on out-of-fold probabilities.
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    clinical_columns_ : list of str or None
        Columns that the clinical branch sees; None: every column.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    The paper trains the fusion on the probabilities that its branches give their own training
    patients. With an image branch that fits those by heart the fusion learns to trust it alone, and
    can be worse than the clinical branch on its own. Hence ``cv=5``.

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
        image_column: str | None = "image",
        clinical_columns: list[str] | None = None,
        final_estimator: Any = None,
        cv: int | BaseCrossValidator | str = 5,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.image = image
        self.clinical = clinical
        self.image_column = image_column
        self.clinical_columns = clinical_columns
        self.final_estimator = final_estimator
        self.cv = cv
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit both branches and their fusion.

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
            A column is missing, y is not binary, or a branch cannot take the sample weights.
        """
        classes, codes = encode_target(y)
        check_consistent_length(X, codes)
        patients = check_groups(groups, len(codes))
        weights = check_weights(sample_weight, X, codes)
        self.clinical_columns_ = self._resolve_columns(X)
        X = self._check(X, reset=True)

        used = np.flatnonzero(weights > 0)
        codes, parts = codes[used], self._parts(_safe_indexing(X, used))
        metadata: dict[str, NDArray] = {}
        if sample_weight is not None:
            metadata["sample_weight"] = weights[used]
        if patients is not None:
            metadata["groups"] = patients[used]

        seed = from_first(check_random_state(self.random_state).randint(2**31 - 1))
        if isinstance(self.cv, str):
            self.image_, self.clinical_ = self._prefit_branches(classes)
            fused = self._branch_probabilities(parts)
        else:
            branches = self._default_or_clone(seed)
            folds = fold_splitter(self.cv, metadata.get("groups"), seed)
            splits = list(folds.split(codes, codes, metadata.get("groups")))
            check_folds(splits, codes, metadata.get("groups"))
            fused = np.column_stack(
                [
                    _out_of_fold(branch, part, codes, splits, metadata)
                    for branch, part in zip(branches, parts, strict=True)
                ]
            )
            self.image_, self.clinical_ = (
                _fit(branch, part, codes, metadata)
                for branch, part in zip(branches, parts, strict=True)
            )
        self.final_estimator_ = _fit(self._final_estimator(seed), fused, codes, metadata)
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        check_is_fitted(self)
        return self.final_estimator_.predict_proba(self.branch_probabilities(X))

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    def branch_probabilities(self, X: Any) -> NDArray[np.float64]:
        """Probability of the positive class by branch: shape (n, 2), image first."""
        check_is_fitted(self)
        if self.image_column is None or not isinstance(X, pd.DataFrame):
            X = self._check(X, reset=False)
        return self._branch_probabilities(self._parts(X))

    def _check(self, X: Any, *, reset: bool) -> Any:
        # what the values are is for the branches to judge
        if isinstance(X, pd.DataFrame):
            return validate_data(self, X, reset=reset, skip_check_array=True)
        return validate_data(
            self, X, reset=reset, dtype=None, allow_nd=True, ensure_all_finite=False
        )

    def _branch_probabilities(self, parts: tuple[Any, Any]) -> NDArray[np.float64]:
        branches = (self.image_, self.clinical_)
        return np.column_stack(
            [b.predict_proba(part)[:, 1] for b, part in zip(branches, parts, strict=True)]
        )

    def _resolve_columns(self, X: Any) -> list[str] | None:
        if not isinstance(X, pd.DataFrame):
            return None
        if self.image_column is not None and self.image_column not in X.columns:
            raise InputError(
                f"X has no column {self.image_column!r} (image_column); its columns are "
                f"{X.columns.tolist()}. Name the column that holds the films."
            )
        if self.clinical_columns is None and self.image_column is None:
            return None
        columns = self.clinical_columns
        if columns is None:
            columns = [column for column in X.columns if column != self.image_column]
        if isinstance(columns, str) or len(columns) == 0:
            raise InputError(
                f"The clinical branch has the columns {columns!r}: give a list of at least one, "
                "such as clinical_columns=['age', 'sex']."
            )
        return list(columns)

    def _parts(self, X: Any) -> tuple[Any, Any]:
        """Return what the image and the clinical branch see of X."""
        if not isinstance(X, pd.DataFrame):
            return X, X
        columns = list(X.columns) if self.clinical_columns_ is None else self.clinical_columns_
        wanted = columns if self.image_column is None else [self.image_column, *columns]
        missing = [column for column in wanted if column not in X.columns]
        if missing:
            raise InputError(
                f"X misses the columns {missing}; it has {X.columns.tolist()}. Give the columns "
                "that the model was, or is to be, fitted on."
            )
        return X if self.image_column is None else X[[self.image_column]], X[columns]

    def _default_or_clone(self, seed: int) -> tuple[Any, Any]:
        image, clinical = self.image, self.clinical
        if image is None:
            image = ImageOsteoClassifier(image_column=self.image_column, random_state=seed)
        if clinical is None:
            net = ClinicalOsteoClassifier(random_state=seed)
            clinical = make_pipeline(ClinicalPreprocessor(), net)
        for name, branch in (("image", image), ("clinical", clinical)):
            if not is_classifier(branch) or not hasattr(branch, "predict_proba"):
                raise InputError(
                    f"{name}={type(branch).__name__} is not a classifier with predict_proba. "
                    "For a support vector machine, wrap it in CalibratedClassifierCV."
                )
        return clone(image), clone(clinical)

    def _prefit_branches(self, classes: NDArray) -> tuple[Any, Any]:
        if self.cv != "prefit":
            raise InputError(
                f"cv={self.cv!r}: allowed are a number of folds, a cross-validator, or 'prefit'."
            )
        for name, branch in (("image", self.image), ("clinical", self.clinical)):
            if branch is None:
                raise InputError(f"cv='prefit' needs a fitted classifier for {name}=, not None.")
            check_is_fitted(branch)
            if not np.array_equal(branch.classes_, classes):
                raise InputError(
                    f"The {name} branch was fitted on the classes {branch.classes_.tolist()}, "
                    f"y has {classes.tolist()}. Fit all on the same labels."
                )
        return self.image, self.clinical

    def _final_estimator(self, seed: int) -> Any:
        if self.final_estimator is not None:
            return clone(self.final_estimator)
        return ClinicalOsteoClassifier(hidden_layer_sizes=(32,), dropout=0.0, random_state=seed)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        branches = [b for b in (self.image, self.clinical) if b is not None]
        tags.input_tags.allow_nan = bool(branches) and all(
            get_tags(branch).input_tags.allow_nan for branch in branches
        )
        return tags


def _out_of_fold(
    branch: Any,
    X: Any,
    y: NDArray,
    splits: list[tuple[NDArray, NDArray]],
    metadata: dict[str, NDArray],
) -> NDArray[np.float64]:
    """Probability of each row from a clone of the branch that has not seen the row's fold."""
    probability = np.full(len(y), np.nan)
    for train, test in splits:
        fold_metadata = {name: values[train] for name, values in metadata.items()}
        model = _fit(clone(branch), _safe_indexing(X, train), y[train], fold_metadata)
        probability[test] = model.predict_proba(_safe_indexing(X, test))[:, 1]
    if np.isnan(probability).any():
        raise InputError(
            f"cv leaves {np.isnan(probability).sum()} of {len(y)} rows in no test fold. "
            "Use a cross-validator that tests each row once, such as StratifiedGroupKFold."
        )
    return probability


def _fit(branch: Any, X: Any, y: NDArray, metadata: dict[str, NDArray]) -> Any:
    """Fit a branch with the sample weights and, wherever it splits, the patients.

    scikit-learn's metadata routing takes both to the steps that ask for them; skosteo's nets and
    every group cross-validator do. The last step of a pipeline need not ask: it gets what its
    ``fit`` can take, as a user of ``fit`` expects, unless a request says otherwise.
    """
    last, earlier = branch, []
    while isinstance(last, Pipeline):
        earlier += [step for _, step in last.steps[:-1]]
        last = last.steps[-1][1]
    with config_context(enable_metadata_routing=True):
        for step in (*earlier, last):
            _settle_requests(step, metadata, wanted=step is last)
        taken = get_routing_for_object(branch).consumes("fit", metadata)
        if "sample_weight" in metadata and "sample_weight" not in taken:
            raise InputError(
                f"{type(last).__name__} takes no sample_weight, or does not pass it on. Leave the "
                "weights out, use another classifier, or ask for them with set_fit_request."
            )
        return branch.fit(X, y, **{name: metadata[name] for name in taken})


def _settle_requests(step: Any, metadata: dict[str, NDArray], *, wanted: bool) -> None:
    """Say for a step whether it wants what its ``fit`` can take, where nobody has said so."""
    request = get_routing_for_object(step)
    if isinstance(request, MetadataRequest):
        for name in metadata:
            if request.fit.requests.get(name) is None and has_fit_parameter(step, name):
                step.set_fit_request(**{name: wanted})
