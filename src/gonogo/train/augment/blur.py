"""Blur: a lens that is a little out of focus."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gonogo.train.augment.change import Augmentation, up_to

# Where the Gaussian is cut off, in sigmas: 0.3 % of it lies beyond.
REACH = 3.0
# Sigmas below this change no grey level by a hundredth.
LEAST = 0.05


def blur(levels: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Blur each photo by a Gaussian whose sigma is drawn evenly from 0 to this many pixels; the border is mirrored.

    Args:
        levels: (N, C, h, w) float32.
        sigma: the largest, in pixels of what the network sees.
        generator: on the CPU.
    """
    n, channels, height, width = levels.shape
    drawn = up_to(n, sigma, generator).clamp_min(LEAST).to(levels.device)
    for axis, side in ((2, height), (3, width)):
        radius = min(math.ceil(REACH * sigma), side - 1)
        offsets = torch.arange(-radius, radius + 1, device=levels.device)
        kernels = torch.exp(-0.5 * (offsets / drawn[:, None]) ** 2)
        kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
        shape, padding = ((-1, 1, 2 * radius + 1, 1), (0, 0, radius, radius))
        if axis == 3:
            shape, padding = ((-1, 1, 1, 2 * radius + 1), (radius, radius, 0, 0))
        # All photos are channels of one, so that each has its own kernel.
        padded = F.pad(levels, padding, mode="reflect").reshape(1, n * channels, *_grown(height, width, padding))
        levels = F.conv2d(padded, kernels.view(shape), groups=n * channels).view(n, channels, height, width)
    return levels


def _grown(height: int, width: int, padding: tuple[int, int, int, int]) -> tuple[int, int]:
    return height + padding[2] + padding[3], width + padding[0] + padding[1]


BLUR = Augmentation("blur_sigma", "pixels", 2.0, "out of focus, by a Gaussian", pixels=blur)
