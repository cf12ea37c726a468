"""Photos and maps as pictures that a page carries inside itself, no larger than they are shown."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from PIL import Image

from gonogo.audit.copies.features import opencv
from gonogo.audit.inspection import Inspection
from gonogo.data.images import as_image, decode_photo
from gonogo.types import BoolArray, Float32Array, Float64Array, UInt8Array

SIDE = 220  # pixels on the page, of a square photo
LONGEST = 340  # pixels on the page, of the longer side of any photo
SHARPNESS = 1.5  # stored pixels for each pixel on the page: screens have more than the page counts
COARSE = 100  # smaller photos are shown with their pixels as squares
LEAST_ZOOM = 2 / 3  # of the largest size that would fit; small photos are shown at a whole multiple of their size
QUALITY = 82
SAVED: dict[str, dict[str, int]] = {
    "PNG": {"optimize": 1},
    "JPEG": {"quality": QUALITY, "subsampling": 0},
    "WEBP": {"quality": QUALITY, "method": 3},
}
KEPT = 256  # decoded photos; the same ones stand in several findings

# Blue through near-white to red-brown: told apart by the colour-blind, and lightness says how far from 0.
SIGNED = np.array([(16, 64, 125), (112, 163, 209), (245, 244, 240), (236, 152, 92), (150, 42, 14)], dtype=np.float32)


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        uri: the picture itself, as a data URI.
        width: pixels on the page.
        height: pixels on the page.
        coarse: shown with its pixels as squares.
    """

    uri: str
    width: int
    height: int
    coarse: bool = False


@dataclass(frozen=True)
class SmallPhoto:
    """A photo at the size at which the page holds it.

    Attributes:
        pixels: (h, w, C) uint8, C is 1 or 3.
        size: width and height of the photo itself.
    """

    pixels: UInt8Array
    size: tuple[int, int]

    @property
    def to_small(self) -> Float64Array:
        """(3, 3), takes (x, y, 1) in the photo's pixels to these pixels, pixel centres at integers."""
        (width, height), (rows, columns) = self.size, self.pixels.shape[:2]
        fx, fy = columns / width, rows / height
        return np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1]])


class Album:
    """Decodes the photos of a data set, each at most once as long as it is remembered.

    Args:
        seen: the photos.
    """

    def __init__(self, seen: Inspection) -> None:
        self._seen = seen
        self.photo = lru_cache(maxsize=KEPT)(self._photo)

    def _photo(self, index: int) -> SmallPhoto:
        """Return a photo in the size that the page holds, in grey where it is grey.

        Raises:
            DataError: it can no longer be read.
        """
        sample, fact = self._seen.manifest.samples[index], self._seen.facts[index]
        pixels = decode_photo(
            self._seen.manifest.read_bytes(sample),
            channels=1 if fact.is_grey else 3,
            bit_depth=max(8, fact.peak.bit_length()),
            name=sample.path,
        )
        width, height = pixels.shape[1::-1]
        wide, high = shown_size(width, height)
        return SmallPhoto(reduced(pixels, round(SHARPNESS * wide), round(SHARPNESS * high)), (width, height))

    def picture(self, index: int) -> Picture:
        """Return a photo as the page shows it."""
        return photo_picture(self.photo(index))

    def thumbnail(self, index: int, height: int) -> Picture:
        """Return a photo so many pixels high on the page, and at most twice as wide."""
        photo = self.photo(index)
        width = min(2 * height, max(1, round(height * photo.size[0] / photo.size[1])))
        small = reduced(photo.pixels, round(SHARPNESS * width), round(SHARPNESS * height))
        return Picture(encode(small), width, height, is_coarse(photo.size))


