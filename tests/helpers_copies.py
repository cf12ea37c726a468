"""Copies planted on purpose, and how well a grouping finds them."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image
from scipy import ndimage

from gonogo.types import Int64Array, UInt8Array

FILLS = ("constant", "nearest", "reflect")  # black, replicated, by reflection


def make_copy(photo: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Turn, mirror, shift by up to 8 %, scale by .9 to 1.1, light by .7 to 1.3 and compress one grey photo (H, W)."""
    turn, scale = rng.uniform(0, 2 * math.pi), rng.uniform(0.9, 1.1)
    c, s = math.cos(turn), math.sin(turn)
    forward = scale * np.array([[c, -s], [s, c]]) @ np.diag([rng.choice([-1.0, 1.0]), 1.0])
    back = np.linalg.inv(forward)[::-1, ::-1]
    middle = (np.array(photo.shape) - 1) / 2
    shift = rng.uniform(-0.08, 0.08, 2) * photo.shape
    moved = ndimage.affine_transform(
        photo.astype(np.float32), back, offset=middle - back @ (middle + shift), order=1, mode=str(rng.choice(FILLS))
    )
    return compress(np.rint(moved * rng.uniform(0.7, 1.3)).clip(0, 255).astype(np.uint8), int(rng.integers(70, 96)))


def compress(photo: UInt8Array, quality: int) -> UInt8Array:
    """Return a grey photo after one round of JPEG."""
    data = io.BytesIO()
    Image.fromarray(photo).save(data, "JPEG", quality=quality)
    with Image.open(data) as image:
        return np.array(image)


def make_planted(photos: list[UInt8Array], copies: int, seed: int) -> tuple[list[UInt8Array], Int64Array]:
    """Return the photos and `copies` copies of each, and the number (N,) of the original each one shows."""
    rng = np.random.default_rng(seed)
    planted, truth = list(photos), list(range(len(photos)))
    for number, photo in enumerate(photos):
        planted += [make_copy(photo, rng) for _ in range(copies)]
        truth += [number] * copies
    return planted, np.array(truth, dtype=np.int64)


def pairs_in(groups: Int64Array) -> int:
    """Count the pairs of photos that share a group."""
    sizes = np.unique(groups, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def precision_recall(truth: Int64Array, found: Int64Array) -> tuple[float, float]:
    """Return the share of pairs joined that are right, and the share of right pairs that are joined."""
    both = pairs_in(np.unique(np.stack([truth, found], axis=1), axis=0, return_inverse=True)[1].reshape(-1))
    return both / max(pairs_in(found), 1), both / max(pairs_in(truth), 1)
