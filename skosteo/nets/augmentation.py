"""Random views of a film, made in one batched step on the device of the net."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from skosteo.exceptions import InputError
from skosteo.nets.randomness import RandomModule


@dataclass(frozen=True)
class _Preset:
    rotation: float  # degrees, each way
    flip_left_right: bool
    flip_up_down: bool
    shift: float = 0.1  # proportion of the side, each way
    zoom: float = 0.1  # proportion, in and out
    contrast: float = 0.3  # proportion, around the film's own mean


PRESETS = {
    # the list of the paper, its "90 degree rotation" read as uniform within +-90 degrees
    "paper": _Preset(rotation=90, flip_left_right=True, flip_up_down=True),
    # a chest film has an up, and patients stand almost straight
    "chest": _Preset(rotation=10, flip_left_right=True, flip_up_down=False),
}


class Augmentation(RandomModule):
    """Flip, rotate, shift, zoom and change the contrast of each film by its own random draw.

    Parameters
    ----------
    preset : {"chest", "paper"}
        "paper": flips left-right and up-down, rotation within +-90 degrees, shift and zoom of up
        to 10 %, contrast of up to 30 %. "chest": the same without the up-down flip and with
        rotation within +-10 degrees.

    Notes
    -----
    All geometry is one affine map, sampled once bilinearly, with black outside of the film. In
    evaluation mode films pass unchanged.
    """

    def __init__(self, preset: str) -> None:
        super().__init__()
        if preset not in PRESETS:
            raise InputError(
                f"augmentation={preset!r}: allowed are {sorted(PRESETS)}, or None to switch it off."
            )
        self.preset = PRESETS[preset]

    def forward(self, x: Tensor) -> Tensor:
        """Films (n, c, h, w) scaled to [0, 1]; the same shape comes back."""
        if not self.training:
            return x
        grid = affine_grid(self._maps(x), list(x.shape), align_corners=False)
        x = grid_sample(x, grid, align_corners=False)
        factor = 1 + self.preset.contrast * self._uniform(x, 1, 1, 1)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        return ((x - mean) * factor + mean).clamp(0, 1)

    def _maps(self, x: Tensor) -> Tensor:
        # output position -> input position, both in [-1, 1]: (n, 2, 3)
        preset = self.preset
        angle = math.radians(preset.rotation) * self._uniform(x)
        scale = 1 + preset.zoom * self._uniform(x)
        mirror_x = (
            torch.sign(self._uniform(x)) if preset.flip_left_right else torch.ones_like(angle)
        )
        mirror_y = torch.sign(self._uniform(x)) if preset.flip_up_down else torch.ones_like(angle)
        height, width = x.shape[-2:]
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        shift_x, shift_y = 2 * preset.shift * self._uniform(x), 2 * preset.shift * self._uniform(x)
        # the ratio keeps a rotation a rotation where the film is not square
        rows = [
            cos * mirror_x, -sin * mirror_y * (height / width), shift_x,
            sin * mirror_x * (width / height), cos * mirror_y, shift_y,
        ]  # fmt: skip
        return torch.stack(rows, dim=1).view(-1, 2, 3)

    def _uniform(self, x: Tensor, *trailing: int) -> Tensor:
        """Draw a number in [-1, 1] for each film."""
        drawn = torch.empty(len(x), *trailing, device=x.device, dtype=x.dtype)
        return drawn.uniform_(-1, 1, generator=self.generator)
