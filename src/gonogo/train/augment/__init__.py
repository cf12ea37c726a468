"""Augmentation of whole batches, in physical units."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.train.augment.light import change_light
from gonogo.train.augment.pose import change_pose
from gonogo.train.recipe import Recipe


def augment(levels: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Change pose and light of every photo of a batch.

    Args:
        levels: (N, C, h, w) float32 grey levels, 0 to 255.
        recipe: which changes, and how large.
        generator: on the CPU; the only source of chance.

    Returns:
        (N, C, h, w) float32, not clipped.
    """
    return change_light(change_pose(levels, recipe, generator), recipe, generator)
