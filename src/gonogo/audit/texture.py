"""What a surface looks like in numbers that know no rotation: how strong and how rare its edges and spots are."""

from __future__ import annotations

import numpy as np

from gonogo.audit.copies.features import opencv
from gonogo.types import Float32Array, UInt8Array

LEVELS = 4  # of the pyramid, each half as large
MAPS = 4
QUANTILES = (0.0005, 0.003, 0.02, 0.1, 0.5, 0.9, 0.98, 0.997, 0.9995)
SPAN, BINS = 96.0, 384  # grey levels either way, and bins between them
LEAST_SIDE = 12
PLACES = 4  # of a coarse picture, for parts that lie alike


def texture(grey: UInt8Array) -> Float32Array:
    """Describe a photo.

    At each level of a pyramid the distributions of four responses are kept as quantiles on a logarithmic scale: what a
    small blur takes away, both eigenvalues of the Hessian, and the gradient's length. None changes when the photo is
    turned or mirrored. A coarse picture is added for photos that all lie alike.

    Args:
        grey: (H, W), a few hundred pixels wide.

    Returns:
        (D,) float32.
    """
    cv2 = opencv()
    level = grey.astype(np.float32)
    parts: list[Float32Array] = []
    for _ in range(LEVELS):
        if min(level.shape) < LEAST_SIDE:
            missing = [max(0, LEAST_SIDE - side) for side in level.shape]
            level = cv2.copyMakeBorder(level, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
        smooth = cv2.GaussianBlur(level, (5, 5), 1.1)
        parts += [_distribution(values) for values in _responses(level, smooth)]
        level = np.ascontiguousarray(smooth[::2, ::2])
    coarse = cv2.resize(grey, (PLACES, PLACES), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    return np.concatenate([*parts, (coarse - coarse.mean()) / 32, [float(coarse.mean()) / 64]]).astype(np.float32)


def _responses(level: Float32Array, smooth: Float32Array) -> tuple[Float32Array, ...]:
    cv2 = opencv()
    centre = 2 * smooth[1:-1, 1:-1]
    xx = smooth[1:-1, 2:] + smooth[1:-1, :-2] - centre
    yy = smooth[2:, 1:-1] + smooth[:-2, 1:-1] - centre
    xy = (smooth[2:, 2:] + smooth[:-2, :-2] - smooth[2:, :-2] - smooth[:-2, 2:]) / 4
    half, spread = (xx + yy) / 2, cv2.magnitude((xx - yy) / 2, xy)
    gradient = cv2.magnitude(smooth[1:-1, 2:] - smooth[1:-1, :-2], smooth[2:, 1:-1] - smooth[:-2, 1:-1])
    return level - smooth, half + spread, half - spread, gradient


def _distribution(values: Float32Array) -> Float32Array:
    """Return quantiles and the mean size, on a logarithmic scale that keeps the sign."""
    cv2 = opencv()
    counts = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [BINS], [-SPAN, SPAN]).reshape(-1)
    share = np.cumsum(counts) / max(float(counts.sum()), 1.0)
    levels = (np.searchsorted(share, QUANTILES).clip(0, BINS - 1) + 0.5) * (2 * SPAN / BINS) - SPAN
    size = float(cv2.norm(values, cv2.NORM_L1)) / values.size
    return np.append(np.sign(levels) * np.log1p(np.abs(levels)), np.log(size + 0.1)).astype(np.float32)