def is_coarse(size: tuple[int, ...]) -> bool:
    """Say whether a picture is so small that its pixels are shown as squares."""
    return max(size) < COARSE


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height on the page: about the same area for all, tall and wide ones kept in bounds.

    Args:
        width: of the photo.
        height: of the photo.
    """
    aspect = width / height
    wide = min(SIDE * sqrt(aspect), LONGEST, LONGEST * aspect)
    zoom = wide / width
    if is_coarse((width, height)) and int(zoom) >= LEAST_ZOOM * zoom:
        wide = int(zoom) * width
    return max(1, round(wide)), max(1, round(wide / aspect))


def photo_picture(photo: SmallPhoto, pixels: UInt8Array | None = None, known: BoolArray | None = None) -> Picture:
    """Return a photo, or other pixels in its frame, as the page shows it.

    Args:
        photo: gives the size.
        pixels: (h, w, C) uint8, the photo's own unless given.
        known: (h, w), false where the picture is transparent.
    """
    coarse = is_coarse(photo.size)
    uri = encode(photo.pixels if pixels is None else pixels, known, exact=coarse)
    return Picture(uri, *shown_size(*photo.size), coarse)


def reduced(pixels: UInt8Array, width: int, height: int) -> UInt8Array:
    """Return (h, w, C) pixels by area mean; a photo that is smaller already stays as it is.

    Args:
        pixels: (H, W, C) uint8.
        width: of the result, at least 1.
        height: of the result, at least 1.
    """
    if width >= pixels.shape[1] or height >= pixels.shape[0]:
        return pixels
    cv2 = opencv()
    small = cv2.resize(pixels, (max(1, width), max(1, height)), interpolation=cv2.INTER_AREA)
    return np.asarray(small).reshape(*small.shape[:2], pixels.shape[2])


def encode(pixels: UInt8Array, known: BoolArray | None = None, *, exact: bool = False) -> str:
    """Return pixels as a data URI: PNG where they must stay exact, WebP where parts are transparent, otherwise JPEG.

    Args:
        pixels: (h, w, C) uint8, C is 1 or 3.
        known: (h, w), false where the picture is transparent.
        exact: keep every pixel as it is.
    """
    image = as_image(pixels)
    if known is not None and not known.all():
        image = image.convert("RGB")
        image.putalpha(Image.fromarray((known * 255).astype(np.uint8)))
    kind = "PNG" if exact else "JPEG" if image.mode in ("L", "RGB") else "WEBP"
    buffer = io.BytesIO()
    image.save(buffer, kind, **SAVED[kind])
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


@dataclass(frozen=True)
class MapPicture:
    """A map of numbers and what its colours mean.

    Attributes:
        picture: the map; places without a number are transparent.
        ramp: data URI of the colours from low to high.
        low: the value of the first colour.
        high: the value of the last colour.
    """

    picture: Picture
    ramp: str
    low: float
    high: float


def map_picture(values: Float32Array, *, signed: bool) -> MapPicture:
    """Draw a map of numbers.

    Args:
        values: (h, w); NaN and infinity are left open.
        signed: blue below 0 and red above, as far as the largest value of either sign; otherwise from black to white.
    """
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    height, width = values.shape
    wide, high_px = shown_size(width, height)
    place = np.where(known, (np.where(known, values, 0.0) - low) / ((high - low) or 1.0), 0.0)
    pixels = reduced(_coloured(place, signed), round(SHARPNESS * wide), round(SHARPNESS * high_px))
    # Reduced by nearest neighbour: a place is open or not.
    rows = np.arange(pixels.shape[0]) * height // pixels.shape[0]
    columns = np.arange(pixels.shape[1]) * width // pixels.shape[1]
    coarse = is_coarse((width, height))
    uri = encode(pixels, known[np.ix_(rows, columns)], exact=coarse)
    ramp = encode(_coloured(np.linspace(0, 1, 96)[None], signed), exact=True)
    return MapPicture(Picture(uri, wide, high_px, coarse), ramp, low, high)


def _coloured(place: Float64Array, signed: bool) -> UInt8Array:
    """Return (h, w, C) colours for places from 0 to 1 on the scale."""
    place = np.clip(place, 0, 1)
    if not signed:
        return np.asarray(place * 255 + 0.5, dtype=np.uint8)[:, :, None]
    step = place * (len(SIGNED) - 1)
    below = np.minimum(step.astype(np.int64), len(SIGNED) - 2)
    share = (step - below)[..., None]
    return np.asarray(SIGNED[below] * (1 - share) + SIGNED[below + 1] * share + 0.5, dtype=np.uint8)
