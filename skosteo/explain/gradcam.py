"""Grad-CAM: where on a radiograph the evidence lies, for the image model and the fused ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, from_numpy
from torch.nn.functional import interpolate

from skosteo._plotting import draws
from skosteo._validation import logits, to_pandas
from skosteo.evaluation._format import proportion_text
from skosteo.exceptions import InputError
from skosteo.explain.fitted import nets_in_evaluation
from skosteo.fusion.feature import FeatureFusionClassifier
from skosteo.fusion.probability import ProbabilityFusionClassifier
from skosteo.image.classifier import ImageOsteoClassifier
from skosteo.nets.cross_attention import CrossAttention
from skosteo.training.data import Inputs, move, take
from skosteo.training.inference import batched_forward

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Step in the image branch's log odds by which the slope of a fusion is measured
_STEP = 0.05
_DRAWN = 4  # as many patients as the paper's Figure 7
_COLOURS = "inferno"


@dataclass(frozen=True, eq=False)
class GradCam:
    """Heat maps over radiographs: where the evidence for the positive class lies.

    Parameters
    ----------
    maps : ndarray of float32, shape (n, h, w)
        Of the size of the backbone's feature map; the largest value of a film is 1. All is 0 where
        nothing on the film speaks for the positive class.
    films : ndarray of uint8, shape (n, H, W)
        As the net sees them.
    probability : ndarray of shape (n,)
        Of the positive class, by the model that was explained.
    peak : ndarray of shape (n,)
        Largest value of each map before it was scaled: log odds per unit of the feature map.
    attention : ndarray of float32, shape (n, h', w'), or None, default=None
        Where the net's attention lies; the largest value of a film is 1.

    Examples
    --------
    >>> maps, films = np.eye(2, dtype=np.float32)[None], np.zeros((1, 4, 4), dtype=np.uint8)
    >>> GradCam(maps, films, np.array([0.8]), np.array([0.3])).heat(0).shape
    (4, 4)
    """

    maps: NDArray[np.float32]
    films: NDArray[np.uint8]
    probability: NDArray[np.float64]
    peak: NDArray[np.float64]
    attention: NDArray[np.float32] | None = None

    def heat(self, row: int) -> NDArray[np.float32]:
        """Return the map of a film in the size of the film: (H, W), from 0 to 1."""
        return _enlarged(self.maps[row], self.films.shape[1:])

    def attention_heat(self, row: int) -> NDArray[np.float32]:
        """Return the attention in the size of the film: (H, W), from 0 to 1."""
        if self.attention is None:
            raise InputError("The model has no attention to show.")
        return _enlarged(self.attention[row], self.films.shape[1:])

    def frame(self) -> pd.DataFrame:
        """Return a line per film: row, probability, peak, and where it lies in pixels."""
        places = [np.unravel_index(self.heat(i).argmax(), self.films.shape[1:]) for i in self._rows]
        down, right = np.array(places).reshape(-1, 2).T
        lies = self.peak > 0
        return pd.DataFrame(
            {
                "row": self._rows,
                "probability": self.probability,
                "peak": self.peak,
                "peak_down": np.where(lies, down, np.nan),
                "peak_right": np.where(lies, right, np.nan),
            }
        )

    @draws
    def plot(self, rows: Sequence[int] | None = None, n_columns: int = 1) -> "Figure":
        """Draw panels like the paper's Figure 7: film, heat map over the film, attention.

        `rows` are positions of films, None the first four; `n_columns` patients are side by side.
        The titles hold the probability, and no identity. A white line is drawn at half of the
        largest heat.
        """
        import matplotlib.pyplot as plt
        from matplotlib.cm import ScalarMappable

        chosen = list(self._rows[:_DRAWN] if rows is None else rows)
        if not chosen or not all(isinstance(row, Integral) and row in self._rows for row in chosen):
            raise InputError(
                f"rows={chosen}: allowed are one or more positions of films, from 0 to "
                f"{len(self._rows) - 1}."
            )
        if not isinstance(n_columns, Integral) or n_columns < 1:
            raise InputError(f"n_columns={n_columns!r}: allowed is a whole number from 1.")
        views = 2 if self.attention is None else 3
        n_lines = -(-len(chosen) // n_columns)
        figure, grid = plt.subplots(
            n_lines,
            n_columns * views,
            figsize=(1.95 * n_columns * views + 0.7, 2.25 * n_lines + 0.1),
            layout="constrained",
            squeeze=False,
        )
        for ax in grid.flat:
            ax.set_axis_off()
        for row, axes in zip(chosen, grid.reshape(-1, views), strict=False):
            self._plot_row(row, axes)
        bar = figure.colorbar(ScalarMappable(cmap=_COLOURS), ax=grid, aspect=35, pad=0.01)
        bar.set_ticks([0, 0.5, 1], labels=["0", "half", "most"], fontsize=8)
        bar.outline.set_visible(False)
        return figure

    def _plot_row(self, row: int, axes: "Sequence[Axes]") -> None:
        """Draw a radiograph, the heat map over it and the attention, if there is one."""
        for ax in axes:
            ax.imshow(self.films[row], cmap="gray", vmin=0, vmax=255)
        titles = [
            f"probability {proportion_text(self.probability[row], 2)}",
            "Grad-CAM" if self.peak[row] > 0 else "Grad-CAM: none",
            "attention",
        ]
        for ax, title in zip(axes, titles, strict=False):
            ax.set_title(title, fontsize=9, loc="left")
        heats = (self.heat, self.attention_heat)
        for ax, enlarged in zip(axes[1:], heats, strict=False):
            heat = enlarged(row)
            # the hotter, the less of the radiograph is seen
            ax.imshow(heat, cmap=_COLOURS, vmin=0, vmax=1, alpha=0.15 + 0.5 * heat)
            if heat.max() > 0.5 > heat.min():  # the line tells the place in grey print
                ax.contour(heat, [0.5], colors="white", linewidths=0.9)

    def to_arrays(self) -> dict[str, NDArray]:
        """Return plain arrays, to be stored by ``numpy.savez``."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray]) -> Self:
        """Return what `to_arrays` has taken apart."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__ if name in arrays})

    @property
    def _rows(self) -> range:
        return range(len(self.maps))


def grad_cam(model: Any, X: Any) -> GradCam:
    r"""Grad-CAM: where on each radiograph the evidence for the positive class lies.

    .. math:: M_p = \operatorname{ReLU} \sum_c \Bigl(\frac{1}{h w} \sum_q
              \frac{\partial\, \operatorname{logit} P}{\partial F_{cq}}\Bigr) F_{cp}

    with the feature map F of the backbone and positions p, q.

    Parameters
    ----------
    model : ImageOsteoClassifier, ProbabilityFusionClassifier or FeatureFusionClassifier
        Fitted. Of a fusion, P is what it says of film and clinical values together: each row keeps
        its own.
    X : DataFrame or array-like
        Rows as in `predict_proba`, each with a film.

    Returns
    -------
    GradCam
        With ``heat(row)``, ``frame()`` and ``plot()``.

    Notes
    -----
    The map is as coarse as the backbone's, 7 x 7 for "resnet50" at 224 pixels. It shows what speaks
    for the positive class, also in a film that the model calls negative, and says nothing of what
    speaks against it. Compare `peak` between films, not colours.

    A fusion of probabilities turns the map of its image branch upside down where a higher P(image)
    lowers its answer, and leaves none where P(image) changes nothing, as with trees that fuse.

    The backbone is passed once, without a gradient; only what follows the feature map is
    differentiated, in evaluation mode. No hook is set and no parameter is touched.

    References
    ----------
    Selvaraju RR et al. Int J Comput Vis 2020;128:336-359. doi:10.1007/s11263-019-01228-7

    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Examples
    --------
    >>> import numpy as np
    >>> from skosteo import ImageOsteoClassifier
    >>> rng = np.random.default_rng(0)
    >>> films = rng.integers(0, 255, (24, 32, 32)).astype(np.uint8)
    >>> model = ImageOsteoClassifier(
    ...     backbone="cnn", pretrained=False, hidden_layer_sizes=(8,), batch_size=8, max_epochs=1,
    ...     random_state=0,
    ... )
    >>> found = grad_cam(model.fit(films, np.arange(24) % 2), films)
    >>> found.maps.shape, found.attention.shape
    ((24, 2, 2), (24, 2, 2))
    """
    model, X = getattr(model, "best_estimator_", model), to_pandas(X)  # of a search
    with nets_in_evaluation(model):
        if isinstance(model, ProbabilityFusionClassifier):
            return _of_fusion(model, X)
        if isinstance(model, FeatureFusionClassifier):
            check_is_fitted(model)
            _check_films(model.branches_used(X)["image"].to_numpy())
            return _of_net(model.net_, model.net_inputs(X), model.image_.pixel_range_)
        return _of_image(_checked(model), X)


def _checked(model: Any) -> ImageOsteoClassifier:
    if not isinstance(model, ImageOsteoClassifier):
        raise InputError(
            f"{type(model).__name__} has no feature map to look at. Grad-CAM is for an "
            "ImageOsteoClassifier, and for fusions with one as their image branch."
        )
    check_is_fitted(model)
    return model


def _of_image(
    model: ImageOsteoClassifier, X: Any, slope: Callable[[NDArray], NDArray] | None = None
) -> GradCam:
    return _of_net(model.net_, model.net_inputs(X), model.pixel_range_, slope)


def _of_fusion(model: ProbabilityFusionClassifier, X: Any) -> GradCam:
    """Explain the image branch, by what a change of its log odds changes in the fused ones."""
    image = _checked(getattr(model.image_, "best_estimator_", model.image_))
    part = model.read_parts(X)["image"]
    _check_films(part.present)
    probability = model.branch_probabilities(X)
    place = list(model.branches_).index("image")

    def slope(logit: NDArray[np.float64]) -> NDArray[np.float64]:
        fused = []
        for step in (-_STEP, _STEP):
            stepped = probability.copy()
            stepped[:, place] = expit(logit + step)
            fused.append(logits(model.fuse(stepped)[:, 1]))
        return (fused[1] - fused[0]) / (2 * _STEP)

    found = _of_image(image, part.table, slope)
    return replace(found, probability=model.fuse(probability)[:, 1])


def _of_net(
    net: Any,
    inputs: Inputs,
    pixel_range: tuple[float, float],
    slope: Callable[[NDArray], NDArray] | None = None,
) -> GradCam:
    module = net.module_
    # one tensor, as passes give one: map, attention and logit of each row side by side
    first = _explained(module, move(take(inputs, slice(1)), net.device))
    sizes = [part[0].numel() for part in first]

    def together(some: Inputs) -> Tensor:
        return torch.cat([part.flatten(1).double() for part in _explained(module, some)], dim=1)

    every = batched_forward(net, together, inputs)
    cam, attention, logit = every.split(sizes, dim=1)
    shapes = [(len(every), *part.shape[1:]) for part in first]
    log_odds = logit.squeeze(1).numpy()
    steepness = np.ones(len(log_odds)) if slope is None else slope(log_odds)
    maps = (cam.numpy() * steepness[:, None]).clip(min=0).reshape(shapes[0])
    maps, peak = _scaled(maps)
    pictures = _as_pictures(inputs["films"], pixel_range)
    attended = _scaled(attention.numpy().reshape(shapes[1]))[0] if sizes[1] else None
    return GradCam(maps, pictures, expit(log_odds), peak, attended)


def _explained(module: Any, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weighted sum of the map's channels (n, h, w), attention (n, h', w'), logit."""
    trunk = getattr(module, "trunk", module)
    with torch.no_grad():
        f = trunk.feature_map(inputs["films"])
    with torch.enable_grad():
        f = f.detach().requires_grad_()
        seen = {**inputs, "films": f}
        logit = module(**seen)
        (gradient,) = torch.autograd.grad(logit.sum(), f)
    # in single precision at least: half of it overflows in a sum over 2,048 channels
    weight = gradient.double().mean(dim=(2, 3), keepdim=True)
    cam = (weight * f.detach().double()).sum(dim=1)
    return cam, _attention(module, trunk, seen), logit.detach()[:, None]


