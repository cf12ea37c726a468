"""Lay one photo over another: a similarity with mirroring from matched blobs, then an affine map from the pixels.

A matrix (2, 3) takes (x, y, 1) of photo j to (x, y) of photo i, both in working pixels with pixel centres at integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.audit.copies.features import UNIT, Features, opencv
from gonogo.audit.copies.stack import Int8Array
from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array, UInt8Array

MATCHES = 24  # of a pair of photos
FINE_ANGLES = 64
NEAR = 4.0  # working pixels
STRETCH = 0.12  # more, for each pixel between the two blobs: the scale is not known yet
TURN = 0.5  # radians by which two matches of one movement may differ
CHUNK = 256  # pairs
LEVELS = ((4, 6, 0.3), (2, 4, 0.5))  # reduction, most iterations, least correlation
LEAST_SCALE, MOST_SCALE = 0.7, 1.4
Complex = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Guess:
    """The similarities of P pairs.

    Attributes:
        matrix: (P, 2, 3) float64 from photo j to photo i.
        inliers: (P,) how many matched blobs agree with it.
    """

    matrix: Float64Array
    inliers: Int64Array


def guess(features: Features, descriptors: Float32Array, i: Int64Array, j: Int64Array) -> Guess:
    """Estimate a similarity with mirroring for pairs of photos (P,), (P,) from their blobs."""
    parts = [
        _guess(features, descriptors, i[start : start + CHUNK], j[start : start + CHUNK])
        for start in range(0, len(i), CHUNK)
    ]
    if not parts:
        return Guess(np.zeros((0, 2, 3)), np.zeros(0, dtype=np.int64))
    return Guess(np.concatenate([p.matrix for p in parts]), np.concatenate([p.inliers for p in parts]))


def _guess(features: Features, descriptors: Float32Array, i: Int64Array, j: Int64Array) -> Guess:
    first, second, usable = _matches(descriptors[i], descriptors[j])
    rows = np.arange(len(i))[:, None]
    turn, mirrored = _turns(features.patches[i][rows, first], features.patches[j][rows, second])
    zi = _complex(np.nan_to_num(features.points[i][rows, first]))
    zj = _complex(np.nan_to_num(features.points[j][rows, second]))
    agree = _agree(zi, zj, turn, mirrored, usable)
    best = agree.sum(axis=2).argmax(axis=1)
    inlier = agree[rows[:, 0], best]
    flip = mirrored[rows[:, 0], best]
    source = np.where(flip[:, None], zj.conj(), zj)
    a, b = _fit(source, zi, inlier)
    size = np.abs(a)
    sane = (size > LEAST_SCALE) & (size < MOST_SCALE)
    again = usable & (np.abs(a[:, None] * source + b[:, None] - zi) < NEAR)
    # A movement that all agree on is fitted once more to those that are really near it.
    better = sane & (again.sum(axis=1) >= 3)
    a2, b2 = _fit(source, zi, again)
    a, b = np.where(better, a2, a), np.where(better, b2, b)
    turned = np.exp(1j * turn[rows[:, 0], best])
    unsure = (np.abs(a) < LEAST_SCALE) | (np.abs(a) > MOST_SCALE) | (inlier.sum(axis=1) < 3)
    a = np.where(unsure, turned, a)
    b = np.where(unsure, zi[rows[:, 0], best] - a * source[rows[:, 0], best], b)
    counted = np.where(better, again.sum(axis=1), inlier.sum(axis=1))
    return Guess(_matrices(a, b, flip), counted.astype(np.int64))


def _matches(di: Float32Array, dj: Float32Array) -> tuple[Int64Array, Int64Array, BoolArray]:
    """Return the `MATCHES` best pairs of blobs of each pair of photos, and which of them can be used."""
    likeness = np.nan_to_num(di @ dj.transpose(0, 2, 1), nan=-2.0)
    nearest = likeness.argmax(axis=1)  # of photo i, for each blob of photo j
    value = np.take_along_axis(likeness, nearest[:, None, :], axis=1)[:, 0]
    second = np.argsort(-value, axis=1, kind="stable")[:, :MATCHES]
    first = np.take_along_axis(nearest, second, axis=1)
    return first, second, np.take_along_axis(value, second, axis=1) > 0.2


def _turns(pi: Int8Array, pj: Int8Array) -> tuple[Float32Array, BoolArray]:
    """Return for polar patches (P, M, RINGS, ANGLES) the turn from j to i in radians, and whether it mirrors."""
    fi, fj = (np.fft.rfft(p.astype(np.float32), axis=-1).astype(np.complex64) for p in (pi, pj))
    fi[..., 0] = 0
    straight = np.fft.irfft((fi * fj.conj()).sum(axis=2), n=FINE_ANGLES, axis=-1)
    mirror = np.fft.irfft((fi * fj).sum(axis=2), n=FINE_ANGLES, axis=-1)
    flip = mirror.max(axis=-1) > straight.max(axis=-1)
    place = np.where(flip, mirror.argmax(axis=-1), straight.argmax(axis=-1))
    return (place * (2 * np.pi / FINE_ANGLES)).astype(np.float32), flip


def _complex(points: Float32Array) -> Complex:
    return np.asarray(points[..., 0] + 1j * points[..., 1], dtype=np.complex64)


def _agree(zi: Complex, zj: Complex, turn: Float32Array, mirrored: BoolArray, usable: BoolArray) -> BoolArray:
    """Return (P, hypothesis, match) whether each match agrees with the movement that another match alone tells."""
    apart_i = zi[:, None, :] - zi[:, :, None]
    apart_j = zj[:, None, :] - zj[:, :, None]
    moved = np.where(mirrored[:, :, None], apart_j.conj(), apart_j) * np.exp(1j * turn)[:, :, None]
    near = np.abs(moved - apart_i) < NEAR + STRETCH * np.abs(apart_j)
    turned = np.abs(np.angle(np.exp(1j * (turn[:, None, :] - turn[:, :, None])))) < TURN
    same = mirrored[:, None, :] == mirrored[:, :, None]
    return np.asarray(near & turned & same & usable[:, None, :] & usable[:, :, None])


def _fit(source: Complex, target: Complex, weight: BoolArray) -> tuple[Complex, Complex]:
    """Least squares a, b of target = a * source + b over the weighted matches of each row."""
    total = np.maximum(weight.sum(axis=1), 1)
    ms, mt = (source * weight).sum(axis=1) / total, (target * weight).sum(axis=1) / total
    s, t = (source - ms[:, None]) * weight, (target - mt[:, None]) * weight
    a = (s.conj() * t).sum(axis=1) / np.maximum((np.abs(s) ** 2).sum(axis=1), 1e-6)
    return a.astype(np.complex64), (mt - a * ms).astype(np.complex64)


def _matrices(a: Complex, b: Complex, flip: BoolArray) -> Float64Array:
    sign = np.where(flip, -1.0, 1.0)
    matrix = np.stack([np.stack([a.real, -sign * a.imag, b.real], 1), np.stack([a.imag, sign * a.real, b.imag], 1)], 1)
    return np.asarray(matrix, dtype=np.float64)


@dataclass(frozen=True)
class Layer:
    """One reduction of a photo's local contrast.

    Attributes:
        values: (h, w) float32.
        known: (h, w) uint8, 1 where the photo knows the value, 0 where it was filled and along the border.
    """

    values: Float32Array
    known: UInt8Array

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.values.shape
        return width, height

    @cached_property
    def jacobian(self) -> Float32Array:
        """(6, h * w) how the values change with an affine map of the coordinates, which run from -1 to 1."""
        ys, xs = _grid(*self.values.shape)
        cv2 = opencv()
        gx = cv2.Sobel(self.values, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
        gy = cv2.Sobel(self.values, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
        return np.stack([gx * xs, gx * ys, gx, gy * xs, gy * ys, gy]).reshape(6, -1)


def known(local: Int8Array) -> UInt8Array:
    """Return (h, w) uint8, 1 where a photo's local contrast is known, 0 where it was filled and along the border."""
    result = (local != -128).astype(np.uint8)
    result[:, [0, -1]] = 0
    result[[0, -1]] = 0
    return np.asarray(result, dtype=np.uint8)


