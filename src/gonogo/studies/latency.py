"""How long networks take, by batch and by how many photos there are: ONNX files, one thread, all in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.bench.timer import percentiles
from gonogo.runtimes import RUNTIMES, Session
from gonogo.types import UInt8Array

REPEATS = 2
STEADY = 32  # photos a call where the number of photos changes


@dataclass(frozen=True)
class Latency:
    """The time a network takes.

    Attributes:
        by_batch: photos a call to milliseconds a photo.
        by_count: photos in all, so many a call as `STEADY` says, to seconds.
    """

    by_batch: Mapping[int, float]
    by_count: Mapping[int, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "ms_per_photo_by_batch": {str(batch): ms for batch, ms in self.by_batch.items()},
            "seconds_by_photos": {str(count): seconds for count, seconds in self.by_count.items()},
        }


def latencies(
    files: Mapping[str, Path], photos: UInt8Array, *, batches: Sequence[int], counts: Sequence[int]
) -> dict[str, Latency]:
    """Time every network on the same photos.

    Args:
        files: name to ONNX file.
        photos: (N, H, W, C) uint8, camera pixels; taken again from the start where more are asked for.
        batches: photos a call.
        counts: photos in all.

    Returns:
        Name to times.
    """
    sessions = {name: RUNTIMES.get("onnxruntime").open(path, 1) for name, path in files.items()}
    by_batch: dict[str, dict[int, float]] = {name: {} for name in sessions}
    for batch in batches:
        several = _take(photos, 0, batch)
        calls: dict[str, Callable[[int], object]] = {
            name: partial(_ask, session, several) for name, session in sessions.items()
        }
        for name, times in percentiles(calls, REPEATS).items():
            by_batch[name][batch] = float(np.median(times)) / batch
    by_count = {name: _seconds(session, photos, counts) for name, session in sessions.items()}
    return {name: Latency(by_batch[name], by_count[name]) for name in sessions}


def _take(photos: UInt8Array, start: int, count: int) -> UInt8Array:
    return photos[np.arange(start, start + count) % len(photos)]


def _ask(session: Session, photos: UInt8Array, _: int) -> object:
    return session(photos)


def _seconds(session: Session, photos: UInt8Array, counts: Sequence[int]) -> dict[int, float]:
    """Return how long each number of photos took, all of them in one go through the largest."""
    total, asked, found = 0.0, 0, {}
    for count in sorted(counts):
        while asked < count:
            several = _take(photos, asked, min(STEADY, count - asked))
            started = time.perf_counter()
            session(several)
            total += time.perf_counter() - started
            asked += len(several)
        found[count] = total
    return found
