"""From a hospital's table to a matrix of numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skosteo.exceptions import InputError

# The paper fills the roughly normal values by their mean, the skewed ones by their median
PAPER_IMPUTATION = {"wbc_10e9_l": "mean", "calcium_mmol_l": "mean"}

# A report that names the diagnosis would give the answer away: English, Spanish, Chinese
GIVEAWAY_TERMS = (
    r"osteo[\s-]?p(?:or[oó]|a?eni|éni)\w*",
    r"(?:bone|mineral)[\s-]+(?:mineral[\s-]+)?(?:densit\w*|mass|loss)",
    r"(?:compression|insufficiency|fragility|wedge)[\s-]+(?:fracture|deformit)\w*",
    r"vertebral\s+collapse|demineraliz\w*|demineralis\w*",
    r"\b[tz][\s-]?scores?\b",
    r"\bdxa\b|\bdexa\b|\bbmd\b",
    r"fracturas?\b.{0,20}(?:compresión|aplastamiento)|densidad\s+(?:mineral\s+)?ósea",
    r"骨[质質]疏[松鬆]|骨量[减減]少|骨密度|[压壓][缩縮]性?骨折|骨[质質]稀疏",
)
_GIVEAWAY = re.compile("|".join(GIVEAWAY_TERMS), re.IGNORECASE)

# More different values than this make a column of words free text, not a category
_MAX_CATEGORIES = 20
_TEXT_COMPONENTS = 8


class ClinicalPreprocessor(TransformerMixin, BaseEstimator):
    """Fill gaps, encode categories and turn report text into numbers.

    All that is learnt, is learnt from the rows of `fit`:

    * Numbers: gaps filled by mean or median.
    * Categories (text with at most 20 different values): one column each, 0 or 1. A value that
      `fit` has not seen gets zeros.
    * Report text: terms that name the diagnosis are removed; then weighted character n-grams
      (which work without a word list, in Chinese too), reduced to 8 components.

    Parameters
    ----------
    imputation : dict of str to {"mean", "median"}, default=None
        How to fill gaps, by column of numbers; columns that are not named get the median. None
        follows the paper: the mean for ``wbc_10e9_l`` and ``calcium_mmol_l``.
    text_columns : sequence of str, default=("xray_diagnosis", "xray_description")
        Columns of report text. Those that X does not have are no error.

    Attributes
    ----------
    columns_ : ColumnTransformer
        The fitted steps, by kind of column.
    categories_ : list of str
        Columns read as categories.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`, if they had names.

    Notes
    -----
    The paper does not say how it encodes its two report texts, nor whether they name the diagnosis;
    they rank second and fourth among its variables. Leave their columns out of X to see what the
    model is worth without them.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [61, 75, None], "sex": ["F", "M", "F"]})
    >>> ClinicalPreprocessor().set_output(transform="pandas").fit_transform(X)
        age  sex_F  sex_M
    0  61.0    1.0    0.0
    1  75.0    0.0    1.0
    2  68.0    1.0    0.0
    """

    def __init__(
        self,
        imputation: Mapping[str, str] | None = None,
        text_columns: Sequence[str] = ("xray_diagnosis", "xray_description"),
    ) -> None:
        self.imputation = imputation
        self.text_columns = text_columns

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Learn means, medians, categories and text components from a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, n_columns)
            Numbers, categories and report text; NaN and None are gaps.
        y : ignored

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            A column without a value, free text that `text_columns` does not name, or an
            `imputation` that does not fit.
        """
        table = self._read(X, reset=True)
        empty = [column for column in table if table[column].isna().all()]
        if empty:
            raise InputError(
                f"The columns {empty} hold no value in the {len(table)} rows to learn from. "
                "Leave them out."
            )
        numbers, categories, texts = self._kinds(table)
        self.categories_ = categories
        table = self._with_plain_categories(table)
        by_mean = [c for c in numbers if self._fill(c) == "mean"]
        by_median = [c for c in numbers if self._fill(c) == "median"]
        self._check_imputation(numbers)
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        steps: list[tuple[str, Any, Any]] = [
            ("mean", SimpleImputer(strategy="mean"), by_mean),
            ("median", SimpleImputer(strategy="median"), by_median),
            ("category", encoder, categories),
        ]
        steps += [(f"text_{column}", _TextComponents(), [column]) for column in texts]
        self.columns_ = ColumnTransformer(steps, verbose_feature_names_out=False)
        self.columns_.set_output(transform="default").fit(table)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Table (n, n_columns) to numbers (n, n_features_out) without gaps."""
        check_is_fitted(self)
        table = self._with_plain_categories(self._read(X, reset=False))
        return np.asarray(self.columns_.transform(table), dtype=np.float64)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns that `transform` makes."""
        check_is_fitted(self)
        return self.columns_.get_feature_names_out()

    def _read(self, X: Any, *, reset: bool) -> pd.DataFrame:
        if not isinstance(X, pd.DataFrame):
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
            return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]).infer_objects()
        validate_data(self, X, reset=reset, skip_check_array=True)
        if X.shape[0] == 0:
            raise InputError("X has no rows.")
        numbers = X.select_dtypes("number")
        infinite = [c for c in numbers if np.isinf(numbers[c].to_numpy(float, na_value=0)).any()]
        if infinite:
            raise InputError(
                f"The columns {infinite} hold infinity. Where it marks a detection limit, put the "
                "limit itself there."
            )
        return X.rename(columns=str)

    def _with_plain_categories(self, table: pd.DataFrame) -> pd.DataFrame:
        # one kind of text and one kind of gap, whatever the file or the rows at hand led pandas to
        plain = {c: table[c].astype(object).map(str, na_action="ignore") for c in self.categories_}
        return table.assign(
            **{c: v.where(v.notna(), np.nan).astype(object) for c, v in plain.items()}
        )

    def _kinds(self, table: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
        columns = [str(c) for c in table.columns]
        texts = [c for c in columns if c in self.text_columns]
        numeric = table.select_dtypes(["number", "bool"]).columns
        numbers = [c for c in columns if c in numeric and c not in texts]
        categories = [c for c in columns if c not in numbers and c not in texts]
        for column in categories:
            n_values = table[column].nunique()
            if n_values > _MAX_CATEGORIES:
                raise InputError(
                    f"Column {column!r} holds {n_values} different texts in {len(table)} rows: "
                    f"more than {_MAX_CATEGORIES} are no category. Name it in text_columns if it "
                    "is report text, make it a number if it is one, or leave it out."
                )
            if table[column].dropna().map(str).str.contains(_GIVEAWAY).any():
                raise InputError(
                    f"Column {column!r} holds terms that name the diagnosis. Leave it out, or name "
                    "it in text_columns, where they are removed."
                )
        return numbers, categories, texts

    def _fill(self, column: str) -> str:
        imputation = PAPER_IMPUTATION if self.imputation is None else self.imputation
        return imputation.get(column, "median")

    def _check_imputation(self, numbers: list[str]) -> None:
        for column, how in (self.imputation or {}).items():
            if how not in ("mean", "median"):
                raise InputError(
                    f"imputation[{column!r}]={how!r}: allowed are 'mean' and 'median'."
                )
            if column not in numbers:
                raise InputError(
                    f"imputation names {column!r}, which is no column of numbers in X: {numbers}."
                )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


class _TextComponents(TransformerMixin, BaseEstimator):
    """One column of report text to the leading components of its character n-grams."""

    def fit(self, X: pd.DataFrame, y: ArrayLike | None = None) -> Self:
        self.column_ = X.columns[0]
        if not any(text.strip() for text in self._masked(X)):
            raise InputError(
                f"Column {self.column_!r} holds no text in the {len(X)} rows to learn from, once "
                "terms that name the diagnosis are removed. Leave it out."
            )
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        n_grams = vectorizer.fit_transform(self._masked(X))
        n_components = min(_TEXT_COMPONENTS, *n_grams.shape)
        svd = TruncatedSVD(n_components, random_state=0)
        svd.fit(n_grams)
        self.n_components_ = n_components
        self.components_ = make_pipeline(vectorizer, svd)
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:
        return self.components_.transform(self._masked(X))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        return np.array([f"{self.column_}_{i}" for i in range(self.n_components_)], dtype=object)

    @staticmethod
    def _masked(X: pd.DataFrame) -> list[str]:
        texts = X.iloc[:, 0].astype(object).fillna("").astype(str)
        return [_GIVEAWAY.sub(" ", normalize("NFC", text)) for text in texts]
