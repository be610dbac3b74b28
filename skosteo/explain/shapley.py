"""How much each clinical variable moved a prediction: Shapley values."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor

from skosteo._validation import logits
from skosteo.clinical.classifier import ClinicalOsteoClassifier
from skosteo.exceptions import InputError
from skosteo.explain.coalitions import (
    ask,
    ask_net,
    evaluating,
    every_coalition,
    some_coalitions,
)
from skosteo.explain.games import Game, make_game
from skosteo.explain.trees import is_trees, tree_method, tree_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OUTPUTS = ("probability", "log_odds")
MOST_FEATURES = 12  # 4,096 coalitions, each asked for every row with every row of the background


@dataclass(frozen=True, eq=False)
class ShapValues:
    """How much each feature moved the output of each row away from that of the background.

    Parameters
    ----------
    values : array-like of shape (n, f)
        Shapley values.
    base : float
        Mean output over the background. ``base + values.sum(axis=1)`` is the output of each row.
    data : array-like of shape (n, f)
        What the features are: numbers, and words for categories. The words of free text are left
        out ("text").
    feature_names : sequence of str
        Names of the features.
    unit : str, default="probability"
        What the values are in: "probability" or "log odds".
    method : str, default="exact"
        How they were found: "exact", "trees", "trees, rescaled from log odds", or "estimate from k
        permutations".

    Examples
    --------
    >>> found = ShapValues([[0.2, -0.1]], 0.4, [[81, "M"]], ["age", "sex"])
    >>> found.frame()
       row feature value  shap
    0    0     age    81   0.2
    1    0     sex     M  -0.1
    """

    values: NDArray[np.float64]
    base: float
    data: NDArray[np.object_]
    feature_names: tuple[str, ...]
    unit: str = "probability"
    method: str = "exact"

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        names = tuple(map(str, self.feature_names))
        shape = (len(values), len(names))
        if not values.shape == np.shape(self.data) == shape:
            raise InputError(
                f"values has shape {values.shape}, data {np.shape(self.data)}, and there are "
                f"{len(names)} feature_names. Give values and data (n, f), and f names."
            )
        data = np.empty(shape, dtype=object)
        data[:] = self.data
        for name, value in (("values", values), ("data", data), ("feature_names", names)):
            object.__setattr__(self, name, value)

    @property
    def output(self) -> NDArray[np.float64]:
        """What the model says of each row, in the unit: shape (n,)."""
        return self.base + self.values.sum(axis=1)

    def frame(self) -> pd.DataFrame:
        """Return a line per row and feature: position of the row, feature, value, shap."""
        n, f = self.values.shape
        return pd.DataFrame(
            {
                "row": np.repeat(np.arange(n), f),
                "feature": np.tile(self.feature_names, n).astype(object),
                "value": self.data.ravel(),
                "shap": self.values.ravel(),
            }
        )

    def importance(self) -> pd.Series:
        """Mean of the absolute values by feature, the largest first."""
        size = pd.Series(np.abs(self.values).mean(axis=0), list(self.feature_names))
        return size.rename("mean_abs_shap").sort_values(ascending=False, kind="stable")

    def plot(self, kind: str = "dot", ax: "Axes | None" = None) -> "Axes":
        """Draw the values like the paper's Figure 3.

        Parameters
        ----------
        kind : {"dot", "bar"}, default="dot"
            "dot": a dot per row, dark where the variable is high (Figure 3A); rings for words and
            missing values. "bar": the mean of the absolute values (Figure 3B).
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        Axes
        """
        from skosteo.explain.plots import plot_shap_bars, plot_shap_dots

        drawn = {"dot": plot_shap_dots, "bar": plot_shap_bars}
        if kind not in drawn:
            raise InputError(f"kind={kind!r}: allowed are {list(drawn)}.")
        return drawn[kind](self, ax)

    def to_arrays(self) -> dict[str, NDArray]:
        """Return plain arrays, to be stored by ``numpy.savez``; no objects among them."""
        number = np.vectorize(lambda cell: isinstance(cell, Real), otypes=[bool])(self.data)
        return {
            "values": self.values,
            "base": np.array(self.base),
            "numbers": np.where(number, self.data, np.nan).astype(np.float64),
            "words": np.where(number, "", self.data).astype(str),
            "is_number": number,
            "feature_names": np.array(self.feature_names, dtype=str),
            "unit": np.array(self.unit),
            "method": np.array(self.method),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray]) -> Self:
        """Return what `to_arrays` has taken apart."""
        data = np.where(
            arrays["is_number"], arrays["numbers"].astype(object), arrays["words"].astype(object)
        )
        return cls(
            arrays["values"],
            float(arrays["base"]),
            data,
            arrays["feature_names"].tolist(),
            str(arrays["unit"]),
            str(arrays["method"]),
        )


def shap_values(
    model: Any,
    X: Any,
    background: Any = None,
    *,
    output: str = "probability",
    n_permutations: int | None = None,
    random_state: int | RandomState | None = None,
) -> ShapValues:
    r"""Say how much each clinical variable moved the prediction of each row: Shapley values.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! \, (f - |S| - 1)!}{f!}
              \bigl(v(S \cup i) - v(S)\bigr), \qquad
              v(S) = \frac{1}{B} \sum_b g\bigl(x_S, b_{\bar{S}}\bigr)

    Parameters
    ----------
    model : classifier
        Fitted on a table: a net, a pipeline, a forest, a search over them; or a
        `ProbabilityFusionClassifier`, of which the film is one more feature.
    X : DataFrame or array-like of shape (n, n_columns)
        Rows to explain, as `predict_proba` takes them.
    background : DataFrame or array-like of shape (B, n_columns), default=None
        Rows b that give a variable its value where x does not: the patients that x is compared
        with, such as 100 of the training rows. None: X itself, of more than 100 rows 100 evenly
        spread ones.
    output : {"probability", "log_odds"}, default="probability"
        :math:`g`, what the values add up to: the probability of the positive class or its log
        odds.
    n_permutations : int or None, default=None
        None: the exact values, from all :math:`2^f` coalitions, for up to 12 features. A number
        estimates them from so many random orders, each taken both ways.
    random_state : int, RandomState or None, default=None
        Decides the orders.

    Returns
    -------
    ShapValues
        With ``frame()``, ``importance()`` and ``plot()``.

    Raises
    ------
    InputError
        Too many features to be exact, X or a background that is no table or has no rows, a
        background that does not fit X, a number of orders that is none, a model that is no
        classifier of tables, or rows of a fusion that lack a modality.
    ImportError
        shap, which explains trees, is not installed.

    Notes
    -----
    Features are the columns that the user knows, in the state in which the model sees them: report
    text is one, so is a category; a gap has the value that the pipeline fills in. The body mass
    index is a feature beside height and weight, also where it was computed from them.

    "Interventional" values: variables are exchanged between patients as if they did not depend on
    each other, so a model may be asked of patients that do not exist. They say what the model
    does, not what causes the disease.

    Forests and boosted trees are left to shap's TreeExplainer; a feature of several columns gets
    the sum of theirs, which is not quite the value that it would get as one. Of boosted trees it
    finds the values in log odds, and rescales them for ``output="probability"`` so that they add up
    for each pair of a row and a background row: not the exact values, and `method` says so.

    The paper does not say which explainer, background or unit it used.

    References
    ----------
    Lundberg SM, Lee S-I. 2017, arXiv:1705.07874

    Lundberg SM et al. Nat Mach Intell 2020;2:56-67. doi:10.1038/s42256-019-0138-9

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> model = LogisticRegression().fit(X, X[:, 0] > 0)
    >>> shap_values(model, X).importance().index[0]
    'x0'
    """
    if output not in _OUTPUTS:
        raise InputError(f"output={output!r}: allowed are {list(_OUTPUTS)}.")
    game = make_game(model, X, background)
    unit, f = output.replace("_", " "), len(game.names)
    if is_trees(game.last):
        said = game.ask(game.rows)
        columns, base = tree_values(game.last, game.rows, game.background, said, output)
        values = columns @ np.eye(f)[game.groups]
        method = tree_method(game.last, output)
        return ShapValues(values, base, game.data, tuple(game.names), unit, method)
    if n_permutations is None:
        if f > MOST_FEATURES:
            raise InputError(
                f"There are {f} features, and exact values of more than {MOST_FEATURES} take too "
                "long. Set n_permutations=20 for an estimate, or fit on fewer columns."
            )
        masks, weights = every_coalition(f)
    else:
        if not isinstance(n_permutations, Integral) or n_permutations < 1:
            raise InputError(
                f"n_permutations={n_permutations!r}: allowed is a whole number from 1, or None."
            )
        masks, weights = some_coalitions(f, n_permutations, check_random_state(random_state))
    worth = _worth(game, masks, output)
    method = "exact" if n_permutations is None else f"estimate from {n_permutations} permutations"
    return ShapValues(
        worth @ weights, float(worth[:, 0].mean()), game.data, tuple(game.names), unit, method
    )


def count_features(model: Any, X: Any, background: Any = None) -> int:
    """Count what `shap_values` takes for features; up to `MOST_FEATURES` it needs no estimate.

    Parameters
    ----------
    model, X, background
        As in `shap_values`, which raises the same errors.

    Returns
    -------
    int
    """
    return len(make_game(model, X, background).names)


def _worth(game: Game, masks: NDArray[np.bool_], output: str) -> NDArray[np.float64]:
    net = game.last
    if isinstance(net, ClinicalOsteoClassifier) and len(net.net_.module_.layers) > 1:
        module = net.net_.module_
        link = _probability if output == "probability" else _as_it_is
        with evaluating(module):
            for part in (game.rows, game.background):
                game.ask(part)  # refuses what the net cannot take
            seen, others = (net.scaler_.transform(part) for part in (game.rows, game.background))
            return ask_net(module.layers, seen, others, game.groups, masks, link)
    if output == "probability":
        return ask(game.ask, game.rows, game.background, game.groups, masks)
    return ask(
        lambda matrix: logits(game.ask(matrix)), game.rows, game.background, game.groups, masks
    )


def _probability(logit: Tensor) -> Tensor:
    return logit.sigmoid()


def _as_it_is(logit: Tensor) -> Tensor:
    return logit
