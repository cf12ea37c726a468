"""Two photos laid over each other, so that a person sees whether they show the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import atan2, degrees, hypot, sqrt

import numpy as np

from gonogo.audit.copies.features import opencv
from gonogo.report.pictures import SmallPhoto
from gonogo.types import BoolArray, Float32Array, Float64Array, UInt8Array

SQUARES = 6  # along the side of a square photo
FILL = 4  # grey levels: what is no lighter is probably the black that a rotation left
LEAST_LIT = 0.2  # of the overlap
DETAIL = 0.06  # of the photo's side: larger things are left out of the correlation, for light is one of them
FITTED = 64  # pixels of the longer side that the light is fitted to
FLAT = 0.1  # grey levels of deviation
LEAST_GAIN, MOST_GAIN = 0.4, 2.5
# Of the second photo's squares: without it nobody would see that there are two photos.
TINT, TINT_SHARE = np.array([40, 120, 215], dtype=np.float32), 0.16
FULL_CONTRAST = 180  # grey levels
LEAST_RAISED, MOST_RAISED = 1.25, 4.0
STILL = 0.5  # degrees, percent or pixels: less is no movement


@dataclass(frozen=True)
class Overlay:
    """One photo in the frame of another.

    Attributes:
        laid: (h, w, C) uint8, the second photo in the frame of the first, as light and as rich in contrast as it.
        known: (h, w), where the second photo shows something.
        squares: (h, w, 3) uint8, both by turns, as on a chequerboard, the second one's squares tinted; the first one
            where the second shows nothing.
        raised: how many times the contrast of the squares is that of the photos.
        overlap: share of the first photo that the second one shows.
        correlation: of their details where they overlap, in grey; None where one of them is flat.
    """

    laid: UInt8Array
    known: BoolArray
    squares: UInt8Array
    raised: float
    overlap: float
    correlation: float | None


def lay_over(first: SmallPhoto, second: SmallPhoto, matrix: Float64Array) -> Overlay:
    """Lay a photo over another.

    Args:
        first: the photo that stays.
        second: the photo that is moved.
        matrix: (2, 3), takes (x, y, 1) in pixels of the second photo itself to (x, y) in pixels of the first itself.
    """
    cv2 = opencv()
    below, above = _same_channels(first.pixels, second.pixels)
    moves = (first.to_small @ np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(second.to_small))[:2]
    size = below.shape[1::-1]
    laid = cv2.warpAffine(above, moves, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    laid = laid.reshape(*laid.shape[:2], above.shape[2])
    inside = cv2.warpAffine(np.full(above.shape[:2], 255, np.uint8), moves, size, flags=cv2.INTER_LINEAR)
    known = inside > 127  # at least half of the pixel
    correlation = _correlation(below, laid, known)
    laid = _relit(laid, below, known)
    raised, offset = _raise(below[known])
    one, other = (np.clip(photo * np.float32(raised) + np.float32(offset), 0, 255) for photo in (below, laid))
    turn = (_chequers(known.shape) & known)[:, :, None]
    squares = np.where(turn, other * (1 - TINT_SHARE) + TINT * TINT_SHARE, np.broadcast_to(one, (*known.shape, 3)))
    return Overlay(
        laid=laid,
        known=known,
        squares=np.asarray(squares + 0.5, dtype=np.uint8),
        raised=raised,
        overlap=float(known.mean()),
        correlation=correlation,
    )


def _raise(shown: UInt8Array) -> tuple[float, float]:
    """Return factor and offset that make a dull photo's details plain; 1 and 0 where it has contrast enough.

    Args:
        shown: (M, C), the first photo where the second one lies over it.
    """
    if not len(shown):
        return 1.0, 0.0
    low, high = np.percentile(shown, [1, 99])
    raised = min(MOST_RAISED, FULL_CONTRAST / max(float(high - low), 1.0))
    return (raised, 127.5 - raised * float(low + high) / 2) if raised > LEAST_RAISED else (1.0, 0.0)


def movement(matrix: Float64Array, first: tuple[int, int], second: tuple[int, int]) -> str:
    """Say in words how the second photo has to be moved to lie on the first.

    Args:
        matrix: (2, 3), takes (x, y, 1) in pixels of the second photo to (x, y) in pixels of the first.
        first: width and height of the first photo.
        second: width and height of the second photo.
    """
    linear = matrix[:, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    upright = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    angle = degrees(atan2(upright[1, 0] - upright[0, 1], upright[0, 0] + upright[1, 1]))
    grown = 100 * (sqrt(abs(float(np.linalg.det(linear)))) - 1)
    middle = matrix @ np.array([(second[0] - 1) / 2, (second[1] - 1) / 2, 1.0])
    right, down = middle - (np.array(first) - 1) / 2
    words = ["mirrored"] if mirrored else []
    if round(abs(angle)) == 180:
        words.append("upside down")
    elif abs(angle) > STILL:
        words.append(f"turned {abs(angle):.0f}° {'clockwise' if angle > 0 else 'anticlockwise'}")
    if abs(grown) > STILL:
        words.append(f"{'enlarged' if grown > 0 else 'reduced'} by {abs(grown):.0f} %")
    if hypot(right, down) > max(STILL, 0.02 * max(first)):
        words.append("shifted by " + " and ".join(_steps(right, "right", "left") + _steps(down, "down", "up")))
    return ", ".join(words) or "not moved"


def _steps(pixels: float, forward: str, back: str) -> list[str]:
    return [f"{abs(pixels):.0f} px {forward if pixels > 0 else back}"] if abs(pixels) > STILL else []


def _same_channels(first: UInt8Array, second: UInt8Array) -> tuple[UInt8Array, UInt8Array]:
    """Return both in colour where one is."""
    channels = max(first.shape[2], second.shape[2])
    one, other = (np.repeat(p, channels, axis=2) if p.shape[2] < channels else p for p in (first, second))
    return one, other


def _relit(laid: UInt8Array, like: UInt8Array, known: BoolArray) -> UInt8Array:
    """Give one photo the light of the other where both show something: its fall-off, its mean, its contrast.

    The fall-off is a surface of second order, too smooth to carry over anything that a photo shows.
    """
    lit = known & (laid.max(axis=2) > FILL) & (like.max(axis=2) > FILL)
    where = lit if lit.sum() > LEAST_LIT * known.sum() else known
    if not where.any():
        return laid
    relit = laid * _fall_off(laid, like, where)[:, :, None]
    own, wanted = relit[where], like[where].astype(np.float32)
    gain = np.clip(wanted.std() / max(float(own.std()), 1.0), LEAST_GAIN, MOST_GAIN)
    relit = (relit - own.mean(axis=0)) * gain + wanted.mean(axis=0)
    return np.asarray(np.clip(relit + 0.5, 0, 255), dtype=np.uint8)


def _fall_off(laid: UInt8Array, like: UInt8Array, where: BoolArray) -> Float32Array:
    """Return (h, w), by what factor the light of one photo exceeds the other's, fitted where the mask is true."""
    terms = _surface(where.shape)
    step = max(1, round(max(where.shape) / FITTED))
    rare = (slice(None, None, step), slice(None, None, step))
    if where[rare].sum() < terms.shape[2]:
        return np.ones(where.shape, dtype=np.float32)
    one, other = (np.log(photo[rare].mean(axis=2, dtype=np.float32) + FILL) for photo in (like, laid))
    a, b = terms[rare][where[rare]].astype(np.float64), (one - other)[where[rare]]
    # A ridge holds the surface down outside of a small overlap, where nothing is drawn anyway.
    weights = np.linalg.solve(a.T @ a + 1e-3 * len(a) * np.eye(a.shape[1]), a.T @ b)
    return np.asarray(np.exp(terms @ weights.astype(np.float32)))


@lru_cache(maxsize=16)
def _surface(shape: tuple[int, int]) -> Float32Array:
    """Return (h, w, 6), the terms of a surface of second order."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in shape), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _correlation(first: UInt8Array, second: UInt8Array, known: BoolArray) -> float | None:
    """Correlate details: what is left when the light around each pixel is taken away."""
    cv2 = opencv()
    weight = known.astype(np.float32)
    sigma = max(1.0, DETAIL * sqrt(known.size))
    around = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6)
    one, other = (
        (grey - cv2.GaussianBlur(grey * weight, (0, 0), sigma) / around)[known]
        for grey in (photo.mean(axis=2, dtype=np.float32) for photo in (first, second))
    )
    if len(one) < 2 or one.std() < FLAT or other.std() < FLAT:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _chequers(shape: tuple[int, ...]) -> BoolArray:
    """Return (h, w), true on every second square."""
    side = max(1, round(sqrt(shape[0] * shape[1]) / SQUARES))
    rows, columns = np.indices(shape) // side
    return np.asarray((rows + columns) % 2 == 1)
