"""Sets with a trap: an augmentation that seems harmless takes the label away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from gonogo.train.prepare import DataOptions
from gonogo.types import Float64Array

SIDE = 64
# The names say which photos show one part; no photo is a copy of another.
BY_NAME = DataOptions(group_by=r"(\d+)_", find_copies=False)
# From a generator and whether the part is defective to (SIDE, SIDE) grey levels.
Draw = Callable[[np.random.Generator, bool], Float64Array]


def write_trap(folder: Path, draw: Draw, parts: int, views: int = 2, seed: int = 0) -> Path:
    """Write photos of so many good and as many defective parts, as `BY_NAME` reads them.

    The views of a part are drawn one after the other from what its own number starts, so they differ.
    """
    for label in ("ok", "defect"):
        (folder / label).mkdir(parents=True, exist_ok=True)
    for part in range(2 * parts):
        label = "defect" if part % 2 else "ok"
        rng = np.random.default_rng((seed, part))
        for view in range(views):
            levels = draw(rng, label == "defect")
            Image.fromarray(levels.clip(0, 255).round().astype(np.uint8)).save(
                folder / label / f"{part:03d}_{view}.png"
            )
    return folder


def surface(rng: np.random.Generator, level: float = 130.0) -> Float64Array:
    """Return a smooth, uneven surface with a little grain."""
    clouds = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 5, mode="wrap")
    return np.asarray(level + 8 * clouds / clouds.std() + rng.normal(0, 3, (SIDE, SIDE)))


def leaning(rng: np.random.Generator, defective: bool) -> Float64Array:
    """Draw one scratch that leans to the right on good parts and to the left on others: mirrored, it is the other."""
    angle = np.radians(45 + rng.uniform(-12, 12)) * (-1 if defective else 1)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    along = (x - rng.uniform(-8, 8)) * np.cos(angle) - (y - rng.uniform(-8, 8)) * np.sin(angle)
    across = (x - rng.uniform(-8, 8)) * np.sin(angle) + (y - rng.uniform(-8, 8)) * np.cos(angle)
    return np.asarray(surface(rng) - 50 * np.exp(-(across**2) / 4) * (np.abs(along) < 20))


def darker(rng: np.random.Generator, defective: bool) -> Float64Array:
    """Draw a plain surface; defective parts are 25 grey levels darker all over."""
    return surface(rng, 130 + rng.normal(0, 4) - 25 * defective)


def pinhole(rng: np.random.Generator, defective: bool) -> Float64Array:
    """Draw a surface; defective parts have holes three pixels wide, dark with the bright rim that light gives them."""
    levels = surface(rng)
    for _ in range(4 * defective):
        y, x = rng.integers(6, SIDE - 6, 2)
        levels[y - 1 : y + 2, x - 1 : x + 2] += 28 * np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]]) / 3
    return levels
