"""The same photos at another size and in another colour: what a smaller network, or a teacher, sees of them."""

from __future__ import annotations

from dataclasses import replace

from gonogo.data.cache import reduced_pixels
from gonogo.data.geometry import Colour
from gonogo.splitting import Progress
from gonogo.train.prepare import Prepared, input_size, reduction


def at_short_side(prepared: Prepared, side: int, progress: Progress | None = None) -> Prepared:
    """Return the same photos, their shorter side resized to this many pixels; mean and std stay what they were."""
    return seen_as(prepared, (side,), progress=progress)


def seen_as(
    prepared: Prepared,
    size: tuple[int, ...] | None = None,
    colour: Colour | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Return the same photos at another size and in another colour.

    Args:
        prepared: the photos; their mean and std stay, those of the first channel where there are more or fewer now.
        size: width and height, or the shorter side alone; None for the size they have.
        colour: None for the one they have.
        progress: called while photos are reduced.
    """
    geometry = prepared.geometry
    if colour not in (None, geometry.colour):
        n = 3 if colour == "rgb" else 1
        geometry = replace(geometry, colour=colour, mean=geometry.mean[:1] * n, std=geometry.std[:1] * n)
    if size is not None:
        resized = input_size(size, geometry.region[2:])
        geometry = replace(geometry, size=resized, reduce=reduction(geometry.region[2:], resized))
    what = "reducing" if size is None else f"reducing to {'x'.join(map(str, size))} pixels"
    named = None if progress is None else lambda done, total: progress(what, done, total)
    pixels = reduced_pixels(prepared.manifest, geometry, progress=named)
    return replace(prepared, geometry=geometry, pixels=pixels)
