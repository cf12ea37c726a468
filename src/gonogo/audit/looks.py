"""What photos look like to the checks: light, sharpness, texture, a thumbnail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.audit.copies.features import opencv
from gonogo.audit.texture import texture
from gonogo.types import Float32Array, Int64Array, UInt8Array

THUMBNAIL = 32  # pixels
LOOKED_AT = 256  # pixels: the longer side, at most, of what light, sharpness and texture are measured at
BORDER = 0.06  # of each side


@dataclass(frozen=True)
class Looks:
    """What the photos look like, one row for each.

    Attributes:
        file_format: Pillow's name of the file's format; empty for a record of a binary file.
        size_bytes: (N,) int64, of the file; 0 for a record.
        pixel_hash: of the decoded pixels, their size included.
        brightness: (N,) float32, mean grey level, 0 to 255.
        contrast: (N,) float32, standard deviation of the grey levels.
        dark: (N,) float32, share of pixels at most 4.
        bright: (N,) float32, share of pixels at least 251.
        sharpness: (N,) float32, mean absolute Laplacian over the contrast; blurred photos have little.
        border: (N,) float32, mean grey level of the outermost pixels.
        colour: (N, 3) float32, mean red, green and blue.
        thumbnails: (N, 32, 32) uint8, grey area means; the aspect is not kept.
        texture: (N, D) float32, see `texture`.
    """

    file_format: tuple[str, ...]
    size_bytes: Int64Array
    pixel_hash: tuple[str, ...]
    brightness: Float32Array
    contrast: Float32Array
    dark: Float32Array
    bright: Float32Array
    sharpness: Float32Array
    border: Float32Array
    colour: Float32Array
    thumbnails: UInt8Array
    texture: Float32Array

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]]) -> Looks:
        """Put what `look` returned of each photo into columns."""

        def column(name: str) -> Float32Array:
            return np.array([row[name] for row in rows], dtype=np.float32)

        return cls(
            file_format=tuple(row["file_format"] for row in rows),
            size_bytes=np.array([row["size_bytes"] for row in rows], dtype=np.int64),
            pixel_hash=tuple(row["pixel_hash"] for row in rows),
            brightness=column("brightness"),
            contrast=column("contrast"),
            dark=column("dark"),
            bright=column("bright"),
            sharpness=column("sharpness"),
            border=column("border"),
            colour=column("colour"),
            thumbnails=np.stack([row["thumbnail"] for row in rows]),
            texture=np.stack([row["texture"] for row in rows]),
        )


def look(pixels: UInt8Array, grey: UInt8Array) -> dict[str, Any]:
    """Return what one photo looks like: of `Looks` all but what concerns its file.

    Args:
        pixels: (H, W, C), as decoded.
        grey: (H, W), the same in grey.
    """
    cv2 = opencv()
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    reduction = -(-max(grey.shape) // LOOKED_AT)  # a mean of whole blocks takes a thirtieth of the time
    size = tuple(max(1, side // reduction) for side in grey.shape[1::-1])
    small = grey if reduction == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    levels = cv2.calcHist([small], [0], None, [256], [0, 256]).reshape(-1) / small.size
    brightness, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(small))
    edges = cv2.norm(cv2.Laplacian(small, cv2.CV_32F), cv2.NORM_L1) / small.size
    return {
        "pixel_hash": digest.hexdigest(),
        "brightness": brightness,
        "contrast": contrast,
        "dark": float(levels[:5].sum()),
        "bright": float(levels[251:].sum()),
        "sharpness": edges / (contrast + 1),
        "border": _border(small),
        "colour": cv2.mean(pixels)[:3] if pixels.shape[2] == 3 else (brightness,) * 3,
        "texture": texture(small),
        "thumbnail": cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA),
    }


def _border(grey: UInt8Array) -> float:
    """Return the mean of the outermost pixels."""
    rows, columns = (max(1, round(BORDER * side)) for side in grey.shape)
    inside = grey[rows:-rows, columns:-columns]
    sums = [opencv().sumElems(part)[0] if part.size else 0.0 for part in (grey, inside)]
    return float((sums[0] - sums[1]) / max(grey.size - inside.size, 1))
