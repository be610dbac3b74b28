"""Films as training takes them: a tensor that is made batch by batch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, from_numpy

from skosteo.image.films import Films


class FilmRows:
    """The films of n rows, like a uint8 tensor (n, 1, h, w) that lies elsewhere.

    Rows are taken by index as from a tensor, and stay where they are; `to` fetches them. So a
    training of many films holds the pixels of one batch.
    """

    dtype, device, is_cuda = torch.uint8, torch.device("cpu"), False

    def __init__(self, films: Films) -> None:
        self.films = films

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, index: Any) -> "FilmRows":
        rows = index if isinstance(index, slice) else np.atleast_1d(np.asarray(index))
        return FilmRows(self.films.select(rows))

    @property
    def shape(self) -> torch.Size:
        """(n, 1, h, w)."""
        return torch.Size((len(self), 1, self.films.size, self.films.size))

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        return self.shape.numel()

    def to(self, device: Any, non_blocking: bool = False) -> Tensor:
        """Fetch the pixels, as a tensor on a device."""
        return from_numpy(self.films[:][:, None]).to(device, non_blocking=non_blocking)

    def pin_memory(self) -> Tensor:
        """Fetch the pixels to where a GPU can fetch them from by itself."""
        return self.to("cpu").pin_memory()
