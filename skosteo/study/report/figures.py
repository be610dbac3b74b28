"""Draws the figures of a study; matplotlib is imported only when one is drawn."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from skosteo._plotting import PALETTE, add_legend, hide_spines
from skosteo.clinical.variables import display_name
from skosteo.exceptions import InputError
from skosteo.explain import FusionView, ShapValues
from skosteo.study.report import curves
from skosteo.study.report.tables import in_words, levels_shown
from skosteo.study.store import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ZERO = re.compile(r"(?<!\d)0(?=\.)")
Histories = list[pd.DataFrame]


def draw(study: Any, which: int | str) -> "Figure":
    """Draw one figure; see `Study.figure`."""
    if which not in FIGURES:
        raise InputError(f"figure({which!r}): allowed are {', '.join(map(repr, FIGURES))}.")
    if which not in available(study):
        raise InputError(f"This study has nothing to draw figure({which!r}) from: {_NEEDS[which]}.")
    figure = FIGURES[which](study)
    for ax in figure.axes:
        _ticks_as_printed(ax)
    return figure


def _ticks_as_printed(ax: "Axes") -> None:
    """Write the ticks of numbers as the tables do: without a leading 0."""
    from matplotlib.ticker import ScalarFormatter

    class Printed(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return "0" if x == 0 else _ZERO.sub("", super().__call__(x, pos))

    for axis in (ax.xaxis, ax.yaxis):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(Printed())


def available(study: Any) -> list[int | str]:
    """Return the figures that a study has something to show in."""
    found = explanations(study)
    wanted: dict[int | str, str] = {3: "shap", 7: "grad_cam", "fusion": "fusion"}
    have: dict[int | str, bool] = {which: kind in found for which, kind in wanted.items()}
    have[4] = any(result.folds[0].histories for result in study.results.values())
    have[6] = bool(_accuracies(study))
    have["differences"] = len({model.key for model in study.models.values()}) > 1
    have["subgroups"] = len(levels_shown(study)) > 0
    have["stability"] = len(study.design.repeats) > 1
    return [which for which in FIGURES if have.get(which, True)]


def explanations(study: Any) -> dict[str, Arrays]:
    """Return what was explained of the final model, by kind."""
    found: dict[str, Arrays] = study.final.fit.explained
    return found


# ---------------------------------------------------------------- explanations


def _shap(study: Any) -> "Figure":
    import matplotlib.pyplot as plt

    values = shap_with_labels(study)
    height = 1.2 + 0.3 * len(values.feature_names)
    figure, (dots, bars) = plt.subplots(
        1, 2, figsize=(9.5, height), layout="constrained", width_ratios=(1.4, 1)
    )
    values.plot("dot", ax=dots)
    values.plot("bar", ax=bars)
    dots.set_title("A", loc="left", fontweight="bold")
    bars.set_title("B", loc="left", fontweight="bold")
    if values.method != "exact":
        figure.suptitle(values.method, fontsize=8)
    return figure


def shap_with_labels(study: Any) -> ShapValues:
    """Return SHAP values under clinical labels; variables of two levels have these in words.

    Of a patient's values ranks are kept alone: the names of the levels are those of the table.
    """
    arrays = explanations(study)["shap"]
    values = ShapValues.from_arrays(arrays)
    data = values.data.copy()
    for j, name in enumerate(values.feature_names):
        levels = _two_levels(study.design.X, name)
        if levels is not None:
            second = arrays["second"][:, j]
            known = ~np.isnan(second)
            data[known, j] = np.where(second[known] == 1, levels[1], levels[0])
    names = tuple(map(display_name, values.feature_names))
    return ShapValues(values.values, values.base, data, names, values.unit, values.method)


def _two_levels(X: pd.DataFrame, name: str) -> list[str] | None:
    """Names of the levels of a column, in their order, where it has two."""
    levels = sorted(map(str, X[name].dropna().unique())) if name in X else []
    return [in_words(name, level) for level in levels] if len(levels) == 2 else None


def _grad_cam(study: Any) -> "Figure":
    from skosteo.explain import GradCam  # of nets

    return GradCam.from_arrays(explanations(study)["grad_cam"]).plot(n_columns=2)


def _fusion(study: Any) -> "Figure":
    view = FusionView.from_arrays(explanations(study)["fusion"])
    figure: Any = view.plot(threshold=_threshold_as_fitted(study)).figure
    return figure


def _threshold_as_fitted(study: Any) -> float | None:
    """Probability before recalibration that the final model's threshold stands for, if there is."""
    learned, at = study.final.recalibrated, study.final_model_.threshold
    if not 0 < at < 1 or not learned.slope_ > 0:
        return None
    return float(expit((logit(at) - learned.intercept_) / learned.slope_))


