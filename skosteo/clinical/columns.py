"""One column of a table to numbers: its kind, its values, and how missing ones are filled."""

import re
import warnings
from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

from skosteo._validation import missing_cells, split_numbers
from skosteo.clinical.report_text import names_diagnosis
from skosteo.clinical.small_levels import FEWEST
from skosteo.clinical.variables import is_variable, recognise, resolve_column
from skosteo.exceptions import InputError, ValuesWarning

# More different values than this make a column of words free text, not a category
MAX_CATEGORIES = 20

# What a report says of sex, in the languages of `GIVEAWAY_TERMS` and a few more. "h" of "hombre"
# and "homme" is left out on purpose: beside it, "m" is a woman ("mujer").
_SEX = {
    "F": "f female fem w woman women girl 女 女性 mujer femenino femenina weiblich frau femme",
    "M": "m male masc man men boy 男 男性 hombre varón varon masculino männlich mann homme",
}
_SEXES = {word: sex for sex, words in _SEX.items() for word in words.split()}

_IF_CATEGORY = " If it is a category, say so: table[{0!r}] = table[{0!r}].astype('category')."


def strange_cells(values: pd.Series) -> set[str]:
    """Kinds of the cells that are neither numbers nor words, such as dates or films."""
    if is_complex_dtype(values):
        return {"complex"}
    if is_numeric_dtype(values) or isinstance(values.dtype, pd.StringDtype | pd.CategoricalDtype):
        return set()
    cells = values.dropna().astype(object)
    return {type(cell).__name__ for cell in cells if not isinstance(cell, str | Number | np.bool_)}


def check_cells(values: pd.Series, column: str) -> None:
    """Raise an InputError for cells that are neither numbers nor words."""
    if kinds := strange_cells(values):
        raise InputError(
            f"Column {column!r} holds {', '.join(sorted(kinds))}: neither numbers nor words. Make "
            "numbers of it, such as an age of two dates, or name the columns to use in columns=."
        )


def is_numbers(values: pd.Series, column: str) -> bool:
    """Whether a column holds numbers: by its variable if it is a known one, else by its values.

    Where most of its different values are numbers, one "n/a" makes no category of it.
    """
    known = recognise(column)
    if known is not None:
        return known.variable.plausible is not None
    if is_numeric_dtype(values) or is_bool_dtype(values):
        return True
    # a column that the user made a category stays one, whatever its values
    if isinstance(values.dtype, pd.CategoricalDtype):
        return False
    numbers, others = split_numbers(values)
    words = {str(cell).strip() for cell in others if not _is_limit(cell)}
    different = np.unique(numbers[~np.isnan(numbers)])
    return len(different) > len(words)


def is_in_words(values: pd.Series) -> bool:
    """Whether all that is known of a column are words, none of them a number: ages as "50-59"."""
    if strange_cells(values):
        return False
    numbers, words = split_numbers(values)
    return len(words) > 0 and bool(np.isnan(numbers).all())


def read_numbers(values: pd.Series, column: str) -> NDArray[np.float64]:
    """Numbers (n,) of a column, NaN where missing; InputError for texts that are no numbers."""
    numbers, others = split_numbers(values)
    limits = others[others.map(_is_limit).astype(bool)]
    if len(limits):
        error = InputError(
            f"Column {column!r} holds {len(limits)} texts with '<' or '>' in {len(values)} rows: "
            "values beyond a detection limit? Put the limit itself there; or inf and -inf, with "
            "infinities='clip'."
        )
        raise error.at_rows(limits.index, len(values))
    if len(others):
        error = InputError(
            f"Column {column!r} holds {len(others)} texts in {len(values)} rows that are no "
            "numbers. Write them with a decimal point, without a unit; leave empty what is missing."
            + ("" if recognise(column) else _IF_CATEGORY.format(column))
        )
        raise error.at_rows(others.index, len(values))
    return numbers


def _is_limit(cell: object) -> bool:
    return str(cell).lstrip().startswith(("<", ">", "≤", "≥"))


def read_words(values: pd.Series) -> pd.Series:
    """Words and texts of a column; empty and blank ones are missing."""
    return values.mask(missing_cells(values))


