"""Augmentation of whole batches, in physical units; one change per file, or per line of a file they share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gonogo.registry import Registry
from gonogo.train.augment.change import Augmentation
from gonogo.train.augment.light import change_light
from gonogo.train.augment.pose import change_pose
from gonogo.train.recipe import Recipe

# In the order in which they happen, as light does on its way: the part lies, the lamp shines, the lens blurs, something
# lies in front, the sensor adds noise. A random crop, as others call it, is "scale" and "shift" together.
AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation",
    {
        "hflip": "gonogo.train.augment.pose:HFLIP",
        "vflip": "gonogo.train.augment.pose:VFLIP",
        "rotate": "gonogo.train.augment.pose:ROTATE",
        "scale": "gonogo.train.augment.pose:SCALE",
        "shift": "gonogo.train.augment.pose:SHIFT",
        "shear": "gonogo.train.augment.shear:SHEAR",
        "brightness": "gonogo.train.augment.light:BRIGHTNESS",
        "contrast": "gonogo.train.augment.light:CONTRAST",
        "blur": "gonogo.train.augment.blur:BLUR",
        "cutout": "gonogo.train.augment.cutout:CUTOUT",
        "noise": "gonogo.train.augment.noise:NOISE",
    },
)


def wanted(recipe: Recipe) -> list[Augmentation]:
    """Return the augmentations that this recipe asks for, in their order."""
    return [entry for entry in map(AUGMENTATIONS.get, AUGMENTATIONS) if entry.is_wanted(recipe)]


def without_augmentation(recipe: Recipe) -> Recipe:
    """Return the recipe with every augmentation off."""
    off: dict[str, Any] = {entry.key: entry.identity for entry in map(AUGMENTATIONS.get, AUGMENTATIONS)}
    return replace(recipe, **off)


def augment(levels: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Change pose and light of every photo of a batch, each by its own draw.

    All changes of pose are one resampling, so that no photo is blurred twice.

    Args:
        levels: (N, C, h, w) float32 grey levels, 0 to 255.
        recipe: which changes, and how large.
        generator: on the CPU; the only source of chance.

    Returns:
        (N, C, h, w) float32, not clipped; the very input where nothing is asked for.
    """
    entries = wanted(recipe)
    warps = [(entry.warp, getattr(recipe, entry.key)) for entry in entries if entry.warp is not None]
    levels = change_light(change_pose(levels, recipe, generator, warps), recipe, generator)
    for entry in entries:
        if entry.pixels is not None:
            levels = entry.pixels(levels, getattr(recipe, entry.key), generator)
    return levels
