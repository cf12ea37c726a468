"""What a surface looks like in numbers that know no rotation: how strong and how rare its edges and spots are."""

from __future__ import annotations

import numpy as np

from gonogo.audit.copies.features import opencv
from gonogo.types import Float32Array, Float64Array, UInt8Array

LEVELS = 4  # of the pyramid, each half as large
QUANTILES = (0.0005, 0.003, 0.02, 0.1, 0.5, 0.9, 0.98, 0.997, 0.9995)
STEP, BINS = 0.5, 384  # grey levels of a bin, and how many lie around 0
# Of the second derivatives half the sum along x and y, half the difference, and the mixed one; twice the first ones.
HALF, SPREAD, MIXED, ACROSS = (
    np.array(kernel, dtype=np.float32)
    for kernel in (
        [[0, 0.5, 0], [0.5, -2, 0.5], [0, 0.5, 0]],
        [[0, -0.5, 0], [0.5, 0, 0.5], [0, -0.5, 0]],
        [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]],
        [[0, 0, 0], [-1, 0, 1], [0, 0, 0]],
    )
)
KERNELS = (HALF, SPREAD, MIXED, ACROSS, ACROSS.T.copy())
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
    counts, sizes = [], []
    for _ in range(LEVELS):
        if min(level.shape) < LEAST_SIDE:
            missing = [max(0, LEAST_SIDE - side) for side in level.shape]
            level = cv2.copyMakeBorder(level, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
        smooth = cv2.GaussianBlur(level, (5, 5), 1.1)
        for values in _responses(level, smooth):
            bins = cv2.addWeighted(values, 1 / STEP, values, 0, BINS / 2 - 0.5, dtype=cv2.CV_16U)
            counts.append(cv2.calcHist([bins], [0], None, [BINS], [0, BINS]).reshape(-1))
            sizes.append(cv2.norm(values, cv2.NORM_L1) / values.size)
        level = np.ascontiguousarray(smooth[::2, ::2])
    coarse = cv2.resize(grey, (PLACES, PLACES), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    light = float(coarse.mean())
    coarse = np.append((coarse - light) / 32, light / 64)
    return np.concatenate([_summary(np.stack(counts), np.array(sizes)), coarse]).astype(np.float32)


def _responses(level: Float32Array, smooth: Float32Array) -> tuple[Float32Array, ...]:
    cv2 = opencv()
    half, spread, mixed, across, down = (cv2.filter2D(smooth, cv2.CV_32F, kernel)[1:-1, 1:-1] for kernel in KERNELS)
    spread, gradient = _length(spread, mixed), _length(across, down)
    return cv2.subtract(level, smooth), cv2.add(half, spread), cv2.subtract(half, spread), gradient


def _length(x: Float32Array, y: Float32Array) -> Float32Array:
    """Not OpenCV's magnitude: its last digit depends on where the arrays lie in memory, and the findings with it."""
    squares = x * x
    squares += y * y
    return np.asarray(np.sqrt(squares, out=squares))


def _summary(counts: Float32Array, sizes: Float64Array) -> Float32Array:
    """Return quantiles of histograms (K, BINS) and mean sizes (K,), on a logarithmic scale that keeps the sign."""
    share = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    place = (share[:, None, :] < np.array(QUANTILES)[None, :, None]).sum(axis=2).clip(max=BINS - 1)
    levels = (place + 0.5 - BINS / 2) * STEP
    summary = np.hstack([np.sign(levels) * np.log1p(np.abs(levels)), np.log(sizes + 0.1)[:, None]])
    return summary.reshape(-1).astype(np.float32)
