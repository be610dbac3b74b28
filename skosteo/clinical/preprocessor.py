"""The transformer from a hospital's table to a matrix of numbers."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skosteo._validation import named_table
from skosteo.clinical.columns import Category, Numbers, check_categories, imputation_by_column
from skosteo.clinical.identifiers import names_patient
from skosteo.clinical.reading import REPORT_TEXTS, TableReader
from skosteo.clinical.report_text import GIVEAWAY_TERMS, compile_terms, without_terms
from skosteo.clinical.text_components import ReportText
from skosteo.exceptions import InputError, ValuesWarning


class ClinicalPreprocessor(TransformerMixin, BaseEstimator):
    """Impute missing values, encode categories and turn report text into numbers.

    All that is learnt, is learnt from the rows of `fit`:

    * Numbers, written as text too: missing ones imputed by mean or median. A missing body mass
      index is first computed from height and weight, where both are known and plausible.
    * Categories (sex, and text with at most 20 different values): one column each, 0 or 1. Values
      of fewer than ten rows are one, "infrequent": a fitted model keeps no name that few have. A
      value that `fit` has not seen is infrequent too, or gets zeros where `fit` had none, with a
      `ValuesWarning`. Words for the sexes ("female", "男") are F and M.
    * Report text: clauses with a term that names the diagnosis are removed; of the other words 8
      components are told, each by its side of the mean, -1 or 1. No word is kept: a hash of each
      is, if rows enough hold it. A text of which nothing is left is a missing one.

    Values that look as if they were in another unit than their column's give a `ValuesWarning`, in
    `fit` and in `transform` (see `skosteo.clinical.check_values`); they are never converted
    unasked. After `fit`, columns are found by name, else by variable: a model of ``age`` takes
    "Age (years)" or "RIDAGEYR", and one of calcium in mmol/L a column whose name says mg/dL, which
    is converted. Order and further columns do not matter.

    Parameters
    ----------
    imputation : dict of str to {"mean", "median"}, "keep" or None, default=None
        How to impute, by column or variable of numbers; those not named get the median. None
        follows the paper: the mean for white cells and calcium, the median for all else. "keep"
        leaves missing values as NaN, in all columns that come of the value: for models that take
        NaN, such as XGBoost.
    text_columns : sequence of str, default=("xray_diagnosis", "xray_description")
        Columns or variables that are report text. Those that X does not have are no error.
    columns : sequence of str, default=None
        Columns to use, in this order, by their name or that of the variable ("bmi", "Body mass
        index"); others are ignored. None uses all, and refuses names that promise the
        answer, such as "T-score hip" or "alendronate" (not "Family history of osteoporosis").
    units : dict of str to str, default=None
        Units that values come in, by column or variable, such as ``{"calcium": "mg/dL"}``. Such a
        column is converted, and comes out under its canonical name, ``calcium_mmol_l``.
    infinities : {"error", "clip"}, default="error"
        What to do with inf and -inf, values beyond a detection limit: refuse them, or put the
        largest or smallest finite value of the rows of `fit` there.
    absent : {"error", "impute"}, default="error"
        What `transform` does about a column of `fit` that X lacks: refuse X, or take the column's
        values as missing in all rows, with a `ValuesWarning`.
    missing_flags : bool, default=False
        Add a column of 0 and 1, ``<column>_missing``, for each column with missing values in
        `fit`. A category has one already, unless missing values are kept.
    masked_terms : sequence of str, default=GIVEAWAY_TERMS
        Regular expressions, case ignored, sought in one sentence at a time. Clauses of report text
        that hold one are removed; categories may hold none. () removes nothing.

    Attributes
    ----------
    columns_ : dict of str to fitted step
        What turns each column into numbers, by its name, the canonical one if units were declared.
    categories_ : list of str
        Columns read as categories.
    bmi_from_ : list of str
        Columns of height and weight that the body mass index is computed from; empty without.
    masked_ : DataFrame
        ``column``, ``term`` (the regular expression) and ``n_rows`` (rows of `fit`) of all for
        which clauses of report text were removed.
    source_columns_ : ndarray of str, shape (n_features_out,)
        Column of X that each output column comes from; "bmi" for one that X did not have.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if they had names.

    Notes
    -----
    The paper does not say how it encodes its two report texts, nor whether they name the diagnosis;
    they rank second and fourth among its variables. See what a model is worth without them.
    What was removed can still be guessed where reports say nothing else: `check_leakage` tells.

    A body mass index that X lacks is added with ``columns=None``, and where ``columns`` names it:
    ``["age", "sex", "bmi"]`` needs one height and one weight in X, and does not put them out. Where
    they only complete one that X has, a table may come without them later.

    Repeated measurements of one variable in two columns are two columns of numbers, but a name
    that could mean either is refused.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [61, 75, None], "sex": ["F", "M", "F"], "ward": [3, 4, 4]})
    >>> preprocessor = ClinicalPreprocessor(columns=["age", "sex"])
    >>> preprocessor.set_output(transform="pandas").fit_transform(X)
        age  sex_F  sex_M
    0  61.0    1.0    0.0
    1  75.0    0.0    1.0
    2  68.0    1.0    0.0
    """

    def __init__(
        self,
        imputation: Mapping[str, str] | str | None = None,
        text_columns: Sequence[str] = REPORT_TEXTS,
        *,
        columns: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
        infinities: str = "error",
        absent: str = "error",
        missing_flags: bool = False,
        masked_terms: Sequence[str] = GIVEAWAY_TERMS,
    ) -> None:
        self.imputation = imputation
        self.text_columns = text_columns
        self.columns = columns
        self.units = units
        self.infinities = infinities
        self.absent = absent
        self.missing_flags = missing_flags
        self.masked_terms = masked_terms

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Learn means, medians, categories and text components from a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, n_columns)
            Of pandas, polars or pyarrow: numbers, categories and report text; NaN, None and blank
            text are missing. Dense.
        y : ignored
            Here because scikit-learn's pipelines pass it.

        Returns
        -------
        self
            Fitted.
        """
        self._reader = TableReader(
            self.columns, self.text_columns, self.units, self.infinities, self.absent
        )
        table = self._table(X, reset=True)
        read = self._reader.fit(table)
        if self.columns is None:
            _warn_of_identifiers(table)
        self._terms = compile_terms(self.masked_terms)
        self.masked_ = self._mask(read)
        self.categories_ = [self._reader.sources[name] for name in self._reader.categories]
        self.bmi_from_ = self._reader.bmi.sources
        self.columns_ = {name: step.fit(read[name]) for name, step in self._steps(read).items()}
        has_own = [] if self.imputation == "keep" else self._reader.categories
        flaggable = [c for c in read if c not in has_own] if self.missing_flags else []
        self._flagged = [c for c in flaggable if read[c].isna().any()]
        names, sources = [], []
        for name, step in self.columns_.items():
            new = step.names_ + ([f"{name}_missing"] if name in self._flagged else [])
            names += new
            sources += [self._reader.sources[name]] * len(new)
        if twice := [name for i, name in enumerate(names) if name in names[:i]]:
            raise InputError(
                f"Two columns would come out as {twice[0]!r}. Rename the column of X that has this "
                "name, or leave it out."
            )
        self._names_out = np.array(names, dtype=object)
        self.source_columns_ = np.array(sources, dtype=object)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Table (n, n_columns) to numbers (n, n_features_out), none missing unless kept.

        Parameters
        ----------
        X : DataFrame or array-like
            With the columns of `fit`, found by name or variable; those of an array by position.
        """
        check_is_fitted(self)
        read = self._reader.read(self._table(X, reset=False))
        self._mask(read)
        parts = []
        for column, step in self.columns_.items():
            parts.append(step.transform(read[column]))
            if column in self._flagged:
                parts.append(read[column].isna().to_numpy(np.float64)[:, None])
        return np.hstack(parts)

    def __getstate__(self) -> dict[str, Any]:
        """Parameters, and what was learnt, as plain values and arrays."""
        state = dict(super().__getstate__())
        if "_terms" in state:
            state["_terms"] = [term.pattern for term in state["_terms"]]
            state["masked_"] = state["masked_"].to_dict("list")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "_terms" in state:
            state["_terms"] = compile_terms(state["_terms"])
            state["masked_"] = _table_of_masked(state["masked_"])
        super().__setstate__(state)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns that `transform` makes."""
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return self._names_out.copy()

    def _table(self, X: Any, *, reset: bool) -> pd.DataFrame:
        if isinstance(X, pd.DataFrame) and any(isinstance(d, pd.SparseDtype) for d in X.dtypes):
            raise InputError("X has sparse columns. Give X.sparse.to_dense().")
        return named_table(self, X, reset=reset)

    def _mask(self, read: dict[str, pd.Series]) -> pd.DataFrame:
        """Take giveaway terms out of what was read; return what was found."""
        rows = []
        for name in self._reader.texts:
            read[name], n_rows = without_terms(read[name], self._terms)
            rows += [(name, term, n) for term, n in n_rows.items() if n]
        return _table_of_masked(rows)

    def _steps(self, read: dict[str, pd.Series]) -> dict[str, Any]:
        """Choose a step for each column that was read, not yet fitted."""
        reader, keep = self._reader, self.imputation == "keep"
        check_categories({name: read[name] for name in reader.categories}, self._terms)
        sources = {name: reader.sources[name] for name in reader.numbers}
        filled = imputation_by_column(self.imputation, sources)
        steps: dict[str, Any] = {name: Numbers(name, how) for name, how in filled.items()}
        steps |= {name: Category(name, keep=keep) for name in reader.categories}
        steps |= {name: ReportText(name, keep=keep) for name in reader.texts}
        return {name: steps[name] for name in read}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        inputs.allow_nan = inputs.categorical = inputs.string = True
        return tags


def _table_of_masked(rows: Any) -> pd.DataFrame:
    # plain objects: texts of pandas may be those of pyarrow, and so would pickles be
    columns = pd.Index(["column", "term", "n_rows"], dtype=object)
    return pd.DataFrame(rows, columns=columns, dtype=object).astype({"n_rows": int})


def _warn_of_identifiers(table: pd.DataFrame) -> None:
    named = [column for column in table if names_patient(column)]
    if named:
        warnings.warn(
            f"By their names, the columns {named} say which patient a row is of. A model learns "
            "nothing of bone from them, but patients by heart: leave them out, or name the columns "
            "to use by `columns`.",
            ValuesWarning,
            stacklevel=3,
        )
