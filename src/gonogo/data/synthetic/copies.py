"""Copies of a photo: plain two-dimensional transforms, as photo collections are often padded out with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonogo.data.synthetic.camera import Pose
from gonogo.data.synthetic.noise import Stream, ndimage, stream

FILLS = {"black": "constant", "replicate": "nearest", "reflect": "reflect"}  # our names -> scipy's
_ATTEMPTS = 50


@dataclass(frozen=True)
class Transform:
    """One copy's transform: mirror, then turn and scale about the photo's centre, then shift, then brightness.

    Attributes:
        turn: rotation in radians.
        mirror: whether the photo is mirrored left to right first.
        shift: (x, y) as shares of the photo's side.
        scale: size of the copy over size of the photo.
        brightness: factor on the grey levels.
        quality: JPEG quality.
        fill: how the empty borders are filled, one of `FILLS`.
    """

    turn: float
    mirror: bool
    shift: tuple[float, float]
    scale: float
    brightness: float
    quality: int
    fill: str

    def matrix(self) -> NDArray[np.float64]:
        """Return the (2, 2) matrix that takes (x, y) offsets from the centre of the photo to those in the copy."""
        c, s = math.cos(self.turn), math.sin(self.turn)
        flip = np.diag([-1.0 if self.mirror else 1.0, 1.0])
        return np.asarray(self.scale * np.array([[c, -s], [s, c]]) @ flip)


def make_transform(seed: int, part: int, number: int, pose: Pose) -> Transform:
    """Draw the transform of copy `number` of a part.

    Args:
        seed: seed of the set.
        part: number of the part.
        number: number of the copy.
        pose: pose of the photo that is copied; the part is kept whole inside the copy, good or defective alike.
    """
    rng = stream(seed, Stream.COPY, part, number)
    fixed = {
        "turn": float(rng.uniform(0, 2 * math.pi)),
        "mirror": bool(rng.random() < 0.5),
        "brightness": float(rng.uniform(0.7, 1.3)),
        "quality": int(rng.integers(70, 96)),
        "fill": str(rng.choice(list(FILLS))),
    }
    for _ in range(_ATTEMPTS):
        shift = (float(rng.uniform(-0.08, 0.08)), float(rng.uniform(-0.08, 0.08)))
        drawn = Transform(shift=shift, scale=float(rng.uniform(0.9, 1.1)), **fixed)  # type: ignore[arg-type]
        centre = drawn.matrix() @ (np.array(pose.centre) - 0.5) + shift
        if np.abs(centre).max() + pose.radius * drawn.scale < 0.5:
            return drawn
    return Transform(shift=(0.0, 0.0), scale=0.9, **fixed)  # type: ignore[arg-type]


def apply(image: NDArray[np.uint8], transform: Transform) -> NDArray[np.uint8]:
    """Return the copy of a photo, (H, W) uint8, before JPEG.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    moved = _move(image.astype(np.float32), transform, order=1)
    return np.asarray(np.rint(moved * np.float32(transform.brightness)).clip(0, 255), dtype=np.uint8)


def apply_mask(mask: NDArray[np.bool_], transform: Transform) -> NDArray[np.bool_]:
    """Return the mask that belongs to the copy, (H, W).

    Raises:
        MissingExtraError: scipy is not installed.
    """
    return np.asarray(_move(mask.astype(np.float32), transform, order=1) >= 0.5)


def _move(image: NDArray[np.float32], transform: Transform, order: int) -> NDArray[np.float32]:
    size = image.shape[0]
    back = np.linalg.inv(transform.matrix())[::-1, ::-1]  # scipy counts (row, column), the transform (x, y)
    middle = (size - 1) / 2
    shift = np.array(transform.shift[::-1]) * size
    offset = middle - back @ (middle + shift)
    moved = ndimage().affine_transform(image, back, offset=offset, order=order, mode=FILLS[transform.fill], cval=0.0)
    return np.asarray(moved, dtype=np.float32)
