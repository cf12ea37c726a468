"""How photos of one part really differ in this set: in pose by its copies, in light by all of its photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gonogo.audit.copies.find import Copies
from gonogo.train.prepare import Prepared
from gonogo.types import Float64Array, Int64Array

# What 95 % of the differences of two values stay below, each drawn evenly from -1 to 1: their difference is triangular.
REACH = 2 * (1 - 0.05**0.5)
# Between two angles drawn evenly from -90 to 90 degrees; more than this, and any angle occurs.
ANY_ANGLE = 90 * REACH
LEAST_PARTS = 5  # that show it, or it is an accident
LEAST_SHARE = 0.05  # of mirrored pairs
# Differences that the alignment of two photos, or the compression of one, makes by itself.
FLOORS = {
    "rotate_degrees": 2.0,
    "scale_percent": 2.0,
    "shift_percent": 1.0,
    "shear_degrees": 2.0,
    "brightness_levels": 4.0,
    "contrast_percent": 6.0,
}
MOST_PAIRS = 2000


@dataclass(frozen=True)
class Shown:
    """What photos of one part show of one augmentation.

    Attributes:
        typical: half of the pairs of photos differ by more, each part counting once; for a mirror their share.
        limit: of the recipe's key: two photos, each changed by up to this much, differ as 95 % of these pairs do; 1 or
            0 for a mirror.
        pairs: of photos.
        parts: that they show.
    """

    typical: float
    limit: float
    pairs: int
    parts: int

    @property
    def is_shown(self) -> bool:
        """True where it really occurs."""
        return self.limit > 0


def movements(copies: Copies, sizes: Int64Array) -> dict[str, Shown]:
    """Measure pose from the copies that were found.

    Args:
        copies: among N photos.
        sizes: (N, 2) width and height of each.

    Returns:
        Key of the recipe to what is shown; empty where no photo has a copy.
    """
    if not copies.pairs:
        return {}
    matrix = np.stack([pair.matrix for pair in copies.pairs])
    i, j = (np.array([getattr(pair, side) for pair in copies.pairs]) for side in "ij")
    mirrored = np.array([pair.mirrored for pair in copies.pairs])
    parts = copies.groups[i]
    linear = matrix[:, :, :2].copy()
    middle = np.einsum("nij,nj->ni", linear, (sizes[j] - 1) / 2) + matrix[:, :, 2]
    shift = 100 * np.abs((middle - (sizes[i] - 1) / 2) / sizes[i]).max(1)
    linear[mirrored, :, 0] *= -1  # as if mirrored left and right, then turned
    angle = np.degrees(np.arctan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1]))
    sizes_of = np.linalg.svd(linear, compute_uv=False)
    scale = 100 * np.abs(np.sqrt(sizes_of.prod(1)) - 1)
    # A shear by this angle stretches one diagonal and shortens the other as much as was seen.
    ratio = np.sqrt(sizes_of[:, 0] / sizes_of[:, 1])
    shear = np.degrees(np.arctan(ratio - 1 / ratio))
    straight = ~mirrored
    found = {
        "rotate_degrees": _shown(np.abs(angle[straight]), parts[straight], "rotate_degrees"),
        "scale_percent": _shown(scale, parts, "scale_percent"),
        "shift_percent": _shown(shift, parts, "shift_percent"),
        "shear_degrees": _shown(shear, parts, "shear_degrees"),
    }
    if found["rotate_degrees"].limit > ANY_ANGLE / REACH:
        found["rotate_degrees"] = Shown(found["rotate_degrees"].typical, 180.0, *_counts(parts[straight]))
    # Turned upside down, a photo mirrored left and right is one mirrored top and bottom.
    for key, own in (("hflip", np.abs(angle) <= 90), ("vflip", np.abs(angle) > 90)):
        found[key] = _mirror(mirrored & own, parts)
    return found


def lights(prepared: Prepared) -> dict[str, Shown]:
    """Measure brightness and contrast from photos of one part, in the middle of each, where a turn changes nothing."""
    samples = prepared.manifest.samples
    of: dict[str, list[int]] = {}
    for place, sample in enumerate(samples):
        if sample.group:
            of.setdefault(sample.group, []).append(place)
    pairs = [pair for places in of.values() for pair in pairwise(places)]
    pairs = pairs[:: -(-len(pairs) // MOST_PAIRS)] if pairs else []
    if not pairs:
        return {}
    inside = _middle(prepared.pixels.shape[1:3])
    levels = {
        p: prepared.pixels[p].astype(np.float64).mean(2)[inside] for p in sorted({p for own in pairs for p in own})
    }
    mean = np.array([[levels[place].mean() for place in own] for own in pairs])
    spread = np.array([[levels[place].std() + 1 for place in own] for own in pairs])
    names = np.array([samples[first].group for first, _ in pairs])
    brightness = np.abs(mean[:, 0] - mean[:, 1])
    contrast = 100 * np.abs(np.log(spread[:, 0] / spread[:, 1]))
    return {
        "brightness_levels": _shown(brightness, names, "brightness_levels"),
        "contrast_percent": _shown(contrast, names, "contrast_percent"),
    }


def _middle(size: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Return (h, w): the largest disc that lies well inside."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in size)
    radius = 0.4 * min(size)
    inside: npt.NDArray[np.bool_] = (y[:, None] ** 2 + x**2) <= radius**2
    return inside


def _counts(parts: npt.NDArray[np.generic]) -> tuple[int, int]:
    return len(parts), len(np.unique(parts))


def _shown(values: Float64Array, parts: npt.NDArray[np.generic], key: str) -> Shown:
    """Return what differences (P,) between photos of parts (P,) say; every part counts once, whatever its photos."""
    pairs, n = _counts(parts)
    if n < LEAST_PARTS:
        return Shown(0.0, 0.0, pairs, n)
    _, own, counts = np.unique(parts, return_inverse=True, return_counts=True)
    order = np.argsort(values)
    weight = np.cumsum((1 / counts)[own][order])
    typical, most = (float(values[order][np.searchsorted(weight, share * weight[-1])]) for share in (0.5, 0.95))
    limit = most / REACH
    return Shown(typical, limit if limit >= FLOORS[key] else 0.0, pairs, n)


def _mirror(mirrored: npt.NDArray[np.bool_], parts: Int64Array) -> Shown:
    pairs, n = _counts(parts)
    share = float(np.mean([mirrored[parts == part].mean() for part in np.unique(parts)]))
    enough = share >= LEAST_SHARE and len(np.unique(parts[mirrored])) >= LEAST_PARTS
    return Shown(share, float(enough), pairs, n)
