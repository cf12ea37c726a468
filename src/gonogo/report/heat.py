"""Heat maps over photos."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gonogo.data.images import as_image
from gonogo.gauge.region import HeatGrid
from gonogo.types import Float32Array, UInt8Array

# Dark red through orange to light yellow: rising lightness, so that it reads in grey and for the colour-blind too.
STOPS = np.array([(110, 0, 10), (215, 25, 28), (253, 141, 36), (254, 217, 96), (255, 255, 204)], dtype=np.float32)
STRONGEST = 0.72


def colour_of(strength: Float32Array) -> Float32Array:
    """Return (..., 3) float32 colours, 0 to 255, for strengths from 0 to 1."""
    place = np.clip(strength, 0, 1) * (len(STOPS) - 1)
    below = np.minimum(place.astype(np.int64), len(STOPS) - 2)
    share = (place - below)[..., None]
    colours: Float32Array = (STOPS[below] * (1 - share) + STOPS[below + 1] * share).astype(np.float32)
    return colours


def overlay(pixels: UInt8Array, heatmap: Float32Array, grid: HeatGrid, scale: float) -> Image.Image:
    """Lay a heat map over its photo; what the network takes for good stays as it was.

    Args:
        pixels: (H, W, C) uint8 camera pixels.
        heatmap: (h, w), above 0 for a defect.
        grid: where the map lies on the photo.
        scale: the value that is shown at full strength.
    """
    photo = np.asarray(as_image(pixels).convert("RGB"), dtype=np.float32)
    x, y, _, _ = grid.geometry.region
    rows, columns = (side * grid.geometry.reduce for side in grid.geometry.reduced_size)
    # One more cell on each side, so that the border of the photo is covered.
    strength = np.pad(np.clip(heatmap / max(scale, 1e-6), 0, 1).astype(np.float32), 1, mode="edge")
    down, across = (1 / (grid.stride * scale) for scale in grid.geometry.scale)
    top, left = 1 - float(grid.edges(1, 0)[0]) * down, 1 - float(grid.edges(1, 1)[0]) * across
    smooth = Image.fromarray(strength).transform(
        (columns, rows), Image.Transform.AFFINE, (across, 0, left, 0, down, top), Image.Resampling.BICUBIC
    )
    full = np.zeros(photo.shape[:2], dtype=np.float32)
    full[y : y + rows, x : x + columns] = np.clip(np.asarray(smooth), 0, 1)
    alpha = (full**0.7 * STRONGEST)[..., None]
    return Image.fromarray((photo * (1 - alpha) + colour_of(full) * alpha + 0.5).astype(np.uint8))
