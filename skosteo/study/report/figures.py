"""Draws the figures of a study; matplotlib is imported only when one is drawn."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skosteo._plotting import PALETTE, add_legend, hide_spines, with_more_fonts
from skosteo.exceptions import InputError
from skosteo.explain import FusionView, GradCam, ShapValues
from skosteo.study.store import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(study: Any, which: int | str) -> "Figure":
    """Draw one figure; see `Study.figure`."""
    if which not in FIGURES:
        raise InputError(f"figure({which!r}): allowed are {', '.join(map(repr, FIGURES))}.")
    return with_more_fonts(FIGURES[which])(study)


def available(study: Any) -> list[int | str]:
    """Return the figures that a study has something to show in."""
    found = explanations(study)
    wanted: dict[int | str, str] = {3: "shap", 7: "grad_cam", "fusion": "fusion"}
    have = {which: kind in found for which, kind in wanted.items()}
    have[4] = any(result.histories for results in study.results.values() for result in results)
    have[6] = bool(_accuracies(study))
    have["comparison"] = len(study.distinct()) > 1
    have["subgroups"] = study.groupings.shape[1] > 0
    return [which for which in FIGURES if have.get(which, True)]


def explanations(study: Any) -> dict[str, Arrays]:
    """Return what was explained, by kind; of the first fold's models."""
    return {
        kind: arrays
        for results in study.results.values()
        for kind, arrays in results[0].explained.items()
    }


def _explained(study: Any, kind: str) -> Arrays:
    found = explanations(study)
    if kind not in found:
        raise InputError(
            "This study has nothing to draw it from: it needs an image model for Grad-CAM, a "
            "clinical one for SHAP, or the fusion of both."
        )
    return found[kind]


def _shap(study: Any) -> "Figure":
    import matplotlib.pyplot as plt

    values = ShapValues.from_arrays(_explained(study, "shap"))
    height = 1.4 + 0.34 * len(values.feature_names)
    figure, (dots, bars) = plt.subplots(1, 2, figsize=(9.5, height), layout="constrained")
    values.plot("dot", ax=dots)
    values.plot("bar", ax=bars)
    dots.set_title("A", loc="left", fontweight="bold")
    bars.set_title("B", loc="left", fontweight="bold")
    if values.method != "exact":
        figure.suptitle(values.method, fontsize=8)
    return figure


def _losses(study: Any) -> "Figure":
    import matplotlib.pyplot as plt

    parts = _histories(study, _trained(study))
    if not parts:
        raise InputError("No model of this study is a net, so there are no loss curves.")
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

    found = _accuracies(study)
    if not found:
        raise InputError("No net of this study stopped early, so there are no accuracy curves.")
    _, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    styles = ("-", "--", ":", "-.")
    for i, (name, histories) in enumerate(found.items()):
        mean = _mean_curve(histories, "valid_accuracy")
        style, colour = styles[i // len(PALETTE) % 4], PALETTE[i % len(PALETTE)]
        ax.plot(mean.index, mean, style, color=colour, label=name, linewidth=1.5)
    ax.set(xlabel="Epoch", ylabel="Accuracy, early-stopping rows")
    add_legend(ax, "center left", None, bbox_to_anchor=(1.0, 0.5))
    return _of(hide_spines(ax))


def _trained(study: Any) -> str:
    """Model whose training is shown: the reference, or the first that is a net."""
    nets = [name for name, m in study.models.items() if study.results[m.key][0].histories]
    return study.reference if study.reference in nets or not nets else nets[0]


def _histories(study: Any, name: str) -> dict[str, list[pd.DataFrame]]:
    model = study.models[name]
    results = study.results[model.key]
    return {
        model.title if part == "net" else part: [result.histories[part] for result in results]
        for part in results[0].histories
    }


def _accuracies(study: Any) -> dict[str, list[pd.DataFrame]]:
    """Histories of all nets that stopped early, by title; of a fusion its branches."""
    found: dict[str, list[pd.DataFrame]] = {}
    for name in study.distinct():
        for part, histories in _histories(study, name).items():
            if all("valid_accuracy" in history for history in histories):
                found[part] = histories
    alone = {"image branch": "image", "clinical branch": "clinical"}
    return {p: h for p, h in found.items() if alone.get(p) not in study.models}


def _curves(ax: "Axes", histories: list[pd.DataFrame], columns: dict[str, str]) -> None:
    for (column, label), style, colour in zip(columns.items(), ("-", "--"), PALETTE, strict=False):
        shown = [history for history in histories if column in history]
        for i, history in enumerate(shown):
            curve = (history["epoch"], history[column], style)
            name = label if i == 0 else None
            ax.plot(*curve, color=colour, linewidth=1.0, alpha=0.7, label=name)
    add_legend(ax, "best", f"{len(histories)} folds")
    hide_spines(ax)


def _mean_curve(histories: list[pd.DataFrame], column: str) -> pd.Series:
    """Mean over folds by epoch; a fold that has stopped keeps its best epoch's value."""
    curves = []
    last = max(int(history["epoch"].max()) for history in histories)
    for history in histories:
        kept = history[column].iloc[history["valid_loss"].to_numpy().argmin()]
        curve = history.set_index("epoch")[column]
        curves.append(curve.reindex(range(1, last + 1), fill_value=kept))
    return pd.concat(curves, axis=1).mean(axis=1)


def _roc(study: Any) -> "Figure":
    names = [name for name in study.distinct() if name in study.names(2)] or study.main()
    return _of(study.report(names=names).plot())


def _grad_cam(study: Any) -> "Figure":
    return _of(GradCam.from_arrays(_explained(study, "grad_cam")).plot(n_columns=2))


def _fusion(study: Any) -> "Figure":
    return _of(FusionView.from_arrays(_explained(study, "fusion")).plot())


def _of(drawn: Any) -> "Figure":
    """Return the figure of axes, of an array of axes, or itself."""
    first = np.ravel(np.asarray(drawn, dtype=object))[0]
    return getattr(first, "figure", first)


FIGURES: dict[int | str, Callable[[Any], "Figure"]] = {
    2: lambda study: _of(study.flow.plot()),
    3: _shap,
    4: _losses,
    5: _roc,
    6: _accuracy,
    7: _grad_cam,
    "comparison": lambda study: _of(study.comparison().plot()),
    "calibration": lambda study: _of(study.calibration().plot()),
    "decision_curve": lambda study: _of(study.decision_curve().plot()),
    "subgroups": lambda study: _of(study.subgroups().plot()),
    "fusion": _fusion,
}
