"""Latency of a gauge's files, from camera pixels and from JPEG bytes."""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.bench.memory import peak_memory_bytes
from gonogo.bench.roofline import measure_roofline
from gonogo.data.images import as_image, decode_photo
from gonogo.gauge.gauge import Gauge, GaugeFile, check_golden
from gonogo.gauge.golden import Golden
from gonogo.runtimes import RUNTIMES
from gonogo.types import UInt8Array

WARM_UP = 50
JPEG_QUALITY = 90


def device_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def percentiles(calls: dict[str, Callable[[int], object]], repeats: int, *, in_a_row: int = 1) -> dict[str, np.ndarray]:
    """Time several calls in turns, so that a busy moment of the machine hits all of them alike.

    Args:
        calls: by name; each is given the number of the turn.
        repeats: timed turns, after a warm-up.
        in_a_row: calls in each turn, of which the last is timed: with more than one, what the others left in the
            processor's caches plays no part.

    Returns:
        (repeats,) milliseconds by name.
    """
    times = {name: np.empty(repeats) for name in calls}
    for turn in range(-min(WARM_UP, repeats), repeats):
        for name, call in calls.items():
            for _ in range(in_a_row - 1):
                call(turn)
            started = time.perf_counter_ns()
            call(turn)
            if turn >= 0:
                times[name][turn] = (time.perf_counter_ns() - started) / 1e6
    return times


def bench(gauge: Gauge, *, threads: int = 1, batch: int = 1, repeats: int = 500) -> list[dict[str, Any]]:
    """Time every model file of a gauge on its golden images.

    Args:
        gauge: a whole gauge folder.
        threads: of the runtime.
        batch: photos a call.
        repeats: timed calls, at least 1.

    Returns:
        A row for each file and each of "pixels" (camera pixels in memory) and "jpeg" (decoding included); times are
        of one call of `batch` photos. `size_bytes` is what a device holds: the file, or what is compiled from it.
        `peak_memory_bytes` is that of `bench.memory`. `roofline_share` is the least time that this machine could take
        for the call in float32, which fewer bits can beat, over the median; None with "jpeg", whose decoding it leaves
        out.
    """
    golden, about = Golden.load(check_golden(gauge)), gauge.facts.about
    times = _times(gauge, golden.pixels, threads, batch, repeats)
    least_ms = measure_roofline(threads).least_ms(
        macs=about["macs"], params=about["params"], pixels=golden.pixels[0].nbytes, batch=batch
    )
    rows = []
    for file in gauge.files:
        peak = peak_memory_bytes(gauge, file.path, threads=threads, batch=batch)
        for start in ("pixels", "jpeg"):
            row = _row(gauge, file, start, times[f"{file.path}\t{start}"], threads, batch)
            share = least_ms / row["p50_ms"] if start == "pixels" else None
            rows.append(row | {"peak_memory_bytes": peak, "roofline_share": share})
    return rows


def _times(gauge: Gauge, photos: UInt8Array, threads: int, batch: int, repeats: int) -> dict[str, np.ndarray]:
    """Return the times of each file and start, on (N, H, W, C) camera pixels."""
    geometry = gauge.facts.geometry
    jpegs = [_jpeg(photo) for photo in photos]
    n = len(photos)

    def stack(turn: int) -> np.ndarray:
        return photos[np.arange(turn * batch, (turn + 1) * batch) % n]

    stacks = [stack(turn) for turn in range(n)]
    calls: dict[str, Callable[[int], object]] = {}
    for file in gauge.files:
        session = gauge.open(file, threads)

        def from_pixels(turn: int, session: Any = session) -> object:
            return session(stacks[turn % n])

        def from_jpeg(turn: int, session: Any = session) -> object:
            decoded = [
                decode_photo(jpegs[(turn * batch + k) % n], channels=geometry.channels, bit_depth=geometry.bit_depth)
                for k in range(batch)
            ]
            return session(np.stack(decoded))

        calls |= {f"{file.path}\tpixels": from_pixels, f"{file.path}\tjpeg": from_jpeg}
    return percentiles(calls, repeats)


def _device_bytes(gauge: Gauge, file: GaugeFile) -> int:
    """Return what a device holds of a file: the file, or what is compiled from it."""
    counted = RUNTIMES.get(file.runtime).device_bytes
    return file.size_bytes if counted is None else counted(gauge.path / file.path)


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    as_image(pixels).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _row(gauge: Gauge, file: GaugeFile, start: str, times: np.ndarray, threads: int, batch: int) -> dict[str, Any]:
    p50, p95, p99 = (float(value) for value in np.percentile(times, [50, 95, 99]))
    about = gauge.facts.about
    return {
        "model": about["arch"],
        "runtime": file.runtime,
        "runtime_version": RUNTIMES.get(file.runtime).version(),
        "precision": file.precision,
        "threads": threads,
        "batch": batch,
        "from": start,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "images_per_second": batch / p50 * 1e3,
        "params": about["params"],
        "macs": about["macs"],
        "size_bytes": _device_bytes(gauge, file),
        "repeats": len(times),
        "seed": about["seed"],
        "gonogo": about["gonogo"],
        "cores": os.cpu_count(),
    }
