"""CutOut: something lies in front of the part, so that no single place may decide."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.train.augment.change import Augmentation


def cutout(levels: Tensor, percent: float, generator: torch.Generator) -> Tensor:
    """Cover a square of each photo with the photo's mean level (DeVries and Taylor, 2017).

    The middle of the square is any pixel, so that at the border a part of it lies outside, as in the paper.

    Args:
        levels: (N, C, h, w) float32.
        percent: of the width: the side of the square, to the nearest pixel and at least one.
        generator: on the CPU.
    """
    n, _, height, width = levels.shape
    side = max(1, round(width * percent / 100))
    covered = torch.ones(n, 1, 1, 1, dtype=torch.bool)
    for axis, length in ((2, height), (3, width)):
        first = torch.randint(length, (n, 1), generator=generator) - side // 2
        place = torch.arange(length)
        inside = (place >= first) & (place < first + side)
        covered = covered & inside.view(n, 1, *((length, 1) if axis == 2 else (1, length)))
    return torch.where(covered.to(levels.device), levels.mean((2, 3), keepdim=True), levels)


CUTOUT = Augmentation("cutout_percent", "percent of the width", 40.0, "a square is covered", pixels=cutout)
