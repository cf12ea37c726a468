"""Seeded random streams and smooth procedural noise, the raw material of every texture of the synthetic castings."""

from __future__ import annotations

import importlib
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonogo.errors import MissingExtraError

Floats = NDArray[np.float32]


class Stream(IntEnum):
    """Which random stream a draw comes from: a draw in one stream never moves the others."""

    PLAN = 1
    PART = 2
    TEXTURE = 3
    DEFECTS = 4
    VIEW = 5
    BACKGROUND = 6
    SENSOR = 7
    COPY = 8


def stream(seed: int, kind: Stream, *indices: int) -> np.random.Generator:
    """Return the generator of one stream, a function of the numbers given and of nothing else.

    Args:
        seed: seed of the whole set, at least 0.
        kind: what the numbers are for.
        indices: part, view or copy numbers, each at least 0.
    """
    return np.random.default_rng([seed, int(kind), *indices])


def ndimage() -> Any:
    """Return `scipy.ndimage`, imported on first use: the base installation works without it.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    try:
        return importlib.import_module("scipy.ndimage")
    except ImportError as error:
        raise MissingExtraError("scipy", "train") from error


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Return standard normal numbers of `shape` as float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def unit(values: Floats) -> Floats:
    """Return `values` moved and scaled to mean 0 and standard deviation 1; an array without spread becomes 0."""
    centred = values - values.mean()
    spread = float(centred.std())
    return np.asarray(centred / spread if spread > 1e-6 else centred, dtype=np.float32)


def polar_noise(rng: np.random.Generator, rows: int, columns: int, along_r: float, along_angle: float) -> Floats:
    """Return smooth noise on a polar grid that closes on itself after one turn.

    Args:
        rng: where the numbers come from.
        rows: samples along the radius.
        columns: samples along the angle.
        along_r: correlation length along the radius, in samples.
        along_angle: correlation length along the angle, in samples.

    Returns:
        (rows, columns) float32, mean about 0, standard deviation about 1.
    """
    # Draw on a coarse grid of two to three samples per correlation length, then stretch: smooth fields stay cheap.
    coarse = max(6, min(rows, round(2.2 * rows / max(along_r, 1e-6)))) if along_r > 2.2 else rows
    around = max(6, min(columns, round(2.2 * columns / max(along_angle, 1e-6)))) if along_angle > 2.2 else columns
    filters = ndimage()
    field = normal(rng, coarse, around)
    field = filters.gaussian_filter1d(field, along_r * coarse / rows, axis=0, mode="reflect", truncate=3)
    field = filters.gaussian_filter1d(field, along_angle * around / columns, axis=1, mode="wrap", truncate=3)
    return stretch(unit(field), rows, columns)


def ring_noise(rng: np.random.Generator, columns: int, sigma: float) -> Floats:
    """Return smooth noise over one turn: (columns,) float32, mean 0, standard deviation 1, `sigma` in samples."""
    return unit(ndimage().gaussian_filter1d(normal(rng, columns), sigma, mode="wrap"))


def stretch(field: Floats, rows: int, columns: int) -> Floats:
    """Resample a polar grid to (rows, columns) by linear interpolation; the angle (last axis) wraps around."""
    out = _stretch_axis(field, rows, axis=0, wrap=False)
    return _stretch_axis(out, columns, axis=1, wrap=True)


def stretch_ring(values: Floats, columns: int) -> Floats:
    """Resample a table over one turn to `columns` samples by linear interpolation."""
    return _stretch_axis(values, columns, axis=0, wrap=True)


def _stretch_axis(field: Floats, count: int, *, axis: int, wrap: bool) -> Floats:
    have = field.shape[axis]
    if have == count:
        return field
    place = (np.arange(count) + 0.5) * (have / count) - 0.5
    low = np.floor(place).astype(np.int64)
    share = (place - low).astype(np.float32)
    high = low + 1
    low, high = (low % have, high % have) if wrap else (low.clip(0, have - 1), high.clip(0, have - 1))
    share = share.reshape([-1 if a == axis else 1 for a in range(field.ndim)])
    below, above = field.take(low, axis=axis), field.take(high, axis=axis)
    return np.asarray(below + share * (above - below), dtype=np.float32)


def cloud(rng: np.random.Generator, size: int, cells: int) -> Floats:
    """Return smooth cloudy noise over a square photo.

    Args:
        rng: where the numbers come from.
        size: pixels along each side.
        cells: number of independent random values along each side; few means large soft clouds.

    Returns:
        (size, size) float32, about mean 0 and standard deviation 1 before the stretch.
    """
    knots = normal(rng, cells + 3, cells + 3)
    place = np.linspace(1.0, cells + 1.0, size, dtype=np.float32)
    weights = _cubic_weights(place, cells + 3)
    # Not a matrix product: that would start threads, and sum in an order that depends on them.
    rows = np.einsum("ik,kl->il", weights, knots)
    return np.asarray(np.einsum("il,jl->ij", rows, weights) * np.float32(1.5), dtype=np.float32)


def _cubic_weights(place: Floats, count: int) -> Floats:
    distance = np.abs(place[:, None] - np.arange(count, dtype=np.float32)[None, :])
    distance = distance.astype(np.float32)
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clip(0) ** 3 / 6
    return np.asarray(np.where(distance < 1, near, far), dtype=np.float32)