# ---------------------------------------------------------------- training


def _losses(study: Any) -> "Figure":
    import matplotlib.pyplot as plt

    parts = _histories(study, _trained(study))
    figure, axes = plt.subplots(
        1, len(parts), figsize=(3.2 * len(parts) + 0.4, 3.2), layout="constrained", squeeze=False
    )
    for ax, (name, histories) in zip(axes.flat, parts.items(), strict=True):
        _curves(ax, histories, {"train_loss": "training", "valid_loss": "validation"})
        ax.set_title(name, parse_math=False)  # a model may be called "cost_in_$"
        ax.set(xlabel="Epoch", ylabel="Loss (binary cross-entropy)")
    return figure


def _accuracy(study: Any) -> "Figure":
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    styles = ("-", "--", ":", "-.")
    for i, (name, histories) in enumerate(_accuracies(study).items()):
        mean = _mean_curve(histories, "valid_accuracy")
        style, colour = styles[i // len(PALETTE) % 4], PALETTE[i % len(PALETTE)]
        ax.plot(mean.index, mean, style, color=colour, label=name, linewidth=1.5)
    ax.set(xlabel="Epoch", ylabel="Accuracy, early-stopping rows")
    add_legend(ax, "center left", None, bbox_to_anchor=(1.0, 0.5))
    hide_spines(ax)
    return figure


def _trained(study: Any) -> str:
    """Model whose training is shown: the primary one, or the first that is a net."""
    nets = [name for name, m in study.models.items() if study.results[m.key].folds[0].histories]
    return study.primary if study.primary in nets else nets[0]


def _histories(study: Any, name: str) -> dict[str, Histories]:
    """Histories of the folds of the first repeat, by net."""
    model = study.models[name]
    folds = study.results[model.key].folds[: len(study.design.folds)]
    return {
        model.title if part == "net" else part: [fold.histories[part] for fold in folds]
        for part in folds[0].histories
    }


def _accuracies(study: Any) -> dict[str, Histories]:
    """Histories of all nets that stopped early, by title; of a fusion its branches."""
    found: dict[str, Histories] = {}
    for name in study.distinct():
        for part, histories in _histories(study, name).items():
            if all("valid_accuracy" in history for history in histories):
                found[part] = histories
    alone = {"image branch": "image", "clinical branch": "clinical"}
    return {p: h for p, h in found.items() if alone.get(p) not in study.models}


def _curves(ax: "Axes", histories: Histories, columns: dict[str, str]) -> None:
    for (column, name), style, colour in zip(columns.items(), ("-", "--"), PALETTE, strict=False):
        shown = [history for history in histories if column in history]
        for i, history in enumerate(shown):
            curve = (history["epoch"], history[column], style)
            legend = name if i == 0 else None
            ax.plot(*curve, color=colour, linewidth=1.0, alpha=0.7, label=legend)
    add_legend(ax, "best", f"{len(histories)} folds")
    hide_spines(ax)


def _mean_curve(histories: Histories, column: str) -> pd.Series:
    """Mean over folds by epoch, as long as every fold is trained."""
    curves = [history.set_index("epoch")[column] for history in histories]
    return pd.concat(curves, axis=1, join="inner").mean(axis=1)


FIGURES: dict[int | str, Callable[[Any], "Figure"]] = {
    2: lambda study: study.flow.plot().figure,
    3: _shap,
    4: _losses,
    5: curves.roc,
    6: _accuracy,
    7: _grad_cam,
    "calibration": curves.calibration,
    "decision_curve": curves.decision_curve,
    "differences": curves.differences,
    "subgroups": curves.subgroups,
    "stability": curves.stability,
    "fusion": _fusion,
}
_NEEDS: dict[int | str, str] = {
    3: "the primary model is no clinical one and no fusion with one",
    4: "none of its models is a neural network",
    6: "none of its models is a neural network that stopped early",
    7: "the primary model is no image model and no fusion with one",
    "differences": "it has one model",
    "subgroups": "no level of a grouping has enough patients",
    "stability": "its cross-validation has one repeat",
    "fusion": "the primary model fuses no probabilities",
}
