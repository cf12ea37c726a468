"""Shear: the rows slide over each other, as where a camera looks askew or a belt moves under a line scan."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gonogo.train.augment.change import Augmentation, spread


def shear(n: int, _size: tuple[int, int], degrees: float, generator: torch.Generator) -> Tensor:
    """Return (n, 2, 2) matrices that lean upright lines by up to this much either way."""
    lean = torch.tan(spread(n, math.radians(degrees), generator))
    one, none = torch.ones(n), torch.zeros(n)
    return torch.stack([one, lean, none, one], 1).view(n, 2, 2)


SHEAR = Augmentation("shear_degrees", "degrees", 20.0, "upright lines lean", warp=shear)
