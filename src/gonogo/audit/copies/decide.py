"""Do two photos laid over each other show the same picture, or only the same kind of thing?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonogo.audit.copies.align import Layer, known, warp
from gonogo.audit.copies.features import UNIT, opencv
from gonogo.audit.copies.stack import Int8Array
from gonogo.types import Float32Array, Float64Array

BLOCK = 10  # working pixels
RING = 3  # working pixels: how far the wrong places lie
DETAIL_SIGMA = 2.0  # working pixels: what is coarser is shared by all photos of a kind and says nothing
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
NOISE = 0.25  # added to the length of each block, so that flat blocks correlate with nothing
LEAST_BLOCKS = 16
# Of `score`.
WEIGHT_WON = 43.4
WEIGHT_INLIERS = 0.365
WEIGHT_MEDIAN = -18.6
CONSTANT = -22.95


@dataclass(frozen=True)
class Evidence:
    """What two photos laid over each other have in common.

    Attributes:
        blocks: how many blocks of `BLOCK` x `BLOCK` working pixels both photos know.
        won: share of the blocks that fit better where they are than at all eight places around.
        median: the median of the blocks' correlations.
    """

    blocks: int
    won: float
    median: float


def detail(local: Int8Array) -> Layer:
    """Return the fine part of a photo's local contrast at working size."""
    values = local.astype(np.float32) / np.float32(UNIT)
    values[local == -128] = 0
    mask = known(local)
    fine = values - opencv().GaussianBlur(values, (0, 0), DETAIL_SIGMA)
    fine[mask == 0] = 0
    return Layer(fine, mask)


def evidence(matrix: Float64Array, target: Layer, source: Layer) -> Evidence | None:
    """Compare block by block; None where too little overlaps.

    A block of a true copy fits best where it is, however noisy; one of a look-alike fits about as well a few pixels
    away. So the share of blocks won needs no level that depends on the noise.

    Args:
        matrix: (2, 3) from source to target in working pixels.
        target: photo i in detail.
        source: photo j in detail.
    """
    cv2 = opencv()
    height, width = target.values.shape
    back = cv2.invertAffineTransform(matrix)
    moved, weight = warp(source, back, target, cv2)
    rows, columns = (height - 2 * RING) // BLOCK, (width - 2 * RING) // BLOCK
    top, left = (height - rows * BLOCK) // 2, (width - columns * BLOCK) // 2

    def cut(values: Float32Array, dy: int = 0, dx: int = 0) -> Float32Array:
        return values[top + dy : top + dy + rows * BLOCK, left + dx : left + dx + columns * BLOCK]

    def means(values: Float32Array) -> Float32Array:
        return np.asarray(cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA))

    usable = means(cut(weight)) > 0.9
    count = int(usable.sum())
    if count < LEAST_BLOCKS:
        return None
    goal = np.ascontiguousarray(cut(target.values))
    square = cv2.boxFilter(moved * moved, -1, (BLOCK, BLOCK), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    places = [(RING * dy, RING * dx) for dy, dx in ((0, 0), *DIRECTIONS)]
    product = np.stack([means(cv2.multiply(goal, cut(moved, dy, dx))) for dy, dx in places])[:, usable]
    there = np.stack([cut(square, dy, dx)[::BLOCK, ::BLOCK] for dy, dx in places])[:, usable]
    length = np.sqrt(means(goal * goal)[usable]) + NOISE / BLOCK
    fit = product / (length * (np.sqrt(np.maximum(there, 0)) + NOISE / BLOCK))
    return Evidence(count, float((fit[0] > fit[1:].max(axis=0)).mean()), float(np.median(fit[0])))


@dataclass(frozen=True)
class Finding:
    """A pair of photos laid over each other.

    Attributes:
        i: index of the target.
        j: index of the source.
        matrix: (2, 3) from j to i in working pixels.
        inliers: how many matched blobs agree with one movement.
        evidence: what the pixels say.
        score: above 0 for a copy; see `score`.
    """

    i: int
    j: int
    matrix: Float64Array
    inliers: int
    evidence: Evidence
    score: float


def score(inliers: int, seen: Evidence) -> float:
    """Weigh the evidence: the logarithm of the odds that two photos are copies, above 0 for yes.

    Look-alikes correlate well but win few blocks; noisy copies correlate badly and win most. So for the same share of
    blocks won a high correlation speaks against a copy. The weights are a logistic regression over pairs of planted
    copies (synthetic castings, real castings, steel) and their look-alikes; the constant was then lowered so that no
    look-alike among them passes.
    """
    return WEIGHT_WON * seen.won + WEIGHT_INLIERS * inliers + WEIGHT_MEDIAN * seen.median + CONSTANT


def confidence(value: float) -> float:
    """Return a score as a number from 0 to 1, one half at the cut."""
    return float(1 / (1 + np.exp(-np.clip(value, -30, 30))))
