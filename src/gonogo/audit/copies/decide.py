"""Do two photos laid over each other show the same picture, or only the same kind of thing?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonogo.audit.copies.align import Layer, warp
from gonogo.audit.copies.features import UNIT, Int8Array, opencv
from gonogo.types import Float32Array, Float64Array

BLOCK = 16  # working pixels
RING = 4  # working pixels: how far the wrong places lie
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))


@dataclass(frozen=True)
class Evidence:
    """What two photos laid over each other have in common.

    Attributes:
        blocks: how many blocks of 16 x 16 working pixels both photos know.
        median: the median of the blocks' correlations.
        won: share of the blocks that fit better where they are than at all eight places around.
        margin: median over blocks of the correlation here less the best of the eight around.
        whole: correlation over all.
    """

    blocks: int
    median: float
    won: float
    margin: float
    whole: float


def full(local: Int8Array) -> Layer:
    """Return a photo's local contrast at working size as a layer."""
    values = local.astype(np.float32) / np.float32(UNIT)
    if not (local == -128).any():
        return Layer(values, None)
    weight = (local != -128).astype(np.float32)
    return Layer(values * weight, weight)


def evidence(matrix: Float64Array, target: Layer, source: Layer) -> Evidence | None:
    """Compare block by block; None where too little overlaps.

    Args:
        matrix: (2, 3) from source to target in working pixels.
        target: photo i at working size.
        source: photo j at working size.
    """
    cv2 = opencv()
    height, width = target.values.shape
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    moved, weight = warp(source, back, (width, height), target.weight, cv2)
    rows, columns = (height - 2 * RING) // BLOCK, (width - 2 * RING) // BLOCK
    top, left = (height - rows * BLOCK) // 2, (width - columns * BLOCK) // 2

    def cut(values: Float32Array, dy: int = 0, dx: int = 0) -> Float32Array:
        part = values[top + dy : top + dy + rows * BLOCK, left + dx : left + dx + columns * BLOCK]
        tiles = part.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(tiles).reshape(rows * columns, BLOCK * BLOCK)

    known = cut(weight).mean(axis=1) > 0.9
    if known.sum() < 6:
        return None
    here = _normal(cut(target.values)[known])
    centre = (here * _normal(cut(moved)[known])).sum(axis=1)
    around = np.stack(
        [(here * _normal(cut(moved, RING * dy, RING * dx)[known])).sum(axis=1) for dy, dx in DIRECTIONS]
    ).max(axis=0)
    a, b = cut(target.values)[known], cut(moved)[known]
    whole = float(np.corrcoef(a.reshape(-1), b.reshape(-1))[0, 1])
    return Evidence(
        int(known.sum()),
        float(np.median(centre)),
        float((centre > around).mean()),
        float(np.median(centre - around)),
        whole,
    )


def _normal(blocks: Float32Array) -> Float32Array:
    centred = blocks - blocks.mean(axis=1, keepdims=True)
    return np.asarray(centred / (np.sqrt((centred * centred).sum(axis=1, keepdims=True)) + 0.5), dtype=np.float32)


@dataclass(frozen=True)
class Finding:
    """A pair of photos laid over each other: matrix (2, 3) from j to i in working pixels, and what it shows."""

    i: int
    j: int
    matrix: Float64Array
    inliers: int
    evidence: Evidence
