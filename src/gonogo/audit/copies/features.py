"""What is kept of every photo: its local contrast at a working size, and blobs with a small polar patch around each.

A polar patch turns a rotation of the photo into a shift along its angles and a mirroring into a reversal, so the
magnitudes of its Fourier transform along the angles know neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.audit.copies.stack import Int8Array, Stack
from gonogo.errors import MissingExtraError
from gonogo.types import Float32Array, Int64Array, UInt8Array

WORKING_SIDE = 200  # pixels, the square root of the area that larger photos are reduced to
LEAST_SIDE = 96  # smaller photos are enlarged to it
MARGIN = 0.25  # a photo this much larger than the rest gets a factor of its own
LOCAL_SIGMA = 6.0  # working pixels: what counts as local
FLOOR = 3.0  # grey levels added to the local deviation, so that flat areas stay flat
UNIT = 32.0  # local contrast 1 is stored as this integer
BLACK = 8  # grey levels: a border at most this bright may be fill
BLOBS = 32
RINGS = 6
ANGLES = 32
RADII = (3.0, 15.0)  # working pixels, innermost and outermost ring
FREQUENCIES = 9  # of the angles, 0 included


@dataclass(frozen=True)
class Features:
    """The features of N photos.

    Attributes:
        local: N pictures (h, w) int8, local contrast in 1 / `UNIT`; -128 where the photo was filled with black.
        factor: (N,) working pixels per photo pixel.
        points: (N, BLOBS, 2) float32, x and y in working pixels; nan where there are fewer blobs.
        patches: (N, BLOBS, RINGS, ANGLES) int8, the polar patches in 1 / `UNIT`.
    """

    local: Stack
    factor: npt.NDArray[np.float64]
    points: Float32Array
    patches: Int8Array


def opencv() -> ModuleType:
    """Return the module cv2.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("opencv-python-headless", "train") from error
    return cv2


def working_sizes(sizes: Int64Array) -> tuple[npt.NDArray[np.float64], Int64Array]:
    """Return for photos of heights and widths (N, 2) the working pixels per pixel (N,), and the sizes reduced (N, 2).

    One factor for the whole set, so that crops of one photo keep their scale, but for photos far too large.
    """
    sides = np.sqrt(sizes.prod(axis=1).astype(np.float64))
    usual = float(np.median(sides)) if len(sides) else 1.0
    factor = min(1.0, WORKING_SIDE / usual) if usual >= LEAST_SIDE else LEAST_SIDE / max(usual, 1.0)
    largest = factor * usual * 3
    each = np.where(sides * factor > largest, largest / np.maximum(sides, 1), factor)
    reduced = np.maximum(8, np.rint(sizes * each[:, None])).astype(np.int64)
    return each, np.where(each[:, None] == 1, sizes, reduced)


@dataclass(frozen=True)
class Blobs:
    """The blobs of one photo.

    Attributes:
        points: (n, 2) float32, n up to `BLOBS`.
        patches: (n, RINGS, ANGLES) int8.
    """

    points: Float32Array
    patches: Int8Array


