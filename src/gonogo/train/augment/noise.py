"""Noise: a sensor with too little light."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.train.augment.change import Augmentation, up_to


def noise(levels: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Add normal noise to every pixel; its deviation is drawn for each photo, evenly from 0 to this many grey levels.

    Args:
        levels: (N, C, h, w) float32.
        most: the largest deviation, in grey levels of 255.
        generator: on the CPU.
    """
    deviation = up_to(len(levels), most, generator).view(-1, 1, 1, 1)
    drawn = torch.randn(levels.shape, generator=generator) * deviation
    return levels + drawn.to(levels.device)


NOISE = Augmentation("noise_levels", "grey levels", 20.0, "noise on every pixel", pixels=noise)