def layers(local: Int8Array) -> list[Layer]:
    """Return the reductions of one photo's local contrast, coarse first."""
    cv2 = opencv()
    values = local.astype(np.float32) / np.float32(UNIT)
    mask = known(local)
    values[local == -128] = 0
    result = []
    for reduction, _, _ in LEVELS:
        size = (max(8, local.shape[1] // reduction), max(8, local.shape[0] // reduction))
        small = cv2.GaussianBlur(cv2.resize(values, size, interpolation=cv2.INTER_AREA), (5, 5), 1.0)
        result.append(Layer(small, cv2.resize(mask, size, interpolation=cv2.INTER_AREA)))
    return result


def refine(matrix: Float64Array, target: list[Layer], source: list[Layer]) -> tuple[Float64Array, float]:
    """Improve an affine map by Gauss-Newton steps on the pixels, coarse to fine.

    Args:
        matrix: (2, 3) from source to target.
        target: reductions of photo i.
        source: reductions of photo j.

    Returns:
        The improved matrix, and the correlation at the finest reduction used; a map that runs away gives -1.
    """
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))  # target to source
    score = -1.0
    for (reduction, most, least), goal, given in zip(LEVELS, target, source, strict=True):
        smaller, larger = _scale(1 / reduction), _scale(float(reduction))
        small, score = _steps(smaller @ back @ larger, goal, given, most)
        back = larger @ small @ smaller
        if score < least or not _sane(back):
            return matrix, -1.0
    return np.linalg.inv(back)[:2], score