def extract(photo: UInt8Array, out: Int8Array) -> Blobs:
    """Write the local contrast of a grey photo (H, W) at its working size (h, w), and return its blobs."""
    cv2 = opencv()
    grey = np.ascontiguousarray(photo, dtype=np.uint8)
    if grey.shape != out.shape:
        smaller = grey.shape[0] > out.shape[0]
        grey = cv2.resize(grey, out.shape[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    valid = _valid(grey, cv2)
    contrast = local_contrast(grey, valid, cv2)
    points = _blobs(contrast, valid, cv2)
    out[...] = np.clip(np.rint(contrast * UNIT), -127, 127)
    if valid is not None:
        out[valid == 0] = -128
    return Blobs(points, _polar(contrast, points, cv2))


def gather(local: Stack, factor: npt.NDArray[np.float64], found: Sequence[Blobs]) -> Features:
    """Put the blobs of N photos into arrays."""
    points = np.full((len(found), BLOBS, 2), np.nan, dtype=np.float32)
    patches = np.zeros((len(found), BLOBS, RINGS, ANGLES), dtype=np.int8)
    for index, blobs in enumerate(found):
        points[index, : len(blobs.points)] = blobs.points
        patches[index, : len(blobs.points)] = blobs.patches
    return Features(local, factor, points, patches)


def _valid(grey: UInt8Array, cv2: Any) -> UInt8Array | None:
    """Return a mask (h, w) that is 0 in black areas that touch the border; None where there are none."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    dark_share = float((border <= BLACK).mean())
    if dark_share < 0.02:
        return None
    dark = (grey <= BLACK).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= 0.002 * grey.size)
    fill = np.intersect1d(np.setdiff1d(edge, [0]), large)
    if not len(fill):
        return None
    mask = np.isin(labels, fill).astype(np.uint8)
    if mask.mean() > 0.7:
        return None
    return np.asarray(1 - cv2.dilate(mask, np.ones((5, 5), np.uint8)), dtype=np.uint8)


def local_contrast(grey: UInt8Array, valid: UInt8Array | None, cv2: Any) -> Float32Array:
    """Return (h, w) float32: each pixel against mean and deviation of its surroundings; 0 where not valid."""
    height, width = grey.shape
    quarter = (max(2, width // 4), max(2, height // 4))
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (5, 5), 0.9)
    weight = None if valid is None else valid.astype(np.float32)

    def surroundings(values: Float32Array) -> Any:
        small = cv2.resize(values, quarter, interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(small, (0, 0), LOCAL_SIGMA / 4, borderType=cv2.BORDER_REFLECT_101)

    def enlarge(values: Float32Array) -> Any:
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)

    share = None if weight is None else np.maximum(surroundings(weight), 1e-3)
    mean = surroundings(smooth if weight is None else smooth * weight)
    centred = smooth - enlarge(mean if share is None else mean / share)
    if weight is not None:
        centred *= weight
    variance = surroundings(centred * centred)
    deviation = np.sqrt(variance if share is None else variance / share)
    return np.asarray(centred / (enlarge(deviation) + np.float32(FLOOR)), dtype=np.float32)


def _blobs(contrast: Float32Array, valid: UInt8Array | None, cv2: Any) -> Float32Array:
    """Return up to `BLOBS` places (x, y) where a difference of Gaussians peaks, round and strong ones first."""
    fine = cv2.GaussianBlur(contrast, (0, 0), 1.6)
    difference = fine - cv2.GaussianBlur(contrast, (0, 0), 3.2)
    response = np.abs(difference)
    peak = response >= cv2.dilate(response, np.ones((7, 7), np.uint8))
    edge = max(2, min(10, min(contrast.shape) // 8))
    inside = np.zeros(contrast.shape, dtype=bool)
    inside[edge:-edge, edge:-edge] = True
    if valid is not None:
        inside &= cv2.erode(valid, np.ones((9, 9), np.uint8)) > 0
    rows, columns = np.nonzero(peak & inside & (response > 0.05))
    strength = response[rows, columns] * _roundness(difference, rows, columns)
    order = np.argsort(-strength, kind="stable")[:BLOBS]
    return np.stack([columns[order], rows[order]], axis=1).astype(np.float32)


def _roundness(values: Float32Array, rows: Int64Array, columns: Int64Array) -> Float32Array:
    """Return the smaller over the larger curvature of peaks: 0 along an edge, which looks alike all along itself.

    Source: the edge test of Lowe, IJCV 60 (2004), as a weight instead of a cut.
    """
    middle = 2 * values[rows, columns]
    xx = values[rows, columns + 1] + values[rows, columns - 1] - middle
    yy = values[rows + 1, columns] + values[rows - 1, columns] - middle
    xy = values[rows + 1, columns + 1] + values[rows - 1, columns - 1]
    xy = (xy - values[rows + 1, columns - 1] - values[rows - 1, columns + 1]) / 4
    half, spread = np.abs(xx + yy) / 2, np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    return np.asarray(np.abs(half - spread) / np.maximum(half + spread, 1e-9), dtype=np.float32)


def _polar(contrast: Float32Array, points: Float32Array, cv2: Any) -> Int8Array:
    """Return (n, RINGS, ANGLES) int8 patches around n points."""
    if not len(points):
        return np.zeros((0, RINGS, ANGLES), dtype=np.int8)
    offset = _ring_offsets()
    where = points[:, None, :] + offset[None]
    blurred = cv2.GaussianBlur(contrast, (0, 0), 1.0)
    values = cv2.remap(
        blurred, where[..., 0], where[..., 1], interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    stored = np.clip(np.rint(values * UNIT), -127, 127).astype(np.int8)
    return np.asarray(stored.reshape(-1, RINGS, ANGLES), dtype=np.int8)


def _ring_offsets() -> Float32Array:
    """Return (RINGS * ANGLES, 2) float32 offsets x, y."""
    radius = np.geomspace(*RADII, RINGS)[:, None]
    angle = 2 * np.pi * np.arange(ANGLES)[None] / ANGLES
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1, 2).astype(np.float32)
