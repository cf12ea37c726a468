"""Where on the photo: the box around the hottest place of a heat map."""

from __future__ import annotations

import numpy as np

from gonogo.data.geometry import Geometry
from gonogo.types import BoolArray, Float32Array


def hot_region(heatmap: Float32Array, geometry: Geometry, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return the box around the connected cells that reach half of the peak.

    Args:
        heatmap: (h, w), above 0 where the network sees a defect.
        geometry: where the map lies on the photo.
        size: height and width of the photo, in pixels.

    Returns:
        x, y, width, height in camera pixels; None where nothing is above 0.
    """
    peak = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    if heatmap[peak] <= 0:
        return None
    rows, columns = _connected(heatmap >= heatmap[peak] / 2, (int(peak[0]), int(peak[1])))
    x, y, _, _ = geometry.region
    input_rows, input_columns = geometry.input_size
    cell_height = input_rows * geometry.reduce / heatmap.shape[0]
    cell_width = input_columns * geometry.reduce / heatmap.shape[1]
    left, top = x + int(columns.min() * cell_width), y + int(rows.min() * cell_height)
    right = min(x + round((columns.max() + 1) * cell_width), size[1])
    bottom = min(y + round((rows.max() + 1) * cell_height), size[0])
    return left, top, right - left, bottom - top


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
