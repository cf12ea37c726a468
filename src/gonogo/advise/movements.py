"""How much photos really differ: in pose those of one part, by its copies; in light the parts of one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
MOST_OF_A_CLASS = 100  # parts


ONE_PART, ONE_CLASS = "photos of one part", "parts of one class"


@dataclass(frozen=True)
class Shown:
    """What photos of one part show of one augmentation.

    Attributes:
        typical: half of the pairs of photos differ by more, each part counting once; for a mirror their share.
        limit: of the recipe's key: two photos, each changed by up to this much, differ as 95 % of these pairs do; 1 or
            0 for a mirror.
        pairs: of photos.
        parts: that they show.
        among: what differs: photos of one part, or parts of one class.
    """

    typical: float
    limit: float
    pairs: int
    parts: int
    among: str = ONE_PART

    @property
    def is_proof(self) -> bool:
        """True where it occurs between photos of one part, which has one label whatever its photos show."""
        return self.is_shown and self.among == ONE_PART

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
    n = len(np.unique(parts))
    turned = _shown(np.abs(angle[straight]), parts[straight], "rotate_degrees", len(np.unique(parts[straight])))
    if turned.limit > ANY_ANGLE / REACH:
        turned = replace(turned, limit=180.0)
    found = {
        "rotate_degrees": turned,
        "scale_percent": _shown(scale, parts, "scale_percent", n),
        "shift_percent": _shown(shift, parts, "shift_percent", n),
        "shear_degrees": _shown(shear, parts, "shear_degrees", n),
    }
    # Turned upside down, a photo mirrored left and right is one mirrored top and bottom.
    for key, own in (("hflip", np.abs(angle) <= 90), ("vflip", np.abs(angle) > 90)):
        found[key] = _mirror(mirrored & own, parts)
    return found


def lights(prepared: Prepared) -> dict[str, Shown]:
    """Measure brightness and contrast: what different parts of one class differ by, which the next part will too.

    In the middle of each photo, where a turn changes nothing and brings no border. One photo of each part counts.
    """
    manifest = prepared.manifest
    inside = _middle(prepared.pixels.shape[1:3])
    differences, labels, parts = [], [], 0
    for label in np.unique(manifest.labels):
        own = np.flatnonzero(manifest.labels == label)
        first = list({manifest.groups[place]: place for place in own[::-1].tolist()}.values())
        if len(first) < LEAST_PARTS:
            continue
        few = first[:: -(-len(first) // MOST_OF_A_CLASS)]
        levels = [prepared.pixels[place].astype(np.float64).mean(2)[inside] for place in few]
        mean, spread = (np.array([figure(own) for own in levels]) for figure in (np.mean, np.std))
        a, b = np.triu_indices(len(few), 1)
        differences.append(
            np.stack([np.abs(mean[a] - mean[b]), 100 * np.abs(np.log((spread[a] + 1) / (spread[b] + 1)))])
        )
        labels.append(np.full(len(a), label))
        parts += len(few)
    if not differences:
        return {}
    brightness, contrast = np.concatenate(differences, axis=1)
    classes = np.concatenate(labels)
    return {
        "brightness_levels": _shown(brightness, classes, "brightness_levels", parts, ONE_CLASS),
        "contrast_percent": _shown(contrast, classes, "contrast_percent", parts, ONE_CLASS),
    }


def _middle(size: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Return (h, w): the largest disc that lies well inside."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in size)
    radius = 0.4 * min(size)
    inside: npt.NDArray[np.bool_] = (y[:, None] ** 2 + x**2) <= radius**2
    return inside


def _shown(values: Float64Array, owners: Int64Array, key: str, parts: int, among: str = ONE_PART) -> Shown:
    """Return what differences (P,) say; every owner (P,), a part or a class, counts once, whatever its photos."""
    if parts < LEAST_PARTS or not len(values):
        return Shown(0.0, 0.0, len(values), parts, among)
    _, own, counts = np.unique(owners, return_inverse=True, return_counts=True)
    order = np.argsort(values)
    weight = np.cumsum((1 / counts)[own][order])
    typical, most = (float(values[order][np.searchsorted(weight, share * weight[-1])]) for share in (0.5, 0.95))
    limit = most / REACH
    return Shown(typical, limit if limit >= FLOORS[key] else 0.0, len(values), parts, among)


def _mirror(mirrored: npt.NDArray[np.bool_], parts: Int64Array) -> Shown:
    share = float(np.mean([mirrored[parts == part].mean() for part in np.unique(parts)]))
    enough = share >= LEAST_SHARE and len(np.unique(parts[mirrored])) >= LEAST_PARTS
    return Shown(share, float(enough), len(parts), len(np.unique(parts)))
