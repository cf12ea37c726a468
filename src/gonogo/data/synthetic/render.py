"""Render photos of synthetic castings: pure functions of seed, part, view and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonogo.data.synthetic.camera import NOMINAL, View, expose, lens_gain, make_view, soften
from gonogo.data.synthetic.defects import KINDS, Defect, check_kinds, make_defects
from gonogo.data.synthetic.noise import Floats
from gonogo.data.synthetic.part import make_part, make_textures
from gonogo.data.synthetic.shapes import add_defect
from gonogo.data.synthetic.surface import OVERSAMPLE, open_canvas, paint_part
from gonogo.errors import UsageError

LEAST_SIZE = 64


@dataclass(frozen=True, eq=False)
class CleanPhoto:
    """A photo before sensor noise.

    Attributes:
        light: (H, W) float32 grey levels, 0 to 255.
        masks: one (H, W) mask for each defect, in the order of `defects`.
        defects: the defects of the part, empty for a good part.
        view: how it was photographed.
    """

    light: Floats
    masks: tuple[NDArray[np.bool_], ...]
    defects: tuple[Defect, ...]
    view: View

    @property
    def mask(self) -> NDArray[np.bool_]:
        """All defects together, (H, W)."""
        total = np.zeros(self.light.shape, dtype=np.bool_)
        for mask in self.masks:
            total |= mask
        return total


def check_look(*, difficulty: float, kinds: Sequence[str], size: int, seed: int) -> None:
    """Check the parameters that decide how a photo looks.

    Raises:
        UsageError: says what was found, what was expected and what to do.
    """
    if not 0 <= difficulty <= 1:
        raise UsageError(f"difficulty is {difficulty}, expected 0 (obvious) to 1 (barely visible); give a number there")
    if size < LEAST_SIZE:
        raise UsageError(f"size is {size} pixels, expected at least {LEAST_SIZE}; give a larger size")
    if seed < 0:
        raise UsageError(f"seed is {seed}, expected a whole number from 0; give another seed")
    check_kinds(kinds)


def render_clean(
    part: int,
    view: int,
    *,
    defective: bool = False,
    difficulty: float = 0.5,
    kinds: Sequence[str] = KINDS,
    size: int = 300,
    seed: int = 0,
) -> CleanPhoto:
    """Render one photo before sensor noise.

    Args:
        part: number of the part, at least 0.
        view: number of the view, at least 0.
        defective: whether the part has its defects; everything else is the same either way.
        difficulty: 0 for obvious defects to 1 for barely visible ones.
        kinds: defect kinds to draw from.
        size: pixels along each side, at least 64.
        seed: seed of the set.

    Raises:
        UsageError: a parameter is out of range.
        MissingExtraError: scipy is not installed.
    """
    check_look(difficulty=difficulty, kinds=kinds, size=size, seed=seed)
    casting, shot = make_part(seed, part), make_view(seed, part, view)
    canvas = open_canvas(shot, size)
    paint_part(canvas, shot, casting, make_textures(casting))
    boxes = canvas.image.reshape(size, OVERSAMPLE, size, OVERSAMPLE)
    gain = lens_gain(shot, size)
    light = soften(np.asarray(boxes.mean(axis=(1, 3)), dtype=np.float32), shot, size) * gain
    light = light.clip(0, 255)
    defects: tuple[Defect, ...] = ()
    if defective:
        defects = make_defects(casting, difficulty=difficulty, kinds=kinds, pixel=1 / (NOMINAL * size))
    masks = tuple(add_defect(light, canvas.image, gain, defect, casting, shot) for defect in defects)
    return CleanPhoto(light, masks, defects, shot)


def render_photo(
    part: int,
    view: int,
    *,
    defective: bool = False,
    difficulty: float = 0.5,
    kinds: Sequence[str] = KINDS,
    size: int = 300,
    seed: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Render one photo and the mask of its defects; see `render_clean` for the parameters.

    Returns:
        (size, size) uint8 photo and (size, size) mask, all False for a good part.

    Raises:
        UsageError: a parameter is out of range.
        MissingExtraError: scipy is not installed.
    """
    clean = render_clean(part, view, defective=defective, difficulty=difficulty, kinds=kinds, size=size, seed=seed)
    return expose(clean.light, clean.view), clean.mask
