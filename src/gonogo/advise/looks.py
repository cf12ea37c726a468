"""What a photo looks like to a judge that learns at once: how strong its edges, lines and spots are, and where."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gonogo.types import Float32Array

SIZES = 4  # each twice the one before
LEAST_SIDE = 8  # pixels that a size is looked at with
PLACES = 6  # of a coarse picture, for parts that all lie alike
BATCH = 64
ROOT_HALF = 0.5**0.5


def describe(levels: Tensor) -> Float32Array:
    """Describe photos by figures that a linear judge can tell classes by.

    Edges and lines in four directions and spots, at sizes from two pixels upwards, each by its mean strength and its
    strongest answers; the mean level of each colour, its spread, and a coarse picture. Unlike those of the audit, the
    figures know which way an edge runs.

    Args:
        levels: (N, C, h, w) float32 grey levels.

    Returns:
        (N, F) float32.
    """
    pieces = [_describe(levels[start : start + BATCH]) for start in range(0, len(levels), BATCH)]
    return np.asarray(torch.cat(pieces).numpy())


def _describe(levels: Tensor) -> Tensor:
    grey = levels.mean(1)
    found = [levels.mean((2, 3)), levels.std((2, 3)), F.adaptive_avg_pool2d(grey, PLACES).flatten(1)]
    for _ in range(SIZES):
        if min(grey.shape[1:]) < LEAST_SIDE:
            break
        figures = []
        edges, lines = _derivatives(_smooth(grey))
        for own in (edge.abs().flatten(1) for edge in edges):
            figures += [own.mean(1), own.amax(1)]
        for own in (line.flatten(1) for line in lines):
            low, high = own.aminmax(dim=1)
            figures += [own.abs().mean(1), high, -low]
        found.append(torch.log(torch.stack(figures, 1).clamp_min(0) + 1.0))
        grey = F.avg_pool2d(grey[:, None], 2)[:, 0]
    return torch.cat(found, 1)


def _smooth(grey: Tensor) -> Tensor:
    """Return (N, h - 2, w - 2) of (N, h, w): each pixel with its neighbours, by 1, 2, 1 along either axis."""
    rows = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16


def _derivatives(smooth: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return first derivatives in four directions 45 degrees apart, and second ones with their mean, the Laplacian."""
    middle = smooth[:, 1:-1, 1:-1]
    left, right, above, below = smooth[:, 1:-1, :-2], smooth[:, 1:-1, 2:], smooth[:, :-2, 1:-1], smooth[:, 2:, 1:-1]
    across, down = right - left, below - above
    edges = [across, down, (across + down) * ROOT_HALF, (across - down) * ROOT_HALF]
    bent_across, bent_down = left + right - 2 * middle, above + below - 2 * middle
    spot = (bent_across + bent_down) / 2
    mixed = (smooth[:, 2:, 2:] + smooth[:, :-2, :-2] - smooth[:, 2:, :-2] - smooth[:, :-2, 2:]) / 4
    return edges, [bent_across, bent_down, spot + mixed, spot - mixed, spot]
