"""The photos that ranges are measured on: of training, never those that thresholds are chosen or figures taken on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gonogo.data.manifest import Manifest, Sample
from gonogo.data.reading import Reading, read_like
from gonogo.data.scan import scan
from gonogo.errors import DataError
from gonogo.export.gauge import PARITY_BYTES, spread
from gonogo.export.parity import load_photos
from gonogo.gauge.seen import are_seen, content_keys
from gonogo.train.run import Run
from gonogo.types import UInt8Array

# Ranges need fewer photos than figures do; every other one is kept to listen to what rounding does to the answers.
MOST_PHOTOS = 400
LEAST_PHOTOS = 4


@dataclass(frozen=True)
class Calibration:
    """Photos of training.

    Attributes:
        ranges: (N, H, W, C) uint8, on which ranges are measured.
        others: (M, H, W, C) uint8, on which noise is measured.
        fingerprint: of the photos that both were taken from.
        split: which photos they are.
    """

    ranges: UInt8Array
    others: UInt8Array
    fingerprint: str
    split: str


def calibration_photos(
    run: Run,
    data: Path | None,
    reading: Reading,
    *,
    skip_unreadable: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Load photos to calibrate on: the run's training photos, or others that it was not tuned or tested on.

    Args:
        run: a finished run.
        data: a folder or table to take them from, of its split `train` where it has one; None for the run's own.
        reading: how `data` is read.
        skip_unreadable: go on without photos of `data` that cannot be decoded.
        progress: called while `data` is read.

    Raises:
        DataError: they cannot be read, do not fit the run's geometry, are too few, or are among the run's own
            validation or test photos.
    """
    own = run.manifest()
    if data is None:
        chosen, name = own.select("train"), "train"
    else:
        chosen, name = _others(run, own, data, reading, skip_unreadable, progress)
    if len(chosen) < LEAST_PHOTOS:
        raise DataError(f"{data or run.path}: {len(chosen)} photos to calibrate on, expected {LEAST_PHOTOS} at least")
    samples = spread(chosen, _room(chosen.samples[0], run))
    pixels = load_photos(chosen, samples, run.config.geometry)
    return Calibration(pixels[::2], pixels[1::2], chosen.fingerprint, name)


def _room(sample: Sample, run: Run) -> int:
    size = max(1, sample.width * sample.height * run.config.geometry.channels)
    return int(np.clip(PARITY_BYTES // size, LEAST_PHOTOS, MOST_PHOTOS))


def _others(
    run: Run,
    own: Manifest,
    data: Path,
    reading: Reading,
    skip_unreadable: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[Manifest, str]:
    good_alone = run.config.task if run.metrics.get("good_alone") else None
    read = read_like(data, reading, run.config.options, good_alone)
    manifest = scan(read, skip_unreadable=skip_unreadable, progress=progress).manifest
    has_train = any(sample.split == "train" for sample in manifest.samples)
    chosen = manifest.select("train") if has_train else manifest
    held_out = content_keys(sample.sha256 for sample in own.samples if sample.split != "train")
    known = int(are_seen(held_out, [sample.sha256 for sample in chosen.samples]).sum())
    if known:
        raise DataError(
            f"{known} of {len(chosen)} photos of {data} are byte for byte among the validation or test photos of "
            f"{run.path}, which ranges must never see; leave them out, or leave DATA out for the run's training photos"
        )
    # Labels play no part here; only that each class is among the photos.
    return replace(chosen, notes=()), "train" if has_train else "all"