@torch.no_grad()
def _attention(module: Any, trunk: Any, seen: Inputs) -> Tensor:
    if isinstance(getattr(module, "fusion", None), CrossAttention):
        attention = module.attention(**seen)
        height, width = module.map_shape
        return attention[:, : height * width].view(-1, height, width)
    f = seen["films"]
    if trunk.attention is None:
        return f.new_empty(len(f), 0)
    return trunk.attention.attention(f).squeeze(1)


def _check_films(there: NDArray[np.bool_]) -> None:
    if not there.all():
        raise InputError(
            f"{(~there).sum()} of {len(there)} rows have no film, the first is row "
            f"{(~there).argmax() + 1}. Leave them out."
        )


def _scaled(maps: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return maps with a largest value of 1, or 0 throughout, and their largest values."""
    peak = maps.max(axis=(1, 2))
    return (maps / np.where(peak > 0, peak, 1)[:, None, None]).astype(np.float32), peak


def _as_pictures(films: Tensor, pixel_range: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = pixel_range
    grey = films.to("cpu").float().mean(dim=1)
    return ((grey - low) / (high - low) * 255).clamp(0, 255).round().to(torch.uint8).numpy()


def _enlarged(small: NDArray, shape: tuple[int, ...]) -> NDArray[np.float32]:
    given = from_numpy(np.ascontiguousarray(small, dtype=np.float32))[None, None]
    return interpolate(given, size=shape, mode="bilinear", align_corners=False)[0, 0].numpy()
