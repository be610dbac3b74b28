"""Draw the paper's image model, with the sizes that the net in this repository really has."""

from dataclasses import dataclass
from os import PathLike

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import nn
from torch.nn.functional import max_pool2d

from skosteo.nets.gradient_fusion import relu_max_pool
from skosteo.nets.haar import haar_transform
from skosteo.nets.image_net import ImageNet
from skosteo.presets import paper_image_classifier

# Read on white and on black: dark words in light boxes, arrows of a grey in between
_INK, _ARROW = "#15202b", "#8a8f98"
_LEFT, _MIDDLE, _RIGHT = 0.255, 0.5, 0.745
_COLOURS = {_LEFT: "#f6dcc6", _MIDDLE: "#d9e2ec", _RIGHT: "#cfe5d8"}


@dataclass
class Sizes:
    """Shapes of one film's maps, and numbers of parameters, as text."""

    shapes: dict[str, str]
    parameters: dict[str, str]


def sizes() -> Sizes:
    """Send a film through the paper's net, and write down what comes of it at each step."""
    net = _paper_net()
    film = torch.zeros(1, 1, 224, 224)
    with torch.no_grad():
        f = net.feature_map(film)
        f_w, attended = net.wavelet(f), net.attention(f)
        maps = {
            "film": film, "F": f, "haar": haar_transform(f), "F_w": f_w,
            "alpha": net.attention.attention(f), "attended": attended,
            "F_sa": max_pool2d(attended, 2, ceil_mode=True),
        }  # fmt: skip
        maps["fused"] = net.fusion(maps["F_w"], maps["F_sa"])
        pooled = relu_max_pool(maps["fused"])
    shapes = {name: " \u00d7 ".join(map(str, m.shape[1:])) for name, m in maps.items()}
    layers = [part.out_features for part in net.head.layers if isinstance(part, nn.Linear)]
    shapes["pooled"] = str(pooled.shape[1])
    shapes["head"] = " \u2013 ".join(map(str, layers))
    parts = {
        "all": net, "backbone": net.backbone, "wavelet": net.wavelet,
        "attention": net.attention, "head": net.head,
    }  # fmt: skip
    counted = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    return Sizes(shapes, {name: f"{n:,}" for name, n in counted.items()})


def draw(path: str | PathLike[str]) -> None:
    """Write the drawing as SVG, upright, so that it is legible on a telephone too."""
    found = sizes()
    s, n = found.shapes, {name: f"{count} parameters" for name, count in found.parameters.items()}
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "skosteo", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(4.1, 6.7))
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.set_axis_off()
        film = _Box(ax, _MIDDLE, 0.955, "film, grey", s["film"])
        backbone = _Box(ax, _MIDDLE, 0.84, "ResNet50: F", s["F"], n["backbone"])
        bands = _Box(ax, _LEFT, 0.705, "Haar: LL, LH, HL, HH", s["haar"])
        f_w = _Box(ax, _LEFT, 0.565, "separable 3 \u00d7 3: $F_w$", s["F_w"], n["wavelet"])
        alpha = _Box(ax, _RIGHT, 0.705, "attention \u03b1, 16 heads", s["alpha"], n["attention"])
        f_sa = _Box(ax, _RIGHT, 0.565, "\u03b1 F, max pool 2: $F_{sa}$", s["F_sa"])
        sum_of_both = r"equation 1: $(1-g_w)\,F_w + (1-g_{sa})\,F_{sa}$"
        fused = _Box(ax, _MIDDLE, 0.43, sum_of_both, s["fused"], width=0.86)
        pooled = _Box(ax, _MIDDLE, 0.315, "ReLU, global max pool", s["pooled"])
        head = _Box(ax, _MIDDLE, 0.185, "head, ReLU and dropout", s["head"], n["head"])
        answer = _Box(ax, _MIDDLE, 0.05, "log odds", n["all"] + " in all")
        for one, following in (
            (film, backbone), (backbone, bands), (backbone, alpha), (bands, f_w), (alpha, f_sa),
            (f_w, fused), (f_sa, fused), (fused, pooled), (pooled, head), (head, answer),
        ):  # fmt: skip
            one.arrow_to(following)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def _paper_net() -> ImageNet:
    model = paper_image_classifier(pretrained=False)
    model.pixel_range_ = (0.0, 255.0)
    trunk = model.trunk_parameters(torch.zeros(1, 1, 224, 224))
    net = ImageNet(hidden_layer_sizes=model.hidden_layer_sizes, dropout=model.dropout, **trunk)
    return net.eval()


class _Box:
    """Words in a rounded box around (x, y)."""

    def __init__(self, ax: Axes, x: float, y: float, *lines: str, width: float = 0.0) -> None:
        width = width or (0.6 if x == _MIDDLE else 0.46)
        height = 0.034 + 0.0225 * len(lines)
        self.ax, self.x, self.top, self.bottom = ax, x, y + height / 2, y - height / 2
        ax.text(x, y, "\n".join(lines), color=_INK, ha="center", va="center", linespacing=1.35)
        corner, shape = (x - width / 2, self.bottom), "round,pad=0,rounding_size=0.015"
        look = {"facecolor": _COLOURS[x], "edgecolor": _ARROW, "linewidth": 0.8}
        ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, **look))

    def arrow_to(self, other: "_Box") -> None:
        end = (self.x + other.x) / 2 if self.x != _MIDDLE else other.x
        style = {"arrowstyle": "-|>", "color": _ARROW, "lw": 1.4, "mutation_scale": 10}
        style |= {"shrinkA": 0, "shrinkB": 0}
        self.ax.annotate("", (end, other.top), (self.x, self.bottom), arrowprops=style)
