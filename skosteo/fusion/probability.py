"""Probability fusion: the probabilities of an image, a clinical and further branches, fused."""

import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from joblib import Memory
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.callback import CallbackContext, CallbackSupportMixin, with_callbacks
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import make_pipeline
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from skosteo._extras import require
from skosteo._validation import (
    encode_target,
    gives_probabilities,
    to_pandas,
    unchanged_on_error,
)
from skosteo.clinical import ClinicalPreprocessor
from skosteo.exceptions import InputError, InSampleWarning
from skosteo.fusion.columns import (
    Part,
    check_other_branches,
    check_present,
    finds_by_variable,
    naming,
    presence,
    renumbering,
    resolve_columns,
    split_columns,
    validate_table,
)
from skosteo.fusion.final_estimators import check_final_estimator, fit_final_estimators, fuse
from skosteo.fusion.memory import open_memory
from skosteo.fusion.out_of_fold import (
    FitRows,
    Splits,
    check_prefit,
    fit_out_of_fold,
    predict_present,
    validate_steps,
)


class ProbabilityFusionClassifier(CallbackSupportMixin, ClassifierMixin, _BaseComposition):
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
        Further branches, each with a name and the columns that it sees: a lateral radiograph, the
        report of a CT, a risk index. Parameters of theirs are ``name__parameter``. A branch must
        take the missing values of its columns: put an imputer before a risk index.
    image_column : str or None, default="image"
        Column of the image branch. None: the image and the clinical branch see every column.
    clinical_columns : list of str or None, default=None
        Columns of the clinical branch; None: all but the image column. With `other_branches` they
        must be named.
    final_estimator : classifier, "logistic", "mean" or None, default=None
        :math:`f`, on a matrix (n, k) of probabilities, image first. None: k -> 32 -> 1 neurons.
        "logistic": logistic regression on the log odds. "mean": the plain mean of the log odds,
        which learns nothing.
    cv : int, cross-validator, "prefit", "in-sample" or None, default=None
        Folds of the out-of-fold predictions; None: 5. A number is stratified, shuffled, and grouped
        by patient if `fit` is given ``groups``. "prefit": the branches are fitted already and stay
        as they are. That is the paper's literal mode; give `fit` rows that the branches have not
        seen, or :math:`f` learns from probabilities that are better than they will ever be again.
        "in-sample" does just that, with an `InSampleWarning`, to show what it costs.
    memory : path, joblib.Memory or None, default=None
        Where fitted branches are kept. A search over the parameters of one branch then does not
        fit the others again, if ``random_state`` is an int. A branch is known by its parameters and
        by what it sees; a file, of an image or of weights, by path, size, times and inode. The
        folder holds what branches have learnt of patients, as pickles: it is made for its owner
        alone, and one that others may write to is refused.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds the branches and the final estimator that are None here.

    Attributes
    ----------
    image_, clinical_ : classifier
        The branches, fitted on all rows that are not empty to them.
    branches_ : dict of str to classifier
        All branches by name, in the order of the columns of `branch_probabilities`.
    final_estimator_ : classifier
        The final estimator of all branches.
    final_estimators_ : dict of tuple of str to classifier
        That of each set of branches that enough rows have, by their names.
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    columns_ : dict of str to list of str
        Columns that each branch sees; empty where X was an array, which all see whole.
    image_column_ : str or None
        Column of the image branch; None where it sees all.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    The paper trains the fusion on the probabilities that its branches give their own training
    patients. With an image branch that fits those by heart the fusion learns to trust it alone, and
    can be worse than the clinical branch on its own. Hence out-of-fold predictions.

    A row may lack all that a branch looks at: a patient without a radiograph, or without blood
    values. It is answered by the final estimator of the branches that are left, which `fit` has
    trained on all rows that have them, with a `MissingModalityWarning`; `branches_used` says which
    answered. A single branch goes through a final estimator too. Such answers are calibrated where
    modalities are missing at random and enough cases were learnt from: with 2,000 patients of whom
    7 % were cases, slopes were .95 to 1.15 and intercepts within .12 of 0, with 30 to 45 cases .7
    to 1.2 and up to .4 off. They are not calibrated where cases are imaged more often than
    controls, nor by a final estimator that weighs the classes. k branches take :math:`2^k - 1`
    final estimators, less those of sets that too few rows of `fit` have: with more than four,
    "logistic" saves time.

    `fit` hands ``groups`` and ``sample_weight`` to clones of the branches by scikit-learn's
    metadata routing, switched on for that moment: a step that can take patients or weights and has
    no request gets them where it is a branch or the last step of one, as by a call of its own
    ``fit``. A branch that splits by itself must know the patients too: a `GridSearchCV` with a
    group cross-validator does, a `CalibratedClassifierCV` with a number of folds does not. What
    calls this ``fit`` routes ``groups`` by itself, and ``sample_weight`` after
    ``set_fit_request(sample_weight=True)``.

    This is a stacking that keeps patients apart, and takes other fusions as branches:
    ``other_branches=[("ff", FeatureFusionClassifier(image), ["image", "age", "bmi"])]``. A
    `StackingClassifier` of scikit-learn does so only with ``cv=StratifiedGroupKFold()``, metadata
    routing, and members and a final estimator that all take ``groups``; a number of folds puts one
    patient on both sides without a word.

    Branches and final estimators are fitted on the labels of ``y`` as they are: a `class_weight`
    names them as it does alone.

    A net with ``class_weight="balanced"``, as a branch or as the final estimator, gives .5 where a
    patient is as likely a case as the average patient is. With None, the default of all nets, a
    probability is a risk in a population like that of `fit`.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Wolpert DH. Stacked generalization. Neural Networks 1992;5:241-259.
    doi:10.1016/S0893-6080(05)80023-1

    Examples
    --------
    >>> from skosteo import ClinicalOsteoClassifier, ImageOsteoClassifier
    >>> from skosteo.datasets import make_cohort
    >>> cohort = make_cohort(40, random_state=0)
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
    (40, 2)
    """

    # patients reach the folds and the branches wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(
        self,
        image: Any = None,
        clinical: Any = None,
        *,
        other_branches: Sequence[tuple[str, Any, list[str]]] | None = None,
        image_column: str | None = "image",
        clinical_columns: list[str] | None = None,
        final_estimator: Any = None,
        cv: int | BaseCrossValidator | str | None = None,
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

    def __getstate__(self) -> dict[str, Any]:
        """Parameters, and what was learnt, each once; by names that JSON knows."""
        state = dict(super().__getstate__())
        if "final_estimators_" in state:
            state["final_estimators_"] = list(state["final_estimators_"].items())
            for name in ("image_", "clinical_", "final_estimator_"):
                del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "final_estimators_" in state:
            self.final_estimators_ = dict(state["final_estimators_"])
            self._name_branches()

    def _name_branches(self) -> None:
        self.image_, self.clinical_ = self.branches_["image"], self.branches_["clinical"]
        self.final_estimator_ = self.final_estimators_[tuple(self.branches_)]

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
            A row per study: the image column and the clinical columns, in a table of pandas, polars
            or pyarrow. Each branch sees all of a plain array.
        y : array-like of shape (n,)
            Two classes; the second in sorted order is the positive one.
        sample_weight : array-like of shape (n,), optional
            Not negative; passed to the branches and final estimators. Rows of weight 0 are left
            out.
        groups : array-like of shape (n,), optional
            Patient of each row: no patient is on both sides of a fold, nor of an early-stopping
            split inside a branch. Cross-validation and searches pass it on only after
            ``sklearn.set_config(enable_metadata_routing=True)``:
            ``cross_validate(..., params={"groups": ...})``, ``search.fit(X, y, groups=...)``.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            A parameter is wrong, a column is missing, y is not binary, no row has all that the
            branches look at, or a branch cannot take the sample weights.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups)

    @with_callbacks
    def _fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        classes, codes = encode_target(y)
        self._check_parameters(classes)
        context = self._init_callback_context(max_subtasks=len(self._branches()))
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        table, X = X, to_pandas(X)
        rows = FitRows.of(X, codes, sample_weight, groups)
        others = {name: columns for name, _, columns in self.other_branches or ()}
        self.columns_ = resolve_columns(X, self.image_column, self.clinical_columns, others)
        self.image_column_ = self.image_column if self.columns_ else None
        X = self._check(X, reset=True)

        seed = check_random_state(self.random_state).randint(2**31 - 1)
        splits = None if isinstance(self.cv, str) else rows.splits(self.cv, seed)
        self.classes_, y_used = classes, classes[codes[rows.used]]
        with renumbering(rows.used, len(codes)):
            parts = split_columns(_safe_indexing(X, rows.used), self.columns_)
            self._fit_parts(parts, y_used, rows.metadata, splits, seed, context)
        context.call_on_fit_task_end(estimator=self, X=table, y=y, reconstruction_attributes={})
        return self

    def _fit_parts(
        self,
        parts: dict[str, Part],
        y: NDArray,
        metadata: dict[str, NDArray],
        splits: Splits | None,
        seed: int,
        context: CallbackContext,
    ) -> None:
        """Fit branches and final estimators on what the branches see of the rows that count."""
        check_present(parts, "It learns from the others.")
        if isinstance(self.cv, str) and self.cv == "prefit":
            self.branches_ = self._branches()
            check_prefit(self.branches_, self.classes_)
            probabilities = self._branch_probabilities(parts)
        else:
            probabilities = self._fit_branches(parts, y, metadata, splits, seed, context)
        self.final_estimators_ = fit_final_estimators(
            self.final_estimator, list(self.branches_), probabilities, y, metadata, seed
        )
        self._name_branches()

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, in the order of ``classes_``: shape (n, 2)."""
        return self.fuse(self.branch_probabilities(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithm of the probability of each class: shape (n, 2)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Log odds of the positive class, ``classes_[1]``: shape (n,), finite."""
        logarithms = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float64).tiny))
        return logarithms[:, 1] - logarithms[:, 0]

    def predict(self, X: Any) -> NDArray:
        """Class of each row: the positive one from a probability of .5."""
        positive = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[positive.astype(int)]

    def branch_probabilities(self, X: Any) -> NDArray[np.float64]:
        """Probability of the positive class by branch: shape (n, k), image and clinical first.

        NaN where a row lacks what the branch looks at.
        """
        parts = self.read_parts(X)
        check_present(parts, "The other branches answer.")
        return self._branch_probabilities(parts)

    def branches_used(self, X: Any) -> pd.DataFrame:
        """Say for each row which branches answer, those that find anything to look at.

        Returns
        -------
        DataFrame of bool, shape (n, k)
            A column per branch.
        """
        return presence(self.read_parts(X))

    def read_parts(self, X: Any) -> dict[str, Part]:
        """Return what each branch sees of X, and in which rows; for developers."""
        check_is_fitted(self)
        by_variable = {name for name, b in self.branches_.items() if finds_by_variable(b)}
        return split_columns(self._check(X, reset=False), self.columns_, by_variable)

    def fuse(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fuse `branch_probabilities` by themselves; for developers.

        Parameters
        ----------
        probabilities : ndarray of shape (n, k)
            Of the positive class, by branch; NaN where a branch has none.

        Returns
        -------
        ndarray of shape (n, 2)
            Probability of each class.
        """
        check_is_fitted(self)
        return fuse(self.final_estimators_, list(self.branches_), probabilities)

    def _check_parameters(self, classes: NDArray) -> None:
        """Refuse wrong parameters, those of branches included, before anything is fitted."""
        check_other_branches(self.other_branches, self._other_pairs, self.get_params(deep=False))
        if isinstance(self.cv, str) and self.cv not in ("prefit", "in-sample"):
            raise InputError(
                f"cv={self.cv!r}: allowed are a number of folds, a cross-validator, None for 5 "
                "folds, 'prefit', or 'in-sample'."
            )
        check_final_estimator(self.final_estimator)
        for name, branch in self._branches().items():
            # None is the default of these two
            if branch is None and name in ("image", "clinical"):
                require("nets", f"{name}=None, a net,", f"give {name}= another classifier")
                continue
            if not gives_probabilities(branch):
                raise InputError(
                    f"{name}={type(branch).__name__} is not a classifier with predict_proba. "
                    "For a support vector machine, wrap it in CalibratedClassifierCV."
                )
            validate_steps(branch, classes)
        validate_steps(self.final_estimator, classes)

    def _check(self, X: Any, *, reset: bool) -> Any:
        return validate_table(
            self,
            X,
            reset=reset,
            by_name=self.image_column_ is not None,
            dtype=None,
            allow_nd=True,
            ensure_all_finite=False,
        )

    def _fit_branches(
        self,
        parts: dict[str, Part],
        y: NDArray,
        metadata: dict[str, NDArray],
        splits: Splits | None,
        seed: int,
        context: CallbackContext,
    ) -> NDArray[np.float64]:
        """Fit all branches, and return the probabilities (n, k) that the fusion learns from."""
        if splits is None:
            warnings.warn(
                "cv='in-sample': the fusion learns from what the branches predict for the very "
                "rows that they were trained on, and will trust most the one that knows them by "
                "heart. Use cv=5.",
                InSampleWarning,
                stacklevel=5,
            )
        memory = open_memory(self.memory)
        fitted = {}
        branches = self._branches_to_fit(seed)
        # films come last: what is wrong with the table is known before one is opened
        for name, branch in sorted(branches.items(), key=lambda item: item[0] == "image"):
            task = context.subcontext(name, max_subtasks=len(splits or ()) + 1)
            task.call_on_fit_task_begin(estimator=self)
            with naming(name):
                fitted[name] = fit_out_of_fold(
                    branch, parts[name], y, splits, metadata, memory, task
                )
            task.call_on_fit_task_end(estimator=self)
        self.branches_ = {name: fitted[name][0] for name in branches}
        return np.column_stack([fitted[name][1] for name in branches])

    def _branch_probabilities(self, parts: dict[str, Part]) -> NDArray[np.float64]:
        return np.column_stack(
            [predict_present(branch, parts[name]) for name, branch in self.branches_.items()]
        )

    def _branches(self) -> dict[str, Any]:
        return {"image": self.image, "clinical": self.clinical, **dict(self._other_pairs)}

    def _branches_to_fit(self, seed: int) -> dict[str, Any]:
        branches = self._branches()
        if self.image is None:
            from skosteo.image.classifier import ImageOsteoClassifier

            branches["image"] = ImageOsteoClassifier(
                image_column=self.image_column, random_state=seed
            )
        if self.clinical is None:
            from skosteo.clinical.classifier import ClinicalOsteoClassifier

            net = ClinicalOsteoClassifier(random_state=seed)
            branches["clinical"] = make_pipeline(ClinicalPreprocessor(), net)
        return {name: clone(branch) for name, branch in branches.items()}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        branches = [b for b in (self.image, self.clinical) if b is not None]
        tags.input_tags.allow_nan = bool(branches) and all(
            get_tags(branch).input_tags.allow_nan for branch in branches
        )
        return tags