def _scale(factor: float) -> Float64Array:
    """Return (3, 3) from pixel centres to those of a picture this much larger."""
    return np.array([[factor, 0, factor / 2 - 0.5], [0, factor, factor / 2 - 0.5], [0, 0, 1]])


def _sane(matrix: Float64Array) -> bool:
    sizes = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return bool(sizes[1] > LEAST_SCALE and sizes[0] < MOST_SCALE)


def _steps(back: Float64Array, goal: Layer, given: Layer, most: int) -> tuple[Float64Array, float]:
    """Gauss-Newton with the target's own gradient, so that it is computed once; keep the best map seen.

    Source: the inverse compositional way of Baker and Matthews, IJCV 56 (2004), with the small step not inverted: the
    source is moved by it, which to first order is the same.
    """
    cv2 = opencv()
    height, width = goal.values.shape
    half = max(height, width) / 2
    best, best_score = back, -1.0
    inverse: Float64Array | None = None
    for step in range(most + 1):
        moved, weight = warp(given, back, goal, cv2)
        score = correlation(goal.values, moved, weight)
        if score > best_score:
            best, best_score = back, score
        elif step >= 2:
            break
        if step == most or score < 0:
            break
        if inverse is None:
            normal = (goal.jacobian * weight.reshape(-1)) @ goal.jacobian.T
            inverse = np.linalg.inv(normal + np.eye(6) * (1e-3 * np.trace(normal) / 6 + 1e-6))
        delta = inverse @ (goal.jacobian @ ((goal.values - moved) * weight).reshape(-1))
        if np.abs(delta).max() < 0.03:
            break
        a, b, c, d, e, f = (float(value) for value in np.clip(delta, -4, 4))
        centre = half - 0.5
        a, b, d, e = a / half, b / half, d / half, e / half
        move = np.array(
            [[1 + a, b, c - (a + b) * centre], [d, 1 + e, f - (d + e) * centre], [0, 0, 1]],
        )
        back = back @ move
    return best, best_score


def _grid(height: int, width: int) -> tuple[Float32Array, Float32Array]:
    half = max(height, width) / 2
    ys = ((np.arange(height, dtype=np.float32) - (half - 0.5)) / half).astype(np.float32)[:, None]
    xs = ((np.arange(width, dtype=np.float32) - (half - 0.5)) / half).astype(np.float32)[None]
    return ys, xs


def warp(given: Layer, back: Float64Array, goal: Layer, cv2: Any) -> tuple[Float32Array, Float32Array]:
    """Return the source seen in the target's frame, and where both are known (as weights)."""
    moved = cv2.warpAffine(given.values, back[:2], goal.size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    weight = cv2.warpAffine(given.known, back[:2], goal.size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    weight &= goal.known
    return moved, weight.astype(np.float32)


def correlation(a: Float32Array, b: Float32Array, weight: Float32Array) -> float:
    """Return the correlation of two pictures (h, w) where the weight is not 0; -1 where that is a twelfth or less."""
    total = float(weight.sum())
    if total < weight.size / 12:
        return -1.0
    wa, wb = a * weight, b * weight
    ma, mb = float(wa.sum()) / total, float(wb.sum()) / total
    covariance = float(np.vdot(wa, wb)) / total - ma * mb
    va, vb = float(np.vdot(wa, wa)) / total - ma * ma, float(np.vdot(wb, wb)) / total - mb * mb
    return covariance / max(float(np.sqrt(max(va, 0) * max(vb, 0))), 1e-6)
