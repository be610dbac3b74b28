"""Published risk indices as scikit-learn classifiers: OST, OSTA, ORAI and SCORE."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skosteo._validation import encode_target, guess, named_table, split_numbers, to_pandas
from skosteo.clinical.variables import VARIABLES, find_column, recognise
from skosteo.exceptions import InputError

Values = Mapping[str, NDArray[np.float64]]

# Years, kilograms and pounds are counted in ten-thousandths, so that 54.9 and 59.9 are 5 apart and
# no rounding of floating point moves anybody across a cut-off.
_ONE = 10_000


def _count(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(values * _ONE).astype(np.int64)


def _bands(values: NDArray[np.float64], points: Mapping[int, int], beyond: int) -> NDArray:
    """Points of the first band whose upper end, not included, is above the value."""
    ends = [_count(values) < _count(np.asarray(end)) for end in points]
    return np.select(ends, list(points.values()), beyond)


def _ost(of: Values) -> NDArray[np.int64]:
    fifths = _count(of["weight_kg"]) - _count(of["age"])
    return np.sign(fifths) * (np.abs(fifths) // (5 * _ONE))  # truncated toward zero


def _orai(of: Values) -> NDArray[np.int64]:
    by_age = _bands(of["age"], {55: 0, 65: 5, 75: 9}, 15)
    by_weight = _bands(of["weight_kg"], {60: 9, 70: 3}, 0)
    return by_age + by_weight + 2 * _no(of["oestrogen_now"])


def _score(of: Values) -> NDArray[np.int64]:
    pounds = of["weight_kg"] / VARIABLES["weight_kg"].factor("lb")
    fours = of["rheumatoid_arthritis"].astype(np.int64) + of["fractures"].astype(np.int64)
    tens_of_years, tens_of_pounds = (_count(v) // (10 * _ONE) for v in (of["age"], pounds))
    history = 5 * _no(of["black"]) + 4 * fours + _no(of["oestrogen_ever"])
    return history + 3 * tens_of_years - tens_of_pounds


def _no(answer: NDArray[np.float64]) -> NDArray[np.int64]:
    return (answer == 0).astype(np.int64)


class _Index(NamedTuple):
    """How an index is counted, what it asks, and the cut-off: half-way to the last value spared."""

    points: Callable[[Values], NDArray[np.int64]]
    items: tuple[str, ...]
    cut_off: float
    referred_below: bool = False


_SCORE_ITEMS = ("age", "weight_kg", "black", "rheumatoid_arthritis", "fractures", "oestrogen_ever")
_INDICES = {
    "ost": _Index(_ost, ("age", "weight_kg"), 1.5, referred_below=True),
    "osta": _Index(_ost, ("age", "weight_kg"), -0.5, referred_below=True),
    "orai": _Index(_orai, ("age", "weight_kg", "oestrogen_now"), 8.5),
    "score": _Index(_score, _SCORE_ITEMS, 5.5),
}
_ITEMS = tuple(dict.fromkeys(item for index in _INDICES.values() for item in index.items))


class RiskIndexClassifier(ClassifierMixin, BaseEstimator):
    r"""Refer patients by a published risk index and its published cut-off.

    ======= ===================================================================== ==========
    index   value                                                                 refers at
    ======= ===================================================================== ==========
    "ost"   :math:`0.2 \,(\text{weight in kg} - \text{age})`, truncated toward 0  < 2
    "osta"  the same                                                              <= -1
    "orai"  age 55-64: 5, 65-74: 9, >= 75: 15; weight < 60 kg: 9, 60 to < 70: 3;  >= 9
            no oestrogen now: 2
    "score" not black: 5; rheumatoid arthritis: 4; fractures: 4 each, 12 at most; >= 6
            never oestrogen: 1; 3 for each full ten years of age; less the weight
            in lb / 10, truncated
    ======= ===================================================================== ==========

    Parameters
    ----------
    index : {"ost", "osta", "orai", "score"}, default="osta"
        Which index.
    columns : dict of str to (str, bool or number), default=None
        Where an item is: the name of its column in X, or one answer that holds for every row, such
        as ``{"oestrogen_now": "hrt", "black": False}``. The items are

        * ``age``, in years, and ``weight_kg``: found by every name that skosteo knows for them, and
          converted where the name says pounds.
        * ``oestrogen_now`` ("orai"), ``oestrogen_ever`` ("score"): takes, has ever taken oestrogen.
        * ``black``, ``rheumatoid_arthritis``: is black, has it ("score").
        * ``fractures``: at how many of wrist, hip and rib a bone broke without much force after the
          age of 45, 0 to 3 ("score").

        An item that is not given here is the column of its own name. Answers are True and False, or
        1 and 0.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive class.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`.

    Notes
    -----
    Nothing is learnt: `fit` takes the classes and checks the columns. Arithmetic is exact to a
    ten-thousandth of a year, kilogram and pound.

    The probability is no calibrated one. It rises with the risk and is .5 half-way between the
    first value referred and the last one spared, so that it agrees with `predict`. For a calibrated
    one put the index into scikit-learn's ``CalibratedClassifierCV``, or into a fusion.

    All four were made for women past menopause, aged 45 and over, OSTA in Asia. Sex is not looked
    at: for men, and for the young, the cut-offs are not validated. SCORE's item on race is its
    authors'; the first digit of age, by which it counts, is taken as full tens of years.

    OST and OSTA have one formula and hence one area under the ROC curve. Koh et al. call OSTA
    > -1 low, -1 to -4 intermediate and < -4 high risk.

    References
    ----------
    OST: Geusens P et al. Mayo Clin Proc 2002;77:629-637. doi:10.4065/77.7.629

    OSTA: Koh LK et al. Osteoporos Int 2001;12:699-705. doi:10.1007/s001980170070

    ORAI: Cadarette SM et al. CMAJ 2000;162:1289-1294.

    SCORE: Lydick E et al. Am J Manag Care 1998;4:37-48.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [58, 70, 81], "weight_kg": [70.0, 65.0, 52.5]})
    >>> model = RiskIndexClassifier("osta").fit(X, [0, 0, 1])
    >>> model.index_values(X), model.predict(X)
    (array([ 2, -1, -5]), array([0, 1, 1]))
    """

    def __init__(
        self, index: str = "osta", *, columns: Mapping[str, str | bool | float] | None = None
    ) -> None:
        self.index = index
        self.columns = columns

    def fit(self, X: pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Take the classes and check the columns; nothing is learnt.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Of pandas, polars or pyarrow, with the columns of the index, in any order and among
            others. After `fit`, those of an array are read by position.
        y : array-like of shape (n,)
            Two classes; the second in sorted order is the positive one.
        sample_weight : array-like of shape (n,), optional
            Of no effect, since nothing is learnt; taken where every model is given weights.

        Returns
        -------
        self
            Fitted.
        """
        table = self._table(X, reset=True)
        classes, codes = encode_target(y)
        check_consistent_length(table, codes)
        self.index_values(table)
        self.classes_, self._fitted = classes, (self.index, self.columns)
        return self

    def index_values(self, X: pd.DataFrame) -> NDArray[np.int64]:
        """Value of the index as published: shape (n,), whole numbers; needs no `fit`."""
        return self._values(X, self.index, self.columns)

    def _values(
        self, X: Any, name: str, columns: Mapping[str, str | bool | float] | None
    ) -> NDArray[np.int64]:
        index, table = _index(name), self._table(X, reset=False)
        if unknown := [item for item in columns or {} if item not in _ITEMS]:
            raise InputError(
                f"columns names {unknown[0]!r}, which is no item of an index"
                f"{guess(unknown[0], _ITEMS)} The items are {', '.join(map(repr, _ITEMS))}."
            )
        given = columns or {}
        return index.points({i: _item(table, i, given.get(i), name) for i in index.items})

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Points past the cut-off, half of one at least: shape (n,), above 0 where it refers."""
        check_is_fitted(self)
        index = _index(self._fitted[0])
        past = self._values(X, *self._fitted).astype(np.float64) - index.cut_off
        return -past if index.referred_below else past

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Rise with the risk, .5 at the cut-off, not calibrated: shape (n, 2), as ``classes_``."""
        positive = expit(self.decision_function(X))
        return np.stack([1 - positive, positive], axis=1)

    def predict_log_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Logarithm of `predict_proba`: shape (n, 2)."""
        points = self.decision_function(X)
        return np.stack([log_expit(-points), log_expit(points)], axis=1)

    def predict(self, X: pd.DataFrame) -> NDArray:
        """Class of each row by the published cut-off: shape (n,)."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def _table(self, X: Any, *, reset: bool) -> pd.DataFrame:
        X = to_pandas(X)
        table = named_table(self, X, reset=reset)
        if not hasattr(self, "feature_names_in_") and table is not X:
            raise InputError(
                f"X is {type(X).__name__} without names; an index needs a DataFrame, because it "
                "finds its items by name. Behind an imputer, use set_output(transform='pandas')."
            )
        return table

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True  # nothing is learnt
        tags.input_tags.two_d_array = False  # a table with names, not a matrix
        return tags


def _index(name: str) -> _Index:
    if name not in _INDICES:
        raise InputError(
            f"index={name!r} is not known{guess(name, _INDICES)} Allowed are "
            f"{', '.join(map(repr, _INDICES))}."
        )
    return _INDICES[name]


def _item(
    X: pd.DataFrame, item: str, given: str | bool | float | None, index: str
) -> NDArray[np.float64]:
    """Values of an item, in its unit, checked."""
    if given is not None and not isinstance(given, str):
        values, place = np.full(len(X), float(given)), f"columns={{{item!r}: {given!r}}}"
    else:
        column, factor = _find(X, item, given, index)
        numbers, others = split_numbers(X[column])
        if len(others):
            raise InputError(
                f"column {column!r} holds neither a number nor True or False. Make it so, for "
                f"instance X[{column!r}] == 'yes'."
            ).at_rows(others.index, len(X))
        values, place = numbers * factor, f"column {column!r}"
    if (missing := np.isnan(values)).any():
        raise InputError(
            f"{place} is missing. A published index says nothing about a patient without it: leave "
            "these rows out, or put an imputer with pandas output in front."
        ).at_rows(np.flatnonzero(missing), len(X))
    wrong, allowed = _wrong(values, item)
    if wrong.any():
        raise InputError(
            f"{place} holds what {item!r} cannot be: it is {allowed}. Convert or correct it."
        ).at_rows(np.flatnonzero(wrong), len(X))
    return values


def _find(X: pd.DataFrame, item: str, given: str | None, index: str) -> tuple[str, float]:
    """Column of an item and the factor to its unit."""
    column = item if given is None else given
    if given is None and item in VARIABLES:
        column = find_column(X, item) or item
    if column not in X.columns:
        also = "" if item in VARIABLES else f", or what holds for all, {{{item!r}: False}}"
        raise InputError(
            f"The index {index!r} asks for {item!r}, and X has no column {column!r}"
            f"{guess(column, X.columns)} Its columns are {X.columns.tolist()}. Say where it is, "
            f"columns={{{item!r}: 'its column'}}{also}."
        )
    known = recognise(column)
    if known is None or known.variable.name != item:
        return column, 1.0
    return column, known.variable.factor(known.unit)


def _wrong(values: NDArray[np.float64], item: str) -> tuple[NDArray[np.bool_], str]:
    """Mark the values that an item cannot have, and say what it is."""
    if item in VARIABLES:
        variable = VARIABLES[item]
        low, high = variable.range_in(variable.unit)
        return (values < low) | (values > high), f"{low:g} to {high:g} {variable.unit}"
    if item == "fractures":
        return ~np.isin(values, range(4)), "a whole number of sites, 0 to 3"
    return ~np.isin(values, (0, 1)), "True or False, 1 or 0"
