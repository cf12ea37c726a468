"""Latency of a gauge's files, from camera pixels and from JPEG bytes."""

from __future__ import annotations

import io
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.data.images import as_image, decode_photo
from gonogo.gauge.gauge import Gauge, check_golden
from gonogo.gauge.golden import Golden
from gonogo.runtimes import RUNTIMES

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


def peak_memory_bytes() -> int | None:
    """Return the most memory this process has held; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def percentiles(calls: dict[str, Callable[[int], object]], repeats: int) -> dict[str, np.ndarray]:
    """Time several calls in turns, so that a busy moment of the machine hits all of them alike.

    Args:
        calls: by name; each is given the number of the turn.
        repeats: timed turns, after a warm-up.

    Returns:
        (repeats,) milliseconds by name.
    """
    times = {name: np.empty(repeats) for name in calls}
    for turn in range(-min(WARM_UP, repeats), repeats):
        for name, call in calls.items():
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
        of one call of `batch` photos.
    """
    golden = Golden.load(check_golden(gauge))
    geometry = gauge.facts.geometry
    jpegs = [_jpeg(photo) for photo in golden.pixels]
    n = len(golden.pixels)

    def stack(turn: int) -> np.ndarray:
        return golden.pixels[np.arange(turn * batch, (turn + 1) * batch) % n]

    stacks = [stack(turn) for turn in range(n)]
    calls: dict[str, Callable[[int], object]] = {}
    for file in gauge.files:
        session = gauge.open(file, threads)

        def from_pixels(turn: int, session: Any = session) -> object:
            return session(stacks[turn % n])

        def from_jpeg(turn: int, session: Any = session) -> object:
            photos = [
                decode_photo(jpegs[(turn * batch + k) % n], channels=geometry.channels, bit_depth=geometry.bit_depth)
                for k in range(batch)
            ]
            return session(np.stack(photos))

        calls |= {f"{file.path}\tpixels": from_pixels, f"{file.path}\tjpeg": from_jpeg}
    times = percentiles(calls, repeats)
    return [
        _row(gauge, name, times[f"{file.path}\t{name}"], threads, batch, file)
        for file in gauge.files
        for name in ("pixels", "jpeg")
    ]


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    as_image(pixels).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _row(gauge: Gauge, start: str, times: np.ndarray, threads: int, batch: int, file: Any) -> dict[str, Any]:
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
        "size_bytes": file.size_bytes,
        "peak_memory_bytes": peak_memory_bytes(),
        "roofline_share": None,
        "repeats": len(times),
        "seed": about["seed"],
        "gonogo": about["gonogo"],
        "cores": os.cpu_count(),
    }
