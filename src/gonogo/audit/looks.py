"""What one decoding of each photo tells the checks: file facts, light, sharpness, a thumbnail."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from gonogo.audit.copies.features import opencv
from gonogo.audit.texture import texture
from gonogo.data.images import decode_photo
from gonogo.data.records import record_of
from gonogo.data.scan import Scan
from gonogo.types import Float32Array, Int64Array, UInt8Array

THUMBNAIL = 32  # pixels
LOOKED_AT = 256  # pixels of the longer side: what light, sharpness and texture are measured at
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


class Looker:
    """Decodes photos and keeps what they look like, so that whoever decodes a photo first looks at it as well.

    Args:
        found: the readable photos.
    """

    def __init__(self, found: Scan) -> None:
        self._found = found
        self._rows: list[dict[str, Any] | None] = [None] * len(found.manifest)

    def grey(self, index: int) -> UInt8Array:
        """Decode a photo, look at it, and return it in grey (H, W)."""
        found, sample = self._found, self._found.manifest.samples[index]
        data = found.manifest.read_bytes(sample)
        depth = max(8, found.facts[index].peak.bit_length())
        pixels = decode_photo(data, channels=found.channels, bit_depth=depth, name=sample.path)
        grey = pixels[:, :, 0] if pixels.shape[2] == 1 else opencv().cvtColor(pixels, opencv().COLOR_RGB2GRAY)
        if self._rows[index] is None:
            row = _look(pixels, grey)
            if record_of(sample.path, sample.source) is None:
                with Image.open(BytesIO(data)) as image:
                    row |= {"file_format": image.format or "", "size_bytes": len(data)}
            self._rows[index] = row
        return np.asarray(grey)

    def finish(self, progress: Callable[[int, int], None] | None = None) -> Looks:
        """Look at the photos that nobody has asked for yet, and return what all look like."""
        left = [index for index, row in enumerate(self._rows) if row is None]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for done, _ in enumerate(pool.map(self.grey, left), start=1):
                if progress:
                    progress(done, len(left))
        rows = [row for row in self._rows if row is not None]

        def column(name: str) -> Float32Array:
            return np.array([row[name] for row in rows], dtype=np.float32)

        return Looks(
            file_format=tuple(row.get("file_format", "") for row in rows),
            size_bytes=np.array([row.get("size_bytes", 0) for row in rows], dtype=np.int64),
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


def _look(pixels: UInt8Array, grey: UInt8Array) -> dict[str, Any]:
    cv2 = opencv()
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.tobytes())
    factor = min(1.0, LOOKED_AT / max(grey.shape))
    size = tuple(max(1, round(side * factor)) for side in grey.shape[1::-1])
    small = grey if factor == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    levels = np.bincount(small.reshape(-1), minlength=256) / small.size
    contrast = float(small.std())
    return {
        "pixel_hash": digest.hexdigest(),
        "brightness": float(small.mean()),
        "contrast": contrast,
        "dark": float(levels[:5].sum()),
        "bright": float(levels[251:].sum()),
        "sharpness": float(np.abs(cv2.Laplacian(small, cv2.CV_32F)).mean()) / (contrast + 1),
        "border": _border(small),
        "colour": cv2.mean(pixels)[:3] if pixels.shape[2] == 3 else (float(small.mean()),) * 3,
        "texture": texture(small),
        "thumbnail": cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA),
    }


def _border(grey: UInt8Array) -> float:
    """Return the mean of the outermost pixels."""
    rows, columns = (max(1, round(BORDER * side)) for side in grey.shape)
    inside = grey[rows:-rows, columns:-columns]
    count = grey.size - inside.size
    return float((grey.sum(dtype=np.int64) - inside.sum(dtype=np.int64)) / max(count, 1))
