"""Draw photos anew under affine changes of pose: one bilinear resampling, on the CPU and on other devices."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gonogo.types import Float64Array


def resample(levels: Tensor, matrices: Tensor) -> Tensor:
    """Return photos as each looks under its own change of pose; the border continues by reflection.

    On the CPU OpenCV does it, in less than half of the time of `grid_sample` and without a table of positions; both
    give the same levels within a hundredth of one.

    Args:
        levels: (N, C, h, w) float32, on any device.
        matrices: (N, 2, 3) from output to input positions, both in -1..1 as `grid_sample` counts; on the CPU.

    Returns:
        (N, C, h, w) float32.
    """
    if levels.device.type == "cpu":
        return _by_opencv(levels.contiguous(), matrices)
    matrices = matrices.to(levels.device)
    grid = _grid(matrices, *levels.shape[2:])
    return F.grid_sample(levels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _by_opencv(levels: Tensor, matrices: Tensor) -> Tensor:
    if cv2.getNumThreads() != torch.get_num_threads():
        cv2.setNumThreads(torch.get_num_threads())
    n, channels, height, width = levels.shape
    drawn = torch.empty_like(levels)
    sources, targets = (photos.view(n, channels, height, width).numpy() for photos in (levels, drawn))
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for source, target, matrix in zip(sources, targets, _in_pixels(matrices, height, width), strict=True):
        for plane, place in zip(source, target, strict=True):
            cv2.warpAffine(plane, matrix, (width, height), place, how, cv2.BORDER_REFLECT)
    return drawn


def _in_pixels(matrices: Tensor, height: int, width: int) -> Float64Array:
    """Return (N, 2, 3) the same matrices in pixels, the middle of the first one at 0."""
    from_pixels = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    to_pixels = np.array([[width / 2, 0], [0, height / 2]])
    changed = to_pixels @ matrices.double().numpy() @ from_pixels
    changed[:, :, 2] += ((width - 1) / 2, (height - 1) / 2)
    return np.asarray(changed)


@lru_cache(maxsize=4)
def _middles(length: int, device: torch.device) -> Tensor:
    """Return (length,) the middles of a row's pixels, in -1..1."""
    return ((torch.arange(length) * 2 + 1) / length - 1).to(device)


def _grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Return (n, h, w, 2), the input position of each output pixel: what F.affine_grid does, twenty times as fast.

    A position is a share of its column plus one of its row, so that most of the work is one addition. Both coordinates
    travel as one complex number, because an addition over an innermost axis of two is six times as slow.
    """
    across, down, middle = torch.view_as_complex(matrices.transpose(1, 2).contiguous()).unbind(1)
    columns = _middles(width, matrices.device) * across[:, None]
    rows = _middles(height, matrices.device) * down[:, None]
    return torch.view_as_real((columns[:, None, :] + rows[:, :, None]).add_(middle[:, None, None]))
