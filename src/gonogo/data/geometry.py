"""How camera pixels become network input: crop, area reduction by a whole number, resizing, grey or colour, mean, std.

One object, shared by the cache, the training and every exported graph. Reduced pixels are whole grey levels again
(rounded half up), and so are resized ones, so that the cache, PyTorch, ONNX and integer C code hold exactly the same
numbers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gonogo.errors import DataError, UsageError
from gonogo.types import Float32Array, Int64Array, UInt8Array

Colour = Literal["grey", "rgb"]

# ITU-R BT.601 luma in 1/65536, the integers Pillow uses; every product and sum is exact in float32.
LUMA = (19595, 38470, 7471)
LUMA_HALF = 32768
LUMA_SCALE = 65536
MAX_REDUCE = 64
# A resized pixel lies between two neighbours along each axis; their weights are whole 1/256. All sums are below 2^24,
# so they are exact in float32 whatever their order.
TAP_SCALE = 256


@dataclass(frozen=True)
class Geometry:
    """The way from camera pixels to network input.

    Attributes:
        height: camera pixels; None where photos of any size that holds the crop are taken.
        width: camera pixels; None together with `height`.
        channels: of the camera photo, 1 grey or 3 colour.
        crop: x, y, width, height in camera pixels, or None for the whole photo.
        reduce: each `reduce` x `reduce` block becomes its mean, rounded half up; what does not fill a block at the
            right and bottom is left out.
        colour: what the network sees; a grey camera's channel is repeated for a colour network.
        mean: grey levels, one value for each network channel.
        std: grey levels, above 0.
        bit_depth: significant bits of camera files of more than 8 bits.
        size: height and width of the network's input where the reduced photo is resized to one, bilinearly with
            half-pixel centres; None to take it as it is.
    """

    height: int | None
    width: int | None
    channels: int = 1
    crop: tuple[int, int, int, int] | None = None
    reduce: int = 1
    colour: Colour = "grey"
    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (64.0,)
    bit_depth: int = 8
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if (self.height is None) != (self.width is None) or (self.height is None and self.crop is None):
            raise UsageError("a geometry needs the camera's height and width, or a crop")
        if self.channels not in (1, 3) or self.colour not in ("grey", "rgb"):
            raise UsageError(f"found {self.channels} channels in {self.colour}, expected 1 or 3, and grey or rgb")
        if len(self.mean) != self.network_channels or len(self.std) != self.network_channels or min(self.std) <= 0:
            raise UsageError(f"mean and std need {self.network_channels} values, every std above 0")
        if not 8 <= self.bit_depth <= 16:
            raise UsageError(f"found --bit-depth {self.bit_depth}, expected 8 to 16")
        if not 1 <= self.reduce <= MAX_REDUCE:
            raise UsageError(f"found --reduce {self.reduce}, expected a whole number from 1 to {MAX_REDUCE}")
        x, y, width, height = self.region
        right, bottom = (self.width or x + width), (self.height or y + height)
        if min(x, y) < 0 or min(width, height) < 1 or x + width > right or y + height > bottom:
            raise UsageError(f"--crop {width}x{height}+{x}+{y} does not lie inside the {right}x{bottom} photo")
        rows, columns = self.reduced_size
        if min(rows, columns) < 1:
            raise UsageError(f"--reduce {self.reduce} leaves nothing of {width}x{height} pixels; give a smaller one")
        if self.size is not None and (min(self.size) < 1 or rows >= 2 * self.size[0] or columns >= 2 * self.size[1]):
            # Between two neighbours lies at most one pixel that none of them weighs: more would alias.
            raise UsageError(
                f"--size {self.size[1]}x{self.size[0]} is half of {columns}x{rows} pixels or less, which would skip "
                f"pixels; reduce more than {self.reduce}x first, or give a larger size"
            )

    @property
    def region(self) -> tuple[int, int, int, int]:
        """The part of the photo that is used: x, y, width, height in camera pixels."""
        return self.crop if self.crop is not None else (0, 0, self.width or 0, self.height or 0)

    @property
    def reduced_size(self) -> tuple[int, int]:
        """Height and width after the reduction, in pixels."""
        _, _, width, height = self.region
        return height // self.reduce, width // self.reduce

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input, in pixels."""
        return self.size or self.reduced_size

    @property
    def scale(self) -> tuple[float, float]:
        """Camera pixels for each pixel of the network's input, down and across."""
        (rows, columns), (height, width) = self.reduced_size, self.input_size
        return self.reduce * rows / height, self.reduce * columns / width

    @property
    def network_channels(self) -> int:
        """1 for a grey network, 3 for a colour one."""
        return 3 if self.colour == "rgb" else 1

    @property
    def stored_channels(self) -> int:
        """Channels after `apply`: a grey camera's channel is repeated only in `normalise`."""
        return 1 if self.colour == "grey" else self.channels

    @property
    def discarded(self) -> float:
        """Share of the photo's pixels that the network never sees; 0 where the photo's size is free."""
        if self.height is None or self.width is None:
            return 0.0
        rows, columns = self.reduced_size
        return 1 - rows * columns * self.reduce**2 / (self.height * self.width)

    @property
    def pixels_key(self) -> str:
        """A hash of everything that decides the reduced pixels (mean and std do not)."""
        facts: list[object] = [self.height, self.width, self.channels, self.crop, self.reduce, self.colour]
        facts += [self.bit_depth, *([self.size] if self.size else [])]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def with_statistics(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Geometry:
        """Return the same geometry with another mean and std."""
        return replace(self, mean=mean, std=std)

    def check(self, pixels: UInt8Array, name: str = "photo") -> None:
        """Refuse camera pixels that this geometry was not made for.

        Args:
            pixels: (H, W, C) uint8.
            name: how the message calls it.

        Raises:
            DataError: another dtype, size or number of channels.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3:
            raise DataError(f"{name}: {pixels.dtype} pixels of shape {pixels.shape}, expected uint8 (H, W, C)")
        height, width, channels = pixels.shape
        x, y, crop_width, crop_height = self.region
        if self.height is not None and (height, width) != (self.height, self.width):
            raise DataError(f"{name}: {width}x{height} pixels, expected {self.width}x{self.height}")
        if height < y + crop_height or width < x + crop_width:
            raise DataError(f"{name}: {width}x{height} pixels do not hold the crop {crop_width}x{crop_height}+{x}+{y}")
        if channels != self.channels:
            raise DataError(f"{name}: {channels} channels, expected {self.channels}")

    def apply(self, pixels: UInt8Array) -> UInt8Array:
        """Crop, turn to grey, reduce and resize.

        Args:
            pixels: (N, H, W, C) uint8 camera pixels.

        Returns:
            (N, h, w, stored_channels) uint8.
        """
        reduced = self._reduce(pixels)
        return reduced if self.size is None else _resize(reduced, self.size)

    def _reduce(self, pixels: UInt8Array) -> UInt8Array:
        x, y, width, height = self.region
        rows, columns = self.reduced_size
        r = self.reduce
        kept = pixels[:, y : y + height, x : x + width][:, : rows * r, : columns * r]
        if self.colour == "grey" and self.channels == 3:
            weighted = kept.astype(np.uint32) @ np.array(LUMA, dtype=np.uint32)
            kept = ((weighted + LUMA_HALF) // LUMA_SCALE).astype(np.uint8)[..., None]
        if r == 1:
            return np.ascontiguousarray(kept)
        blocks = kept.reshape(len(kept), rows, r, columns, r, kept.shape[-1])
        totals = blocks.sum(axis=4, dtype=np.uint32).sum(axis=2, dtype=np.uint32)
        reduced: UInt8Array = ((2 * totals + r * r) // (2 * r * r)).astype(np.uint8)
        return reduced

    def normalise(self, reduced: UInt8Array) -> Float32Array:
        """Turn reduced pixels into the network's input.

        Args:
            reduced: (N, h, w, stored_channels) uint8, as `apply` returns.

        Returns:
            (N, network_channels, h, w) float32.
        """
        mean, std = np.asarray(self.mean, dtype=np.float32), np.asarray(self.std, dtype=np.float32)
        values = (reduced.astype(np.float32) - mean) / std
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def taps(source: int, target: int) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return where each pixel of a resized row comes from.

    Pixel i of `target` looks at place (i + 1/2) * source / target - 1/2 of `source`, between two pixels; at the ends
    both are the same. In whole numbers throughout, so that any language finds the same ones.

    Args:
        source: pixels there are.
        target: pixels asked for.

    Returns:
        (target,) the lower and the higher pixel, and the weight of the higher one in 1/`TAP_SCALE`.
    """
    place = (2 * np.arange(target, dtype=np.int64) + 1) * source - target  # in 1/(2 target) of a pixel
    low = place // (2 * target)
    weight = ((place - low * 2 * target) * TAP_SCALE + target) // (2 * target)
    return low.clip(0, source - 1), (low + 1).clip(0, source - 1), weight


def _resize(pixels: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Resize (N, H, W, C) to (N, *size, C): bilinear, rounded half up."""
    low, high, weight = taps(pixels.shape[1], size[0])
    weight = weight[:, None, None]
    rows = pixels[:, low] * (TAP_SCALE - weight) + pixels[:, high] * weight
    low, high, weight = taps(pixels.shape[2], size[1])
    weight = weight[:, None]
    whole = rows[:, :, low] * (TAP_SCALE - weight) + rows[:, :, high] * weight
    return np.ascontiguousarray((whole + TAP_SCALE**2 // 2) // TAP_SCALE**2, dtype=np.uint8)


def parse_size(text: str) -> tuple[int, ...]:
    """Read ``WIDTHxHEIGHT``, or the shorter side alone, in pixels.

    Raises:
        UsageError: another form.
    """
    try:
        sides = tuple(int(side) for side in text.lower().replace(" ", "").split("x"))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2) or min(sides) < 1:
        raise UsageError(f"found --size {text}, expected pixels: 112 for the shorter side, or 112x280")
    return sides


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """Read ``WIDTHxHEIGHT+X+Y`` (the offset may be left out) as x, y, width, height.

    Raises:
        UsageError: another form.
    """
    size, *offset = text.replace(" ", "").split("+")
    try:
        width, height = (int(value) for value in size.lower().split("x"))
        x, y = (int(value) for value in offset) if offset else (0, 0)
    except ValueError:
        raise UsageError(f"found --crop {text}, expected WIDTHxHEIGHT+X+Y in pixels, such as 500x1240+0+10") from None
    return x, y, width, height
