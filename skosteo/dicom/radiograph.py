"""`Radiograph`: a film as displayed, the few facts that identify nobody, and resampling."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

FACTS = (
    "rows", "columns", "spacing_mm", "view_position", "laterality", "modality", "manufacturer",
    "bits", "photometric_interpretation",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Radiograph:
    """A film as a viewer shows it, and nothing that identifies whose it is.

    Attributes
    ----------
    pixels : ndarray of float32, shape (rows, columns)
        0 is black and 1 is white, with bone bright.

    Examples
    --------
    >>> import numpy as np
    >>> film = Radiograph(np.eye(4, 2, dtype=np.float32))
    >>> film
    Radiograph(4 rows x 2 columns)
    >>> film.facts["rows"], film.facts["modality"]
    (4, None)
    >>> film.to_uint8(4)
    array([[  0, 255,   0,   0],
           [  0,   0, 255,   0],
           [  0,   0,   0,   0],
           [  0,   0,   0,   0]], dtype=uint8)
    """

    pixels: NDArray[np.float32]
    _stated: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """All that is kept of the file beside its pixels.

        Each is a number, a word of a closed list, or None where the file says nothing:

        * ``rows``, ``columns``: int
        * ``spacing_mm``: (float, float), distance of rows and of columns: PixelSpacing (0028,0030),
          else ImagerPixelSpacing (0018,1164)
        * ``view_position``: "PA", "AP", "LL", "RL", "LATERAL", decubitus "LLD", "RLD", or oblique
          "LLO", "RLO", "LAO", "RAO", "LPO", "RPO"
        * ``laterality``: "L", "R", "B", "U"
        * ``modality``: "CR", "DX", ... (PS3.3 C.7.3.1.1.1), or "other"
        * ``manufacturer``: the maker's common name, or "other"
        * ``bits``: int, bits stored per pixel
        * ``photometric_interpretation``: "MONOCHROME1", "MONOCHROME2", "RGB", ...
        * ``pixel_digest``: str of 32 hexadecimal digits. Films of 8, 10 or 12 bits that show the
          same pixels have the same digest, however they are stored.
        """
        return self.stated | {"pixel_digest": self._digest()}

    @property
    def stated(self) -> dict[str, Any]:
        """The facts but for the digest, which takes longer than all else."""
        rows, columns = self.pixels.shape
        return dict.fromkeys(FACTS) | dict(self._stated) | {"rows": rows, "columns": columns}

    def _digest(self) -> str:
        digest = blake2b(repr(self.pixels.shape).encode(), digest_size=16)
        # in 12 bits, because the last bits of a float depend on the way it was computed
        for row in self.pixels:
            digest.update((row * 4095 + 0.5).astype("<u2").tobytes())
        return digest.hexdigest()

    def to_uint8(self, size: int = 224) -> NDArray[np.uint8]:
        r"""Pad with black to a square, centred, and average over the area of each new pixel.

        With :math:`A` the rectangle that a new pixel covers and :math:`f` the padded film as a
        piecewise constant function, the new value is :math:`\frac{1}{|A|} \int_A f`, for larger
        and smaller `size` alike, so the mean is kept. The padding may be half a pixel wide, so
        that a mirrored film gives the mirrored result.

        Parameters
        ----------
        size : int, default=224
            Rows and columns of the result.

        Returns
        -------
        ndarray of uint8, shape (size, size)
            0 to 255, halves rounded up.
        """
        rows, columns = self.pixels.shape
        side = max(rows, columns)
        squeezed = _area_weights(rows, side, size) @ self.pixels  # (size, columns)
        square = (_area_weights(columns, side, size) @ squeezed.T).T  # (size, size)
        return np.clip(square * 255 + 0.5, 0, 255).astype(np.uint8)

    def __repr__(self) -> str:
        rows, columns = self.pixels.shape
        return f"Radiograph({rows} rows x {columns} columns)"


def _area_weights(length: int, side: int, size: int) -> csr_array:
    """Proportion of each of `length` pixels, centred on an axis of `side` pixels, in `size` cells.

    Cell edges and pixel edges together cut the axis into pieces that lie in one cell and one
    pixel each, so that the matrix (size, length) has fewer than ``length + size`` entries.
    """
    start = (side - length) / 2
    cell = side / size
    pixel_edges = start + np.arange(length + 1)
    cuts = np.unique(np.concatenate([np.arange(size + 1) * cell, pixel_edges]))
    cuts = cuts[(cuts >= start) & (cuts <= start + length)]
    middle = (cuts[:-1] + cuts[1:]) / 2
    to_cell = np.minimum(middle / cell, size - 1).astype(np.intp)
    from_pixel = np.minimum(middle - start, length - 1).astype(np.intp)
    proportion = (np.diff(cuts) / cell).astype(np.float32)
    return csr_array((proportion, (to_cell, from_pixel)), shape=(size, length))
