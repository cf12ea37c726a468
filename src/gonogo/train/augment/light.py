"""Change brightness and contrast."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.train.augment.change import Augmentation
from gonogo.train.recipe import Recipe

# One pass over the pixels does both.
BRIGHTNESS = Augmentation("brightness_levels", "grey levels", 80.0, "lighter or darker")
CONTRAST = Augmentation("contrast_percent", "percent", 60.0, "more or less contrast around the photo's mean")


def change_light(levels: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Change the contrast around each photo's own mean, then its brightness.

    Args:
        levels: (N, C, h, w) float32 grey levels.
        recipe: the limits.
        generator: on the CPU.

    Returns:
        (N, C, h, w) float32, not clipped.
    """
    if not (recipe.brightness_levels or recipe.contrast_percent):
        return levels
    n = len(levels)
    draws = (torch.rand(2, n, 1, 1, 1, generator=generator) * 2 - 1).to(levels.device)
    gain = 1 + draws[0] * (recipe.contrast_percent / 100)
    offset = levels.mean((1, 2, 3), keepdim=True) * (1 - gain) + draws[1] * recipe.brightness_levels
    # Not addcmul, which does numbers of one photo each at a time: it takes nearly three times as long.
    return (levels * gain).add_(offset)
