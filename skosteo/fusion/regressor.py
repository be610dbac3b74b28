"""Density fusion: what an image and a clinical regressor say of a density, combined."""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from joblib import Memory
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.callback import CallbackContext, CallbackSupportMixin, with_callbacks
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import make_pipeline
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from skosteo._extras import require
from skosteo._validation import to_pandas, unchanged_on_error
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.densities import check_measured, read_densities
from skosteo.clinical.density_regressor import DensityRegressor, spread_factor
from skosteo.exceptions import InputError
from skosteo.fusion.columns import (
    Part,
    check_present,
    finds_by_variable,
    naming,
    presence,
    renumbering,
    resolve_columns,
    split_columns,
    validate_table,
)
from skosteo.fusion.out_of_fold import (
    FitRows,
    Splits,
    fit_out_of_fold,
    predict_present,
    validate_steps,
)

_BRANCHES = ("image", "clinical")
# Sets of branches that rows may have, by the name of their combination
_SETS = {"image + clinical": [0, 1], "image": [0], "clinical": [1]}
# Below this part of the standard deviation of a site, no spread is believed
_LEAST_SPREAD = 1e-6


class FusionOsteoRegressor(CallbackSupportMixin, DensityRegressor, BaseEstimator):
    r"""Combine the densities that an image and a clinical regressor expect.

    .. math:: T \sim N\bigl(a + b_\text{image} \hat T_\text{image} + b_\text{clinical}
        \hat T_\text{clinical},\; \sigma^2\bigr)

    In `fit`, each branch is cloned and gives every training row a density from a fold that did not
    hold the row's patient; least squares learn the combination of each site from these, and what
    they leave is the spread. Then both branches are fitted again on all rows.

    Parameters
    ----------
    image : regressor or None, default=None
        Branch that sees the image column; None: an `ImageOsteoRegressor`.
    clinical : regressor or None, default=None
        Branch that sees the clinical columns; None: a pipeline of `ClinicalPreprocessor` and
        `ClinicalOsteoRegressor`. Any regressor serves in either place; with several sites it must
        take as many targets and, where some are not measured, NaN in y.
    image_column : str or None, default="image"
        Column of the image branch. None: both branches see every column.
    clinical_columns : list of str or None, default=None
        Columns of the clinical branch; None: all but the image column.
    cv : int, cross-validator or None, default=None
        Folds of the out-of-fold predictions; None: 5. A number is shuffled, stratified by the half
        in which a density lies, and grouped by patient if `fit` is given ``groups``.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds the branches that are None here.

    Attributes
    ----------
    image_, clinical_ : regressor
        The branches, fitted on all rows that are not empty to them.
    sites_ : list of str
        Names of the sites: of the columns of y; "y", or "y0", "y1", ..., where it has none.
    coefficients_ : dict of str to ndarray of shape (k, 1 + b)
        Of the b branches "image + clinical", "image" or "clinical", whichever a row has: intercept
        and coefficients for each of k sites.
    std_ : dict of str to ndarray of shape (k,)
        Spread that is left, such that 90 % intervals hold 90 % of the out-of-fold rows.
    columns_ : dict of str to list of str
        Columns that each branch sees; empty where X was an array, which both see whole.
    image_column_ : str or None
        Column of the image branch; None where it sees all.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if X was a DataFrame.

    Notes
    -----
    A row without a radiograph, or without clinical values, is answered by the other branch and a
    combination of its own, with a `MissingModalityWarning`. Spreads of the branches are not used:
    what the combination leaves is measured as a whole, and is the same for every patient.

    References
    ----------
    Breiman L. Stacked regressions. Mach Learn 1996;24:49-64. doi:10.1007/BF00117832

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> t = rng.normal(-1, 1, 200)
    >>> views = t[:, None] + rng.normal(0, 0.8, (200, 2))
    >>> X = pd.DataFrame({"image": views[:, 0], "age": 70 - 5 * views[:, 1]})
    >>> model = FusionOsteoRegressor(LinearRegression(), LinearRegression(), random_state=0)
    >>> model.fit(X, t).predict_interval(X)[0].shape, model.score(X, t) > 0.6
    ((200,), True)
    """

    # patients reach the folds and the branches wherever metadata routing is enabled
    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(
        self,
        image: Any = None,
        clinical: Any = None,
        *,
        image_column: str | None = "image",
        clinical_columns: list[str] | None = None,
        cv: int | BaseCrossValidator | None = None,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.image = image
        self.clinical = clinical
        self.image_column = image_column
        self.clinical_columns = clinical_columns
        self.cv = cv
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the branches and their combination.

        Parameters
        ----------
        X : DataFrame or array-like
            A row per study: the image column and the clinical columns, in a table of pandas, polars
            or pyarrow. Both branches see all of a plain array.
        y : array-like of shape (n,), or (n, k) of k sites
            Densities or T-scores; of several sites NaN where one was not measured.
        sample_weight : array-like of shape (n,), optional
            Not negative; passed to the branches. Rows of weight 0 are left out.
        groups : array-like of shape (n,), optional
            Patient of each row: no patient is on both sides of a fold. Cross-validation
            and searches pass it on only after ``sklearn.set_config(enable_metadata_routing=True)``:
            ``cross_validate(..., params={"groups": ...})``, ``search.fit(X, y, groups=...)``.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            A parameter is wrong, a column is missing, y holds no densities, or too few rows have
            both modalities.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, groups)

    @with_callbacks
    def _fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> Self:
        self._check_parameters()
        densities, self.sites_ = read_densities(y)
        check_measured(densities, self.sites_)
        context = self._init_callback_context(max_subtasks=len(_BRANCHES))
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        table, X = X, to_pandas(X)
        rows = FitRows.of_densities(X, densities, sample_weight, groups)
        used = densities[rows.used]
        check_measured(used, self.sites_)
        self._learn_unit(used, rows.weights)
        self.columns_ = resolve_columns(X, self.image_column, self.clinical_columns, {})
        self.image_column_ = self.image_column if self.columns_ else None
        X = self._check(X, reset=True)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        splits = rows.splits(self.cv, seed)
        with renumbering(rows.used, len(densities)):
            parts = split_columns(_safe_indexing(X, rows.used), self.columns_)
            check_present(parts, "It learns from the others.")
            said = self._fit_branches(parts, used, rows.metadata, splits, seed, context)
        self._combine(said, used.reshape(said[0].shape), rows.weights)
        context.call_on_fit_task_end(estimator=self, X=table, y=y, reconstruction_attributes={})
        return self

    def branches_used(self, X: Any) -> pd.DataFrame:
        """Say for each row which branches answer, those that find anything to look at.

        Returns
        -------
        DataFrame of bool, shape (n, 2)
            Columns image and clinical.
        """
        return presence(self._parts(X))

    def _gaussian(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        parts = self._parts(X)
        check_present(parts, "The other branch answers.")
        k = len(self.sites_)
        sites = () if self._one_site else (k,)
        said = np.stack(
            [
                predict_present(getattr(self, f"{name}_"), parts[name], sites).reshape(-1, k)
                for name in _BRANCHES
            ]
        )
        mean, std = np.empty((2, *said.shape[1:]))
        present = ~np.isnan(said[:, :, 0])
        for name, chosen in _SETS.items():
            rows = np.flatnonzero(
                present[chosen].all(axis=0) & (present.sum(axis=0) == len(chosen))
            )
            if len(rows) and name not in self.std_:
                raise InputError(
                    f"something is there for {name!r} alone, and fit had too few such rows to "
                    "learn what to make of them. Leave them out, or fit on more."
                ).at_rows(rows, len(mean))
            if len(rows):
                coefficients = self.coefficients_[name]
                terms = np.einsum("kb,bnk->nk", coefficients[:, 1:], said[chosen][:, rows])
                mean[rows], std[rows] = coefficients[:, 0] + terms, self.std_[name]
        return mean, std

    def _combine(
        self,
        said: NDArray[np.float64],
        y: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> None:
        """Learn the combination of each set of branches from densities (b, n, k) out-of-fold."""
        self.coefficients_, self.std_ = {}, {}
        for name, chosen in _SETS.items():
            lines = [
                _line(said[chosen, :, j].T, y[:, j], weights, _LEAST_SPREAD * scale)
                for j, scale in enumerate(self._scale)
            ]
            known = [line for line in lines if line is not None]
            if len(known) == len(lines):
                self.coefficients_[name] = np.stack([line[0] for line in known])
                self.std_[name] = np.array([line[1] for line in known])
            elif len(chosen) == len(_BRANCHES):
                raise InputError(
                    "Too few rows have a density of every site and hold something for both "
                    "branches. The fusion learns from such rows: give more."
                )

    def _fit_branches(
        self,
        parts: dict[str, Part],
        y: NDArray[np.float64],
        metadata: dict[str, NDArray],
        splits: Splits,
        seed: int,
        context: CallbackContext,
    ) -> NDArray[np.float64]:
        """Fit both branches, and return their out-of-fold densities: shape (2, n, k)."""
        image, clinical = self.image, self.clinical
        if image is None:
            from skosteo.image.regressor import ImageOsteoRegressor

            image = ImageOsteoRegressor(image_column=self.image_column, random_state=seed)
        if clinical is None:
            from skosteo.clinical.regressor import ClinicalOsteoRegressor

            net = ClinicalOsteoRegressor(random_state=seed)
            clinical = make_pipeline(ClinicalPreprocessor(), net)
        said = {}
        # films come last: what is wrong with the table is known before one is opened
        for name, branch in (("clinical", clone(clinical)), ("image", clone(image))):
            task = context.subcontext(name, max_subtasks=len(splits) + 1)
            task.call_on_fit_task_begin(estimator=self)
            with naming(name):
                fitted, said[name] = fit_out_of_fold(
                    branch, parts[name], y, splits, metadata, Memory(None), task
                )
            setattr(self, f"{name}_", fitted)
            task.call_on_fit_task_end(estimator=self)
        return np.stack([said[name].reshape(len(y), -1) for name in _BRANCHES])

    def _parts(self, X: Any) -> dict[str, Part]:
        check_is_fitted(self)
        found = {name for name in _BRANCHES if finds_by_variable(getattr(self, f"{name}_"))}
        return split_columns(self._check(X, reset=False), self.columns_, found)

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

    def _check_parameters(self) -> None:
        """Refuse wrong parameters, those of branches included, before anything is fitted."""
        if isinstance(self.cv, str):
            raise InputError(
                f"cv={self.cv!r}: allowed are a number of folds, a cross-validator, or None for 5."
            )
        for name in _BRANCHES:
            branch = getattr(self, name)
            if branch is None:
                require("nets", f"{name}=None, a net,", f"give {name}= another regressor")
                continue
            fits = hasattr(branch, "predict") and not isinstance(branch, type)
            if not (fits and is_regressor(branch)):
                raise InputError(
                    f"{name}={branch if isinstance(branch, str) else type(branch).__name__} is no "
                    "regressor, such as ClinicalOsteoRegressor(). Classifiers are fused by "
                    "ProbabilityFusionClassifier."
                )
            validate_steps(branch)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        branches = [b for b in (self.image, self.clinical) if b is not None]
        tags.input_tags.allow_nan = bool(branches) and all(
            get_tags(branch).input_tags.allow_nan for branch in branches
        )
        return tags


def _line(
    said: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64], least: float
) -> tuple[NDArray[np.float64], float] | None:
    """Intercept, coefficients and spread of y given (n, b); None of too few rows."""
    rows = ~np.isnan(said).any(axis=1) & ~np.isnan(y)
    terms = np.column_stack([np.ones(rows.sum()), said[rows]])
    n, n_terms = terms.shape
    if n < n_terms + 2:
        return None
    y, weights = y[rows], weights[rows] / weights[rows].mean()
    root = np.sqrt(weights)
    coefficients = np.linalg.lstsq(terms * root[:, None], y * root, rcond=None)[0]
    residuals = y - terms @ coefficients
    std = max(float(np.sqrt(weights @ residuals**2 / (n - n_terms))), least)
    return coefficients, std * spread_factor(residuals / std, weights)
