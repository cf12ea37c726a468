"""Mirror, turn, scale and shift photos, and whatever else changes their pose, in one resampling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gonogo.train.augment.change import Augmentation, Warp, spread
from gonogo.train.augment.resample import resample
from gonogo.train.recipe import Recipe

# These five come out of one set of draws and one small matrix: `pose_matrices`.
HFLIP = Augmentation("hflip", "on or off", 1.0, "half of the photos mirrored left and right")
VFLIP = Augmentation("vflip", "on or off", 1.0, "half of the photos mirrored top and bottom")
ROTATE = Augmentation("rotate_degrees", "degrees", 180.0, "turned either way")
SCALE = Augmentation("scale_percent", "percent", 40.0, "made larger or smaller")
SHIFT = Augmentation("shift_percent", "percent of the width and height", 20.0, "moved in both directions")


def _signs(n: int, wanted: bool, generator: torch.Generator) -> Tensor:
    """Return (n,) of -1 (mirrored) or 1."""
    drawn = torch.rand(n, generator=generator) < 0.5
    return torch.where(drawn & wanted, -1.0, 1.0)


def pose_matrices(n: int, size: tuple[int, int], recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return (n, 2, 3) affine matrices from output to input positions, both in -1..1 as `grid_sample` counts.

    Args:
        n: photos.
        size: h and w, so that a turn stays a turn where the photo is not square.
        recipe: the limits.
        generator: the only source of chance.
    """
    height, width = size
    angle = spread(n, math.radians(recipe.rotate_degrees), generator)
    zoom = 1 / (1 + spread(n, recipe.scale_percent / 100, generator))
    mirror_x, mirror_y = _signs(n, recipe.hflip, generator), _signs(n, recipe.vflip, generator)
    # A shift by the whole width is 2 in these units.
    shift_x, shift_y = (spread(n, recipe.shift_percent / 50, generator) for _ in range(2))
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    aspect = height / width
    rows = [cosine * mirror_x, -sine * mirror_y * aspect, shift_x, sine * mirror_x / aspect, cosine * mirror_y, shift_y]
    return torch.stack(rows, 1).view(n, 2, 3)


def _warped(matrices: Tensor, warp: Tensor, aspect: float) -> Tensor:
    """Return (n, 2, 3) matrices that first apply a (n, 2, 2) warp in pixels; `aspect` is height over width."""
    to_pixels = torch.tensor([[1.0, aspect], [1 / aspect, 1.0]])
    return torch.cat([matrices[:, :, :2] @ (warp * to_pixels), matrices[:, :, 2:]], 2)


def change_pose(
    levels: Tensor, recipe: Recipe, generator: torch.Generator, warps: Sequence[tuple[Warp, float]] = ()
) -> Tensor:
    """Mirror, turn, scale, shift and warp each photo by its own draw; the border continues by reflection.

    Args:
        levels: (N, C, h, w) float32.
        recipe: the limits.
        generator: on the CPU.
        warps: further changes of pose, each with its limit.

    Returns:
        (N, C, h, w) float32; the very input where the recipe asks for none of it.
    """
    limits = (recipe.rotate_degrees, recipe.scale_percent, recipe.shift_percent)
    if not (any(limits) or warps or recipe.hflip or recipe.vflip):
        return levels
    n, _, height, width = levels.shape
    if not (any(limits) or warps):
        return _mirror(levels, recipe, generator)
    matrices = pose_matrices(n, (height, width), recipe, generator)
    for warp, limit in warps:
        matrices = _warped(matrices, warp(n, (height, width), limit, generator), height / width)
    return resample(levels, matrices)


def _mirror(levels: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Mirror without resampling, so that no pixel changes its value."""
    for dimension, wanted in ((3, recipe.hflip), (2, recipe.vflip)):
        chosen = (_signs(len(levels), wanted, generator) < 0).to(levels.device)
        levels = torch.where(chosen[:, None, None, None], levels.flip(dimension), levels)
    return levels
