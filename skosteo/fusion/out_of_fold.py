"""Out-of-fold predictions of a branch of a fusion, and the fit that follows them.

A row that holds nothing for a branch teaches it nothing, and has no prediction of it: NaN.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.callback import CallbackContext
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import check_consistent_length, check_is_fitted, has_fit_parameter

from skosteo._validation import check_groups, check_weights, read_weights
from skosteo.clinical.densities import halves
from skosteo.exceptions import InputError
from skosteo.fusion.columns import Part, renumbering
from skosteo.fusion.memory import branch_digest
from skosteo.splits import check_folds, fold_splitter

Splits = Sequence[tuple[NDArray, NDArray]]

# scikit-learn's default number of folds
_DEFAULT_FOLDS = 5
# rows of each half of the densities on both sides of 2 folds
_FEWEST = 4


def fit_out_of_fold(
    branch: Any,
    part: Part,
    y: NDArray,
    splits: Splits | None,
    metadata: Mapping[str, NDArray],
    memory: Memory,
    context: CallbackContext,
) -> tuple[Any, NDArray[np.float64]]:
    """Fit a branch on the rows that are present, after out-of-fold predictions for each of them.

    Parameters
    ----------
    branch : classifier or regressor
        Left as it is; clones are fitted.
    part : Part
        What the branch sees: n rows.
    y : ndarray of shape (n,), or (n, k) of a regressor
        Labels of two classes, or densities.
    splits : sequence of (train, test) or None
        Folds that test each row once. None: the predictions are those of the fitted branch for its
        own training rows.
    metadata : mapping
        sample_weight and groups, as far as they are given: each of shape (n,).
    memory : joblib.Memory
        Where the outcome is kept for the next call with the same branch, rows and folds.
    context : CallbackContext
        Of the fusion's fit, whose callbacks hear of every fit of the branch.

    Returns
    -------
    fitted : classifier or regressor
        Fitted on all rows that are present.
    probability : ndarray of the shape of y
        Of the second class, or densities; NaN where the row is not present.
    """
    if memory.location is None:
        return _fit_out_of_fold(branch, part, y, splits, metadata, context)
    cached = memory.cache(_fit_known, ignore=["part", "context"])
    digest = branch_digest(branch, part.table)
    return cached(branch, part, digest, y, splits, dict(metadata), context)


def _fit_known(
    branch: Any,
    part: Part,
    digest: str,  # stands for the part, which would take long to hash, and whose films may change
    y: NDArray,
    splits: Splits | None,
    metadata: dict[str, NDArray],
    context: CallbackContext,
) -> tuple[Any, NDArray[np.float64]]:
    return _fit_out_of_fold(branch, part, y, splits, metadata, context)


def _fit_out_of_fold(
    branch: Any,
    part: Part,
    y: NDArray,
    splits: Splits | None,
    metadata: Mapping[str, NDArray],
    context: CallbackContext,
) -> tuple[Any, NDArray[np.float64]]:
    rows = np.flatnonzero(part.present)
    probability = np.full(y.shape, np.nan)
    for _, unseen, said in fitted_folds(branch, part, y, splits or (), metadata, context):
        probability[unseen] = said
    fitted = _fit_rows(branch, part, y, rows, metadata, context.subcontext("all rows"))
    if splits is None:
        probability[rows] = _predict_rows(fitted, part, rows)
    return fitted, probability


def fitted_folds(
    branch: Any,
    part: Part,
    y: NDArray,
    splits: Splits,
    metadata: Mapping[str, NDArray],
    context: CallbackContext,
) -> Iterator[tuple[Any, NDArray, NDArray[np.float64]]]:
    """Fit a clone of a branch on each fold; see `fit_out_of_fold`.

    Yields
    ------
    model, rows, probability
        Fitted on the training rows of the fold; its test rows that are present, and what it says
        of these. A fold that tests no such row is left out.
    """
    rows = np.flatnonzero(part.present)
    for train, test in splits:
        seen, unseen = np.intersect1d(train, rows), np.intersect1d(test, rows)
        if len(unseen):
            model = _fit_rows(branch, part, y, seen, metadata, context.subcontext("fold"))
            yield model, unseen, _predict_rows(model, part, unseen)


def _fit_rows(
    branch: Any,
    part: Part,
    y: NDArray,
    rows: NDArray,
    metadata: Mapping[str, NDArray],
    context: CallbackContext,
) -> Any:
    if len(np.unique(y[rows])) < 2:
        raise InputError(
            f"A branch has {len(rows)} rows to learn from where its columns are not empty, and "
            "they are of one class. Leave the branch out, or use fewer folds or more patients."
        )
    known = {name: values[rows] for name, values in metadata.items()}
    model, told = clone(branch), {"estimator": branch, "X": part.take(rows), "y": y[rows]}
    with renumbering(rows, len(y)), context.propagate_callback_context(model):
        context.call_on_fit_task_begin(**told)
        fit_with_metadata(model, told["X"], told["y"], known)
    context.call_on_fit_task_end(**told)
    return model


def predict_present(fitted: Any, part: Part, sites: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """Probability of the second class by a fitted branch; NaN where a row is not present.

    Of a regressor its densities: shape (n, *sites).
    """
    rows = np.flatnonzero(part.present)
    probability = np.full((len(part.present), *sites), np.nan)
    if len(rows):
        probability[rows] = _predict_rows(fitted, part, rows)
    return probability


def _predict_rows(fitted: Any, part: Part, rows: NDArray) -> NDArray[np.float64]:
    """Return what a branch says of these rows, of each something: it holds something."""
    X = part.take(rows)
    with renumbering(rows, len(part.present)):
        said = fitted.predict(X) if is_regressor(fitted) else fitted.predict_proba(X)[:, 1]
        probability = np.asarray(said, dtype=np.float64)
        absent = np.flatnonzero(~np.isfinite(probability.reshape(len(rows), -1)).all(axis=1))
        if len(absent):
            answer = "density" if is_regressor(fitted) else "probability"
            raise InputError(
                f"{type(fitted).__name__} gives no {answer}, though something is there for it. "
                "A branch must answer all such rows: put an imputer before it."
            ).at_rows(absent, len(rows))
    return probability


class FitRows(NamedTuple):
    """The n rows of a fit, and the m of them that are used: those with a weight above 0."""

    codes: NDArray  # (n,), 0 and 1
    patients: NDArray | None  # (n,)
    used: NDArray  # (m,), positions
    weights: NDArray[np.float64]  # (m,)
    metadata: dict[str, NDArray]  # sample_weight and groups as far as they were given, (m,) each

    @classmethod
    def of(
        cls, X: Any, codes: NDArray, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        """Check that table, labels, weights and patients are of the same rows."""
        check_consistent_length(X, codes)
        return cls._of(codes, check_weights(sample_weight, X, codes), sample_weight, groups)

    @classmethod
    def of_densities(
        cls,
        X: Any,
        densities: NDArray[np.float64],
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
    ) -> Self:
        """Check the same of densities; the codes are their halves, both of which folds have."""
        check_consistent_length(X, densities)
        weights = read_weights(sample_weight, X)
        n = (weights > 0).sum()
        if n < _FEWEST:
            raise InputError(
                f"n_samples = {n}: out-of-fold densities need {_FEWEST} rows or more. Give more."
            )
        codes = np.zeros(len(densities), dtype=np.int64)
        codes[weights > 0] = halves(densities[weights > 0])
        return cls._of(codes, weights, sample_weight, groups)

    @classmethod
    def _of(
        cls, codes: NDArray, weights: NDArray, sample_weight: ArrayLike | None, groups: Any
    ) -> Self:
        patients = check_groups(groups, len(codes))
        used = np.flatnonzero(weights > 0)
        metadata = {} if sample_weight is None else {"sample_weight": weights[used]}
        if patients is not None:
            metadata["groups"] = patients[used]
        return cls(codes, patients, used, weights[used], metadata)

    def splits(self, cv: Any, seed: int) -> Splits:
        """Folds of the rows that are used, by their positions among these.

        A number of folds, None for 5, is drawn from the rows used, and is lowered with a warning
        where a class has fewer patients; a cross-validator may have folds of all rows.

        Raises
        ------
        InputError
            Folds let a patient through, lack a class, or do not test each row once.
        """
        cv = _DEFAULT_FOLDS if cv is None else cv
        rows = self.used if isinstance(cv, Integral) else np.arange(len(self.codes))
        position = np.full(len(self.codes), -1)
        position[self.used] = np.arange(len(self.used))
        y, patients = self.codes[rows], None if self.patients is None else self.patients[rows]
        if isinstance(cv, Integral):
            cv = _possible_folds(int(cv), y, patients)
        splits = []
        for train, test in fold_splitter(cv, patients, seed).split(rows, y, patients):
            train, test = position[rows[train]], position[rows[test]]
            splits.append((train[train >= 0], test[test >= 0]))
        _check_splits(splits, self.codes[self.used], self.metadata.get("groups"))
        return splits


def _possible_folds(n_folds: int, y: NDArray, groups: NDArray | None) -> int:
    """So many folds as the rarer class has patients, or rows, at most."""
    members = np.arange(len(y)) if groups is None else groups
    fewest = min(len(np.unique(members[y == code])) for code in np.unique(y))
    if fewest >= n_folds:
        return n_folds
    unit = "rows" if groups is None else "patients"
    if fewest < 2:
        raise InputError(
            f"A class has {fewest} of the {unit}: out-of-fold predictions need 2 or more of each. "
            "Give more."
        )
    warnings.warn(
        f"A class has {fewest} {unit}, fewer than the {n_folds} folds of cv: {fewest} folds are "
        "used.",
        UserWarning,
        stacklevel=5,
    )
    return fewest


def _check_splits(splits: Splits, y: NDArray, groups: NDArray | None) -> None:
    check_folds(list(splits), y, groups)
    tested = np.bincount(np.concatenate([test for _, test in splits]), minlength=len(y))
    if (tested != 1).any():
        raise InputError(
            f"cv leaves {(tested == 0).sum()} of {len(y)} rows in no test fold and has "
            f"{(tested > 1).sum()} in several. "
            "Use a cross-validator that tests each row once, such as StratifiedGroupKFold."
        )


def check_prefit(branches: Mapping[str, Any], classes: NDArray) -> None:
    """Refuse branches, or an estimator, by name, that are not fitted or on other classes."""
    for name, branch in branches.items():
        if branch is None:
            raise InputError(f"cv='prefit' needs a fitted classifier for {name}=, not None.")
        check_is_fitted(branch)
        if not np.array_equal(branch.classes_, classes):
            raise InputError(
                f"{name}= was fitted on the classes {branch.classes_.tolist()}, y has "
                f"{classes.tolist()}. Fit all on the same labels."
            )


def validate_steps(model: Any, classes: NDArray | None = None) -> None:
    """Check the parameters of a model, and of the steps of a pipeline, as their ``fit`` will."""
    for step in [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]:
        if isinstance(step, Pipeline):
            validate_steps(step, classes)
        elif hasattr(step, "_parameter_constraints"):
            step._validate_params()
            weights = getattr(step, "class_weight", None)
            known = set() if classes is None else set(classes.tolist())
            if isinstance(weights, Mapping) and not known <= set(weights):
                raise InputError(
                    f"class_weight={weights!r} of {type(step).__name__}: give a number for each of "
                    f"{sorted(known)}."
                )


def fit_with_metadata(model: Any, X: Any, y: NDArray, metadata: Mapping[str, NDArray]) -> Any:
    """Fit a model with the sample weights and the patients, as far as it takes them.

    scikit-learn's metadata routing takes both to the steps that ask for them; skosteo's nets and
    every group cross-validator do. The last step of a pipeline, and of each member of a
    `VotingClassifier`, need not ask: it gets what its ``fit`` can take, as a user of ``fit``
    expects, unless a request says otherwise.
    """
    with config_context(enable_metadata_routing=True):
        request_metadata(model, metadata)
        for member in _members(model) if "sample_weight" in metadata else ():
            if not get_routing_for_object(member).consumes("fit", ["sample_weight"]):
                raise InputError(
                    f"{_last_step(member)} takes no sample_weight, or does not pass it on. Leave "
                    "the weights out, use another classifier, or ask for them with "
                    "set_fit_request."
                )
        taken = get_routing_for_object(model).consumes("fit", metadata)
        return model.fit(X, y, **{name: metadata[name] for name in taken})


def request_metadata(model: Any, names: Iterable[str]) -> None:
    """Request what last steps can take, where the user has not, with metadata routing enabled."""
    if isinstance(model, VotingClassifier):
        for member in _members(model):
            request_metadata(member, names)
    elif isinstance(model, Pipeline):
        for _, step in model.steps[:-1]:
            _settle_requests(step, names, wanted=False)
        request_metadata(model.steps[-1][1], names)
    else:
        _settle_requests(model, names, wanted=True)


def _settle_requests(step: Any, names: Iterable[str], *, wanted: bool) -> None:
    """Request for a step what its ``fit`` can take, or not, where it has no request of the user."""
    request = get_routing_for_object(step)
    if isinstance(request, MetadataRequest):
        for name in names:
            if request.fit.requests.get(name) is None and has_fit_parameter(step, name):
                step.set_fit_request(**{name: wanted})


def _members(model: Any) -> list[Any]:
    """Return what a vote is held among; of another model the model alone."""
    if isinstance(model, VotingClassifier):
        return [member for _, member in model.estimators if member != "drop"]
    return [model]


def _last_step(model: Any) -> str:
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return type(model).__name__
