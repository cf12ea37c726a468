"""How two photos of one part lie over each other, for whoever wants to see that they are the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gonogo.audit.findings import PairExhibit
from gonogo.audit.inspection import Inspection
from gonogo.types import Float64Array, Int64Array

SAME_PLACE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def invert(matrix: Float64Array) -> Float64Array:
    """Return the affine map (2, 3) that undoes another."""
    return np.asarray(np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2])


def best_links(seen: Inspection, sides: Int64Array) -> list[tuple[float, int, int, Float64Array]]:
    """Return for every part that stands on several sides the clearest pair across them.

    Args:
        seen: the photos.
        sides: (N,) the side of each photo; -1 for photos that do not count.

    Returns:
        (confidence, i, j, matrix from j to i), the clearest first; parts that only a name or their bytes join come as a
        pair with confidence 1 where the pixels are the same, and are left out where they are not.
    """
    best: dict[int, tuple[float, int, int, Float64Array]] = {}
    for pair in _all_pairs(seen):
        confidence, i, j, _ = pair
        part = int(seen.parts[i])
        if sides[i] < 0 or sides[j] < 0 or sides[i] == sides[j]:
            continue
        if part not in best or confidence > best[part][0]:
            best[part] = pair
    return sorted(best.values(), key=lambda pair: (-pair[0], pair[1], pair[2]))


def _all_pairs(seen: Inspection) -> Iterable[tuple[float, int, int, Float64Array]]:
    """Yield the pairs that the search accepted, and neighbours among photos with the same pixels."""
    for pair in seen.copies.pairs:
        yield pair.confidence, pair.i, pair.j, pair.matrix
    same: dict[str, list[int]] = {}
    for index, pixels in enumerate(seen.looks.pixel_hash):
        same.setdefault(pixels, []).append(index)
    for rows in same.values():
        for i in rows:
            for j in rows:
                if i < j:
                    yield 1.0, i, j, SAME_PLACE


def exhibit(seen: Inspection, pair: tuple[float, int, int, Float64Array], first: int | None = None) -> PairExhibit:
    """Return a pair to show, with the photo `first` on the left."""
    confidence, i, j, matrix = pair
    if first == j:
        i, j, matrix = j, i, invert(matrix)
    return PairExhibit(i, j, matrix, f"{_side(seen, i)} and {_side(seen, j)}, confidence {confidence:.3f}")


def _side(seen: Inspection, index: int) -> str:
    sample = seen.manifest.samples[index]
    return f"{sample.split}, {sample.label}" if sample.split else sample.label
