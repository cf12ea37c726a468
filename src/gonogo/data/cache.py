"""All photos of a data set as one memory-mapped uint8 array, keyed by their content and by the geometry."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.scan import cache_folder
from gonogo.errors import DataError
from gonogo.files import atomic_file, remove_leftovers
from gonogo.types import UInt8Array

# Raised when decoding or reducing changes its numbers.
PIXELS_VERSION = 1


def load_photo(path: Path, geometry: Geometry) -> UInt8Array:
    """Decode one photo to camera pixels that fit the geometry.

    Returns:
        (H, W, C) uint8.

    Raises:
        DataError: it cannot be decoded, or has another size.
    """
    pixels = decode_photo(path, channels=geometry.channels, bit_depth=geometry.bit_depth)
    geometry.check(pixels, str(path))
    return pixels


def load_sample(manifest: Manifest, sample: Sample, geometry: Geometry) -> UInt8Array:
    """Decode a photo of a data set, whether it is a file or a record of one; result and errors as of `load_photo`."""
    name = str(manifest.path_of(sample))
    pixels = decode_photo(
        manifest.read_bytes(sample), channels=geometry.channels, bit_depth=geometry.bit_depth, name=name
    )
    geometry.check(pixels, name)
    return pixels


def reduced_pixels(
    manifest: Manifest, geometry: Geometry, *, progress: Callable[[int, int], None] | None = None
) -> UInt8Array:
    """Return every photo cropped and reduced, decoding only on the first call for this content and geometry.

    The file appears under its name only when it is complete, so a killed run leaves nothing broken.

    Args:
        manifest: scanned samples (their hashes make the key).
        geometry: mean and std do not matter here.
        progress: called with how many are done, and of how many.

    Returns:
        (N, h, w, stored_channels) uint8, memory-mapped and read-only, in the manifest's order.

    Raises:
        DataError: a photo cannot be decoded or does not fit, or the disk has no room.
    """
    shape = (len(manifest), *geometry.input_size, geometry.stored_channels)
    path = cache_folder() / "pixels" / f"{_key(manifest, geometry)}.npy"
    cached = _open(path, shape)
    if cached is not None:
        return cached
    _check_room(path, int(np.prod(shape)))
    with atomic_file(path) as temporary:
        remove_leftovers(path.parent)
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        _fill(array, manifest, geometry, progress)
        array.flush()
        del array
    built = _open(path, shape)
    if built is None:
        raise DataError(f"{path} was written and cannot be read back; check the disk")
    return built


def _key(manifest: Manifest, geometry: Geometry) -> str:
    digest = hashlib.sha256(f"{PIXELS_VERSION} {geometry.pixels_key}".encode())
    for sample in manifest.samples:
        digest.update(sample.sha256.encode() if sample.sha256 else sample.path.encode())
    return digest.hexdigest()[:32]


def _open(path: Path, shape: tuple[int, ...]) -> UInt8Array | None:
    """Map the file; None where there is none, or where a disk fault left one of another size (it is built anew)."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.uint8 else None


def _fill(
    array: UInt8Array, manifest: Manifest, geometry: Geometry, progress: Callable[[int, int], None] | None
) -> None:
    def one(index: int) -> None:
        photo = load_sample(manifest, manifest.samples[index], geometry)
        array[index] = geometry.apply(photo[None])[0]

    # Pillow's decoders release the interpreter lock, so threads use every core.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(one, range(len(array))), start=1):
            if progress:
                progress(done, len(array))


def _check_room(path: Path, size_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < size_bytes * 1.05:
        raise DataError(
            f"{path.parent}: {free / 1e6:,.0f} MB free, {size_bytes / 1e6:,.0f} MB needed for the photo cache; "
            "free some, or set GONOGO_CACHE to a folder on another disk"
        )
