"""Decode a photo file to camera pixels.

One decoder for training, prediction and verification, so that all three see the same numbers.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from gonogo.errors import DataError
from gonogo.types import UInt8Array

# What Pillow calls a photo of more than 8 bits a pixel.
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
EXIF_ORIENTATION = 0x0112
_HEADERS = threading.Lock()


@dataclass(frozen=True)
class PhotoFacts:
    """What decoding a photo once tells.

    Attributes:
        width: pixels, upright (after the camera's rotation mark).
        height: pixels.
        mode: Pillow's name of the pixel format.
        is_grey: True where the three colours are equal in every pixel.
        peak: largest value of a photo of more than 8 bits, 0 otherwise.
    """

    width: int
    height: int
    mode: str
    is_grey: bool
    peak: int


def _open(source: Path | bytes, name: str, *, luma_only: bool = False) -> Image.Image:
    """Open and decode completely; every way a photo can be broken becomes a DataError with its name."""
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise DataError(f"{name}: the file is empty")
    try:
        with _quiet():
            image: Image.Image = Image.open(BytesIO(data))
        if image.mode not in DEEP_MODES and ";16" in str(getattr(image, "tile", "")):
            raise DataError(f"{name}: 16 bits a colour, expected 8 (or a grey photo); convert it")
        if luma_only and image.format == "JPEG" and image.mode in ("RGB", "YCbCr"):
            # The luma alone: less than two thirds of the time, and the same grey values.
            image.draft("L", image.size)
        image.load()
        with _quiet():
            turned = image.getexif().get(EXIF_ORIENTATION, 1) != 1
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not an image file that can be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name}: claims more than {Image.MAX_IMAGE_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        # Pillow's decoders raise any of these for a damaged file.
        reason = "cut short or damaged" if "truncated" in str(error).lower() else f"damaged ({error})"
        raise DataError(f"{name}: {reason}") from error
    # A palette with shades of transparency converts to grey or colour only by way of RGBA.
    image = image.convert("RGBA") if image.mode in ("P", "PA") else image
    return ImageOps.exif_transpose(image) if turned else image


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow's warnings while a header is read, but refuse a header that claims far too many pixels.

    A damaged camera note is no damage to the picture. Filters belong to the whole process and photos are read by
    several threads, hence the lock; decoding itself stays outside of it.
    """
    with _HEADERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def inspect_photo(data: bytes, name: str) -> PhotoFacts:
    """Decode a photo and say what it is.

    Args:
        data: the file's bytes.
        name: how messages call it.

    Raises:
        DataError: it cannot be decoded to its last pixel.
    """
    image = _open(data, name)
    peak = int(np.asarray(image).max()) if image.mode in DEEP_MODES else 0
    return PhotoFacts(image.width, image.height, image.mode, _is_grey(image), peak)


def _is_grey(image: Image.Image) -> bool:
    if image.mode in ("1", "L", "LA", "La", *DEEP_MODES):
        return True
    red, green, blue = image.convert("RGB").split()
    return not ImageChops.difference(red, green).getbbox() and not ImageChops.difference(green, blue).getbbox()


def decode_photo(source: Path | bytes, *, channels: int, bit_depth: int = 8, name: str = "photo") -> UInt8Array:
    """Decode a photo to camera pixels.

    Transparency is dropped; a palette, CMYK or grey photo is converted; the camera's rotation mark is obeyed.

    Args:
        source: a path, or the bytes of a file.
        channels: 1 for grey, 3 for colour.
        bit_depth: significant bits of a photo of more than 8 bits; value 2**bit_depth - 1 becomes 255.
        name: how messages call bytes.

    Returns:
        (H, W, channels) uint8.

    Raises:
        DataError: it cannot be decoded, or has more than 8 bits a pixel and `bit_depth` does not cover its values.
    """
    name = str(source) if isinstance(source, Path) else name
    image = _open(source, name, luma_only=channels == 1)
    if image.mode in DEEP_MODES:
        return np.repeat(_to_8_bits(np.asarray(image), bit_depth, name)[:, :, None], channels, axis=2)
    if channels == 1:
        return np.array(image if image.mode == "L" else _flat(image).convert("L"))[:, :, None]
    return np.array(image if image.mode == "RGB" else _flat(image).convert("RGB"))


def _flat(image: Image.Image) -> Image.Image:
    """Pillow turns some modes to grey only by way of RGB."""
    return image.convert("RGB") if image.mode not in ("1", "L", "LA") else image


def _to_8_bits(values: np.ndarray, bit_depth: int, name: str) -> UInt8Array:
    peak = float(values.max())
    if bit_depth <= 8:
        raise DataError(
            f"{name}: more than 8 bits a pixel (largest value {peak:g}), expected 8; "
            "give the camera's bit depth, for example --bit-depth 12 or --bit-depth 16"
        )
    top = 2**bit_depth - 1
    if peak > top or float(values.min()) < 0:
        raise DataError(f"{name}: largest value {peak:g} does not fit --bit-depth {bit_depth} (0 to {top})")
    return np.asarray(np.floor(values.astype(np.float64) * 255 / top + 0.5), dtype=np.uint8)


def as_image(pixels: UInt8Array) -> Image.Image:
    """Return (H, W, C) uint8 camera pixels as a picture, grey for one channel."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