def as_word(value: object) -> str:
    """One spelling of a category, whether missing values made its codes floats or not."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def check_categories(categories: Mapping[str, pd.Series], terms: Sequence[re.Pattern[str]]) -> None:
    """Raise one InputError for all columns of free text, and for all that name the diagnosis."""
    counts = {name: values.nunique() for name, values in categories.items()}
    faults = []
    if free := [
        f"{name!r} holds {n} different texts in {len(categories[name])} rows"
        for name, n in counts.items()
        if n > MAX_CATEGORIES
    ]:
        faults.append(
            f"Column {', column '.join(free)}: more than {MAX_CATEGORIES} are no category. Name it "
            "in text_columns if it is report text (a study takes columns called xray_diagnosis "
            "and xray_description for it), make it a number if it is one, or leave it out."
        )
    if telling := [
        repr(name)
        for name, values in categories.items()
        if counts[name] <= MAX_CATEGORIES and names_diagnosis(values, terms)
    ]:
        faults.append(
            f"Column {', column '.join(telling)} holds terms that name the diagnosis. Leave it "
            "out, or name it in text_columns, where they are removed."
        )
    if faults:
        raise InputError(" ".join(faults))


def imputation_by_column(
    imputation: Mapping[str, str] | str | None, sources: Mapping[str, str]
) -> dict[str, str | None]:
    """How to fill missing values, by the name that a column of X (source) comes out under."""
    if isinstance(imputation, str) and imputation == "keep":
        return dict.fromkeys(sources)
    if imputation is None:
        return {c: hit.variable.imputation if (hit := recognise(c)) else "median" for c in sources}
    if not isinstance(imputation, Mapping):
        raise InputError(
            f"imputation={imputation!r}: allowed are None, 'keep', or a dict of column to 'mean' "
            "or 'median'."
        )
    names = {source: name for name, source in sources.items()}
    chosen: dict[str, str | None] = dict.fromkeys(sources, "median")
    for column, how in imputation.items():
        if how not in ("mean", "median"):
            raise InputError(f"imputation[{column!r}]={how!r}: allowed are 'mean' and 'median'.")
        source = resolve_column(pd.DataFrame(columns=list(names)), column)
        if source is None:
            raise InputError(
                f"imputation names {column!r}, which is no column of numbers in X: {list(names)}."
            )
        chosen[names[source]] = how
    return chosen


class Numbers:
    """Column of numbers, missing ones imputed by the mean or median of `fit`; None leaves them."""

    def __init__(self, column: str, imputation: str | None) -> None:
        self.column, self.imputation = column, imputation

    def fit(self, values: pd.Series) -> Self:
        """Learn the value that is put where one is missing."""
        known = values.dropna().to_numpy(np.float64)
        self.value_ = np.nan
        if self.imputation is not None:
            self.value_ = float(known.mean() if self.imputation == "mean" else np.median(known))
        self.names_ = [self.column]
        return self

    def transform(self, values: pd.Series) -> NDArray[np.float64]:
        """Numbers (n,) to (n, 1)."""
        return values.fillna(self.value_).to_numpy(np.float64)[:, None]


class Category:
    """A column of words to one column per word of `fit`, 0 or 1.

    Words of fewer than ten rows are one category, "infrequent", and none of them is kept by name;
    in a column of sex all are kept. Words that `fit` has not seen are infrequent too; where `fit`
    had no infrequent ones, they get zeros.
    A missing word is a category where `fit` saw one; with ``keep`` it is NaN in all columns.
    Spellings of sex ("female", "男") are F and M where `fit` saw nothing else.
    """

    def __init__(self, column: str, *, keep: bool) -> None:
        self.column, self.keep = column, keep

    def fit(self, values: pd.Series) -> Self:
        """Learn the words."""
        words, sexes = _words(values), {"F", "M", _MISSING}
        of_sex = is_variable(self.column, "sex")
        self.is_sex_ = of_sex and set(words.map(_sex)) <= sexes
        words = words.map(_sex) if self.is_sex_ else words
        counts = words[words != _MISSING].value_counts()
        kept = counts.index if of_sex else counts.index[counts >= FEWEST]
        self.words_ = sorted(kept)
        self.infrequent_ = 1 - float(counts[kept].sum() / counts.sum())  # proportion of rows
        if not self.keep and (words == _MISSING).any():
            self.words_.append(_MISSING)
        names = [*self.words_, "infrequent"] if self.infrequent_ else self.words_
        self.names_ = [f"{self.column}_{word}" for word in names]
        return self

    def transform(self, values: pd.Series) -> NDArray[np.float64]:
        """Words (n,) to (n, n_words); more unknown ones than `fit` had give a warning."""
        plain = _words(values)
        words = (plain.map(_sex) if self.is_sex_ else plain).to_numpy(object)
        other = ~np.isin(words, [*self.words_, _MISSING])
        expected = self.infrequent_ * len(words)
        # beyond chance, where rare words are in no list
        if other.sum() > (expected + 5 * np.sqrt(expected) + 5 if expected else 0):
            warnings.warn(
                f"Column {self.column!r}: {other.sum()} of {len(words)} rows hold a value that fit "
                f"has not seen{' often' if expected else ''}, and get "
                f"{'that of infrequent ones' if expected else 'zeros'}. Is it another spelling? "
                "Then write it as in fit.",
                ValuesWarning,
                stacklevel=4,
            )
        encoded = (words[:, None] == np.array(self.words_, dtype=object)).astype(np.float64)
        if self.infrequent_:
            encoded = np.column_stack([encoded, other])
        if self.keep:
            encoded[words == _MISSING] = np.nan
        return encoded


_MISSING = "nan"


def _words(values: pd.Series) -> pd.Series:
    # one kind of missing, whatever the file or the rows at hand led pandas to
    return values.astype(object).where(values.notna(), _MISSING).map(as_word)


def _sex(word: str) -> str:
    return _SEXES.get(word.strip().casefold(), word)
