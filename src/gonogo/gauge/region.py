"""Where on the photo: from the cells of a heat map to camera pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonogo.data.geometry import Geometry
from gonogo.types import BoolArray, Float32Array


@dataclass(frozen=True)
class HeatGrid:
    """Where the cells of a heat map lie.

    A strided convolution looks around its own pixel, not around the middle of its stride; a map that is merely
    stretched over the photo lies half a cell off.

    Attributes:
        geometry: from camera to network input.
        stride: pixels of the network's input between neighbouring cells.
        first: the input pixel that the first cell looks at, in rows as in columns.
    """

    geometry: Geometry
    stride: float
    first: float

    def edges(self, cells: int, axis: int = 1) -> Float32Array:
        """Return (cells + 1,) where cells end, in camera pixels from the corner of the crop; axis 0 is down."""
        places = self.first + 0.5 + (np.arange(cells + 1) - 0.5) * self.stride
        return np.asarray(places * self.geometry.scale[axis], dtype=np.float32)

    def hot_region(self, heatmap: Float32Array) -> tuple[int, int, int, int] | None:
        """Return the box around the connected cells that reach half of the peak.

        Args:
            heatmap: (h, w), above 0 where the network sees a defect.

        Returns:
            x, y, width, height in camera pixels; None where nothing is above 0.
        """
        peak = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
        if heatmap[peak] <= 0:
            return None
        rows, columns = _connected(heatmap >= heatmap[peak] / 2, (int(peak[0]), int(peak[1])))
        x, y, width, height = self.geometry.region
        down, across = (self.edges(heatmap.shape[axis], axis) for axis in (0, 1))
        left, right = (round(float(across[c])) for c in (columns.min(), columns.max() + 1))
        top, bottom = (round(float(down[r])) for r in (rows.min(), rows.max() + 1))
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        return x + left, y + top, right - left, bottom - top


def _connected(mask: BoolArray, start: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the cells joined to `start` by their sides."""
    grown = np.zeros_like(mask)
    grown[start] = True
    while True:
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        wider[:, 1:] |= grown[:, :-1]
        wider[:, :-1] |= grown[:, 1:]
        wider &= mask
        if (wider == grown).all():
            rows, columns = np.nonzero(grown)
            return rows, columns
        grown = wider
