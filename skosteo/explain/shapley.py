"""Shapley values: the part of each clinical variable in a prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skosteo._plotting import PALETTE, add_legend, draws, make_axes, name_rows
from skosteo._validation import logits, to_pandas
from skosteo.evaluation._format import proportion_text
from skosteo.exceptions import InputError
from skosteo.explain.coalition_model import CoalitionModel, make_coalition_model
from skosteo.explain.coalitions import coalition_means, every_coalition, some_coalitions
from skosteo.explain.fitted import is_a, nets_in_evaluation
from skosteo.explain.trees import is_trees, tree_method, tree_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OUTPUTS = ("probability", "log_odds")
# of the first and the second word of a variable of two
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": PALETTE[2], "marker": "o"},
    {"color": PALETTE[4], "marker": "D"},
)
MOST_FEATURES = 12  # 4,096 coalitions, each evaluated for every row with every row of background


@dataclass(frozen=True, eq=False)
class ShapValues:
    """How much each feature moves the output of each row away from that of the background.

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

    @draws
    def plot(self, kind: str = "dot", ax: "Axes | None" = None) -> "Axes":
        """Draw the values like the paper's Figure 3, on `ax` or a new figure.

        "dot": a dot per row, dark where the variable is high (Figure 3A). A variable of two words
        has a colour for each, which a legend names; rings are other words and missing values.
        "bar": the mean of the absolute values (Figure 3B).
        """
        draw = {"dot": self._plot_dots, "bar": self._plot_bars}
        if kind not in draw:
            raise InputError(f"kind={kind!r}: allowed are {list(draw)}.")
        sizes = self.importance()[::-1]  # the most important feature on top
        ax = make_axes(ax, 5.6, 0.9 + 0.34 * max(len(sizes), 2))
        draw[kind](ax, sizes)
        name_rows(ax, sizes.index.tolist())
        return ax

    def _plot_dots(self, ax: "Axes", sizes: pd.Series) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.transforms import ScaledTranslation

        colours = LinearSegmentedColormap.from_list("skosteo", ["#f2c879", PALETTE[1], PALETTE[0]])
        width = np.ptp(self.values) or 1.0
        named: tuple[list[str], list[str]] = ([], [])  # of first and second words
        for place, name in enumerate(sizes.index):
            feature = self.feature_names.index(name)
            values, high = self.values[:, feature], _rank_proportion(self.data[:, feature])
            up, words = place + _swarm(values / width), np.isnan(high)
            levels = _two_words(self.data[:, feature])
            for level, look, names in zip(levels, _LOOKS, named, strict=False):
                here = self.data[:, feature] == level
                ax.scatter(values[here], up[here], s=14, linewidths=0, **look)
                names.append(f"{name}: {level}")
                words &= ~here
            ring: dict[str, Any] = {"facecolors": "none", "linewidths": 0.8}
            ax.scatter(values[words], up[words], s=14, edgecolors=PALETTE[5], **ring)
            number = ~np.isnan(high)
            ax.scatter(values[number], up[number], s=14, c=colours(high[number]), linewidths=0)
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        ax.set_xlabel(f"SHAP value (change of {self.unit})")
        if named[0]:
            for names, look in zip(named, _LOOKS, strict=True):
                ax.scatter([], [], s=24, label="; ".join(names), linewidths=0, **look)
            below = ScaledTranslation(0, -0.45, ax.figure.dpi_scale_trans)
            anchor = {"bbox_to_anchor": (0, 0), "bbox_transform": ax.transAxes + below}
            add_legend(ax, "upper left", None, ncols=2, **anchor)
        bar = ax.figure.colorbar(ScalarMappable(cmap=colours), ax=ax, aspect=30, pad=0.02)
        bar.set_ticks([0, 1], labels=["low", "high"], fontsize=8)
        bar.set_label("Value of the variable (ring: missing, or words)", fontsize=8, labelpad=-8)
        bar.outline.set_visible(False)

    def _plot_bars(self, ax: "Axes", sizes: pd.Series) -> None:
        bars = ax.barh(range(len(sizes)), sizes, color=PALETTE[0], height=0.62)
        texts = [proportion_text(s) if self.unit == "probability" else f"{s:.2f}" for s in sizes]
        ax.bar_label(bars, texts, padding=3, fontsize=8)
        ax.set_xlim(0, (sizes.max() or 1.0) * 1.14)
        ax.set_xlabel(f"Mean |SHAP value| (change of {self.unit})")

    def to_arrays(self) -> dict[str, NDArray]:
        """Return plain arrays, to be stored by ``numpy.savez``; no objects among them.

        ``second`` is 1 where a variable of two values has the second of them, 0 where the first,
        and NaN elsewhere: so much may be kept where the words may not.
        """
        number = np.vectorize(lambda cell: isinstance(cell, Real), otypes=[bool])(self.data)
        return {
            "values": self.values,
            "base": np.array(self.base),
            "numbers": np.where(number, self.data, np.nan).astype(np.float64),
            "words": np.where(number, "", self.data).astype(str),
            "is_number": number,
            "second": np.column_stack([_second(column) for column in self.data.T]),
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
        names, said = arrays["feature_names"].tolist(), map(str, (arrays["unit"], arrays["method"]))
        return cls(arrays["values"], float(arrays["base"]), data, names, *said)


def shap_values(
    model: Any,
    X: Any,
    background: Any = None,
    *,
    output: str = "probability",
    n_permutations: int | None = None,
    random_state: int | RandomState | None = None,
) -> ShapValues:
    r"""Shapley values: how much each clinical variable moves the prediction of each row.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! \, (f - |S| - 1)!}{f!}
              \bigl(v(S \cup i) - v(S)\bigr), \qquad
              v(S) = \frac{1}{B} \sum_b g\bigl(x_S, b_{\bar{S}}\bigr)

    Parameters
    ----------
    model : classifier
        Fitted on a table: a net, a pipeline, a forest, a search over them; or a
        `ProbabilityFusionClassifier`, of which the radiograph is one more feature.
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
    ImportError
        shap, which explains trees, is not installed.

    Notes
    -----
    Features are the columns that the user knows, in the state in which the model sees them: report
    text is one, so is a category; behind a `ClinicalPreprocessor` a missing value has the value
    that it fills in. The body mass index is a feature beside height and weight, also where it was
    computed from them. Any other pipeline is a black box, asked for the probabilities of mixed
    tables: slow where it ends in a forest.

    "Interventional" values: variables are exchanged between patients as if they did not depend on
    each other, so a model may be asked of patients that do not exist. They say what the model
    does, not what causes the disease.

    Forests and boosted trees, alone or behind a `ClinicalPreprocessor`, are left to shap's
    TreeExplainer; a feature of several columns gets the sum of theirs, which is not quite the
    value that it would get as one. Of boosted trees it finds the values in log odds, and rescales
    them for ``output="probability"`` so that they add up for each pair of a row and a background
    row: not the exact values, and `method` says so.

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
    with nets_in_evaluation(model):
        coalition_model = make_coalition_model(model, to_pandas(X), to_pandas(background))
        if is_trees(coalition_model.last):
            values, base = _of_trees(coalition_model, output)
            method = tree_method(coalition_model.last, output)
        else:
            f = len(coalition_model.names)
            masks, weights, method = _coalitions(f, n_permutations, random_state)
            of_coalitions = _coalition_values(coalition_model, masks, output)
            values, base = of_coalitions @ weights, float(of_coalitions[:, 0].mean())
    names, unit = tuple(coalition_model.names), output.replace("_", " ")
    return ShapValues(values, base, coalition_model.data, names, unit, method)


def count_features(model: Any, X: Any, background: Any = None) -> int:
    """Count what `shap_values` takes for features; up to `MOST_FEATURES` it needs no estimate."""
    with nets_in_evaluation(model):
        return len(make_coalition_model(model, to_pandas(X), to_pandas(background)).names)


def _of_trees(model: CoalitionModel, output: str) -> tuple[NDArray[np.float64], float]:
    probability = model.value(model.rows)
    columns, base = tree_values(model.last, model.rows, model.background, probability, output)
    return columns @ np.eye(len(model.names))[model.groups], base


def _coalitions(
    f: int, n_permutations: int | None, random_state: int | RandomState | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64], str]:
    """Masks and weights of the coalitions of f features, and what the values are to be called."""
    if n_permutations is None:
        if f > MOST_FEATURES:
            raise InputError(
                f"There are {f} features, and exact values of more than {MOST_FEATURES} take too "
                "long. Set n_permutations=20 for an estimate, or fit on fewer columns."
            )
        return *every_coalition(f), "exact"
    if not isinstance(n_permutations, Integral) or n_permutations < 1:
        raise InputError(
            f"n_permutations={n_permutations!r}: allowed is a whole number from 1, or None."
        )
    drawn = some_coalitions(f, n_permutations, check_random_state(random_state))
    return *drawn, f"estimate from {n_permutations} permutations"


def _coalition_values(
    model: CoalitionModel, masks: NDArray[np.bool_], output: str
) -> NDArray[np.float64]:
    """Value of each coalition for each row: (n, m)."""
    coalitions = (model.groups, masks)
    if is_a(model.last, "ClinicalOsteoClassifier"):
        from skosteo.explain.net_coalitions import net_coalition_means

        for part in (model.rows, model.background):
            model.value(part)  # refuses what the net cannot take
        net, scale = model.last.net_.module_, model.last.scaler_.transform
        rows, background = scale(model.rows), scale(model.background)
        return net_coalition_means(net.layers, rows, background, *coalitions, output)
    if output == "probability":
        return coalition_means(model.value, model.rows, model.background, *coalitions)

    def log_odds(matrix: NDArray) -> NDArray[np.float64]:
        return logits(model.value(matrix))

    return coalition_means(log_odds, model.rows, model.background, *coalitions)


def _rank_proportion(cells: NDArray[np.object_]) -> NDArray[np.float64]:
    """Place of each number among the numbers, 0 to 1; NaN for words and missing values.

    By rank, so that one outlying value does not make all others look alike.
    """
    numbers = np.array([c if isinstance(c, Real) else np.nan for c in cells], dtype=float)
    known = np.unique(numbers[~np.isnan(numbers)])
    proportion = np.searchsorted(known, numbers) / max(len(known) - 1, 1)
    return np.where(np.isnan(numbers), np.nan, proportion)


def _two_words(cells: NDArray[np.object_]) -> list[str]:
    """Words of a variable of two, in their order; none of any other."""
    words = sorted({cell for cell in cells if isinstance(cell, str)})
    return words if len(words) == 2 else []


def _second(cells: NDArray[np.object_]) -> NDArray[np.float64]:
    """Whether each cell is the second of two values, 1 or 0; NaN where it is missing or of more."""
    known = ~pd.isna(cells)
    place = np.full(len(cells), np.nan)
    codes, levels = pd.factorize(pd.Series(cells[known]).map(str), sort=True)
    if len(levels) == 2:
        place[known] = codes
    return place


def _swarm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights within +-.38 that keep dots apart whose values, in widths of the axis, are near."""
    bins = np.floor(values * 80).astype(int)
    height = np.zeros(len(values))
    for one in np.unique(bins):
        inside = np.flatnonzero(bins == one)
        step = min(0.11, 0.76 / len(inside))
        turn = np.arange(len(inside))
        height[inside] = step * ((turn + 1) // 2) * np.where(turn % 2, 1, -1)
    return height
